"""Handing a mail to a server, by real SMTP: what was taken, what certainly was not, and what nobody knows."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tallybook.followers import smtp
from tallybook.followers.letter import Envelope, letter, mailbox, subject
from tallybook.followers.smtp import Letter, MailServer, MaybeSent, NotSent
from tallybook.report.mail import Mail
from tests.followers.mail.postbox import (
    FROM,
    PASSWORD,
    TO,
    Postbox,
    make_certificate,
    office_at,
    parts_of,
    postbox,
    server_context,
)
from tests.ledger.scenes import NOON

TOLD = Mail("Completed: “Söhne” & 🦉", ".begins with a dot\n..two\nSöhne 🦉\n" + "x" * 2000 + "\n", "<p>Söhne</p>\n")

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")


def made(told: Mail = TOLD) -> Letter:
    return letter(told, Envelope.read(FROM, TO), message_id="m1@books.test", at=NOON)


def let() -> bool:
    return True


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return server_context(certificate)


def test_a_mail_arrives_as_it_was_written() -> None:
    with postbox() as box:
        assert office_at(box.port).server.deliver(made(), let) == []
    (mail,) = box.mails
    assert mail["Subject"] == TOLD.subject
    assert (mail["From"], mail["To"]) == (FROM, ", ".join(TO))
    assert mail["Message-ID"] == "<m1@books.test>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == NOON
    assert mail["List-Id"] is None
    assert mail.get_content_type() == "multipart/alternative"
    assert list(parts_of(mail)) == ["text/plain", "text/html"]
    assert parts_of(mail) == {"text/plain": TOLD.text, "text/html": TOLD.html}
    assert box.recipients == [["ada@mail.test", "bob@mail.test"]]
    assert box.raw[0].isascii()
    assert max(map(len, box.raw[0].splitlines())) <= 998


def test_a_password_goes_over_starttls(trusted: ssl.SSLContext) -> None:
    with postbox(tls=trusted, signs_in=True) as box:
        server = office_at(box.port, signs_in=True).server
        assert server.check() == "over TLS, signed in"
        assert server.deliver(made(), let) == []
        assert not office_at(box.port, signs_in=True).server.shown.count(PASSWORD)
    assert (len(box.signed_in), box.over_tls) == (2, [True])


def test_tls_from_the_start(trusted: ssl.SSLContext) -> None:
    with postbox(tls=trusted, wrapped=True, signs_in=True) as box:
        office_at(box.port, scheme="smtps", signs_in=True).server.deliver(made(), let)
    assert len(box.mails) == 1


def test_a_certificate_that_nobody_knows_is_refused(certificate: Path) -> None:
    with postbox(tls=server_context(certificate), signs_in=True) as box, pytest.raises(NotSent, match="not trusted"):
        office_at(box.port, signs_in=True).server.check()
    assert not box.signed_in


def test_a_password_does_not_leave_this_machine_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    with postbox(signs_in=True) as box:
        assert office_at(box.port, signs_in=True).server.check() == "unencrypted, signed in"
        box.signed_in.clear()
        monkeypatch.setattr(smtp, "_is_loopback", lambda _: False)  # as one elsewhere
        with pytest.raises(NotSent, match="offers no STARTTLS, and a password is not sent unencrypted"):
            office_at(box.port, signs_in=True).server.check()
    assert not box.signed_in


def test_a_relay_on_this_machine_needs_no_certificate(certificate: Path) -> None:
    with postbox(tls=server_context(certificate)) as box:
        assert office_at(box.port).server.check() == "unencrypted"


def test_a_wrong_password_is_told_without_it(trusted: ssl.SSLContext) -> None:
    """F35"""
    with postbox(tls=trusted, signs_in=True) as box:
        wrong = MailServer(f"smtp://tallybook:wr0ng-{'x' * 9}@127.0.0.1:{box.port}")
        with pytest.raises(NotSent, match="535") as error:
            wrong.check()
    assert "wr0ng" not in str(error.value)
    assert not error.value.this_mail


@pytest.mark.parametrize("command", ["MAIL", "DATA", "."])
def test_what_is_refused_was_certainly_not_taken(command: str) -> None:
    with postbox() as box:
        box.answers[command] = ["451 not now,\tplease"]
        with pytest.raises(NotSent, match="451 not now, please") as error:
            office_at(box.port).server.deliver(made(), let)
        assert error.value.this_mail
        office_at(box.port).server.deliver(made(), let)
    assert len(box.mails) == 1


def test_who_is_refused_is_named_and_the_others_have_it() -> None:
    with postbox() as box:
        box.answers["RCPT"] = ["550 no such user"]
        (said,) = office_at(box.port).server.deliver(made(), let) or ()
        assert said == "ada@mail.test: 550 no such user"
        assert box.recipients == [["bob@mail.test"]]
        box.answers["RCPT"] = ["550 nobody", "550 nobody"]
        with pytest.raises(NotSent, match=r"ada@mail.test: 550 nobody; bob@mail.test: 550 nobody"):
            office_at(box.port).server.deliver(made(), let)


def test_nothing_is_sent_that_somebody_else_sends() -> None:
    with postbox() as box:
        assert office_at(box.port).server.deliver(made(), lambda: False) is None
    assert not box.mails


def test_a_server_that_does_not_say_whether_it_took_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "ANSWER_S", 0.2)
    with postbox() as box:
        box.hangs_up = True
        with pytest.raises(MaybeSent, match="did not say whether it took the mail"):
            office_at(box.port).server.deliver(made(), let)
        box.hangs_up, box.mute = False, True
        with pytest.raises(MaybeSent, match="no answer in time"):
            office_at(box.port).server.deliver(made(), let)
        box.mute = False
        box.answers["."] = ["999 hello"]
        with pytest.raises(MaybeSent, match="has a meaning"):
            office_at(box.port).server.deliver(made(), let)


def test_nobody_there_and_nobody_who_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "CONNECT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(NotSent, match=r"127.0.0.1:\d+: no answer in time"):
            office_at(port).server.check()
    with pytest.raises(NotSent, match="Connection refused") as error:
        office_at(port).server.check()
    assert not error.value.this_mail
    with socket.create_server(("127.0.0.1", 0)) as rude:
        rude.settimeout(5)

        def hang_up() -> None:
            rude.accept()[0].close()

        with _meanwhile(hang_up), pytest.raises(NotSent, match="onnection"):
            office_at(rude.getsockname()[1]).server.check()


def _meanwhile(work: Callable[[], None]) -> "_Meanwhile":
    return _Meanwhile(work)


class _Meanwhile:
    def __init__(self, work: Callable[[], None]) -> None:
        import threading

        self._thread = threading.Thread(target=work, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._thread.join()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("smtp://mail.test", "mail.test:25"),
        ("smtp://u:p@mail.test", "mail.test:587"),
        ("smtps://u:p@mail.test", "mail.test:465"),
        ("smtp://mail.test:2525", "mail.test:2525"),
    ],
)
def test_ports_nobody_names(url: str, shown: str) -> None:
    assert MailServer(url).shown == shown


def test_a_password_no_server_can_be_told_is_refused() -> None:
    with pytest.raises(ValueError, match="must be ASCII"):
        MailServer("smtp://u:%C3%A4@mail.test")


@pytest.mark.parametrize("text", ["ä@mail.test", "a..b@mail.test", '"@mail.test', "Name <>", "a@b c", "<a@b.test", ""])
def test_addresses_that_no_server_takes(text: str) -> None:
    if text == "<a@b.test":
        assert mailbox(text).addr_spec == "a@b.test"
        return
    with pytest.raises(ValueError, match="no address"):
        mailbox(text)


def test_names_with_commas_and_quotes_stay_names() -> None:
    found = mailbox('Söhne, "A" & Co. <a@b.test>')
    assert (found.display_name, found.addr_spec) == ('Söhne, "A" & Co.', "a@b.test")
    mail = letter(TOLD, Envelope((found), (found,)), message_id="m@b.test", at=NOON)
    assert (mail.sender, mail.to) == ("a@b.test", ("a@b.test",))


def test_no_name_begins_a_header() -> None:
    text = "Failed: \r\nBcc: everybody@mail.test\u2028\x00x" + "y" * 300
    assert subject(text).startswith("Failed: Bcc: everybody@mail.test x")
    assert len(subject(text)) == 200
    with postbox() as box:
        office_at(box.port).server.deliver(made(Mail(text, "t\n", "h\n")), let)
    assert box.mails[0]["Bcc"] is None
    assert box.recipients == [["ada@mail.test", "bob@mail.test"]]


def test_what_a_server_says_hides_the_password_in_every_form() -> None:
    """F35"""
    import base64

    both = base64.b64encode(f"\0tallybook\0{PASSWORD}".encode()).decode()
    with postbox(signs_in=True, box=Postbox()) as box:
        box.answers["MAIL"] = [f"550 {PASSWORD} {base64.b64encode(PASSWORD.encode()).decode()} {both}" + "z" * 400]
        with pytest.raises(NotSent) as error:
            office_at(box.port, signs_in=True).server.deliver(made(), let)
    assert PASSWORD not in str(error.value)
    assert both not in str(error.value)
    assert "******** ******** ********" in str(error.value)
