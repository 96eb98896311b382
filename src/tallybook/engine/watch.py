"""One watcher per process: reads what runs were told, plans and dispatches, takes over from the dead, keeps house."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from tallybook.domain.errors import LedgerUnavailable, NotFound, StoreUnavailable, Terminal
from tallybook.domain.ports import Clients
from tallybook.domain.run import Stop
from tallybook.engine import lease
from tallybook.engine.queues import Queues
from tallybook.engine.runner import Limits, Runner
from tallybook.ledger import work as ledger_work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims, dispatch, starts, stops
from tallybook.ledger.write.starts import Request

log = logging.getLogger(__name__)
FLAGS_EVERY_S = 0.25
ADOPT_EVERY_S = 2.0
DISPATCH_AGAIN_EVERY_S = 5.0
HOUSEKEEPING_EVERY_S = 60.0
LONGEST_PAUSE = timedelta(hours=24)
MOST_PLAN_TRIES = 5


class Watcher:
    """Runs until closed. `nudge` has it look at once: something was started, resumed or ended here."""

    def __init__(
        self, ledger: Ledger, clients: Clients, runner: Runner, queues: Queues, *, limits: Limits, slot: lease.Lock
    ) -> None:
        self._ledger = ledger
        self._clients = clients
        self._runner = runner
        self._queues = queues
        self._limits = limits
        self._slot = slot
        self._nudged = threading.Event()
        self._closed = False
        self._due: dict[Callable[[], None], float] = {}
        self._plan_tries: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="tallybook-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def nudge(self) -> None:
        self._nudged.set()

    def close(self) -> None:
        self._closed = True
        self._nudged.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            nudged = self._nudged.wait(FLAGS_EVERY_S)
            self._nudged.clear()
            try:
                self._look(nudged)
            except LedgerUnavailable as error:
                log.error("the watcher waits for the ledger: %s", error)
                time.sleep(FLAGS_EVERY_S)

    def _look(self, nudged: bool) -> None:
        self._pass_on_stops()
        self._time_out()
        self._every(ADOPT_EVERY_S, self._adopt)
        self._every(HOUSEKEEPING_EVERY_S, self._keep_house)
        if nudged:
            self._dispatch(again=False)
        self._every(DISPATCH_AGAIN_EVERY_S, self._dispatch_again)

    def _every(self, seconds: float, work: Callable[[], None]) -> None:
        if time.monotonic() >= self._due.get(work, 0.0):
            work()
            self._due[work] = time.monotonic() + seconds

    def _pass_on_stops(self) -> None:
        """Runs told to stop, by whatever process, let go of their calls here (F40)."""
        works = self._runner.registry.all()
        if not works:
            return
        told = ledger_work.stops_of(self._ledger.database, sorted({work.key.run_id for work in works}))
        for work in works:
            if work.key.run_id in told:
                work.tell(*told[work.key.run_id])

    def _time_out(self) -> None:
        works = self._runner.registry.all()
        for work in works:
            if time.monotonic() > work.deadline:
                work.tell(Stop.TIMEOUT, "client_timeout")
        since = ledger_work.working_since(self._ledger.database, sorted({work.key.run_id for work in works}))
        latest = self._ledger.clock() - timedelta(seconds=self._limits.run_timeout_s)
        for run_id in [run_id for run_id, at in since.items() if at < latest]:
            self._stop(run_id, Stop.TIMEOUT, "run_timeout")

    def _stop(self, run_id: str, stop: Stop, reason: str) -> None:
        try:
            self._ledger.do(stops.stop_run, run_id, stop, reason)
        except Terminal:
            log.info("run %s ended just before its %s", run_id, reason)

    def _dispatch_again(self) -> None:
        self._dispatch(again=True)

    def _dispatch(self, *, again: bool) -> None:
        for run_id in self._ledger.do(dispatch.unplanned_runs):
            self._plan(run_id)
        tickets = self._ledger.do(dispatch.dispatch, self._window, again=again)
        self._queues.enqueue(tickets)

    @property
    def _window(self) -> int:
        return 4 * self._limits.concurrency

    def _plan(self, run_id: str) -> None:
        request = Request.of_json(ledger_work.request_of(self._ledger.database, run_id))
        try:
            clients = self._clients.of_stream(request.stream, request.clients)
        except NotFound as error:
            self._ledger.do(dispatch.fail_plan, run_id, str(error))
        except StoreUnavailable as error:
            self._plan_later(run_id, error)
        else:
            self._ledger.do(starts.plan, run_id, clients)

    def _plan_later(self, run_id: str, error: StoreUnavailable) -> None:
        tries = self._plan_tries[run_id] = self._plan_tries.get(run_id, 0) + 1
        log.warning("the clients of run %s could not be read (try %d): %s", run_id, tries, error)
        if tries >= MOST_PLAN_TRIES:
            self._ledger.do(dispatch.fail_plan, run_id, f"The clients could not be read: {error}")

    def _adopt(self) -> None:
        """Work of dead processes goes back in the queue (F02)."""
        if not self._slot.alive():
            self._hand_everything_back()
            return
        for executor in self._queues.others_at_work():
            with lease.held_if_dead(self._ledger.database, executor) as dead:
                if dead:
                    log.warning("%s is dead; its work is taken over", executor)
                    self._queues.adopt(executor)

    def _hand_everything_back(self) -> None:
        """The lock on our slot is lost: another process may take us for dead."""
        log.critical("the database session that holds our slot is gone; handing back all work and taking no more")
        self._queues.stop_claiming()
        for work in self._runner.registry.all():
            work.tell(None, "slot lost")

    def _keep_house(self) -> None:
        self._ledger.do(claims.lose_silent_runs)
        for run_id in ledger_work.paused_before(self._ledger.database, self._ledger.clock() - LONGEST_PAUSE):
            self._ledger.do(stops.expire_pause, run_id)
