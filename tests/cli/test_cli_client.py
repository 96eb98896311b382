"""`tallybook client`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")

CLIENTS = """client_id,client_name,stream,service_level,status,timezone
acme,Acme "Law",1,2-Lead Scoring + Post Scoring,Active,Europe/London
o'hara {x},O'Hara \\ 🦊,2,1,PAUSED,
"""


@pytest.fixture
def clients(home: Path, cli: Cli) -> Path:
    path = home / "clients.csv"
    path.write_text(CLIENTS, encoding="utf-8")
    cli.good("client", "import", "clients.csv")
    return path


def test_clients_are_imported_and_listed(cli: Cli, home: Path) -> None:
    (home / "clients.csv").write_text(CLIENTS, encoding="utf-8")
    assert cli.good("client", "import", "clients.csv").out == "2 clients of clients.csv: 2 new\n"
    said = cli.good("client", "list")
    assert said.out.splitlines() == [
        "CLIENT      NAME         STREAM  LEVEL  STATUS  TIMEZONE",
        'acme        Acme "Law"        1      2  active  Europe/London',
        "o'hara {x}  O'Hara \\ 🦊       2      1  paused",
    ]


def test_importing_twice_changes_nothing(cli: Cli, clients: Path) -> None:
    assert cli.good("client", "import", "clients.csv").out == "2 clients of clients.csv: 2 unchanged\n"
    said = cli.good("client", "import", "clients.csv", "--json").json
    assert said == {"file": "clients.csv", "new": 0, "changed": 0, "unchanged": 2, "repeated": 0, "bad": []}


def test_json_clients_are_read_too(cli: Cli, home: Path) -> None:
    (home / "c.json").write_text(json.dumps([{"client_id": "a", "client_name": "A", "stream": 3}]))
    cli.good("client", "import", "c.json")
    assert cli.good("client", "show", "a", "--json").json["stream"] == 3


def test_bad_rows_are_listed_with_lines_and_reasons_and_good_ones_kept(cli: Cli, home: Path) -> None:
    rows = ["client_id,client_name,stream", "a,A,1", "b,B,x", ",C,1", *(f"bad{n},D,x" for n in range(30))]
    (home / "bad.csv").write_text("\n".join(rows))
    said = cli("client", "import", "bad.csv")
    assert (said.code, said.out) == (0, "1 client of bad.csv: 1 new\n")
    lines = said.err.splitlines()
    assert lines[0] == "bad.csv: 32 problems; all else was taken"
    assert lines[1] == "  line 3: stream must be a number, got 'x'"
    assert lines[-1] == "  … and 12 more; --json lists them all"
    bad = cli.good("client", "import", "bad.csv", "--json").json["bad"]
    assert len(bad) == 32
    assert bad[0] == {"line": 3, "reason": "stream must be a number, got 'x'"}


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("empty.csv", b"", "the file is empty"),
        ("noheader.csv", b"some,words\n1,2\n", "no header was recognised"),
        ("allbad.csv", b"client_id,stream\na,x\n", "no row of the file can be used: line 2"),
        ("broken.json", b'[{"client_id": ', "broken JSON"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\x00\xff", "no header was recognised"),
    ],
)
def test_a_file_without_anything_good_is_refused_and_nothing_written(
    name: str, data: bytes, expected: str, cli: Cli, clients: Path
) -> None:
    (clients.parent / name).write_bytes(data)
    before = cli.good("client", "list", "--json").out
    said = cli("client", "import", name)
    assert said.code == 1
    assert said.error.startswith(f"{name}: ")
    assert expected in said.error
    assert cli.good("client", "list", "--json").out == before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.csv", "none.csv: there is no such file"),
        (".", ".: that is a folder; name the file in it"),
        ("a\0b", "it cannot be read: embedded null byte"),
        ("x" * 300, "it cannot be read: File name too long"),
    ],
)
@pytest.mark.parametrize("words", [["client", "import"], ["rubric", "import", "acme"], ["lead", "import", "acme"]])
def test_a_file_that_cannot_be_read_is_one_line(
    words: list[str], name: str, expected: str, cli: Cli, clients: Path
) -> None:
    said = cli(*words, name)
    assert said.code == 1
    assert expected in said.error


def test_a_file_one_must_not_read_is_one_line(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def barred(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", barred)
    assert cli("client", "import", "c.csv").error.startswith("c.csv: it must not be read by you")


def test_lists_come_in_pages(cli: Cli, home: Path) -> None:
    (home / "many.csv").write_text("client_id\n" + "\n".join(f"c {n:02}" for n in range(5)))
    cli.good("client", "import", "many.csv")
    first = cli.good("client", "list", "--limit", "2", "--json").json
    assert [each["client_id"] for each in first["items"]] == ["c 00", "c 01"]
    assert first["next_cursor"] == "c 01"
    more = "There is more: tallybook client list --limit 2 --cursor 'c 01'\n"
    assert cli.good("client", "list", "--limit", "2").err == more
    last = cli.good("client", "list", "--limit", "3", "--cursor", "c 01", "--json").json
    assert (len(last["items"]), last["next_cursor"]) == (3, None)


def test_one_client_is_shown(cli: Cli, clients: Path) -> None:
    said = cli.good("client", "show", "acme")
    assert 'name             Acme "Law"' in said.out.splitlines()
    assert said.err.startswith("Without a rubric no lead can be scored")
    assert cli.good("client", "show", "acme", "--json").json == {
        "client_id": "acme",
        "client_name": 'Acme "Law"',
        "stream": 1,
        "service_level": 2,
        "status": "active",
        "paused_here": False,
        "active": True,
        "timezone": "Europe/London",
        "daily_target": None,
        "source": "file",
        "lead_attributes": 0,
        "post_attributes": 0,
    }


def test_the_way_to_a_rubric_can_be_pasted_into_a_shell(cli: Cli, clients: Path) -> None:
    assert """tallybook rubric import 'o'"'"'hara {x}' FILE""" in cli.good("client", "show", "o'hara {x}").err


def test_a_client_is_paused_here_and_again_not(cli: Cli, clients: Path) -> None:
    assert cli.good("client", "pause", "acme").out == "acme is paused here\n"
    cli.good("client", "import", "clients.csv")
    assert cli.good("client", "show", "acme", "--json").json["paused_here"] is True
    assert cli.good("client", "pause", "acme", "--off", "--json").json["active"] is True


def test_a_client_whose_file_says_paused_stays_so(cli: Cli, clients: Path) -> None:
    said = cli.good("client", "pause", "o'hara {x}", "--off")
    assert said.out == "o'hara {x} is paused\n"
    assert "Its own file says paused" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["client", "show"], ["client", "pause"], ["lead", "list"], ["rubric", "show"],
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["nobody", "", "a\0b", "x" * 5000, "'; DROP TABLE clients; --", "山田\x1b[31m"])
def test_a_client_that_does_not_exist_is_one_line(words: list[str], name: str, cli: Cli, clients: Path) -> None:
    said = cli(*words, name)
    assert said.code == 1
    assert said.error.endswith("; `tallybook client list` names them all")
    assert "\x1b" not in said.error
