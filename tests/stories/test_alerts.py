"""What goes wrong with an operator's books reaches whoever is to know, through the settings as they are."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tallybook.app import App
from tallybook.database import stamp
from tallybook.domain.run import Status
from tallybook.engine.alarm import Alarm
from tallybook.ledger import alerting, read
from tallybook.ledger.alerting import Wanted
from tallybook.ledger.write import alerts
from tallybook.tracking.spool import BAD, ENDING
from tests.books import SqliteBooks
from tests.followers.test_alert_channels import listening
from tests.ledger.scenes import begun, closed, failed, frozen, planned, recorded
from tests.web.serving import app_on


@pytest.fixture
def url(sqlite_books: SqliteBooks, tmp_path: Path) -> str:
    return sqlite_books.copied_to(tmp_path)


@pytest.fixture
def heard(url: str) -> Iterator[tuple[App, list[dict[str, str]]]]:
    """An app with one channel, and what was posted to it."""
    with listening(200) as (channel, posted):
        app = app_on(url, alerts__urls=channel, alerts__quiet_hours="23:00-23:00")
        yield app, posted
        app.close()


def test_tracking_that_cannot_be_written_reaches_somebody(heard: tuple[App, list[dict[str, str]]]) -> None:
    """F34"""
    app, _ = heard
    app.spool_folder.mkdir()
    Alarm(app.ledger, app.alarms).look()
    assert alerting.list_alerts(app.database, Wanted()) == []
    broken = app.spool_folder / f"1{ENDING}{BAD}"
    broken.write_text("no JSON\n")
    Alarm(app.ledger, app.alarms).look()
    (alert,) = alerting.list_alerts(app.database, Wanted())
    assert alert.text.startswith(f"Of the tracking calls in {app.spool_folder} 1 cannot be written or were refused")
    broken.unlink()
    Alarm(app.ledger, app.alarms).look()
    assert alerting.list_alerts(app.database, Wanted()) == []


def test_a_run_that_fails_is_posted_once(heard: tuple[App, list[dict[str, str]]]) -> None:
    """F20"""
    app, posted = heard
    app.ledger.do(alerts.look_from, app.ledger.clock())
    run_id = planned(app.ledger, "acme")
    key = frozen(app.ledger, begun(app.ledger, run_id, "acme"), ["a"])
    recorded(app.ledger, key, *failed("a"))
    closed(app.ledger, key)
    assert read.run(app.database, run_id).status is Status.FAILED
    for _ in range(3):
        Alarm(app.ledger, app.alarms).look()
    assert posted == [], "others may join it for a minute"
    with app.database.writing() as tx:
        tx.execute("UPDATE @alerts SET raised_at = ?", (stamp(tx.now - timedelta(minutes=2)),))
    for _ in range(3):
        Alarm(app.ledger, app.alarms).look()
    (message,) = posted
    assert message["title"] == "Tallybook: run failed"
    assert message["message"].startswith(f"- Run {run_id} of stream 1 failed")
