"""The engine of one process: a slot, DBOS, a runner, a watcher."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from tallybook.domain.following import Follower
from tallybook.domain.ports import Clients, Operation
from tallybook.domain.run import OperationName
from tallybook.engine import queues
from tallybook.engine.alarm import Alarm
from tallybook.engine.lease import Slot
from tallybook.engine.runner import Limits, Runner
from tallybook.engine.schedule import Keeper, Timetable
from tallybook.engine.telling import Teller
from tallybook.engine.watch import Watcher
from tallybook.ledger.ledger import Ledger

log = logging.getLogger(__name__)
LET_GO_S = 10.0


class Engine:
    """Takes up whatever waits in the ledger, until closed. One per process; use it as a context manager.

    *timetable*: what it keeps; without one it starts no run by itself, and raises no alert. *followers*: who is told of
    runs.

    Raises SlotsTaken, LedgerUnavailable.
    """

    def __init__(
        self,
        ledger: Ledger,
        clients: Clients,
        operations: Mapping[OperationName, Operation],
        limits: Limits,
        timetable: Timetable | None = None,
        *,
        followers: Sequence[Follower] = (),
    ) -> None:
        self._nudged = threading.Event()
        self._tellers = [Teller(ledger, each) for each in followers]
        self._alarm = (
            Alarm(ledger, timetable.alarms) if timetable is not None and timetable.alarms is not None else None
        )
        self._slot = Slot(ledger.database)
        self.executor = self._slot.executor
        self._runner = Runner(ledger, clients, operations, limits=limits, executor=self.executor, ended=self.nudge)
        try:
            self._queues = queues.launch(ledger.database, self.executor, limits.concurrency, self._runner.client_run)
        except BaseException:
            self._runner.close()
            self._slot.close()
            raise
        self._watcher = Watcher(
            ledger,
            clients,
            self._runner,
            self._queues,
            limits=limits,
            slot=self._slot,
            nudged=self._nudged,
            keeper=Keeper(ledger, timetable, self.nudge) if timetable is not None else None,
        )
        self._watcher.start()
        for teller in self._tellers:
            teller.start()
        if self._alarm is not None:
            self._alarm.start()
        self.nudge()

    def nudge(self) -> None:
        """Something was started, resumed or ended: look now."""
        self._nudged.set()
        for teller in self._tellers:
            teller.nudge()

    def tell_rest(self, timeout_s: float) -> bool:
        """Wait until followers have been told of what has begun and ended. False: some still are to be, and will be by
        the next process.
        """
        until = time.monotonic() + timeout_s
        settled = [teller.settle(max(0.0, until - time.monotonic())) for teller in self._tellers]
        return all(settled)

    def close(self, grace_s: float = 0.0) -> None:
        """Take up nothing more, hand back what is in flight, let go of the slot.

        *grace_s*: so long, calls in flight are waited for, since they are paid for; no other is made.
        """
        self._queues.stop_claiming()
        if self._alarm is not None:
            self._alarm.close()
        self._wind_down(grace_s)
        for teller in self._tellers:
            teller.close()
        self._watcher.close()
        until = time.monotonic() + LET_GO_S
        while self._queues.busy() and time.monotonic() < until:
            self._runner.halt("the process shuts down")
            time.sleep(0.01)
        stuck = self._queues.busy()
        self._runner.close()
        self._queues.close()
        if stuck:
            log.error("work in flight does not let go; what it holds is free when this process ends")
        else:
            self._slot.close()

    def _wind_down(self, grace_s: float) -> None:
        until = time.monotonic() + grace_s
        while self._queues.busy() and time.monotonic() < until:
            self._runner.wind_down("the process shuts down")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
