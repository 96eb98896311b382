"""`tallybook init`."""

from pathlib import Path

import pytest

from tallybook.settings import TEMPLATE
from tests.cli.conftest import Cli


def test_settings_and_books_are_made(cli: Cli, home: Path) -> None:
    said = cli.good("init")
    assert (home / "tallybook.toml").read_text() == TEMPLATE
    assert (home / "tallybook.db").exists()
    assert said.out.startswith("Wrote tallybook.toml")
    for command in ("client import", "rubric import", "lead import", "run start", "demo"):
        assert f"tallybook {command}" in said.out
    assert cli.good("config", "show").out
    assert cli.good("doctor").code == 0


def test_a_file_that_is_there_is_never_overwritten(cli: Cli, home: Path) -> None:
    (home / "tallybook.toml").write_text("# mine\n")
    said = cli("init")
    assert said.code == 1
    assert said.error.startswith("tallybook.toml is there already and was left as it is")
    assert (home / "tallybook.toml").read_text() == "# mine\n"
    assert not (home / "tallybook.db").exists()


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_it_writes_the_file_that_is_named(how: str, cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "variable":
        monkeypatch.setenv("TALLYBOOK_CONFIG", "mine.toml")
    cli.good(*(["--config", "mine.toml"] if how == "flag" else []), "init")
    assert (home / "mine.toml").exists()
    assert not (home / "tallybook.toml").exists()


@pytest.mark.parametrize("name", ["nowhere/x.toml", "a\0b"])
def test_a_file_that_cannot_be_written_is_one_line(name: str, cli: Cli) -> None:
    said = cli("--config", name, "init")
    assert said.code == 1
    assert "cannot be written" in said.error
