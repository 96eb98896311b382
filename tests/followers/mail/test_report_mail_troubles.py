"""When the mail of a run cannot be sent: it is tried again, for two days; the run has ended all the same."""

from datetime import timedelta

import pytest

from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.telling import Part, Standing
from tallybook.followers.mail_trouble import PAUSES, pause, trouble_in
from tallybook.followers.report_mail import NAME
from tallybook.followers.smtp import MaybeSent
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tests.followers.mail.acting import ended, standing
from tests.followers.mail.postbox import Postbox, follower_at, postbox
from tests.ledger import scenes
from tests.ledger.scenes import Clock


def test_a_server_that_is_away_is_tried_ever_more_rarely_and_then_has_it(
    books: Ledger, book: FollowerBook, clock: Clock
) -> None:
    run_ids = [ended(books, "Acme"), ended(books, "Acme")]
    with postbox() as box:
        port = box.port
    follower = follower_at(port)
    since = clock.now
    for number in range(7):
        until = follower.tell(run_ids if not number else [], book)
        trouble = trouble_in(book)
        assert trouble is not None
        assert (trouble.since, trouble.until, trouble.tries) == (since, until, number + 1)
        assert until == clock.now + PAUSES[min(number, 4)]
        assert follower.tell([], book) == until  # not before its time
        assert trouble_in(book) == trouble
        assert "Connection refused" in trouble.text
        clock.now = until
    with postbox(port=port) as box:
        assert follower.tell([], book) is None
        assert len(box.mails) == 2
    assert trouble_in(book) is None
    assert book.counts() == {Standing.TOLD: 2}


def test_a_new_process_tries_at_once(books: Ledger, book: FollowerBook) -> None:
    """Somebody may have mended the settings."""
    run_id = ended(books, "Acme")
    with postbox() as box:
        port = box.port
    assert follower_at(port).tell([run_id], book)
    with postbox() as box:
        assert follower_at(box.port).tell([], book) is None
        assert len(box.mails) == 1


def test_a_mail_that_is_refused_waits_alone(books: Ledger, book: FollowerBook, box: Postbox, clock: Clock) -> None:
    first = ended(books, "Acme")
    box.answers["DATA"] = ["552 too large"]
    follower = follower_at(box.port)
    assert follower.tell([first], book) is None
    assert (standing(book, first), book.tellings(first)[0].error) == (
        Standing.OWED,
        f"127.0.0.1:{box.port}: 552 too large",
    )
    second = ended(books, "Acme")
    follower.tell([second], book)
    assert len(box.mails) == 1
    clock.pass_by(seconds=31)
    follower.tell([], book)
    assert len(box.mails) == 2


def test_after_two_days_nobody_tries_any_more(books: Ledger, book: FollowerBook, box: Postbox, clock: Clock) -> None:
    with postbox() as gone:
        away = follower_at(gone.port)
    late, refused = ended(books, "Acme"), ended(books, "Acme")
    away.tell([late, refused], book)
    book.stands({Part(refused, ""): "552 too large"}, Standing.OWED)
    clock.pass_by(hours=49)
    away.tell([], book)
    assert dict(book.parked(9)) == {
        Part(late, ""): f"127.0.0.1:{gone.port}: Connection refused",
        Part(refused, ""): "552 too large",
    }
    (said,) = scenes.texts(books, late, "report_mail")
    assert said.startswith("the report mail of this run was not sent in two days")
    follower_at(box.port).tell([late], book)
    assert not box.mails
    assert follower_at(box.port).send_by_hand(late, book) == 2
    assert standing(book, late) is Standing.TOLD


def test_what_waits_for_nobody_to_come_is_given_up_too(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    run_id = ended(books, "Acme")
    book.stands({Part(run_id, ""): None}, Standing.OWED)
    clock.pass_by(days=3)
    follower_at(box.port).tell([], book)
    assert dict(book.parked(9)) == {Part(run_id, ""): "nobody was there to send it"}


def test_a_run_that_ended_long_ago_is_not_mailed(books: Ledger, book: FollowerBook, box: Postbox, clock: Clock) -> None:
    run_id = ended(books, "Acme")
    clock.pass_by(days=3)
    follower_at(box.port).tell([run_id], book)
    assert (box.mails, standing(book, run_id)) == ([], Standing.RETIRED)


def test_a_server_that_does_not_say_whether_it_took_it_is_not_asked_again(
    books: Ledger, book: FollowerBook, box: Postbox
) -> None:
    run_id = ended(books, "Acme")
    box.hangs_up = True
    follower = follower_at(box.port)
    for _ in range(2):
        follower.tell([run_id], book)
    assert (len(box.mails), standing(book, run_id)) == (1, Standing.DOUBTFUL)
    with pytest.raises(MaybeSent):
        follower.send_by_hand(run_id, book)
    assert len(scenes.texts(books, run_id, "report_mail")) == 1


def test_who_is_refused_is_in_the_books(books: Ledger, book: FollowerBook, box: Postbox) -> None:
    run_id = ended(books, "Acme")
    box.answers["RCPT"] = ["550 no such user"]
    follower_at(box.port).tell([run_id], book)
    assert scenes.texts(books, run_id, "report_mail") == [
        "the report mail was refused for ada@mail.test: 550 no such user"
    ]


def test_pauses_grow_to_an_hour() -> None:
    assert [pause(tries) for tries in (1, 5, 99)] == [timedelta(seconds=30), timedelta(hours=1), timedelta(hours=1)]


def test_books_that_are_away_before_it_is_handed_over_send_nothing(
    books: Ledger, book: FollowerBook, box: Postbox
) -> None:
    run_id = ended(books, "Acme")

    class Away(FollowerBook):
        def attempt(self, part: Part, ref: str, was: Standing) -> bool:
            raise LedgerUnavailable("away")

    with pytest.raises(LedgerUnavailable):
        follower_at(box.port).tell([run_id], Away(books, NAME))
    assert not box.mails
    follower_at(box.port).tell([], book)
    assert len(box.mails) == 1
