"""The command line as a whole: help, exit codes, errors in one line. test_cli_streams.py has what goes where."""

import ast
import errno
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import tallybook
from tallybook import cli as room
from tallybook.cli import NOUNS, main, output
from tallybook.cli.exits import ExitCode, code_of_error, code_of_status
from tallybook.cli.nouns import command_of
from tallybook.domain import errors
from tallybook.domain.run import Status
from tests.cli.conftest import Cli
from tests.cli.console import console

PROMISED = {
    "OK": 0, "ERROR": 1, "USAGE": 2, "WITH_ERRORS": 3, "CONFLICT": 4, "DIFFERENCE": 5, "FAILED": 6, "STOPPED": 7,
    "PAUSED": 8,
}  # fmt: skip
HEAVY = ("sqlalchemy", "dbos", "rich", "alembic", "pydantic", "fastapi", "httpx", "psycopg", "tallybook.app")


def verbs_of(noun: str) -> list[str]:
    return list(getattr(command_of(noun), "commands", {}))


# What it says of itself


def test_help_names_every_noun_and_every_verb(home: Path) -> None:
    said = console("--help", cwd=home)
    assert said.returncode == 0
    assert not said.stderr
    told = " ".join(said.stdout.split())
    for name, noun in NOUNS.items():
        assert f" {name} {noun.line}" in told


@pytest.mark.parametrize("name", NOUNS)
def test_the_table_of_nouns_names_the_verbs_that_exist(name: str) -> None:
    assert [verb for verb in NOUNS[name].verbs.split(", ") if verb] == verbs_of(name)


@pytest.mark.parametrize("name", NOUNS)
def test_every_command_explains_itself(name: str, cli: Cli) -> None:
    for verb in [[], *([verb] for verb in verbs_of(name))]:
        said = cli.good(name, *verb, "--help")
        assert said.out.startswith(f"Usage: tallybook {' '.join([name, *verb])}")
        assert not said.err
        assert len(said.out.splitlines()) > 3


@pytest.mark.parametrize("path", sorted(Path(room.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_help_and_completion_import_nothing_heavy(path: Path) -> None:
    """The files of nouns are imported for completion: what they import at their top counts."""
    if path.stem not in NOUNS and path.stem not in ("__init__", "nouns", "opening", "output", "exits"):
        return
    tops = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [name for node in tops for name in imported_by(node)]
    assert not [name for name in names if name.startswith(HEAVY)]


def imported_by(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def test_help_loads_no_heavy_module() -> None:
    code = (
        "import sys; from tallybook.cli import main; main(['--help']);"
        f"print([n for n in sys.modules if n.startswith({HEAVY!r})], file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stderr.strip() == "[]"


def test_the_version(home: Path) -> None:
    said = console("--version", cwd=home)
    assert (said.returncode, said.stdout) == (0, f"tallybook {tallybook.__version__}\n")


def test_python_m_works_too(home: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tallybook.cli", "--version"], cwd=home, capture_output=True, text=True, check=True
    )
    assert said.stdout == f"tallybook {tallybook.__version__}\n"


# Exit codes


def test_the_promised_exit_codes() -> None:
    assert {code.name: code.value for code in ExitCode if code <= 8} == PROMISED


@pytest.mark.parametrize("status", Status)
def test_every_status_has_an_exit_code(status: Status) -> None:
    expected = {
        Status.COMPLETED_WITH_ERRORS: 3, Status.FAILED: 6, Status.CANCELED: 7, Status.TIMED_OUT: 7, Status.PAUSED: 8,
    }  # fmt: skip
    assert code_of_status(status) == expected.get(status, 0)


def every_error() -> list[type[errors.TallybookError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TallybookError)
        if not issubclass(kind, errors.ProviderError)
    ]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_is_one_line_and_a_code(
    kind: type[errors.TallybookError], cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_args: object) -> int:
        raise kind("it is wrong,\nso do\x1b[31m this")

    monkeypatch.setattr(room, "_run", fails)
    said = cli("client", "list")
    assert said.code == (4 if issubclass(kind, errors.Conflict) else 1) == code_of_error(kind("x"))
    assert said.error.startswith("it is wrong, so do [31m this")


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "I/O error", "books")],
)
def test_what_the_system_does_is_told_in_one_line(
    error: BaseException, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_args: object) -> int:
        raise error

    monkeypatch.setattr(room, "_run", fails)
    said = cli("client", "list")
    assert said.code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert said.error


# Wrong usage: one line, code 2


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["clint"], "no such command 'clint'. Did you mean 'client'"),
        (["client", "lst"], "no such command 'lst'. Did you mean 'list'"),
        (["--nonsense"], "no such option: --nonsense; see `tallybook --help`"),
        (["client", "list", "--nonsense"], "no such option: --nonsense; see `tallybook client list --help`"),
        (["client", "show"], "missing argument 'CLIENT'; see `tallybook client show --help`"),
        (["client", "import"], "invalid value for FILE: name a FILE, or --from airtable; see `tallybook client import"),
        (["client", "import", "a", "b"], "got unexpected extra argument(s) (b)"),
        (["client", "list", "--limit", "0"], "invalid value for '--limit': must be greater than or equal to 1"),
        (["client", "list", "--limit", "1001"], "invalid value for '--limit': must be less than or equal to 1000"),
        (["client", "list", "--limit", "many"], "invalid value for '--limit'"),
        (["lead", "list", "x", "--limit"], "option '--limit' requires an argument"),
        (["lead", "import", "x", "f.csv", "--map", "foo=bar"], "invalid value for --map: 'foo' is none of our columns"),
        (["lead", "import", "x", "f.csv", "--map", "id"], "invalid value for --map: --map takes OURS=THEIRS"),
        (["completion", "tcsh"], "invalid value for 'shell': 'tcsh' is not one of 'bash', 'zsh', 'fish'"),
        (["db", "downgrade", "0001"], "invalid value for --yes: this may lose data"),
        (["runid", "parse"], "missing argument 'ID'"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_help(args: list[str], expected: str, cli: Cli) -> None:
    said = cli(*args)
    assert said.code == 2
    assert said.error.startswith(expected)
    assert "--help`" in said.error


@pytest.mark.parametrize("args", [[], ["client"], ["lead"], ["db"]])
def test_a_command_without_its_verb_shows_the_help(args: list[str], cli: Cli) -> None:
    said = cli(*args)
    assert (said.code, said.out) == (2, "")
    assert "Commands:" in said.err


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"TALLYBOOK_SERVER__PROT": "1"}, "did you mean TALLYBOOK_SERVER__PORT"),
        ({"TALLYBOOK_ENGINE__CHUNK_SIZE": "51"}, "engine.chunk_size must be a whole number from 1 to 50"),
        ({"TALLYBOOK_CONFIG": "nowhere.toml"}, "there is no file of settings nowhere.toml"),
        ({"TALLYBOOK_DATABASE__URL": "mysql://x/y"}, "database.url"),
        ({"TALLYBOOK_DATABASE__URL": "sqlite:////nowhere/at/all.db"}, "unable to open database file"),
        ({"TALLYBOOK_DATABASE__URL": "sqlite:///clients.csv"}, "file is not a database; `tallybook doctor` looks"),
    ],
)
def test_a_wrong_setting_is_one_line(
    env: dict[str, str], expected: str, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "clients.csv").write_text("client_id,client_name\na,A\n" * 1000)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    said = cli("client", "list")
    assert said.code == 1
    assert expected in said.error


def test_config_names_the_file_of_settings(cli: Cli, home: Path) -> None:
    (home / "other.toml").write_text('[database]\nurl = "sqlite:///other.db"\n')
    cli.good("--config", "other.toml", "client", "list")
    assert (home / "other.db").exists()
    assert "there is no file of settings none.toml" in cli("--config", "none.toml", "client", "list").error


def test_a_database_of_another_version_is_refused_in_one_line(cli: Cli, demo_home: Path) -> None:
    with sqlite3.connect(demo_home / "tallybook.db") as books:
        books.execute("UPDATE schema_version SET version_num = '9999'")
    said = cli("client", "list")
    assert said.code == 1
    assert "newer than this Tallybook" in said.error


# The room


def test_a_stderr_that_is_gone_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: Any, **_more: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(output, "note", fails)
    assert main(["--nonsense"]) == 2


def test_a_file_of_the_room_that_is_no_noun_is_no_command() -> None:
    assert main(["output"]) == 2
    with pytest.raises(ModuleNotFoundError):
        command_of("nonsense")


def test_the_page_about_commands_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    for name, noun in NOUNS.items():
        assert f"`tallybook {name}" in page
        for verb in filter(None, noun.verbs.split(", ")):
            assert f"`tallybook {name} {verb}" in page or f"`{verb}" in page
