"""Log lines: key=value on a terminal, JSON elsewhere, with what they concern, and never with a secret."""

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tallybook.domain.concern import concern, concerned, concerning
from tallybook.settings import MASK, Secret, Settings, load
from tallybook.settings.logs import configure
from tallybook.settings.masking import Mask, secrets_of
from tallybook.settings.sections import SETTINGS

log = logging.getLogger("tallybook.somewhere")
Said = Callable[[], str]
"""What stderr was told since it was asked last."""

PLANTED = {
    "database.url": "postgresql://ada:Planted-database-1@127.0.0.1/books",
    "scorer.api_key": "Planted-scorer-\"key'\\2",
    "airtable.token": "patPlantedAirtable.3f",
    "apify.token": "Planted/apify+token=4",
    "mail.url": "smtp://mailer:Planted%2Fmail%405@mail.test:587",
    "alerts.urls": "json://Planted-user-6:Planted-pass-7@hook.test/Planted-topic-8?-X=Planted-query-9",
    "server.webhook_secret": "Planted-webhook-10",
    "server.old_webhook_secret": "Planted-old-webhook-11",
}
BARE = (
    "Planted-database-1", PLANTED["scorer.api_key"], PLANTED["airtable.token"], PLANTED["apify.token"],
    "Planted/mail@5", "Planted%2Fmail%405", "Planted-user-6", "Planted-pass-7", "Planted-topic-8", "Planted-query-9",
    "Planted-webhook-10", "Planted-old-webhook-11",
)  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def loaded(**flags: object) -> Settings:
    named = {name.replace("__", "."): value for name, value in flags.items()}
    return load({**PLANTED, **named}, environ={}, folder=Path("/nonexistent"))


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Whoever else handles records does so afterwards as before."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = before, level


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: capsys.readouterr().err


def lines(said: Said) -> list[dict[str, Any]]:
    return [json.loads(each) for each in said().splitlines()]


def test_a_line_for_machines_is_json_with_what_it_concerns(said: Said) -> None:
    configure(loaded(log__level="info"))
    with concerning(run="261123-120000", client="acme"):
        with concerning(operation="lead_scoring"):
            log.info("%d leads", 3, extra={"tries": 2})
        log.info("on", extra={"client": "other"})
    log.info("after")
    first, second, third = lines(said)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "run": "261123-120000", "client": "acme", "operation": "lead_scoring", "event": "3 leads", "level": "info",
        "logger": "tallybook.somewhere", "tries": 2,
    }  # fmt: skip
    assert (second["run"], second["client"]) == ("261123-120000", "other")
    assert "operation" not in second
    assert "run" not in third


def test_on_a_terminal_it_is_key_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    configure(loaded())
    with concerning(run="261123-120000", client="acme"):
        log.warning("it is slow")
        try:
            raise ValueError(PLANTED["apify.token"])
        except ValueError:
            log.exception("it broke")
    text = stream.getvalue()
    assert "it is slow" in text
    assert "run=261123-120000" in text
    assert "client=acme" in text
    assert "Traceback" in text
    assert "Planted" not in text
    assert "\x1b" not in text


def test_the_format_can_be_said(said: Said) -> None:
    configure(loaded(log__format="text"))
    log.warning("plain")
    configure(loaded(log__format="json"))
    log.warning("for machines")
    plain, machine = said().splitlines()
    assert not plain.startswith("{")
    assert json.loads(machine)["event"] == "for machines"


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["ours debug", "ours info", "theirs info", "ours warning", "theirs warning"]),
        ("info", ["ours info", "ours warning", "theirs warning"]),
        ("warning", ["ours warning", "theirs warning"]),
        ("error", []),
    ],
)
def test_what_libraries_say_is_worth_less(said: Said, level: str, heard: list[str]) -> None:
    configure(loaded(log__level=level))
    for word in ("debug", "info", "warning"):
        getattr(log, word)(f"ours {word}")
        getattr(logging.getLogger("httpx"), word)(f"theirs {word}")
    assert [each["event"] for each in lines(said)] == heard


def test_every_secret_of_the_settings_is_planted() -> None:
    assert set(PLANTED) == {key for key, setting in SETTINGS.items() if setting.spec.secret}
    assert len(list(secrets_of(loaded()))) == len(PLANTED)


@pytest.mark.parametrize("asked", ["json", "text"])
@pytest.mark.parametrize("secret", [*PLANTED.values(), *BARE])
def test_no_secret_of_the_settings_comes_out_of_the_log(said: Said, secret: str, asked: str) -> None:
    """F35"""
    settings = loaded(log__format=asked, log__level="debug")
    configure(settings)
    log.warning("the word is %s", secret)
    log.warning("it is in " + secret.replace("%", "%%") + " here%s", "")  # noqa: G003 -- as it should not be
    log.warning("with extra", extra={"headers": {"x": [secret]}, "repr_of": repr(secret), "quoted": quote(secret)})
    log.warning("as JSON %s", json.dumps({"url": secret}))
    with concerning(client=secret):
        log.warning("it is whom it concerns")
    try:
        raise RuntimeError(f"could not ask {secret}")
    except RuntimeError:
        log.exception("it broke")
        logging.getLogger("elsewhere").exception("theirs %s", secret)
    text = said()
    assert MASK in text
    assert "Planted" not in text, text
    assert secret not in text


def test_a_secret_is_hidden_by_its_type_however_short_and_deep(said: Said) -> None:
    """F35"""
    configure(loaded())
    other = Secret("xy")
    nested = {"deep": [{"deeper": (other,)}, {other}]}
    log.warning("%s %r and %s", other, other, nested, extra={"bare": other, "nested": nested})
    text = said()
    line = json.loads(text)
    assert line["event"].startswith(f"{MASK} Secret('{MASK}') and")
    assert line["bare"] == MASK
    assert line["nested"] == {"deep": [{"deeper": [MASK]}, [MASK]]}
    assert "xy" not in text


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "tb_0123456789abcdefghijklmnopqrstuvwxyz",
        "patABCDEFGHIJKLMN.0123456789abcdef0123",
        "sk-abcdefghijklmnop1234",
        "https://user:hunter22@host.test/",
        'api_key="hunter22hunter"',
        "{'password': 'hunter22'}",
        "x-webhook-secret: hunter22",
    ],
)
def test_what_looks_like_a_secret_is_hidden_too(text: str) -> None:
    masked = Mask(Settings())(text)
    assert MASK in masked
    assert "hunter" not in masked
    assert not any(each in masked for each in ("abcdefgh", "0123456789abc"))


@pytest.mark.parametrize("text", ["run 261123-120000 of acme: 3 tokens", "no token: make one", "at 12:30:00 a@b.test"])
def test_what_does_not_is_left_alone(text: str) -> None:
    assert Mask(Settings())(text) == text


def test_a_file_of_sqlite_and_the_name_of_a_host_are_no_secrets() -> None:
    mask = Mask(load({"alerts.urls": "json://localhost/x"}, environ={}, folder=Path("/nonexistent")))
    assert mask("sqlite:///tallybook.db on localhost") == "sqlite:///tallybook.db on localhost"


def test_a_library_that_would_write_by_itself_writes_through_us(said: Said) -> None:
    """F35"""
    library = logging.getLogger("dbos")
    library.propagate = False
    library.addHandler(logging.StreamHandler())
    configure(loaded())
    library.error("it is %s", PLANTED["apify.token"])
    (line,) = lines(said)
    assert line["event"] == f"it is {MASK}"


def test_a_line_whose_arguments_do_not_fit_breaks_nothing_and_says_nothing_of_them(said: Said) -> None:
    logging.getLogger().handlers.clear()  # the test runner's raise it
    configure(loaded())
    log.warning("%d leads", PLANTED["apify.token"])
    text = said()
    assert text.startswith("tallybook.somewhere:")
    assert "Planted" not in text


def test_a_stderr_that_is_closed_or_gone_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    configure(loaded(log__format="json"))
    monkeypatch.setattr(sys, "stderr", closed)
    closed.close()
    log.warning("nobody reads it")
    monkeypatch.setattr(sys, "stderr", None)
    log.warning("nobody at all")


def test_what_is_concerned_is_known_in_threads_and_tasks_that_were_begun_there() -> None:
    with concerning(run="r"), ThreadPoolExecutor() as pool:
        assert pool.submit(copy_context().run, concerned).result() == {"run": "r"}
        assert pool.submit(concerned).result() == {}


def test_what_a_task_concerns_may_be_known_only_later() -> None:
    lazy: dict[str, str] = {}

    def task() -> dict[str, str]:
        concern(lazy)
        lazy["run"] = "later"
        return dict(concerned())

    assert copy_context().run(task) == {"run": "later"}
    assert concerned() == {}
