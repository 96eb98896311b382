"""One watcher per process: reads what runs were told, plans and dispatches, takes over from the dead, keeps house."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Concatenate, ParamSpec

from tallybook.database import Tx
from tallybook.domain.errors import Conflict, NotFound
from tallybook.domain.ports import Clients
from tallybook.domain.run import LONGEST_PAUSE, Blocked, Stop
from tallybook.engine import deliveries, lease
from tallybook.engine.queues import Queues
from tallybook.engine.runner import Limits, Runner, outlive, tried
from tallybook.engine.schedule import Keeper
from tallybook.engine.stopping import CLIENT_TIMEOUT
from tallybook.ledger import work as ledger_work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import budgets, claims, dispatch, inbox, starts, stops
from tallybook.ledger.write.starts import Request

log = logging.getLogger(__name__)
P = ParamSpec("P")
FLAGS_EVERY_S = 0.25
LOOK_FOR_WORK_EVERY_S = 0.5
ADOPT_EVERY_S = 2.0
WAKE_EVERY_S = 2.0
SCHEDULES_EVERY_S = 1.0
LOOK_OUTSIDE_EVERY_S = 0.25
RECONCILE_EVERY_S = 5.0
DELIVERIES_EVERY_S = 10.0
HOUSEKEEPING_EVERY_S = 60.0
PLAN_AGAIN_AFTER_S = 5.0
MOST_PLAN_TRIES = 5
CLOSE_S = 5.0


class Watcher:
    """Runs until closed. *nudged* has it look at once: something was started, resumed or ended here."""

    def __init__(
        self,
        ledger: Ledger,
        clients: Clients,
        runner: Runner,
        queues: Queues,
        *,
        limits: Limits,
        slot: lease.Slot,
        nudged: threading.Event,
        keeper: Keeper | None = None,
    ) -> None:
        self._ledger = ledger
        self._clients = clients
        self._runner = runner
        self._queues = queues
        self._limits = limits
        self._slot = slot
        self._nudged = nudged
        self._keeper = keeper
        self._closed = False
        self._due: dict[str, float] = {}
        self._plan_tries: dict[str, int] = {}
        self._plan_again: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="tallybook-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed = True
        self._nudged.set()
        self._thread.join(CLOSE_S)  # DBOS may be waiting for a lost database, for as long as that takes

    def _run(self) -> None:
        while not self._closed:
            nudged = self._nudged.wait(FLAGS_EVERY_S)
            self._nudged.clear()
            self._look(nudged)

    def _look(self, nudged: bool) -> None:
        """Each duty for itself: what breaks one of them keeps none of the others from being done."""
        if nudged and not self._closed:
            outlive(self._dispatch, "dispatching")
        outlive(self._pass_on_stops, "passing on stops")
        outlive(self._time_out, "timing out")
        self._every(ADOPT_EVERY_S, self._adopt, "taking over from the dead")
        self._every(WAKE_EVERY_S, self._wake, "waking what has paused")
        if self._keeper is not None:
            self._every(SCHEDULES_EVERY_S, self._keeper.look, "keeping the schedules")
        self._every(LOOK_OUTSIDE_EVERY_S, self._runner.collector.look_around, "looking after external runs")
        self._every(LOOK_FOR_WORK_EVERY_S, self._look_for_work, "looking for work")
        self._every(RECONCILE_EVERY_S, self._reconcile, "reconciling the queue")
        self._every(DELIVERIES_EVERY_S, self._apply_deliveries, "applying deliveries")
        self._every(HOUSEKEEPING_EVERY_S, self._keep_house, "keeping house")

    def _every(self, seconds: float, duty: Callable[[], None], what: str) -> None:
        if not self._closed and time.monotonic() >= self._due.get(what, 0.0):
            self._due[what] = time.monotonic() + seconds
            outlive(duty, what)

    # -- stops

    def _pass_on_stops(self) -> None:
        """Runs told to stop, by whatever process, let go of their calls here (F40)."""
        works = self._runner.registry.all()
        if not works:
            return
        told = ledger_work.stops_of(self._ledger.database, sorted({work.key.run_id for work in works}))
        for work in works:
            if work.key.run_id in told:
                stop, reason = told[work.key.run_id]
                work.tell(stop, reason, gently=stop is Stop.PAUSE and reason in list(Blocked))

    def _time_out(self) -> None:
        works = self._runner.registry.all()
        if not works:
            return
        for work in works:
            if time.monotonic() > work.deadline + self._runner.idle_s(work):
                work.tell(Stop.TIMEOUT, CLIENT_TIMEOUT)
        since = ledger_work.working_since(self._ledger.database, sorted({work.key.run_id for work in works}))
        latest = self._ledger.clock() - timedelta(seconds=self._limits.run_timeout_s)
        for run_id in [run_id for run_id, at in since.items() if at < latest]:
            self._tell(stops.stop_run, run_id, Stop.TIMEOUT, "run_timeout")

    def _tell(self, write: Callable[Concatenate[Tx, P], object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Write to a run that may end, or be told something else, at this very moment."""
        try:
            self._ledger.do(write, *args, **kwargs)
        except (Conflict, NotFound) as error:
            log.info("too late: %s", error)

    # -- work to be given out

    def _look_for_work(self) -> None:
        """Another process may have started or resumed a run."""
        if ledger_work.waiting(self._ledger.database):
            self._dispatch()

    def _wake(self) -> None:
        """Pauses whose time has come end by themselves."""
        if self._ledger.do(stops.wake_due):
            self._dispatch()

    def _dispatch(self) -> None:
        for run_id in self._ledger.do(dispatch.unplanned_runs):
            self._plan(run_id)
        self._queues.enqueue(self._ledger.do(dispatch.dispatch, 4 * self._limits.concurrency))

    def _plan(self, run_id: str) -> None:
        if time.monotonic() < self._plan_again.get(run_id, 0.0):
            return
        request = Request.of_json(ledger_work.request_of(self._ledger.database, run_id))
        clients = tried(partial(self._clients.of_stream, request.stream, request.clients))
        if isinstance(clients, NotFound):
            self._ledger.do(dispatch.fail_plan, run_id, str(clients))
        elif isinstance(clients, Exception):
            self._plan_later(run_id, clients)
        else:
            self._ledger.do(starts.plan, run_id, clients)

    def _plan_later(self, run_id: str, error: Exception) -> None:
        tries = self._plan_tries[run_id] = self._plan_tries.get(run_id, 0) + 1
        self._plan_again[run_id] = time.monotonic() + PLAN_AGAIN_AFTER_S
        log.warning("the clients of run %s could not be read (try %d): %s", run_id, tries, error)
        if tries >= MOST_PLAN_TRIES:
            self._ledger.do(dispatch.fail_plan, run_id, f"The clients could not be read: {error}")

    def _reconcile(self) -> None:
        """What the ledger takes for queued or worked on, the engine must know of; a crash may have come in between."""
        tickets = self._ledger.do(dispatch.tickets_out)
        used_up = self._queues.used_up(tickets)
        for ticket in used_up:
            if self._ledger.do(dispatch.reissue, ticket):
                log.warning("%s ended before its client run did; it is put back", ticket.workflow_id)
        self._queues.enqueue([ticket for ticket in tickets if ticket not in used_up])
        self._runner.collector.put_back_stranded()

    def _apply_deliveries(self) -> None:
        deliveries.apply_left(self._ledger, self._clients)

    # -- taking over

    def _adopt(self) -> None:
        """Work of dead processes goes back in the queue (F02)."""
        if not self._holds_slot():
            return
        for executor in self._queues.others_at_work():
            with lease.held_if_dead(self._ledger.database, executor) as dead:
                if dead:
                    log.warning("%s is dead; its work is taken over", executor)
                    self._queues.adopt(executor)

    def _holds_slot(self) -> bool:
        """When the lock on our slot is lost, another process may take us for dead: everything is let go of, then the
        same slot is taken again.
        """
        if self._queues.claiming and self._slot.held():
            return True
        if self._queues.claiming:
            log.critical("the database session that holds our slot is gone; handing back all work and taking no more")
            self._queues.stop_claiming()
            self._runner.halt("slot lost")
        if self._queues.busy() or not self._slot.retake():
            return False
        log.warning("our slot is held again; taking up work")
        self._runner.go_on()
        self._queues.go_on_claiming()
        return True

    def _keep_house(self) -> None:
        self._ledger.do(claims.lose_silent_runs)
        for run_id in ledger_work.paused_before(self._ledger.database, self._ledger.clock() - LONGEST_PAUSE):
            self._tell(stops.expire_pause, run_id)
        self._ledger.do(budgets.forget_old)
        self._ledger.do(inbox.forget_old)
        self._queues.prune()
