"""A mail as it goes over the wire: a plain-text part and an HTML part, all of it ASCII, whatever it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from tallybook.domain.fields import storable
from tallybook.followers.smtp import Letter
from tallybook.report.mail import Mail

LONGEST_SUBJECT = 200
_WIRE = SMTP.clone(cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom, to whom."""

    sender: Address
    to: tuple[Address, ...]

    @classmethod
    def read(cls, sender: str, to: Sequence[str]) -> "Envelope":
        """Raises ValueError."""
        return cls(mailbox(sender), tuple(map(mailbox, to)))


def mailbox(text: str) -> Address:
    """`Name <a@b.test>`, `a@b.test`. Raises ValueError for one that no mail server would take."""
    name, _, rest = text.rpartition("<")
    plain = (rest.rstrip("> ") if rest or name else text).strip()
    try:
        found = Address(name.strip().strip('"').strip(), addr_spec=plain)
    except (ValueError, IndexError, AttributeError):  # what the parser of addresses raises at odd ones
        found = None
    if found is None or not plain.isascii() or found.addr_spec != plain:
        raise ValueError(f"{text!r} is no address that mail can be sent to")
    return found


def letter(told: Mail, envelope: Envelope, *, message_id: str, at: datetime) -> Letter:
    """*message_id*: without its angle brackets."""
    mail = EmailMessage(policy=_WIRE)
    mail["From"] = envelope.sender
    mail["To"] = envelope.to
    mail["Subject"] = subject(told.subject)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{message_id}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(storable(told.text), cte="quoted-printable")
    mail.add_alternative(storable(told.html), subtype="html", cte="quoted-printable")
    to = tuple(each.addr_spec for each in envelope.to)
    return Letter(message_id, envelope.sender.addr_spec, to, mail.as_bytes())


def subject(text: str) -> str:
    """On one line, whatever others have put into it: nothing in it begins a header."""
    line = " ".join("".join(each if each.isprintable() else " " for each in storable(text)).split())
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 1]}…"
