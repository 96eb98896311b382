"""Who mails what, by the words of the settings."""

from collections.abc import Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

from tallybook.domain.errors import BadInput, BadSetting
from tallybook.domain.following import Follower
from tallybook.followers.letter import Envelope, mailbox
from tallybook.followers.report_digest import Every, Pace, ReportDigest
from tallybook.followers.report_mail import Each, PostOffice, ReportMail
from tallybook.followers.smtp import MailServer


class Hidden(Protocol):
    """What is not shown to people."""

    def reveal(self) -> str: ...


class Mailed(Protocol):
    """The settings of mail."""

    @property
    def url(self) -> Hidden | None: ...

    @property
    def from_(self) -> str | None: ...

    @property
    def to(self) -> Sequence[str]: ...

    @property
    def digest(self) -> str: ...

    @property
    def digest_hour(self) -> int: ...

    @property
    def each(self) -> str | None: ...


class Reached(Protocol):
    @property
    def public_url(self) -> str | None: ...


class Timed(Protocol):
    @property
    def timezone(self) -> ZoneInfo: ...


class Asked(Protocol):
    """What of the settings matters to mail."""

    @property
    def mail(self) -> Mailed: ...

    @property
    def server(self) -> Reached: ...

    @property
    def run_id(self) -> Timed: ...


def post_office(settings: Asked) -> PostOffice | None:
    """None: no mail is configured. Raises BadSetting for half of it."""
    asked, public_url = settings.mail, settings.server.public_url
    given = {"URL": asked.url, "FROM": asked.from_, "TO": asked.to}
    missing = [f"TALLYBOOK_MAIL__{name}" for name, value in given.items() if not value]
    if len(missing) == len(given) and asked.digest == "off":
        return None
    if asked.url is None or asked.from_ is None or not asked.to:
        raise BadSetting(f"mail is half configured: set {' and '.join(missing)} as well, or nothing under [mail]")
    try:
        return PostOffice(MailServer(asked.url.reveal()), Envelope.read(asked.from_, asked.to), public_url)
    except ValueError as error:
        raise BadSetting(f"mail cannot be sent as it is configured: {error}") from None


def envelope(office: PostOffice, to: Sequence[str]) -> Envelope:
    """From the same sender to others. Raises BadInput."""
    try:
        return Envelope(office.envelope.sender, tuple(map(mailbox, to)))
    except ValueError as error:
        raise BadInput(str(error)) from None


def mailing(settings: Asked) -> Sequence[Follower]:
    """Who is told of runs so that people get mail. Without *each* a digest leaves mails of their own to runs that did
    not complete well. Raises BadSetting.
    """
    office, asked = post_office(settings), settings.mail
    if office is None:
        return ()
    if asked.digest == "off":
        return (ReportMail(office, Each(asked.each or Each.ALL)),)
    pace = Pace(Every(asked.digest), asked.digest_hour, settings.run_id.timezone)
    return ReportMail(office, Each(asked.each or Each.UNWELL)), ReportDigest(office, pace)
