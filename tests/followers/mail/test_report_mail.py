"""The report of a run is mailed once: whatever starts twice, dies, or is away."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallybook.database import Database
from tallybook.domain.client import Client
from tallybook.domain.telling import Part, Standing
from tallybook.followers.report_mail import NAME, Each, mail_of
from tallybook.followers.smtp import NotSent
from tallybook.ledger import read
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims, endings, progress, starts
from tests.books import SqliteBooks
from tests.children import Child
from tests.followers.mail import mail_process
from tests.followers.mail.acting import ended, standing
from tests.followers.mail.postbox import Postbox, follower_at, office_at, parts_of, postbox
from tests.ledger import scenes
from tests.ledger.scenes import Clock

# -- what it says ------------------------------------------------------------------------------------------------------


def test_it_says_the_verdict_what_changed_every_client_why_and_the_cost(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    before = ended(books, "Acme", "Söhne & Co 🦉", failed=0)
    clock.pass_by(days=1)
    run_id = ended(books, "Acme", "Söhne & Co 🦉", failed=3)
    follower = follower_at(box.port, public_url="https://books.test")
    assert follower.tell([before, run_id], book) is None
    first, mail = box.mails
    assert mail["Subject"] == f"Completed with errors in 0.0 s: 3 failed and 17 scored of 20 leads (run {run_id})"
    assert "Since run" not in parts_of(first)["text/plain"]
    text, html = parts_of(mail)["text/plain"], parts_of(mail)["text/html"]
    for said in ("Since run", "was 20, −3", "Acme", "Söhne & Co 🦉", "3 failed: timeout", "$0.0246 estimated"):
        assert said in text
    assert f"On the web: https://books.test/runs/{run_id}" in text
    shown = Shown()
    shown.feed(html)
    for said in (
        "Since run",
        "−3",
        "Acme",
        "Söhne & Co 🦉",
        "3 failed: timeout (no answer in time)",
        "$0.0246 estimated",
    ):
        assert said in shown.text
    assert shown.links == [f"https://books.test/runs/{run_id}"]
    assert not re.search(r"<(script|link|img|iframe|form)\b|url\(|@import", html)
    assert '<td style="' in html


def test_without_an_address_of_the_server_it_has_no_link(books: Ledger, book: FollowerBook, box: Postbox) -> None:
    follower_at(box.port).tell([ended(books, "Acme")], book)
    assert "://" not in parts_of(box.mails[0])["text/plain"]
    assert "href" not in parts_of(box.mails[0])["text/html"]


def test_no_name_of_a_client_is_a_header_or_a_tag(books: Ledger, book: FollowerBook, box: Postbox) -> None:
    run_id = books.do(starts.start, scenes.asked("c0")).run_id
    name = "<b>x</b>\r\nBcc: everybody@mail.test"
    books.do(starts.plan, run_id, [Client("c0", name)])
    key = scenes.begun(books, run_id, "c0")
    books.do(endings.close_client, key)
    follower_at(box.port).tell([run_id], book)
    (mail,) = box.mails
    assert mail["Bcc"] is None
    assert "<b>" not in parts_of(mail)["text/html"]


class Shown(HTMLParser):
    """What a mail program shows, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


COUNTS = st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))


@settings(max_examples=15)
@given(clients=st.lists(COUNTS, min_size=1, max_size=3))
def test_every_mail_has_the_figures_of_the_books(
    sqlite_books: SqliteBooks, clients: list[tuple[int, int, int]]
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Database(sqlite_books.copied_to(Path(folder))), Clock())
        run_id = scenes.planned(ledger, *(f"c{number}" for number in range(len(clients))))
        for number, (scored, failed, skipped) in enumerate(clients):
            due = [f"{number} {each}" for each in range(scored + failed + skipped)]
            key = scenes.frozen(ledger, scenes.begun(ledger, run_id, f"c{number}"), due)
            if due:
                scenes.called(ledger, key, f"call {number}")
            good, bad, left = due[:scored], due[scored : scored + failed], due[scored + failed :]
            scenes.recorded(ledger, key, *scenes.scored(*good), *scenes.failed(*bad), *scenes.skipped(*left))
            scenes.closed(ledger, key)
        mail = mail_of(run_id, FollowerBook(ledger, NAME), None)
        for number, (scored, failed, skipped) in enumerate(clients):
            figures = (scored + failed + skipped, scored, skipped, failed, 0)
            assert re.search(rf"C{number} +{' +'.join(map(str, figures))} ", mail.text), mail.text
            cells = "".join(rf"<td[^>]*>{each}</td>" for each in figures)
            assert re.search(rf"C{number} <span.*?</td>{cells}", mail.html)
        tally = read.run(ledger.database, run_id).tally
        assert f"= {tally.total_tokens:,}" in mail.text or not tally.calls
        ledger.close()


# -- once --------------------------------------------------------------------------------------------------------------


def test_a_run_is_mailed_once_however_often_it_is_told(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    """F13: also when something comes late, which a second mail would not be worth."""
    key = scenes.working(books, ("a", "b"))
    scenes.recorded(books, key, *scenes.scored("a"))
    scenes.closed(books, key)
    run_id = key.run_id
    for _ in range(3):
        follower_at(box.port).tell([run_id], book)
    books.do(progress.record, key, scenes.scored("b"))
    clock.pass_by(hours=1)
    follower_at(box.port).tell([run_id], book)
    assert len(box.mails) == 1
    assert standing(book, run_id) is Standing.TOLD


def test_a_reported_run_is_mailed_too(books: Ledger, book: FollowerBook, box: Postbox) -> None:
    run_id = scenes.reported(books, "acme")
    books.do(claims.complete_client, ClientKey(run_id, "acme"), None)
    books.do(claims.complete_run, run_id, None)
    follower_at(box.port).tell([run_id], book)
    assert "reported by another program" in parts_of(box.mails[0])["text/plain"]


def test_each_run_has_an_id_of_its_own_that_stays_the_same(
    books: Ledger, book: FollowerBook, box: Postbox, clock: Clock
) -> None:
    first, second = ended(books, "Acme"), ended(books, "Acme")
    follower = follower_at(box.port)
    follower.tell([first, second], book)
    book.stands({Part(first, ""): None}, Standing.DOUBTFUL)
    follower.send_by_hand(first, book)
    ids = [mail["Message-ID"] for mail in box.mails]
    assert ids[0] == ids[2] != ids[1]
    assert ids[0].endswith("@books.test>")


POINTS = [
    ("before it is noted", 1, Standing.TOLD),
    ("noted", 0, Standing.DOUBTFUL),
    ("taken", 1, Standing.DOUBTFUL),
    ("told", 1, Standing.TOLD),
]


@pytest.mark.parametrize(("at", "mails", "stands"), POINTS, ids=[each[0] for each in POINTS])
def test_a_process_that_is_killed_sends_no_second_mail(
    at: str, mails: int, stands: Standing, url: str, box: Postbox
) -> None:
    """F13, F33: what may have gone out is not sent again, and is said to be doubtful."""
    ledger = Ledger(Database(url))
    run_id = ended(ledger, "Acme")
    child = Child(mail_process.mail, url, box.port, run_id, at)
    assert child.says() == at
    child.kill()
    book = FollowerBook(ledger, NAME)
    for _ in range(2):
        follower_at(box.port).tell([run_id], book)
    assert (len(box.mails), standing(book, run_id)) == (mails, stands)
    said = scenes.texts(ledger, run_id, "report_mail")
    assert [text.startswith("the report mail of this run may not have been sent") for text in said] == (
        [True] if stands is Standing.DOUBTFUL else []
    )
    if stands is Standing.DOUBTFUL:
        follower_at(box.port).send_by_hand(run_id, book)
        assert (len(box.mails), standing(book, run_id)) == (mails + 1, Standing.TOLD)
    ledger.close()


def test_two_processes_send_one_mail_of_each_run(database_url: str, box: Postbox) -> None:
    """F13"""
    ledger = Ledger(Database(database_url))
    run_ids = [ended(ledger, "Acme") for _ in range(4)]
    with (
        Child(mail_process.crowd, database_url, box.port, run_ids, 5) as one,
        Child(mail_process.crowd, database_url, box.port, run_ids, 5) as other,
    ):
        for child in (one, other):
            assert child.says() == "ready"
        for child in (one, other):
            child.hears("go")
        assert [child.says() for child in (one, other)] == ["done", "done"]
    assert sorted(mail["Message-ID"] for mail in box.mails) == sorted({mail["Message-ID"] for mail in box.mails})
    assert len(box.mails) == 4
    ledger.close()


def test_of_two_who_lost_their_lock_one_sends(ledger: Ledger, box: Postbox) -> None:
    """A lock may die before its process: the books say who may send."""
    run_id = ended(ledger, "Acme")
    book = FollowerBook(ledger, NAME)
    telling = book.tellings(run_id)[0]
    assert book.attempt(telling.part, "somebody else's", Standing.OWED)
    assert not book.attempt(telling.part, "mine", Standing.OWED)
    assert follower_at(box.port).send(telling, book) == 0
    assert not box.mails


# -- which runs --------------------------------------------------------------------------------------------------------


def test_only_runs_that_did_not_complete_well_where_that_is_asked(
    books: Ledger, book: FollowerBook, box: Postbox
) -> None:
    well, unwell = ended(books, "Acme", failed=0), ended(books, "Acme")
    follower_at(box.port, Each.UNWELL).tell([well, unwell], book)
    assert [unwell in mail["Subject"] for mail in box.mails] == [True]
    assert standing(book, well) is Standing.PASSED


def test_by_hand_it_is_sent_again_and_to_others(books: Ledger, book: FollowerBook, box: Postbox) -> None:
    from tallybook.followers.mailing import envelope

    run_id = ended(books, "Acme")
    follower = follower_at(box.port)
    follower.tell([run_id], book)
    assert follower.send_by_hand(run_id, book) == 2
    others = envelope(office_at(box.port), ["Cy <cy@mail.test>"])
    assert follower.send_by_hand(run_id, book, others) == 1
    assert box.recipients[-1] == ["cy@mail.test"]
    assert len({mail["Message-ID"] for mail in box.mails}) == 3
    with postbox() as gone:
        away = follower_at(gone.port)
    with pytest.raises(NotSent):
        away.send_by_hand(run_id, book)
    assert standing(book, run_id) is Standing.TOLD
