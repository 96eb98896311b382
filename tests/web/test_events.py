"""A run's events as they come: from the start or from the last one seen, until the run has ended."""

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from tallybook.app import App
from tallybook.database import Database
from tallybook.domain.access import Scope
from tallybook.domain.run import Status, Stop
from tallybook.domain.tally import Tally
from tallybook.ledger import watching as ledger_watching
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.snapshot import ClientGlance, Glance
from tallybook.ledger.write import events, stops
from tallybook.ledger.write.tokens import revoke_token
from tallybook.web import doorkeeper, frames, watching
from tallybook.web import events as events_route
from tallybook.web.house import House
from tests.books import PostgresBooks
from tests.ledger.scenes import begun, closed, frozen, planned, recorded, scored
from tests.web.conftest import headers_of
from tests.web.scenes import Message, heard, listening, of, problem, worked
from tests.web.serving import Host, MakeToken, app_on, made_token


def noted(books: Ledger, run_id: str, *texts: str, client_id: str = "") -> None:
    for text in texts:
        books.do(events.append, "note", text, run_id=run_id, client_id=client_id)


def next_of(stream: Iterator[Message], kind: str) -> Message:
    return next(each for each in stream if each.kind == kind)


# What is there


def test_a_run_that_has_ended_is_told_from_its_beginning_to_its_end(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    noted(books, run_id, "Line\nbreak “quoted”", client_id="acme")
    told = heard(api, run_id)
    assert [each.kind for each in told] == ["started", "ended", "note", "status", "end"]
    started, ended, note, status, end = told
    assert started.data == {
        "id": started.event_id,
        "at": started.data["at"],
        "kind": "started",
        "text": "Started by Ada (manual)",
        "client_id": None,
    }
    assert (note.text, note.data["client_id"]) == ("Line\nbreak “quoted”", "acme")
    assert (started.event_id or 0) < (ended.event_id or 0) < (note.event_id or 0)
    assert (status.event_id, status.data["status"], status.data["totals"]["scored"]) == (
        None,
        "completed_with_errors",
        1,
    )
    (client,) = status.data["clients"]
    assert (client["client_id"], client["status"], client["doing"]) == ("acme", "completed_with_errors", None)
    assert (end.event_id, end.data) == (None, {"run_id": run_id, "status": "completed_with_errors"})


def test_a_stream_goes_on_behind_the_last_event_seen(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    noted(books, run_id, "one", "two", "three")
    ids = [each.event_id for each in heard(api, run_id) if each.event_id]
    for seen in (0, 2, len(ids)):
        last = str(ids[seen - 1] if seen else 0)
        now = {"follow": "false"}
        for sent in ({"params": {"after": last, **now}}, {"headers": {"Last-Event-ID": last}, "params": now}):
            assert [each.event_id for each in heard(api, run_id, **sent) if each.event_id] == ids[seen:]


def test_a_long_past_is_read_in_pages(api: httpx.Client, books: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_watching, "WINDOW", 3)
    run_id = worked(books, "acme")
    texts = [f"line {n}" for n in range(1010)]
    books.do(lambda tx: [events.append(tx, "note", text, run_id=run_id) for text in texts])
    told = heard(api, run_id)
    assert [each.text for each in told if each.kind == "note"] == texts
    assert [each.text for each in heard(api, run_id, params={"after": told[900].event_id}) if each.kind == "note"] == (
        texts[899:]
    )


def test_who_does_not_want_to_wait_is_told_what_is_there(api: httpx.Client, books: Ledger) -> None:
    run_id = planned(books, "acme")
    told = heard(api, run_id, params={"follow": "false"})
    assert [each.kind for each in told] == ["started", "status", "end"]
    noted(books, run_id, "later")
    assert [each.text for each in heard(api, run_id, params={"follow": "false"}) if each.kind == "note"] == ["later"]


@pytest.mark.parametrize(
    "sent", [{"params": {"after": "-1"}}, {"headers": {"Last-Event-ID": "x"}}, {"params": {"a": 1}}]
)
def test_what_makes_no_sense_is_refused(sent: dict[str, object], api: httpx.Client, books: Ledger) -> None:
    problem(api.get(of("runs", worked(books, "acme"), "events"), **sent), 422)  # type: ignore[arg-type]  # the parts of a request


def test_of_a_run_that_is_not_there_nothing_is_told(api: httpx.Client) -> None:
    problem(api.get(of("runs", "261123-000000", "events")), 404)
    problem(api.get(of("runs", "nonsense", "events")), 422)


# What happens


def test_what_happens_is_told_within_half_a_second_until_the_end(api: httpx.Client, books: Ledger) -> None:
    run_id = planned(books, "acme", "other")
    with listening(api, run_id) as stream:
        first = next_of(stream, "status")
        assert (first.data["status"], len(first.data["clients"])) == ("running", 2)
        noted(books, run_id, "news")
        written = time.monotonic()
        assert next_of(stream, "note").text == "news"
        assert time.monotonic() - written < 0.5 + 0.5, "half a second, and patience with a busy machine"
        for client_id in ("acme", "other"):
            key = frozen(books, begun(books, run_id, client_id), ["x"])
            recorded(books, key, *scored("x"))
            moved = next_of(stream, "status")
            assert client_id in [each["client_id"] for each in moved.data["clients"]]
            closed(books, key)
        rest = list(stream)
    assert [each.kind for each in rest if each.kind not in ("status", "note")] == ["ended", "end"]
    last = [each for each in rest if each.kind == "status"][-1]
    assert (last.data["status"], last.data["totals"]["scored"]) == ("completed", 2)


def test_many_listeners_cost_one_look_and_nobody_none(
    api: httpx.Client, books: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def counted(*args: object, **more: object) -> ledger_watching.Look:
        looks.append(time.monotonic())
        return ledger_watching.look(*args, **more)  # type: ignore[arg-type]  # whatever it is given

    monkeypatch.setattr(watching, "look", counted)
    run_id = planned(books, "acme")
    told: list[list[Message]] = []
    listeners = [threading.Thread(target=lambda: told.append(heard(api, run_id))) for _ in range(20)]
    for each in listeners:
        each.start()
    deadline = time.monotonic() + 20
    while len(looks) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    begun_with = len(looks)
    watched_from = time.monotonic()
    noted(books, run_id, "news")
    time.sleep(0.6)
    watched_s = time.monotonic() - watched_from
    assert len(looks) - begun_with <= watched_s / watching.LOOK_EVERY_S + 21, "one for all, beside one as each joins"
    books.do(stops.stop_run, run_id, Stop.CANCEL, "enough")
    for each in listeners:
        each.join(20)
    assert len(told) == 20
    assert {tuple(each.text for each in one if each.kind == "note") for one in told} == {("news",)}
    after = len(looks)
    time.sleep(3 * watching.LOOK_EVERY_S)
    assert len(looks) == after, "nobody listens any more"


def test_an_event_that_comes_to_light_late_is_told_and_not_lost_by_who_comes_back(
    host: Host, postgres_books: PostgresBooks
) -> None:
    """On PostgreSQL an event with a smaller id may be committed after one with a larger."""
    app = app_on(postgres_books.url)
    host.serve(app)
    try:
        run_id = planned(app.ledger, "acme")
        with httpx.Client(base_url=host.address, headers=headers_of(made_token(app).text)) as api:
            _told_late(api, app, Database(postgres_books.url), run_id)
    finally:
        app.close()
        postgres_books.clean()


def _told_late(api: httpx.Client, app: App, other: Database, run_id: str) -> None:
    with listening(api, run_id) as stream:
        with other.writing() as slow:
            events.append(slow, "note", "slow", run_id=run_id)
            noted(app.ledger, run_id, "quick")
            quick = next_of(stream, "note")
        late = next_of(stream, "note")
    assert (quick.text, late.text) == ("quick", "slow")
    assert (late.event_id or 0) < (quick.event_id or 0)

    def texts_behind(last: int | None) -> list[str]:
        sent = {"Last-Event-ID": str(last or 0)}
        return [each.text for each in heard(api, run_id, params={"follow": "false"}, headers=sent) if each.event_id]

    assert texts_behind(quick.event_id) == ["slow"]
    assert texts_behind(late.event_id) == []
    assert texts_behind(None)[-2:] == ["slow", "quick"]


# The way out


def test_a_server_that_leaves_ends_its_streams_at_once(api: httpx.Client, books: Ledger, web_house: House) -> None:
    run_id = planned(books, "acme")
    with listening(api, run_id) as stream:
        next_of(stream, "status")
        web_house.leave()
        told_at = time.monotonic()
        assert [each.kind for each in stream] == []
        assert time.monotonic() - told_at < 1.0
    problem(api.get(of("runs", run_id, "events")), 503)


def test_a_quiet_stream_is_kept_open_while_its_token_is_good(
    books: Ledger, app: App, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_route, "HEARTBEAT_S", 0.05)
    token = made_token(app, Scope.RUNS_READ)
    run_id = planned(books, "acme")
    with (
        httpx.Client(base_url=base_url, headers=headers_of(token.text), timeout=20) as api,
        api.stream("GET", of("runs", run_id, "events")) as stream,
    ):
        lines = stream.iter_lines()
        for _ in range(3):
            next(line for line in lines if line == ": still here")
        books.do(revoke_token, token.token_id)
        assert set(lines) <= {": still here", ""}, "and then the end"


# One tenant


def test_a_tenant_is_told_its_own_events_and_how_far_it_is_itself(
    books: Ledger, base_url: str, make_token: MakeToken
) -> None:
    run_id = planned(books, "acme", "other")
    headers = headers_of(make_token(Scope.RUNS_READ, client_id="acme"))
    with httpx.Client(base_url=base_url, headers=headers, timeout=20) as tenant:
        with listening(tenant, run_id) as stream:
            assert next(stream).text == "Started"
            (client,) = next(stream).data["clients"]
            assert client["client_id"] == "acme"
            for client_id in ("other", "acme"):
                noted(books, run_id, "of all")
                noted(books, run_id, f"of {client_id}", client_id=client_id)
                key = frozen(books, begun(books, run_id, client_id), ["x"])
                recorded(books, key, *scored("x"))
                closed(books, key)
            rest = list(stream)
        assert [each.text for each in rest if each.event_id] == ["of acme", "Ended completed"]
        assert {name["client_id"] for each in rest if each.kind == "status" for name in each.data["clients"]} == {
            "acme"
        }
        assert {each.data["totals"]["scored"] for each in rest if each.kind == "status"} <= {0, 1}
        told = heard(tenant, run_id)
        assert [each.text for each in told if each.event_id] == ["Started", "of acme", "Ended completed"]
        assert heard(tenant, run_id, params={"after": str(told[0].event_id)})[0].text == "of acme"


def test_how_far_others_are_is_no_news_to_a_tenant() -> None:
    mine, theirs = (ClientGlance(name, Status.RUNNING) for name in ("acme", "other"))
    before = Glance("261123-120000", Status.RUNNING, clients=(mine, theirs))
    moved = ClientGlance("other", Status.RUNNING, Tally(found=1))
    now = Glance("261123-120000", Status.RUNNING, blocked_reason="theirs", clients=(mine, moved))
    assert frames.of_status(now, "acme", before) is None
    told = frames.of_status(now, None, before)
    assert told is not None
    assert (b'"other"' in told, b'"acme"' in told) == (True, False)


def test_while_the_books_are_away_a_stream_is_not_cut(
    books: Ledger, app: App, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_route, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(doorkeeper, "TRUSTED_FOR_S", 0.0)
    token = headers_of(made_token(app, Scope.RUNS_READ).text)
    run_id = planned(books, "acme")
    path = app.database.path
    assert path is not None
    with (
        httpx.Client(base_url=base_url, headers=token, timeout=20) as api,
        api.stream("GET", of("runs", run_id, "events")) as stream,
    ):
        lines = stream.iter_lines()
        next(line for line in lines if line == ": still here")
        app.database.close()
        path.rename(path.with_suffix(".away"))
        path.mkdir()
        for _ in range(3):
            next(line for line in lines if line == ": still here")
        path.rmdir()
        path.with_suffix(".away").rename(path)


def test_who_comes_while_others_are_told_the_end_is_told_it_too(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    ends: list[str] = []
    listen: Callable[[], None] = lambda: ends.append(heard(api, run_id)[-1].kind)  # noqa: E731 -- handed on where it is named
    crowd = [threading.Thread(target=listen) for _ in range(8)]
    for each in crowd:
        each.start()
        time.sleep(0.06)
    for each in crowd:
        each.join(20)
    assert ends == ["end"] * 8
