"""A mail server of the tests' own: real SMTP on a real port, with STARTTLS, sign-in, and whatever goes wrong there."""

import asyncio
import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tallybook.followers.letter import Envelope as Addresses
from tallybook.followers.report_mail import Each, PostOffice, ReportMail
from tallybook.followers.smtp import MailServer

USER, PASSWORD = "tallybook", "pl4nted:s3cret/@"
FROM, TO = "Tallybook <tallybook@books.test>", ("Ada Abel <ada@mail.test>", "bob@mail.test")


@dataclass
class Postbox:
    """*answers*: what is said at a command (`MAIL`, `RCPT`, `DATA`, `.`) instead of yes; consumed from the left. `.` is
    said once the mail is whole. *mute*: it takes mails and does not say so. *arrived*: called for each that it has.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    sessions: int = 0
    mute: bool = False
    hangs_up: bool = False
    arrived: Callable[[], None] = lambda: None

    def _answer(self, command: str) -> str | None:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else None

    # -- what aiosmtpd asks

    def check(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data == LoginPassword(USER.encode(), PASSWORD.encode())
        if right:
            self.signed_in.append(mechanism)
        return AuthResult(success=right, handled=False)

    async def handle_EHLO(  # noqa: N802 -- its names
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.sessions += 1
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := self._answer("MAIL"):
            return refused
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refused := self._answer("RCPT"):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if refused := self._answer("."):
            return refused
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.raw.append(envelope.content)
        self.mails.append(parsed)
        self.recipients.append(list(envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        self.arrived()
        if self.hangs_up:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        if self.mute:
            await asyncio.sleep(60)
        return "250 taken"


class _Server(SMTP):
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 -- its names
        if refused := self.event_handler._answer("DATA"):
            await self.push(refused)
            return
        await super().smtp_DATA(arg)


logging.getLogger("mail.log").setLevel(logging.ERROR)  # it warns of what these tests do on purpose


@contextmanager
def postbox(
    *,
    port: int = 0,
    tls: ssl.SSLContext | None = None,
    wrapped: bool = False,
    signs_in: bool = False,
    box: Postbox | None = None,
) -> Iterator[Postbox]:
    """*tls*: it offers STARTTLS; *wrapped*: it speaks nothing but TLS. *signs_in*: it asks for USER and PASSWORD."""
    found = box or Postbox()
    loop = asyncio.new_event_loop()
    make = partial(
        _Server,
        found,
        tls_context=None if wrapped else tls,
        auth_required=signs_in,
        authenticator=found.check if signs_in else None,
        auth_require_tls=tls is not None and not wrapped,
        hostname="postbox.test",
        loop=loop,
    )
    listening = socket.create_server(("127.0.0.1", port))
    found.port = listening.getsockname()[1]
    server = loop.run_until_complete(loop.create_server(make, sock=listening, ssl=tls if wrapped else None))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()


def office_at(port: int, *, scheme: str = "smtp", signs_in: bool = False, public_url: str | None = None) -> PostOffice:
    who = f"{USER}:{quote(PASSWORD, safe='')}@" if signs_in else ""
    return PostOffice(MailServer(f"{scheme}://{who}127.0.0.1:{port}"), Addresses.read(FROM, TO), public_url)


def follower_at(port: int, each: Each = Each.ALL, **more: Any) -> ReportMail:
    return ReportMail(office_at(port, **more), each)


def parts_of(mail: EmailMessage) -> Mapping[str, str]:
    """Text by content type."""
    return {part.get_content_type(): part.get_content().replace("\r\n", "\n") for part in mail.iter_parts()}


# -- a certificate of its own ------------------------------------------------------------------------------------------


def make_certificate(folder: Path) -> Path:
    """For 127.0.0.1, with its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "postbox.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "postbox.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
