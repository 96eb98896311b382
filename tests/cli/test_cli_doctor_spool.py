"""`tallybook doctor` finds what tracking could not write, for the ledger and for every server, and says why (F34)."""

from pathlib import Path
from typing import Any

import pytest

from tallybook.cli.finding import Level
from tallybook.tracking.held import Held, write_held
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")
SINCE = "2026-11-23T01:30:00.000000Z"


@pytest.fixture
def spool(home: Path) -> Path:
    """Of a server."""
    folder = home / "tallybook-spool" / "books.example.test"
    folder.mkdir(parents=True)
    (folder / "1-x.jsonl").write_text("{}\n{}\n")
    return folder


def found(cli: Cli) -> dict[str, Any]:
    said = cli("doctor", "--json")
    of_spools = [each for each in said.json["checks"] if each["check"].startswith("spool")]
    checks = {each["check"]: each for each in of_spools}
    assert len(checks) == len(of_spools), "each is told once"
    assert said.code == int(any(each["level"] == "wrong" for each in said.json["checks"]))
    return checks


def test_what_waits_for_a_server_is_found_too(cli: Cli, spool: Path) -> None:
    assert found(cli)["spool"]["said"] == f"2 tracking calls wait in {spool} for the books"
    write_held(spool / "1-x.held", Held(SINCE, "the server does not answer"))
    said = found(cli)["spool"]
    assert said["level"] == "notice"
    assert said["said"].endswith("for the books, since 2026-11-23 01:30:00 UTC: the server does not answer")


def test_a_token_that_is_not_let_in_is_wrong_and_nothing_is_lost(cli: Cli, spool: Path) -> None:
    write_held(spool / "1-x.held", Held(SINCE, "the server does not let this token in (403)", denied=True))
    said = found(cli)["spool_denied"]
    assert said["level"] == "wrong"
    assert "2 tracking calls wait" in said["said"]
    assert "does not let this token in (403)" in said["said"]
    assert "Nothing is lost" in said["mend"]


def test_what_was_refused_is_counted_with_the_reason_of_the_last_one(cli: Cli, spool: Path) -> None:
    (spool / "1-x.jsonl").unlink()
    (spool / "1-x.jsonl.refused").write_text('{"refused": "no"}\n{"refused": "never"}\n')
    said = found(cli)["spool_refused"]
    assert said["level"] == "wrong"
    assert said["said"] == f"2 tracking calls were refused and kept in {spool}, the last one for: never"
    assert "renamed to *.jsonl is said again" in said["mend"]
    (spool / "1-x.jsonl.refused").write_text("?\n")
    assert found(cli)["spool_refused"]["said"].endswith("for: it does not say why")


def test_no_spool_is_well(cli: Cli, home: Path) -> None:
    assert {name: each["level"] for name, each in found(cli).items()} == {"spool": Level.OK.value}
    assert not (home / "tallybook-spool").exists()
