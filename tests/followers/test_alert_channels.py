"""Channels of alerts by Apprise: what is sent arrives, and of a URL nothing is shown but its scheme."""

import importlib.util
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tallybook.domain.errors import BadSetting
from tallybook.followers.alert_channels import channels_of

SECRETS = ("planted-user", "planted-password", "planted-topic", "planted-query")


@contextmanager
def listening(status: int) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An address that answers so, and what was posted there."""
    posted: list[dict[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        user, password, topic, query = SECRETS
        yield f"json://{user}:{password}@127.0.0.1:{server.server_port}/{topic}?-X={query}", posted
        server.shutdown()
        thread.join()


def test_what_is_sent_arrives() -> None:
    with listening(200) as (url, posted):
        (channel,) = channels_of([url])
        sent = channel.send("A title", "- a line\n- another")
    assert (sent.error, sent.channel) == (None, "channel 1 (json://…)")
    assert [(each["title"], each["message"]) for each in posted] == [("A title", "- a line\n- another")]


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What of Apprise reaches the log, at whatever level."""
    texts: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name.startswith("apprise"):
                texts.append(record.getMessage())

    root, kept = logging.getLogger(), Kept()
    root.addHandler(kept)
    before, level = root.level, logging.DEBUG
    root.setLevel(level)
    yield texts
    root.setLevel(before)
    root.removeHandler(kept)


def test_what_was_not_taken_says_why_and_nothing_of_the_url(
    logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    """F35"""
    with listening(503) as (url, _):
        refused = channels_of([url])[0].send("A title", "a text")
    gone = channels_of([url])[0].send("A title", "a text")
    out, err = capfd.readouterr()
    assert refused.error is not None
    assert "503" in refused.error or "Service" in refused.error or "error" in refused.error
    assert gone.error
    for secret in SECRETS:
        assert secret not in f"{refused} {gone} {out} {err}"
        assert secret not in "".join(logged)


def test_a_url_of_no_kind_that_is_known_is_said_to_be_so() -> None:
    (channel,) = channels_of(["nonsense://planted-topic"])
    sent = channel.send("A title", "a text")
    assert sent.error == "it is no URL that Apprise knows: compare it with Apprise's own list"
    assert "planted" not in f"{channel.name} {channel.key}"


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "apprise" else find(name))
    assert channels_of([]) == []
    with pytest.raises(BadSetting, match=r"pip install 'tallybook\[alerts\]'"):
        channels_of(["json://127.0.0.1"])
