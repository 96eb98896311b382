"""The report of a run is mailed once, after the run has ended (F13, F33).

Before a mail is handed over, that is noted in the books. Should the process die then, nobody knows whether it went out:
it is not sent again by itself, and stands as doubtful. What certainly was not taken is tried again, ever more rarely.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial

from tallybook.domain.figures import LeadFigures
from tallybook.domain.following import FollowerState
from tallybook.domain.run import Run, Status
from tallybook.domain.telling import Standing, Telling, Told
from tallybook.followers.letter import Envelope, letter
from tallybook.followers.mail_trouble import no_trouble, note_trouble, pause, trouble_in
from tallybook.followers.smtp import Letter, MailServer, MaybeSent, NotSent
from tallybook.report.mail import Mail, run_mail

NAME = "report_mail"
LOOK_EVERY = timedelta(seconds=30)
GIVE_UP_AFTER = timedelta(days=2)
KIND = "report_mail"
"""Of its events."""


class Each(StrEnum):
    """Which runs have a mail of their own: all of them, or those that did not complete well."""

    ALL = "all"
    UNWELL = "unwell"

    def tells(self, run: Run) -> bool:
        return self is Each.ALL or run.status is not Status.COMPLETED


@dataclass(frozen=True, slots=True)
class PostOffice:
    """Everything a mail needs but what it says. *public_url*: of the server with the pages."""

    server: MailServer
    envelope: Envelope
    public_url: str | None = None

    def letter(self, mail: Mail, message_id: str, at: datetime, *, envelope: Envelope | None = None) -> Letter:
        return letter(mail, envelope or self.envelope, message_id=message_id, at=at)

    def message_id(self, what: str, book: FollowerState) -> str:
        """The same for the same thing of the same books; other books have others, also of runs with the same id."""
        books = book.kept("books")
        if books is None:
            books = secrets.token_hex(16)
            book.keep("books", books)
        name = hashlib.sha256(f"{books} {what}".encode()).hexdigest()[:32]
        return f"{name}@{self.envelope.sender.domain}"


class ReportMail:
    """The follower. Told under the lock of its name, by one process at a time."""

    def __init__(self, office: PostOffice, each: Each = Each.ALL) -> None:
        self.office = office
        self._each = each
        self._asked = False

    @property
    def name(self) -> str:
        return NAME

    @property
    def every(self) -> timedelta:
        return LOOK_EVERY

    @property
    def ends_only(self) -> bool:
        return True

    @property
    def beats(self) -> bool:
        return True

    def tell(self, run_ids: Sequence[str], book: FollowerState) -> datetime | None:
        for run_id in run_ids:
            self._take(whole(run_id, book), book)
        for run_id in book.standing_so(Standing.SENDING):
            doubt(whole(run_id, book), "the process that sent it died", book)
        owed = book.standing_so(Standing.OWED)
        trouble = trouble_in(book) if owed else None
        if trouble and book.now() < trouble.until and self._asked:
            return trouble.until
        return self._send_all(owed, book)

    def _take(self, telling: Telling, book: FollowerState) -> None:
        """A run of whose end is heard for the first time is owed from now on, or never told."""
        if telling.told_at is not None or telling.standing is not Standing.OWED:
            return
        run = book.story(telling.part.run_id).run
        standing = Standing.OWED if self._each.tells(run) else Standing.PASSED
        if _is_old(run, book.now()):
            standing = Standing.RETIRED
        book.stands({telling.part: None}, standing)

    def _send_all(self, run_ids: Sequence[str], book: FollowerState) -> datetime | None:
        for run_id in run_ids:
            telling, now = whole(run_id, book), book.now()
            if _is_old(book.story(run_id).run, now):
                self._give_up(telling, book)
                continue
            if not _is_due(telling, now):
                continue
            self._asked = True
            try:
                self.send(telling, book)
            except NotSent as error:
                if not error.this_mail:
                    return note_trouble(error, book).until
            except MaybeSent:
                continue
        return None

    def send(self, telling: Telling, book: FollowerState) -> int:
        """Send what is not told yet. Gives to how many it went. Raises NotSent, MaybeSent, having noted it."""
        part = telling.part
        message_id = self.office.message_id(f"run {part.run_id}", book)
        mail = mail_of(part.run_id, book, self.office.public_url)
        attempt = partial(book.attempt, part, message_id, telling.standing)
        try:
            refused = self.office.server.deliver(self.office.letter(mail, message_id, book.now()), attempt)
        except NotSent as error:
            self._not_sent(telling, error, book)
            raise
        except MaybeSent as error:
            doubt(telling, str(error), book)
            raise
        if refused is None:
            return 0
        book.told([Told(part, telling.version, message_id)])
        no_trouble(book)
        if refused:
            text = f"the report mail was refused for {'; '.join(refused)}"
            book.event(KIND, text, once_key=f"{KIND} {part.run_id} refused", part=part)
        return len(self.office.envelope.to) - len(refused)

    def _not_sent(self, telling: Telling, error: NotSent, book: FollowerState) -> None:
        """It stands as it did; what is wrong with this mail alone makes it wait by itself."""
        book.stands({telling.part: str(error) if error.this_mail else None}, telling.standing)

    def _give_up(self, telling: Telling, book: FollowerState) -> None:
        trouble = trouble_in(book)
        why = telling.error or (trouble.text if trouble else "nobody was there to send it")
        book.stands({telling.part: why}, Standing.PARKED)
        text = f"the report mail of this run was not sent in two days, and is not tried any more: {why}"
        book.event(KIND, text, once_key=f"{KIND} {telling.part.run_id} given up", part=telling.part)

    # -- by hand

    def send_by_hand(self, run_id: str, book: FollowerState, to: Envelope | None = None) -> int:
        """Send it whatever was sent before. Gives to how many it went. Raises NotSent, MaybeSent.

        To those who have their mail already, and to others, it is another mail.
        """
        telling = whole(run_id, book)
        if to is None and telling.standing is not Standing.TOLD:
            return self.send(telling, book)
        message_id = self.office.message_id(f"run {run_id} {secrets.token_hex(8)}", book)
        mail = mail_of(run_id, book, self.office.public_url)
        made = self.office.letter(mail, message_id, book.now(), envelope=to)
        return len(made.to) - len(self.office.server.deliver(made, lambda: True) or ())


def mail_of(run_id: str, book: FollowerState, public_url: str | None) -> Mail:
    """What the report of a run says, as the books stand."""
    story = book.story(run_id)
    leads = sum(story.leads.values(), LeadFigures())
    return run_mail(story.run, previous=book.previous(story.run), leads=leads, public_url=public_url)


def whole(run_id: str, book: FollowerState) -> Telling:
    return book.tellings(run_id)[0]


def doubt(telling: Telling, why: str, book: FollowerState) -> None:
    """Nobody will ever know; it is not sent again by itself."""
    book.stands({telling.part: why}, Standing.DOUBTFUL)
    text = f"the report mail of this run may not have been sent ({why}); tallybook report {telling.part.run_id} --send"
    book.event(KIND, text, once_key=f"{KIND} {telling.part.run_id} doubtful", part=telling.part)


def _is_old(run: Run, now: datetime) -> bool:
    return run.ended_at is not None and now - run.ended_at > GIVE_UP_AFTER


def _is_due(telling: Telling, now: datetime) -> bool:
    if not telling.tries or telling.told_at is None:
        return True
    return now >= telling.told_at + pause(telling.tries)
