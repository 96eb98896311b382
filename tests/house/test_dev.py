"""The set-up script, as far as it can be tried without setting anything up."""

import os
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests import conftest, skips

TOP = Path(__file__).parents[2]


@pytest.fixture
def dev(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module. What the caller tells uv directly is cleared away."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("dev", str(TOP / "dev"))
    spec = spec_from_loader("dev", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    for _, variable, _ in module.PIP_TO_UV:
        monkeypatch.delenv(variable, raising=False)
    return module


def say_for_pip(dev: ModuleType, monkeypatch: pytest.MonkeyPatch, listed: str) -> None:
    monkeypatch.setattr(dev.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=listed))


PIP_CONFIGURATION = r"""
:env:.find-links='/wheels'
freeze.timeout='3'
global.cert='/etc/ca.pem'
global.extra-index-url='\nhttps://one.example/simple\nhttps://two.example/simple'
global.find-links='/old-wheels /older-wheels'
global.index-url='https://general.example/simple'
install.index-url='https://install.example/simple'
install.trusted-host='one.example two.example'
"""


def test_uv_is_told_what_pip_is_told(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    say_for_pip(dev, monkeypatch, PIP_CONFIGURATION)
    told = dev.uv_environment()
    assert {variable: told[variable] for _, variable, _ in dev.PIP_TO_UV if variable in told} == {
        "UV_DEFAULT_INDEX": "https://install.example/simple",
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_INSECURE_HOST": "one.example two.example",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


def test_what_uv_is_told_directly_wins(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    say_for_pip(dev, monkeypatch, PIP_CONFIGURATION)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://mine.example/simple")
    assert dev.uv_environment()["UV_DEFAULT_INDEX"] == "https://mine.example/simple"


@pytest.mark.parametrize(("setting", "expected"), [("'1'", True), ("'true'", True), ("'0'", False)])
def test_uv_asks_no_index_if_pip_must_not(
    setting: str, expected: bool, dev: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    say_for_pip(dev, monkeypatch, f":env:.no-index={setting}")
    monkeypatch.setattr(dev, "call", lambda *command, **_: called.extend(command))
    dev.uv("pip", "sync")
    assert ("--no-index" in called) is expected


def test_the_fingerprint_changes_with_each_file_that_decides_what_is_installed(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = {dev.fingerprint()}
    for name in ("PROJECT", "LOCK", "UV_LOCK"):
        changed = tmp_path / name
        changed.write_bytes(getattr(dev, name).read_bytes() + b"\n")
        monkeypatch.setattr(dev, name, changed)
        seen.add(dev.fingerprint())
    assert len(seen) == 4


def test_an_unknown_command_is_answered_with_the_list_of_commands() -> None:
    asked = subprocess.run((TOP / "dev", "nonsense"), capture_output=True, text=True, check=False)
    assert asked.returncode == 2
    assert "./dev check" in asked.stderr


def test_a_python_without_venv_is_told_what_to_install(dev: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(SystemExit, match=r"apt-get install python3\.\d+-venv"):
        dev.make_installer()


SKIP = "pytest.skip('no browser')"


@pytest.mark.parametrize(
    ("text", "workers", "code"), [(SKIP, "0", 1), (SKIP, "2", 1), ("assert True", "2", 0), ("assert False", "0", 1)]
)
def test_a_check_that_skipped_a_test_has_failed(text: str, workers: str, code: int, tmp_path: Path) -> None:
    """The option stands in a file of its own; what else the suite asks for takes most of a second to import."""
    assert conftest.pytest_sessionfinish is skips.pytest_sessionfinish
    (tmp_path / "test_one.py").write_text(f"import pytest\ndef test_one(): {text}\n")
    options = ("-p", "xdist", "-p", "tests.skips", "-p", "no:cacheprovider", "-n", workers, "--rootdir", str(tmp_path))
    run = subprocess.run(
        (sys.executable, "-m", "pytest", *options, "--fail-on-skip", str(tmp_path)),
        cwd=TOP,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout + run.stderr
