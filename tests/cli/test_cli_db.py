"""`tallybook db`."""

import sqlite3
import stat
from pathlib import Path

import pytest

from tallybook.database import Database
from tests.cli.conftest import Cli


def test_a_backup_is_one_sound_file_for_its_owner_alone(cli: Cli, demo_home: Path) -> None:
    said = cli.good("db", "backup", "copy.db")
    assert said.out.startswith("sqlite:///tallybook.db is copied to copy.db, ")
    copy = demo_home / "copy.db"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(demo_home.glob("copy.db-*"))
    with sqlite3.connect(copy) as books:
        assert books.execute("SELECT count(*) FROM clients").fetchone() == (3,)


def test_a_backup_has_what_others_are_writing(cli: Cli, demo_home: Path) -> None:
    writer = sqlite3.connect(demo_home / "tallybook.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM leads")
    assert cli.good("db", "backup", "copy.db", "--json").json["bytes"] == (demo_home / "copy.db").stat().st_size
    writer.execute("ROLLBACK")
    writer.close()
    with sqlite3.connect(demo_home / "copy.db") as books:
        assert books.execute("SELECT count(*) FROM leads").fetchone() == (180,)


def test_a_backup_overwrites_nothing(cli: Cli, demo_home: Path) -> None:
    (demo_home / "copy.db").write_text("precious")
    said = cli("db", "backup", "copy.db")
    assert (said.code, (demo_home / "copy.db").read_text()) == (1, "precious")
    assert said.error.startswith("copy.db is there already and was left as it is")


@pytest.mark.parametrize("name", ["nowhere/copy.db", ".", "a\0b"])
def test_a_backup_that_cannot_be_written_is_one_line(name: str, cli: Cli, demo_home: Path) -> None:
    said = cli("db", "backup", name)
    assert said.code == 1
    assert said.error


def test_in_a_folder_without_books_nothing_is_backed_up(cli: Cli, home: Path) -> None:
    said = cli("db", "backup", "copy.db")
    assert said.code == 1
    assert said.error.startswith("there are no books at sqlite:///tallybook.db; is this the right folder?")
    assert not list(home.iterdir())


def test_a_backup_of_a_broken_file_leaves_nothing_behind(cli: Cli, home: Path) -> None:
    (home / "tallybook.db").write_bytes(b"no database at all" * 100)
    said = cli("db", "backup", "copy.db")
    assert said.code == 1
    assert "file is not a database" in said.error
    assert not (home / "copy.db").exists()


def test_books_of_another_version_can_be_backed_up(cli: Cli, demo_home: Path) -> None:
    with sqlite3.connect(demo_home / "tallybook.db") as books:
        books.execute("UPDATE schema_version SET version_num = '0000'")
    assert "run `tallybook db upgrade`" in cli("client", "list").error
    cli.good("db", "backup", "copy.db")


def test_postgresql_is_told_its_own_tool(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_DATABASE__URL", "postgresql://u:planted-secret@h/n")
    said = cli("db", "backup", "my copy")
    assert said.code == 1
    expected = "pg_dump --format=custom --schema=tallybook --file='my copy' postgresql://u@h/n"
    assert said.error.endswith(expected)


def test_upgrade_makes_tables_and_says_the_version(cli: Cli, home: Path) -> None:
    made = cli.good("db", "upgrade", "--json").json
    assert (made["before"], made["version"] is not None) == (None, True)
    assert cli.good("db", "upgrade").out == f"sqlite:///tallybook.db has version {made['version']}, as before\n"


def test_downgrade_wants_to_be_told_yes(cli: Cli, demo_home: Path) -> None:
    assert cli("db", "downgrade", "base").code == 2
    said = cli.good("db", "downgrade", "base", "--yes")
    assert said.out.startswith("sqlite:///tallybook.db has version none, before: 0")
    assert not cli.good("client", "list", "--json").json["items"]


@pytest.mark.parametrize("version", ["9999", "nonsense", "", "head", "-1"])
def test_downgrade_to_what_is_no_older_version_is_one_line(version: str, cli: Cli, demo_home: Path) -> None:
    said = cli("db", "downgrade", "--yes", "--", version)
    assert said.code == 1
    assert "it goes back to: base" in said.error


def test_on_postgresql_tables_go_up_and_down(cli: Cli, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_DATABASE__URL", postgres_url)
    version = cli.good("db", "upgrade", "--json").json["version"]
    assert version is not None
    assert cli.good("db", "downgrade", "base", "--yes", "--json").json == {
        "database": Database(postgres_url).shown, "before": version, "version": None,
    }  # fmt: skip
