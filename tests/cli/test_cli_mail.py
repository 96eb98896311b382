"""`tallybook report --send`, and what `doctor` says of mail."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tallybook.domain.telling import Part, Standing
from tallybook.followers import report_digest, report_mail
from tallybook.followers.mail_trouble import note_trouble
from tallybook.followers.smtp import NotSent
from tallybook.ledger.following import FollowerBook
from tests.cli.conftest import Cli
from tests.cli.past import PAST, past
from tests.cli.running import Office
from tests.followers.mail.postbox import FROM, PASSWORD, TO, USER, Postbox, parts_of, postbox
from tests.ledger import scenes

pytestmark = [
    pytest.mark.usefixtures("empty_books"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS"),
]
RUN = PAST[1].run_id


@pytest.fixture
def office(home: Path) -> Office:
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        past(house, *PAST)
    return office


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """The configured mail server."""
    with postbox(signs_in=True) as found:
        configured(monkeypatch, found.port)
        yield found


def configured(monkeypatch: pytest.MonkeyPatch, port: int, password: str = PASSWORD) -> None:
    url = f"smtp://{USER}:{quote(password, safe='')}@127.0.0.1:{port}"
    for name, value in (("URL", url), ("FROM", FROM), ("TO", ", ".join(TO))):
        monkeypatch.setenv(f"TALLYBOOK_MAIL__{name}", value)


def checks(cli: Cli) -> list[dict[str, Any]]:
    said = cli("doctor", "--json")
    assert PASSWORD not in said.out + said.err
    return [each for each in said.json["checks"] if each["check"].startswith("mail")]


# By hand


def test_a_report_is_mailed_by_hand(office: Office, cli: Cli, box: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_SERVER__PUBLIC_URL", "https://books.test")
    assert cli.good("report", RUN, "--send").out == f"The report of run {RUN} was mailed to 2 addresses.\n"
    text = parts_of(box.mails[0])["text/plain"]
    assert text.startswith(cli.good("report", RUN).out.rstrip())
    assert f"https://books.test/runs/{RUN}" in text
    cli.good("report", RUN, "--send", "--to", "Cy <cy@mail.test>", "--to", "di@mail.test")
    assert box.recipients[1] == ["cy@mail.test", "di@mail.test"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--send", "--html", "-"], "give one of --text, --html and --send"),
        (["--to", "a@b.test"], "--to says to whom --send mails it"),
        (["--send", "--to", "nobody"], "'nobody' is no address that mail can be sent to"),
    ],
)
def test_words_that_do_not_fit(words: list[str], said: str, office: Office, cli: Cli, box: Postbox) -> None:
    answer = cli("report", RUN, *words)
    assert answer.code in (1, 2)
    assert said in answer.error
    assert not box.mails


def test_without_a_mail_server_nothing_is_sent(office: Office, cli: Cli) -> None:
    assert "no mail is configured" in cli("report", RUN, "--send").error


def test_a_run_that_goes_on_is_not_mailed(office: Office, cli: Cli, box: Postbox) -> None:
    """F33"""
    with office.house() as house:
        run_id = scenes.planned(house.ledger, "client-0000")
    said = cli("report", run_id, "--send")
    assert (said.code, "has not ended" in said.error) == (4, True)
    assert not box.mails


def test_while_another_process_mails_it_is_not_sent_too(
    office: Office, cli: Cli, box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tallybook.cli import report
    from tallybook.engine.telling import alone

    monkeypatch.setattr(report, "PATIENCE_S", 0.0)
    with office.house() as house, alone(house.database, report_mail.NAME):
        assert cli("report", RUN, "--send").code == 4


def test_a_refusal_is_one_line_without_the_password(
    office: Office, cli: Cli, box: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F35"""
    configured(monkeypatch, box.port, "wr0ng-s3cret")
    said = cli("report", RUN, "--send")
    assert (said.code, "535" in said.error) == (1, True)
    assert "wr0ng-s3cret" not in said.error


# Doctor


def test_doctor_signs_in_and_sends_nothing(office: Office, cli: Cli, box: Postbox) -> None:
    (found,) = checks(cli)
    assert found["said"] == f"The mail server 127.0.0.1:{box.port} is there (unencrypted, signed in)"
    assert (found["level"], box.mails, len(box.signed_in)) == ("ok", [], 1)


def test_doctor_says_that_no_mail_is_sent(office: Office, cli: Cli) -> None:
    assert [each["said"] for each in checks(cli)] == ["No mail is sent"]


def test_doctor_says_what_half_a_configuration_lacks(office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_MAIL__TO", "a@b.test")
    (found,) = checks(cli)
    assert (found["level"], "TALLYBOOK_MAIL__URL and TALLYBOOK_MAIL__FROM" in found["said"]) == ("wrong", True)


def test_doctor_finds_a_server_that_is_away(office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    configured(monkeypatch, port)
    (found,) = checks(cli)
    assert (found["level"], found["said"]) == (
        "wrong",
        f"No mail can be sent: 127.0.0.1:{port}: Connection refused",
    )


def test_doctor_tells_what_is_owed_doubtful_and_given_up(office: Office, cli: Cli, box: Postbox) -> None:
    with office.house() as house:
        mails = FollowerBook(house.ledger, report_mail.NAME)
        digests = FollowerBook(house.ledger, report_digest.NAME)
        first, second = (Part(each.run_id, "") for each in PAST)
        third = Part(scenes.planned(house.ledger, "client-0000"), "")
        mails.stands({first: "it did not say"}, Standing.DOUBTFUL)
        mails.stands({second: "552 too large"}, Standing.PARKED)
        mails.stands({third: None}, Standing.OWED)
        note_trouble(NotSent("nobody there"), mails)
        note_trouble(NotSent("nobody there"), digests)
    found = [(each["check"], each["level"], each["said"]) for each in checks(cli)[1:]]
    assert [each[:2] for each in found] == [
        ("mail_owed", "wrong"),
        ("mail_digest", "wrong"),
        ("mail_owed", "notice"),
        ("mail_doubtful", "notice"),
        ("mail_parked", "notice"),
    ]
    assert found[2][2] == "1 report is still to be mailed"
    assert found[3][2] == f"The report mail of run {first.run_id} may not have been sent: it did not say"
    assert checks(cli)[4]["mend"] == f"tallybook report {first.run_id} --send"
    cli.good("report", first.run_id, "--send")
    assert "mail_doubtful" not in [each["check"] for each in checks(cli)]
