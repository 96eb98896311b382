"""Runs whose report is mailed by the engine that drives them, over real SMTP."""

import pytest

from benchmarks.house import House, furnish
from tallybook.domain.run import Status
from tallybook.engine import trigger
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.followers import report_mail
from tallybook.followers.mail_trouble import trouble_in
from tallybook.followers.report_mail import NAME
from tallybook.ledger.following import FollowerBook
from tallybook.scorers.scripted import ScriptedScorer
from tests.followers.mail.postbox import Postbox, follower_at, parts_of, postbox
from tests.stories.acting import asked, books, started, until


def statuses_when_mailed(house: House, box: Postbox, run_ids: list[str]) -> list[Status]:
    """How the run stands whenever a mail of it comes in."""
    found: list[Status] = []
    box.arrived = lambda: found.append(books(house, run_ids[0]).status)
    return found


def test_one_run_started_twice_is_mailed_once_and_after_its_end(house: House) -> None:
    """F13, F33"""
    furnish(house, clients=2, leads=10)
    plugs = house.operations(ScriptedScorer(fail_every=5))
    with postbox() as box:
        run_ids: list[str] = []
        stood = statuses_when_mailed(house, box, run_ids)
        followers = [follower_at(box.port)]
        with Engine(house.ledger, house.clients, plugs, Limits(), followers=followers) as engine:
            twice = [trigger.start(house.ledger, house.clients, asked(key="nightly")) for _ in range(2)]
            run_ids.append(twice[0].run_id)
            engine.nudge()
            until(lambda: books(house, run_ids[0]).status.terminal)
            assert engine.tell_rest(20.0)
            again = trigger.start(house.ledger, house.clients, asked(key="nightly"))
            engine.nudge()
            assert engine.tell_rest(20.0)
        with Engine(house.ledger, house.clients, plugs, Limits(), followers=[follower_at(box.port)]) as engine:
            assert engine.tell_rest(20.0)
    assert {each.run_id for each in (*twice, again)} == set(run_ids)
    (mail,) = box.mails
    (status,) = stood
    assert status.terminal
    run = books(house, run_ids[0])
    assert run.run_id in mail["Subject"]
    assert f"{run.tally.failed} failed and {run.tally.scored} scored of 20 leads" in parts_of(mail)["text/plain"]


def test_a_mail_server_that_is_away_does_not_touch_the_run_and_has_the_mail_later(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = sqlite_house
    monkeypatch.setattr(report_mail, "LOOK_EVERY", report_mail.LOOK_EVERY * 0)
    furnish(house, clients=2, leads=10)
    plugs = house.operations(ScriptedScorer())
    with postbox() as gone:
        port = gone.port
    book = FollowerBook(house.ledger, NAME)
    with Engine(house.ledger, house.clients, plugs, Limits(), followers=[follower_at(port)]) as engine:
        run_id = started(house, engine=engine)
        until(lambda: books(house, run_id).status is Status.COMPLETED)
        until(lambda: trouble_in(book) is not None)
    with (
        postbox(port=port) as box,
        Engine(house.ledger, house.clients, plugs, Limits(), followers=[follower_at(port)]) as engine,
    ):
        until(lambda: box.mails)
        assert engine.tell_rest(20.0)
    assert len(box.mails) == 1
    assert trouble_in(book) is None
    assert books(house, run_id).status is Status.COMPLETED
