"""`tallybook webhook`, and what `doctor` says of the world outside."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.app import App
from tallybook.database import Database
from tallybook.domain.delivery import Delivery, News
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import external, inbox
from tallybook.ledger.write.starts import RunIdStyle
from tests.cli.conftest import Cli, Said
from tests.cli.test_cli_doctor import doctor
from tests.web.serving import SECRET, app_on, served

OVER = Delivery("apify", "dispatch-1", "{}", {}, "ACTOR.RUN.SUCCEEDED", News.OVER, "x1")


@pytest.fixture
def books(after_demo: Path) -> Iterator[Ledger]:
    ledger = Ledger(Database(f"sqlite:///{after_demo}/tallybook.db"))
    yield ledger
    ledger.close()


def bad(cli: Cli, code: int, *args: str) -> Said:
    said = cli(*args)
    assert said.code == code, said.err
    return said


@pytest.fixture
def orphan(books: Ledger) -> str:
    books.do(inbox.keep, OVER, RunIdStyle())
    books.do(inbox.apply, OVER.source, OVER.delivery_id, None)
    return OVER.delivery_id


def test_an_empty_inbox_says_where_providers_call(cli: Cli, after_demo: Path) -> None:
    assert "POST /webhooks/apify" in cli.good("webhook", "list").err
    assert cli.good("webhook", "list", "--json").json == {"items": [], "next_cursor": None}


def test_deliveries_are_listed_with_what_became_of_them(cli: Cli, orphan: str) -> None:
    (listed,) = cli.good("webhook", "list", "--state", "orphan", "--json").json["items"]
    assert (listed["delivery_id"], listed["external_id"], listed["state"]) == (orphan, "x1", "orphan")
    assert "mapped to no client" in cli.good("webhook", "list").out
    assert cli.good("webhook", "list", "--state", "applied", "--json").json["items"] == []
    assert "is no state" in bad(cli, 2, "webhook", "list", "--state", "lost").err


def test_an_orphan_is_replayed_for_the_client_that_somebody_names(cli: Cli, orphan: str) -> None:
    assert "orphan" in cli.good("webhook", "replay", orphan).out
    told = cli.good("webhook", "replay", orphan, "--client", "acme-law", "--json").json
    assert (told["state"], told["client_id"]) == ("applied", "acme-law")
    assert cli.good("run", "show", told["run_id"], "--json").json["job_type"] == "post_harvesting"
    assert "there is no client" in bad(cli, 1, "webhook", "replay", orphan, "--client", "nobody").err
    assert "webhook list" in bad(cli, 1, "webhook", "replay", "none").err


def test_a_test_delivery_goes_to_the_server_and_back(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "WEBHOOK_SECRET" in bad(cli, 2, "webhook", "test").err
    app: App = app_on(f"sqlite:///{tmp_path}/other.db")
    try:
        with served(app) as address:
            monkeypatch.setenv("TALLYBOOK_SERVER__WEBHOOK_SECRET", SECRET)
            said = cli.good("webhook", "test", "--url", address).out
            assert json.loads(said.partition(": ")[2])["state"] == "noted"
            monkeypatch.setenv("TALLYBOOK_SERVER__WEBHOOK_SECRET", "another-one")
            assert "answers 401" in bad(cli, 1, "webhook", "test", "--url", address).err
        assert "is `tallybook serve` running" in bad(cli, 1, "webhook", "test", "--url", address).err
    finally:
        app.close()


def test_doctor_tells_of_orphans_and_of_runs_nobody_looks_after(cli: Cli, books: Ledger, orphan: str) -> None:
    found = doctor(cli, 0)
    assert found["orphans"]["said"] == "1 delivery of runs that nobody knows"
    assert found["harvester"]["level"] == "ok"
    cli.good("webhook", "replay", orphan, "--client", "acme-law")
    books.do(lambda tx: tx.execute("UPDATE @external_runs SET look_at = '2020-01-01T00:00:00.000000Z'"))
    found = doctor(cli, 1)
    assert "run x1" in found["external_runs"]["said"]
    assert found["orphans"]["level"] == "ok"
    assert books.do(external.take_due, 1)


def test_doctor_tells_of_deliveries_that_are_kept_and_not_applied(cli: Cli, books: Ledger) -> None:
    books.do(inbox.keep, OVER, RunIdStyle())
    assert doctor(cli, 0)["deliveries"]["level"] == "ok"
    books.do(inbox.put_off, OVER.source, OVER.delivery_id, "the store is away")
    books.do(lambda tx: tx.execute("UPDATE @inbox SET received_at = '2026-11-20T00:00:00.000000Z'"))
    assert doctor(cli, 1)["deliveries"]["said"] == "1 delivery kept and not applied: the store is away"


def test_doctor_warns_of_a_secret_that_can_be_guessed(
    cli: Cli, after_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYBOOK_SERVER__WEBHOOK_SECRET", "tiny")
    assert doctor(cli, 0)["webhook_secret"]["level"] == "notice"
    monkeypatch.setenv("TALLYBOOK_SERVER__WEBHOOK_SECRET", "not-tiny-" * 3)
    assert "webhook_secret" not in doctor(cli, 0)


def test_doctor_tells_who_harvests_and_how_they_call_back(
    cli: Cli, after_demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYBOOK_APIFY__ACTOR_ID", "someone/posts")
    assert "set TALLYBOOK_APIFY__TOKEN" in doctor(cli, 1)["harvester"]["said"]
    monkeypatch.setenv("TALLYBOOK_APIFY__TOKEN", "a-token")
    assert doctor(cli, 0)["harvester"]["level"] == "notice"
    monkeypatch.setenv("TALLYBOOK_SERVER__PUBLIC_URL", "https://books.example.test")
    assert "calls back at https://books.example.test" in doctor(cli, 0)["harvester"]["said"]
