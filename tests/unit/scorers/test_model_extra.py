"""Models are an extra: without it everything else works, and asking for one says what to install."""

import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

WITHOUT_THE_EXTRA = """
import sys
from importlib.machinery import PathFinder
find_spec = PathFinder.find_spec
def found(name, path=None, target=None):
    absent = name.partition(".")[0] in ("pydantic_ai", "genai_prices", "openai", "anthropic", "google")
    return None if absent else find_spec(name, path, target)
PathFinder.find_spec = found
from tallybook.cli import main
sys.exit(main(sys.argv[1:]))
"""
NEVER_IMPORTED = """
import sys
from tallybook.cli import main
code = main(sys.argv[1:])
print([name for name in ("pydantic_ai", "genai_prices", "httpx", "openai") if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


def ran(script: str, folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", script, *words]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder), **settings}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_core_does_not_require_the_extra_s_libraries() -> None:
    wanted = [each for each in requires("tallybook") or [] if each.startswith(("pydantic-ai", "genai-prices"))]
    assert len(wanted) == 2
    assert all("extra == 'llm'" in each.replace('"', "'") for each in wanted)


def test_without_the_extra_a_whole_run_works_and_a_model_says_what_to_install(tmp_path: Path) -> None:
    assert ran(WITHOUT_THE_EXTRA, tmp_path, "demo").returncode == 0
    folder = tmp_path / "tallybook-demo"
    model = {"TALLYBOOK_SCORER__MODEL": "google:gemini-2.5-flash", "TALLYBOOK_SCORER__API_KEY": "k"}
    refused = ran(WITHOUT_THE_EXTRA, folder, "run", "start", **model)
    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines() == [
        "tallybook: scorer.model google:gemini-2.5-flash needs an extra that is not installed:"
        " pip install 'tallybook[llm]'"
    ]


@pytest.mark.parametrize("words", [("--help",), ("demo",), ("usage",)])
def test_nothing_imports_the_extra_before_a_model_is_asked(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = ran(NEVER_IMPORTED, tmp_path, *words)
    assert done.returncode == 0
    assert done.stderr.strip().splitlines()[-1] == "[]"


def test_a_model_without_a_key_says_which_setting_is_missing(tmp_path: Path) -> None:
    assert ran(NEVER_IMPORTED, tmp_path, "demo").returncode == 0
    folder = tmp_path / "tallybook-demo"
    for model, more in (("google:gemini-2.5-flash", ", or for Vertex GOOGLE_CLOUD_PROJECT"), ("openai:gpt-5-mini", "")):
        refused = ran(NEVER_IMPORTED, folder, "run", "start", TALLYBOOK_SCORER__MODEL=model)
        expected = f"tallybook: scorer.model {model} needs a key: set TALLYBOOK_SCORER__API_KEY{more}"
        assert refused.stderr.strip().splitlines() == [expected, "[]"]
        assert refused.returncode == 1
    assert ran(NEVER_IMPORTED, folder, "run", "list", "--json").stdout.count('"run_id"') == 1
