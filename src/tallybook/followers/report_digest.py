"""All runs of a day or a week in one mail, also when there were none. Each run is told in one digest.

Runs are gathered as they end. When a period is over, its digest is sent once by whichever process comes first; as for
the mail of a run, that is noted before, and what may have been sent is not sent again. While the mail server is away
the period grows: the next digest tells everything since the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from zoneinfo import ZoneInfo

from tallybook.domain.following import FollowerState
from tallybook.domain.run import Run
from tallybook.domain.telling import Part, Standing, Told
from tallybook.followers.mail_trouble import no_trouble, note_trouble, trouble_in
from tallybook.followers.report_mail import LOOK_EVERY, PostOffice, whole
from tallybook.followers.smtp import MaybeSent, NotSent
from tallybook.report.digest import Period, digest_mail

NAME = "report_digest"
TOO_OLD = timedelta(days=14)
_UNTIL = "until"
_OF = "digest of "


class Every(StrEnum):
    DAY = "daily"
    WEEK = "weekly"


@dataclass(frozen=True, slots=True)
class Pace:
    """Every day at *hour*, or every Monday, by the clocks of *timezone*."""

    every: Every
    hour: int
    timezone: ZoneInfo

    def last_end(self, now: datetime) -> datetime:
        """When the newest period ended that is over."""
        local = now.astimezone(self.timezone)
        days = local.weekday() if self.every is Every.WEEK else 0
        step = timedelta(days=7 if self.every is Every.WEEK else 1)
        end = (local - timedelta(days=days)).replace(hour=self.hour, minute=0, second=0, microsecond=0, fold=0)
        return (end if end.astimezone(UTC) <= now else end - step).astimezone(UTC)


class ReportDigest:
    """The follower. Told under the lock of its name, by one process at a time."""

    def __init__(self, office: PostOffice, pace: Pace) -> None:
        self._office = office
        self._pace = pace
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
            _gather(run_id, book)
        return None if run_ids else self._send_due(book)

    def _send_due(self, book: FollowerState) -> datetime | None:
        """After all that has changed was gathered."""
        for name in book.standing_so(Standing.SENDING):
            _doubt(name, "the process that sent it died", book)
        kept, now = book.kept(_UNTIL), book.now()
        if kept is None:
            book.keep(_UNTIL, now.isoformat())
            return None
        period = Period(datetime.fromisoformat(kept), self._pace.last_end(now), self._pace.timezone)
        if period.ends <= period.begins:
            return None
        trouble = trouble_in(book)
        if trouble and self._asked and now < trouble.until:
            return trouble.until
        self._asked = True
        return self._send(period, book)

    def _send(self, period: Period, book: FollowerState) -> datetime | None:
        name = f"{_OF}{period.ends.isoformat()}"
        runs = _gathered(period, book)
        message_id = self._office.message_id(name, book)
        mail = digest_mail(period, runs, self._office.public_url)
        attempt = partial(book.attempt, Part(name, ""), message_id, Standing.OWED)
        try:
            refused = self._office.server.deliver(self._office.letter(mail, message_id, book.now()), attempt)
        except NotSent as error:
            book.stands({Part(name, ""): str(error)}, Standing.OWED)
            return note_trouble(error, book).until
        except MaybeSent as error:
            _doubt(name, str(error), book)
            return None
        if refused is not None:
            book.told([Told(Part(each, ""), 1, message_id) for each in (name, *(run.run_id for run in runs))])
            no_trouble(book)
        book.keep(_UNTIL, period.ends.isoformat())
        if refused:
            book.event(NAME, f"the digest was refused for {'; '.join(refused)}", once_key=f"{name} refused")
        return None


def _gather(run_id: str, book: FollowerState) -> None:
    telling = whole(run_id, book)
    if telling.told_at is not None or telling.standing is not Standing.OWED:
        return
    ended_at = book.story(run_id).run.ended_at
    old = ended_at is not None and book.now() - ended_at > TOO_OLD
    book.stands({telling.part: None}, Standing.RETIRED if old else Standing.GATHERED)


def _gathered(period: Period, book: FollowerState) -> list[Run]:
    """What ended later belongs to the next."""
    runs = [book.story(run_id).run for run_id in book.standing_so(Standing.GATHERED)]
    return [each for each in runs if each.ended_at is not None and each.ended_at < period.ends]


def _doubt(name: str, why: str, book: FollowerState) -> None:
    """The digest counts as sent; its runs are in it, or nowhere."""
    ends = datetime.fromisoformat(name.removeprefix(_OF))
    runs = _gathered(Period(ends, ends, ZoneInfo("UTC")), book)
    parts = [Part(name, ""), *(Part(each.run_id, "") for each in runs)]
    book.stands(dict.fromkeys(parts, why), Standing.DOUBTFUL)
    book.keep(_UNTIL, ends.isoformat())
    book.event(NAME, f"the {name} may not have been sent ({why})", once_key=f"{name} doubtful")
