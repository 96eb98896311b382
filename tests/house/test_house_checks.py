"""The checks find what they are for: each test plants a breach in a small checkout and sees it named."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from checks import hosts, house

Plant = Callable[[str, str], None]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Writes a file into an otherwise empty checkout, which is a git repository."""
    subprocess.run(("git", "init", "--quiet"), cwd=tmp_path, check=True)

    def write(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return write


@pytest.fixture
def said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Runs the house check: what it printed, less the last line. It fails exactly if it printed a breach."""

    def run() -> list[str]:
        failed = house.main(tmp_path)
        breaches = capsys.readouterr().out.splitlines()[:-1]
        assert bool(failed) == bool(breaches)
        return breaches

    return run


def function_of(lines: int) -> str:
    return "def f() -> None:\n" + "    pass\n" * (lines - 1)


def test_clean_code_passes(plant: Plant, said: Callable[[], list[str]]) -> None:
    plant("src/tallybook/domain/run.py", function_of(40) + "\n" * 360)
    assert said() == []


@pytest.mark.parametrize("path", ["src/tallybook/a.py", "tests/a.py", "benchmarks/a.py", "checks/a.py", "dev"])
def test_a_file_of_401_lines_is_too_long(path: str, plant: Plant, said: Callable[[], list[str]]) -> None:
    plant(path, "\n" * 401)
    assert said() == [f"{path}:1: 401 lines, at most 400"]


@pytest.mark.parametrize("start", ["def f", "async def f"])
def test_a_function_of_41_lines_is_too_long(start: str, plant: Plant, said: Callable[[], list[str]]) -> None:
    plant("dev", "import sys\n\n" + function_of(41).replace("def f", start))
    assert said() == ["dev:3: f has 41 lines, at most 40"]


def test_decorators_do_not_make_a_function_longer(plant: Plant, said: Callable[[], list[str]]) -> None:
    plant("tests/a.py", "@cache\n" * 9 + function_of(40))
    assert said() == []


@pytest.mark.parametrize("path", ["src/tallybook/utils.py", "src/tallybook/core/run.py", "tests/helpers/run.py"])
def test_a_name_that_says_nothing_is_refused(path: str, plant: Plant, said: Callable[[], list[str]]) -> None:
    plant(path, "")
    [breach] = said()
    assert "says nothing about what is inside" in breach


@pytest.mark.parametrize(
    "line",
    [
        "except:",
        "except Exception:",
        "except BaseException as error:",
        "except (ValueError, Exception):",
        "except builtins.Exception:",
    ],
)
def test_an_except_for_everything_is_refused(line: str, plant: Plant, said: Callable[[], list[str]]) -> None:
    plant("src/tallybook/report.py", f"try:\n    pass\n{line}\n    pass\n")
    assert said() == ["src/tallybook/report.py:3: catches everything; catch what you can name"]


def test_suppressing_everything_is_refused(plant: Plant, said: Callable[[], list[str]]) -> None:
    plant("tests/a.py", "with contextlib.suppress(Exception):\n    pass\n")
    assert said() == ["tests/a.py:1: suppresses everything; suppress what you can name"]


@pytest.mark.parametrize("end", ["raise", "raise Refused from error"])
def test_only_a_rollback_that_raises_the_same_again_may_see_everything(
    end: str, plant: Plant, said: Callable[[], list[str]]
) -> None:
    plant("src/tallybook/database.py", f"try:\n    pass\nexcept BaseException as error:\n    roll_back()\n    {end}\n")
    assert len(said()) == (0 if end == "raise" else 1)


@pytest.mark.parametrize("path", ["engine/runner.py", "tracking.py", "tracking/spool.py"])
def test_the_two_edges_may_catch_everything(path: str, plant: Plant, said: Callable[[], list[str]]) -> None:
    plant(f"src/tallybook/{path}", "try:\n    pass\nexcept Exception:\n    pass\n")
    assert said() == []


@pytest.mark.parametrize(
    "back",
    [
        "import tallybook.ledger.write",
        "from tallybook.ledger import write",
        "from tallybook.ledger.write import record",
        "from ..ledger.write import record",
        "from ..ledger import write",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tallybook.ledger.write import record",
        "def late() -> None:\n    from tallybook.ledger.write import record",
    ],
)
def test_an_import_circle_is_found_however_it_is_written(
    back: str, plant: Plant, said: Callable[[], list[str]]
) -> None:
    plant("src/tallybook/__init__.py", "")
    plant("src/tallybook/ledger/__init__.py", "")
    plant("src/tallybook/ledger/write.py", "from tallybook.domain.run import Run\n")
    plant("src/tallybook/domain/run.py", "import tallybook.report\n")
    plant("src/tallybook/report.py", "from .domain.lead import Lead\n")
    plant("src/tallybook/domain/lead.py", f"{back}\n")
    circle = "tallybook.domain.lead -> tallybook.domain.run -> tallybook.ledger.write -> tallybook.report"
    assert said() == [f"import circle: {circle}"]


def test_a_package_that_takes_from_its_modules_is_a_circle_only_if_they_take_from_it(
    plant: Plant, said: Callable[[], list[str]]
) -> None:
    plant("src/tallybook/domain/__init__.py", "from .run import Run\n")
    plant("src/tallybook/domain/run.py", "from tallybook.domain.tally import Tally\n")
    plant("src/tallybook/domain/tally.py", "import operator\n")
    assert said() == []
    plant("src/tallybook/domain/tally.py", "from . import Run\n")
    assert said() == ["import circle: tallybook.domain -> tallybook.domain.run -> tallybook.domain.tally"]


def test_the_lengths_of_our_functions_are_told(
    tmp_path: Path, plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    house.main(tmp_path)
    plant("src/tallybook/a.py", "".join(function_of(lines) for lines in range(2, 12)))
    plant("tests/a.py", function_of(40))
    house.main(tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "src: no functions",
        "src: 10 functions, median 7 lines, 90th percentile 11, longest 11 (src/tallybook/a.py f)",
    ]


# -- hosts -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Runs the hosts check: what it printed, less the last line. It fails exactly if it printed a finding."""

    def run() -> list[str]:
        failed = hosts.main(tmp_path)
        found = capsys.readouterr().out.splitlines()[:-1]
        assert bool(failed) == bool(found)
        return found

    return run


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-uv.lock", "pylock.toml", "docs/requirements.txt"])
def test_a_lock_that_names_a_host_is_found(lock: str, plant: Plant, findings: Callable[[], list[str]]) -> None:
    plant(lock, "typer==1.0\nrich @ https://example.org/rich.whl\n")
    plant("README.md", "See https://example.org/ for more.\n")
    assert findings() == [f"{lock}:2: '://' names a host; a lock names only versions and hashes"]


@pytest.mark.parametrize("option", ["index" + "-url", "extra-index" + "-url", "find" + "-links"])
def test_choosing_a_package_index_is_found(option: str, plant: Plant, findings: Callable[[], list[str]]) -> None:
    plant("requirements.lock", f"--{option} somewhere\n")
    assert findings() == [f"requirements.lock:1: '--{option}' chooses a package index"]


def test_a_configured_package_index_is_found(plant: Plant, findings: Callable[[], list[str]]) -> None:
    plant("uv.toml", "index" + "-url = 'somewhere'\n")
    assert len(findings()) == 1


@pytest.mark.parametrize("top", ["work", "root", "farm"])
@pytest.mark.parametrize("before", ["", "see ", "'", "(", "path=", "file://"])
def test_a_path_of_this_machine_is_found(
    top: str, before: str, plant: Plant, findings: Callable[[], list[str]]
) -> None:
    plant("docs/a.md", f"{before}/{top}/tallybook\n")
    assert findings() == [f"docs/a.md:1: '/{top}/' is a path of one machine"]


def test_the_same_words_inside_another_path_are_no_finding(plant: Plant, findings: Callable[[], list[str]]) -> None:
    plant("docs/a.md", "src/work/a, ./work/b, $HOME/work/c, network/farm\n")
    assert findings() == []


def test_a_word_of_the_workplace_is_found(plant: Plant, findings: Callable[[], list[str]]) -> None:
    plant("docs/a.md", "As the Steering" + " repo says\n")
    assert len(findings()) == 1


def test_what_git_ignores_and_what_is_not_text_is_not_looked_at(
    tmp_path: Path, plant: Plant, findings: Callable[[], list[str]]
) -> None:
    plant(".gitignore", "notes.md\n")
    plant("notes.md", "/work" + "/notes\n")
    (tmp_path / "logo.png").write_bytes(b"\0 /work" + b"/logo\n")
    assert findings() == []
