"""The mail server, and what becomes of a mail that is handed to it: taken, certainly not taken, or nobody knows.

`smtp://` takes STARTTLS where the server offers it, `smtps://` is TLS from the start; certificates are always checked.
User and password go over an unencrypted connection only where it does not leave this machine.
"""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tallybook.domain.errors import TallybookError
from tallybook.domain.fields import storable

CONNECT_S = 10.0
ANSWER_S = 30.0
HANG_UP_S = 1.0
LONGEST_WORDS = 200
"""Characters of what the server said that are repeated."""
HIDDEN = "********"
SUBMISSION, RELAY, TLS = 587, 25, 465
_GO_ON = 354


class NotSent(TallybookError):
    """The mail was certainly not taken. *this_mail*: others may be; else the server takes none just now."""

    retryable = True

    def __init__(self, message: str, *, this_mail: bool = False) -> None:
        super().__init__(message)
        self.this_mail = this_mail


class MaybeSent(TallybookError):
    """It was handed over, and the server did not say what became of it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """*mail*: as it goes over the wire, its lines ended by CRLF. *sender*, *to*: bare addresses."""

    message_id: str
    sender: str
    to: tuple[str, ...]
    mail: bytes = field(repr=False)


class MailServer:
    """*url*: `smtp://USER:PASSWORD@HOST:PORT`, its special characters as %XX. Raises ValueError."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "smtps"
        self._user, self._password = unquote(parts.username or ""), unquote(parts.password or "")
        self._host = parts.hostname or ""
        self._port = parts.port or (TLS if self._tls else SUBMISSION if self._user else RELAY)
        if not (self._user + self._password).isascii():
            raise ValueError("user and password of a mail server must be ASCII")

    @property
    def shown(self) -> str:
        """Without user and password."""
        return f"{self._host}:{self._port}"

    def check(self) -> str:
        """Reach it and sign in, and send nothing. Gives how it was reached. Raises NotSent."""
        with self._open() as smtp, self._told():
            _well(smtp.noop())
            secure = "over TLS" if isinstance(smtp.sock, ssl.SSLSocket) else "unencrypted"
            return f"{secure}, signed in" if self._user else secure

    def deliver(self, letter: Letter, attempt: Callable[[], bool]) -> Sequence[str] | None:
        """Hand it over. *attempt* is called right before; what follows it may have been taken, whatever is heard of it.
        If it gives False, nothing is sent, and that gives None. Else gives what was said of addresses that were refused
        where others were not.

        Raises NotSent, MaybeSent.
        """
        with self._open() as smtp:
            with self._told(this_mail=True):
                refused = _addressed(smtp, letter)
            if not attempt():
                return None
            with self._told(this_mail=True):
                _expect(smtp.docmd("DATA"), _GO_ON)
            code, reply = self._handed_over(smtp, letter)
        if 400 <= code < 600:
            raise NotSent(self._said(_answer(code, reply)), this_mail=True)
        if not 200 <= code < 300:
            raise MaybeSent(self._said(f"{self.shown} gave no answer to the mail that has a meaning: {reply!r}"))
        return [self._said(each) for each in refused]

    def _handed_over(self, smtp: smtplib.SMTP, letter: Letter) -> tuple[int, bytes]:
        try:
            smtp.send(re.sub(rb"(?m)^\.", b"..", letter.mail) + b".\r\n")
            return smtp.getreply()
        except OSError as error:
            raise MaybeSent(self._said(f"{self.shown} did not say whether it took the mail: {_plain(error)}")) from None

    @contextmanager
    def _open(self) -> Iterator[smtplib.SMTP]:
        """A connection over which mails may be given. Raises NotSent."""
        with self._told():
            smtp = self._connected()
        try:
            with self._told():
                self._greeted(smtp)
            yield smtp
        finally:
            _hung_up(smtp)

    def _connected(self) -> smtplib.SMTP:
        name = _own_name()
        if self._tls:
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, name, timeout=CONNECT_S, context=context)
        return smtplib.SMTP(self._host, self._port, name, timeout=CONNECT_S)

    def _greeted(self, smtp: smtplib.SMTP) -> None:
        if smtp.sock is not None:
            smtp.sock.settimeout(ANSWER_S)
        smtp.ehlo_or_helo_if_needed()
        stays_here = _is_loopback(self._host)
        if not self._tls and smtp.has_extn("starttls") and (self._user or not stays_here):
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo()
        if not self._user:
            return
        if not (isinstance(smtp.sock, ssl.SSLSocket) or stays_here):
            raise NotSent(f"{self.shown} offers no STARTTLS, and a password is not sent unencrypted: try smtps://")
        smtp.login(self._user, self._password)

    @contextmanager
    def _told(self, *, this_mail: bool = False) -> Iterator[None]:
        """Whatever happens within is told in one line, without the password (F35)."""
        try:
            yield
        except OSError as error:
            lost = isinstance(error, smtplib.SMTPServerDisconnected | TimeoutError | ConnectionError)
            raise NotSent(self._said(f"{self.shown}: {_plain(error)}"), this_mail=this_mail and not lost) from None

    def _said(self, text: str) -> str:
        together = f"\0{self._user}\0{self._password}"
        for secret in (self._password, *(_base64(each) for each in (self._password, together))):
            text = text.replace(secret, HIDDEN) if self._password else text
        words = storable("".join(each if each.isprintable() else " " for each in text)).strip()
        return words if len(words) <= LONGEST_WORDS else f"{words[:LONGEST_WORDS]}…"


def _addressed(smtp: smtplib.SMTP, letter: Letter) -> list[str]:
    """What was said of the addresses that are refused; raises when none is taken."""
    _well(smtp.mail(letter.sender))
    refused = []
    for each in letter.to:
        code, reply = smtp.rcpt(each)
        if not 200 <= code < 300:
            refused.append(f"{each}: {_answer(code, reply)}")
    if len(refused) == len(letter.to):
        raise smtplib.SMTPException("; ".join(refused))
    return refused


def _well(answer: tuple[int, bytes]) -> None:
    if not 200 <= answer[0] < 300:
        raise smtplib.SMTPResponseException(*answer)


def _expect(answer: tuple[int, bytes], code: int) -> None:
    if answer[0] != code:
        raise smtplib.SMTPResponseException(*answer)


def _hung_up(smtp: smtplib.SMTP) -> None:
    """Politely, where there is still somebody to be polite to."""
    try:
        if smtp.sock is not None:
            smtp.sock.settimeout(HANG_UP_S)
        smtp.quit()
    except OSError:
        smtp.close()


def _plain(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _answer(error.smtp_code, error.smtp_error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, TimeoutError) or str(error).endswith("timed out"):
        return "no answer in time"
    return error.strerror or str(error) or type(error).__name__


def _answer(code: int, reply: bytes | str) -> str:
    words = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"{code} {words}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.[0-9]{1,3}){3}", host))


def _own_name() -> str:
    """What EHLO says, without asking a name server."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"
