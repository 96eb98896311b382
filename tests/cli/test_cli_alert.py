"""`tallybook alert`, and what `doctor` says of alerts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.database import Database, stamp, utc_now
from tallybook.domain.alert import AlertKind, Condition
from tallybook.followers.alert_channels import channels_of
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import alerts, events
from tallybook.ledger.write.alerts import Owed
from tests.cli.conftest import Cli
from tests.cli.test_cli_doctor import doctor
from tests.followers.test_alert_channels import SECRETS, listening

URLS = "TALLYBOOK_ALERTS__URLS"


@pytest.fixture
def books(empty_books: None, home: Path) -> Iterator[Ledger]:
    ledger = Ledger(Database(f"sqlite:///{home}/tallybook.db"))
    yield ledger
    ledger.close()


def raised(books: Ledger, *texts: str) -> list[str]:
    """The ids, in that order."""
    for text in texts:
        found = Condition(AlertKind.RUN_FAILED, text, text, run_id="261123-120000", client_id="acme", fact=True)
        books.do(alerts.note, (), (found,), ())
    with books.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT text, alert_id FROM alerts").all()
    return [dict(map(tuple, rows))[text] for text in texts]


def test_alerts_are_listed_and_acknowledged(cli: Cli, books: Ledger) -> None:
    assert "Nothing is wrong" in cli.good("alert", "list").err
    assert "There was no alert" in cli.good("alert", "list", "--all").err
    first, _ = raised(books, "It failed", "It failed again")
    table = cli.good("alert", "list").out
    assert first in table
    assert "It failed again" in table
    assert cli.good("alert", "ack", first).out == f"{first} is acknowledged\n"
    assert cli.good("alert", "ack", first, "--json").json == {
        "alert_id": first, "acknowledged": True, "acknowledged_before": True,
    }  # fmt: skip
    assert cli.good("alert", "ack", first).out == f"{first} was acknowledged before\n"
    assert [each["text"] for each in cli.good("alert", "list", "--json").json["items"]] == ["It failed again"]
    page = cli.good("alert", "list", "--all", "--json", "--limit", "1").json
    rest = cli.good("alert", "list", "--all", "--json", "--cursor", page["next_cursor"]).json
    assert [each["text"] for each in (*page["items"], *rest["items"])] == ["It failed again", "It failed"]
    assert "--all --limit 1 --cursor" in cli.good("alert", "list", "--all", "--limit", "1").err


def test_what_is_no_alert_and_no_cursor_is_said_to_be_so(cli: Cli, books: Ledger) -> None:
    assert cli("alert", "ack", "nonsense").error == (
        "there is no alert nonsense; `tallybook alert list --all` names them"
    )
    assert "'nonsense' is no cursor" in cli("alert", "list", "--cursor", "nonsense").error


def test_every_channel_is_tried_and_says_what_came_back(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """F35"""
    assert "set TALLYBOOK_ALERTS__URLS first" in cli("alert", "test").err
    with listening(200) as (good, posted), listening(500) as (bad, _):
        monkeypatch.setenv(URLS, good)
        assert cli.good("alert", "test").out == "channel 1 (json://…): took it\n"
        monkeypatch.setenv(URLS, f"{good} {bad}")
        said = cli("alert", "test")
        as_json = cli("alert", "test", "--json")
    assert len(posted) == 3
    assert said.code == as_json.code == 1
    assert "channel 2 (json://…): did not take it:" in said.out
    assert [each["error"] is None for each in as_json.json["channels"]] == [True, False]
    for secret in SECRETS:
        assert secret not in said.out + said.err + as_json.out + as_json.err


def test_doctor_says_who_is_told_and_what_was_not_taken(
    cli: Cli, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor(cli, 0)["alerts"]["said"].startswith("Alerts are told to nobody")
    monkeypatch.setenv(URLS, "json://127.0.0.1:9/planted-topic")
    assert doctor(cli, 0)["alerts"]["said"] == "Alerts are told through 1 channel"
    (channel,) = channels_of(["json://127.0.0.1:9/planted-topic"])
    now = stamp(utc_now())
    books.do(alerts.owe, channel.key, Owed(("a", "b"), 2, now, now, "nobody answers"))
    found = doctor(cli, 1)["alerts"]
    assert found["said"].startswith("channel 1 (json://…) has not taken 2 alerts since ")
    assert "planted" not in str(found)


def test_doctor_shows_what_is_open(cli: Cli, books: Ledger) -> None:
    assert doctor(cli, 0)["alert"]["said"] == "No alert is open"
    (first,) = raised(books, "It failed")
    assert doctor(cli, 0)["alert"] == {
        "check": "alert", "level": "notice", "said": "It failed",
        "mend": f"tallybook alert ack {first} takes notice of it.",
    }  # fmt: skip
    raised(books, *(f"number {number}" for number in range(6)))
    assert "There are more alerts" in cli("doctor").out


def test_doctor_counts_errors_by_their_fingerprint(cli: Cli, books: Ledger) -> None:
    """F24"""
    assert doctor(cli, 0)["errors"]["said"] == "No error was noted in the last 7 days"
    for number in range(3):
        books.do(events.append, "store_error", f"The store said 50{number}")
    said = doctor(cli, 0)["errors"]["said"]
    fingerprint = events.fingerprint("store_error", "The store said 999")
    assert said.startswith(f"store error {fingerprint}: 3 times, last at ")
    assert said.endswith("UTC: The store said 502")


def test_an_extra_that_is_missing_is_said(cli: Cli, books: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv(URLS, "json://127.0.0.1")
    assert "pip install 'tallybook[alerts]'" in cli("alert", "test").error
    assert "pip install 'tallybook[alerts]'" in doctor(cli, 1)["alerts"]["said"]
