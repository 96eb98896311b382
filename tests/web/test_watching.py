"""One run looked at for all who listen: what happens to slow listeners, in a rush, and while the books are away."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tallybook.app import App
from tallybook.domain.errors import LedgerUnavailable, NotFound
from tallybook.ledger import watching as ledger_watching
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events
from tallybook.web import watching
from tallybook.web.watching import Joined, Listener, Watch, Watches
from tests.ledger.scenes import planned
from tests.web.scenes import worked


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(watching, "GLANCE_EVERY_S", 0.01)


def noted(books: Ledger, run_id: str, *texts: str) -> None:
    for text in texts:
        books.do(events.append, "note", text, run_id=run_id)


def watched(app: App, story: Callable[[Watches], Awaitable[None]], leaving: Callable[[], bool] = lambda: False) -> None:
    async def told() -> None:
        await story(Watches(app.database, leaving))

    asyncio.run(told())


async def next_text(listener: Listener) -> str:
    while True:
        message = await asyncio.wait_for(listener.queue.get(), 10)
        assert message is not None, "sent away"
        if b"event: note" in message[0]:
            return message[0].decode()


async def sent_away(listener: Listener) -> None:
    while await asyncio.wait_for(listener.queue.get(), 10) is not None:
        pass


def texts(joined: Joined) -> list[str]:
    return [each.text for each in joined.recent]


def test_who_is_too_slow_is_sent_away_and_the_others_are_not(app: App) -> None:
    run_id = planned(app.ledger, "acme")

    async def story(watches: Watches) -> None:
        slow, keen = Listener(queue=asyncio.Queue(2)), Listener()
        watch = watches.of(run_id)
        for each in (slow, keen):
            await watch.join(each)
        noted(app.ledger, run_id, "a", "b", "c")
        assert [(await next_text(keen))[-30:-3] for _ in "abc"]
        await sent_away(slow)
        watch.leave(slow)
        noted(app.ledger, run_id, "d")
        assert '"d"' in await next_text(keen)
        watch.leave(keen)

    watched(app, story)


def test_what_was_told_long_ago_is_forgotten_and_read_from_the_books(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = planned(app.ledger, "acme")

    async def story(watches: Watches) -> None:
        first, second = Listener(), Listener()
        watch = watches.of(run_id)
        joined = await watch.join(first)
        assert (joined.settled, texts(joined)) == (0, ["Started by Ada (manual)"])
        monkeypatch.setattr(watching, "LOOKED_BACK_S", 0.0)
        noted(app.ledger, run_id, "a")
        await next_text(first)
        later = await watch.join(second)
        while later.recent:
            watch.leave(second)
            later = await watch.join(second)
        assert later.settled == joined.recent[-1].event_id + 1
        watch.leave(first)
        watch.leave(second)

    watched(app, story)


def test_in_a_rush_less_is_remembered(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST_RECENT", 2)
    monkeypatch.setattr(watching, "LOOKED_BACK_IN_A_RUSH_S", 0.0)
    run_id = planned(app.ledger, "acme")

    async def story(watches: Watches) -> None:
        listener = Listener()
        watch = watches.of(run_id)
        await watch.join(listener)
        noted(app.ledger, run_id, "a", "b", "c")
        for _ in "abc":
            await next_text(listener)
        again = Listener()
        while len((await watch.join(again)).recent) > 2:
            watch.leave(again)
        for each in (listener, again):
            watch.leave(each)

    watched(app, story)


def test_while_the_books_are_away_it_waits_and_goes_on(app: App) -> None:
    run_id = planned(app.ledger, "acme")
    path = app.database.path
    assert path is not None

    async def story(watches: Watches) -> None:
        listener, late = Listener(), Listener()
        watch = watches.of(run_id)
        await watch.join(listener)
        _take_away(app, path)
        with pytest.raises(LedgerUnavailable):
            await watch.join(late)
        _bring_back(path)
        noted(app.ledger, run_id, "back")
        assert '"back"' in await next_text(listener)
        watch.leave(listener)

    watched(app, story)


def _take_away(app: App, path: Path) -> None:
    app.database.close()
    path.rename(path.with_suffix(".away"))
    path.mkdir()


def _bring_back(path: Path) -> None:
    path.rmdir()
    path.with_suffix(".away").rename(path)


def test_of_a_run_that_is_not_there_nobody_is_told_anything(app: App) -> None:
    async def story(watches: Watches) -> None:
        for _ in range(2):
            with pytest.raises(NotFound):
                await watches.of("261123-000000").join(Listener())
        assert not watches.of("261123-000000").forgettable, "it is remembered for a while"

    watched(app, story)


def test_a_server_that_leaves_waits_for_no_look(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, leaving, hung = planned(app.ledger, "acme"), False, threading.Event()
    over = threading.Event()
    look = ledger_watching.look

    def slow(*args: object, **more: object) -> ledger_watching.Look:
        found = look(*args, **more)  # type: ignore[arg-type]  # whatever it is given
        if hung.is_set():
            over.wait(20)
        return found

    async def story(watches: Watches) -> None:
        nonlocal leaving
        listener = Listener()
        watch = watches.of(run_id)
        await watch.join(listener)
        hung.set()
        joining = asyncio.create_task(watch.join(Listener()))
        await asyncio.sleep(0.05)
        leaving = True
        await sent_away(listener)
        with pytest.raises(LedgerUnavailable, match="told to stop"):
            await joining
        over.set()

    monkeypatch.setattr(watching, "look", slow)
    watched(app, story, lambda: leaving)


def test_runs_that_nobody_listens_to_are_forgotten_after_a_while(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = worked(app.ledger, "acme"), worked(app.ledger, "acme")

    async def story(watches: Watches) -> None:
        listener = Listener()
        watch = watches.of(one)
        await watch.join(listener)
        monkeypatch.setattr(watching, "KEPT_S", -1.0)
        assert watches.of(one) is watch
        watch.leave(listener)
        watches.of(other)
        assert watches.of(one) is not watch

    watched(app, story)


def test_who_gives_up_before_the_first_look_is_not_waited_for(app: App) -> None:
    run_id = planned(app.ledger, "acme")

    async def story(watches: Watches) -> None:
        watch: Watch = watches.of(run_id)
        hasty = asyncio.create_task(watch.join(Listener()))
        await asyncio.sleep(0)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        listener = Listener()
        assert (await watch.join(listener)).glance.run_id == run_id
        watch.leave(listener)

    watched(app, story)
