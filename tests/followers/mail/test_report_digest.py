"""The digest: every run in one of them, one for every day or week, also when nothing ran."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallybook.database import Database
from tallybook.domain.run import Status
from tallybook.domain.telling import Standing
from tallybook.engine.telling import Teller
from tallybook.followers.mail_trouble import trouble_in
from tallybook.followers.report_digest import NAME, Every, Pace, ReportDigest
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tallybook.report.digest import MOST_RUNS, Period, digest_mail, summary
from tests.followers.mail.postbox import Postbox, office_at, parts_of, postbox
from tests.ledger import scenes
from tests.ledger.scenes import NOON, Clock
from tests.unit.report.runs import run

BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Pace(Every.DAY, 7, BERLIN)


@pytest.fixture
def books(database: Database, clock: Clock) -> Iterator[Ledger]:
    found = Ledger(database, clock)
    yield found
    found.close()


@pytest.fixture
def book(books: Ledger) -> FollowerBook:
    return FollowerBook(books, NAME)


def digest_at(port: int, pace: Pace = DAILY) -> ReportDigest:
    return ReportDigest(office_at(port, public_url="https://books.test"), pace)


def ended(ledger: Ledger, *, failed: bool = False) -> str:
    key = scenes.working(ledger, ("a", "b"))
    scenes.called(ledger, key, f"call {key.run_id}")
    scenes.recorded(ledger, key, *scenes.scored("a"), *(scenes.failed("b") if failed else scenes.scored("b")))
    scenes.closed(ledger, key)
    return key.run_id


def subjects(box: Postbox) -> list[str]:
    return [mail["Subject"] for mail in box.mails]


def test_every_run_is_in_one_digest_and_every_day_has_one(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    digest = digest_at(box.port)
    digest.tell([], book)
    first, second = ended(books), ended(books, failed=True)
    digest.tell([first], book)
    digest.tell([first, second], book)
    digest.tell([], book)
    assert not box.mails  # the day is not over
    clock.now = datetime(2026, 11, 24, 6, 0, 1, tzinfo=UTC)
    later = ended(books)
    digest.tell([later], book)
    for _ in range(2):
        digest_at(box.port).tell([], book)
    clock.pass_by(days=1)
    digest.tell([], book)
    clock.pass_by(days=1)
    digest.tell([], book)
    assert subjects(box) == [
        "Tallybook, 24 Nov 2026: 2 runs, 1 completed with errors",
        "Tallybook, 25 Nov 2026: 1 run, all completed",
        "Tallybook, 26 Nov 2026: nothing ran",
    ]
    assert len({mail["Message-ID"] for mail in box.mails}) == 3
    text, html = parts_of(box.mails[0])["text/plain"], parts_of(box.mails[0])["text/html"]
    for said in (first, second):
        assert said in text
        assert f'<a href="https://books.test/runs/{said}"' in html
    assert later not in text
    assert later in parts_of(box.mails[1])["text/plain"]
    assert "all                          4      3       0      1       0    2.2k   $0.0246" in text
    assert "1 timeout (no answer in time)" in text
    assert "Tue 24 Nov 2026 07:00 CET" in text
    assert book.counts()[Standing.TOLD] == 6  # three runs, three digests


def test_a_server_that_is_away_makes_one_digest_of_several_days(
    books: Ledger, book: FollowerBook, clock: Clock
) -> None:
    with postbox() as box:
        port = box.port
    digest = digest_at(port)
    digest.tell([], book)
    digest.tell([ended(books)], book)
    clock.pass_by(days=1)
    until = digest.tell([], book)
    assert until == clock.now + timedelta(seconds=30)
    assert digest.tell([], book) == until
    clock.pass_by(days=1)
    digest.tell([], book)
    trouble = trouble_in(book)
    assert trouble is not None
    assert trouble.tries == 2
    with postbox(port=port) as box:
        clock.pass_by(hours=1)
        assert digest.tell([], book) is None
        assert subjects(box) == ["Tallybook, 25 Nov 2026: 1 run, all completed"]
    assert trouble_in(book) is None


@pytest.mark.parametrize("died", ["before", "after"])
def test_what_may_have_been_sent_is_not_sent_again(
    died: str, books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    """F13"""
    digest = digest_at(box.port)
    digest.tell([], book)
    digest.tell([ended(books)], book)
    clock.pass_by(days=1)
    if died == "after":
        box.hangs_up = True
        digest.tell([], book)
    else:
        from tallybook.domain.telling import Part

        name = "digest of 2026-11-24T06:00:00+00:00"
        assert book.attempt(Part(name, ""), "m1", Standing.OWED)
    for _ in range(2):
        digest.tell([], book)
    assert len(box.mails) == (died == "after")
    assert book.counts() == {Standing.DOUBTFUL: 2}
    clock.pass_by(days=1)
    box.hangs_up = False
    digest.tell([], book)
    assert subjects(box)[-1] == "Tallybook, 25 Nov 2026: nothing ran"


def test_a_digest_that_another_process_has_sent_is_over(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    """It died after it had noted that the digest was taken, and before it had noted the day."""
    digest = digest_at(box.port)
    digest.tell([], book)
    began = book.kept("until")
    clock.pass_by(days=1)
    digest.tell([], book)
    book.keep("until", began)
    digest.tell([], book)
    digest.tell([], book)
    assert len(box.mails) == 1


def test_who_is_refused_is_in_the_books_and_old_runs_are_in_no_digest(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    digest = digest_at(box.port)
    digest.tell([], book)
    run_id = ended(books)
    clock.pass_by(days=30)
    digest.tell([run_id], book)
    box.answers["RCPT"] = ["550 no such user"]
    digest.tell([], book)
    assert subjects(box) == ["Tallybook, 23 Dec 2026: nothing ran"]
    assert book.counts()[Standing.RETIRED] == 1
    with books.database.reading() as connection:
        from tallybook.database import rows_of

        (said,) = rows_of(connection, "SELECT text FROM @events WHERE kind = 'report_digest'", ())
    assert said[0] == "the digest was refused for ada@mail.test: 550 no such user"


@pytest.mark.parametrize(
    ("every", "now", "end"),
    [
        (Every.DAY, "2026-11-23T05:59:59", "2026-11-22T06:00:00"),
        (Every.DAY, "2026-11-23T06:00:00", "2026-11-23T06:00:00"),
        (Every.DAY, "2026-10-25T08:00:00", "2026-10-25T06:00:00"),  # clocks went back in the night
        (Every.DAY, "2026-10-25T05:30:00", "2026-10-24T05:00:00"),
        (Every.WEEK, "2026-11-23T05:59:59", "2026-11-16T06:00:00"),
        (Every.WEEK, "2026-11-23T06:00:00", "2026-11-23T06:00:00"),
        (Every.WEEK, "2026-11-29T22:00:00", "2026-11-23T06:00:00"),
    ],
)
def test_when_a_day_and_a_week_are_over(every: Every, now: str, end: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert Pace(every, 7, BERLIN).last_end(at) == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_of_very_many_runs_the_newest_are_named() -> None:
    mail = digest_mail(Period(NOON, NOON, BERLIN), [run(status=Status.FAILED)] * (MOST_RUNS + 2))
    assert mail.text.count("✗ 261123-080000, smart resume, all streams") == MOST_RUNS
    assert "and 2 runs before: tallybook run list" in mail.text
    assert "and 2 runs before" in mail.html
    assert "http" not in mail.html
    assert summary([run(), run(status=Status.FAILED), run(status=Status.TIMED_OUT)]) == (
        "3 runs, 1 failed and 1 timed out"
    )


def test_an_engine_gathers_runs_and_sends_the_digest_when_its_time_has_come(
    books: Ledger, box: Postbox, clock: Clock
) -> None:
    teller = Teller(books, digest_at(box.port))
    teller.start()
    assert teller.settle(20.0)
    clock.pass_by(minutes=1)
    run_id = ended(books)
    assert teller.settle(20.0)
    assert not box.mails
    clock.pass_by(days=1)
    assert teller.settle(20.0)
    teller.close()
    assert subjects(box) == ["Tallybook, 24 Nov 2026: 1 run, all completed"]
    assert run_id in parts_of(box.mails[0])["text/plain"]
