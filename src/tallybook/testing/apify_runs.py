"""The runs of the actor, and the truth about each: what it was for, what it found, how it ended, what it cost."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tallybook.testing.apify_posts import Item
from tallybook.testing.apify_webhooks import Webhook

START_USD = Decimal("0.002")
ITEM_USD = Decimal("0.0015")


class Status(StrEnum):
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED-OUT"
    ABORTED = "ABORTED"

    @property
    def over(self) -> bool:
        return self is not Status.RUNNING

    @property
    def event(self) -> str:
        """What a webhook calls it when a run ends like this."""
        return f"ACTOR.RUN.{self.name}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends. *share*: of what it has yet to find; None: all when it succeeds, else half."""

    status: Status = Status.SUCCEEDED
    share: float | None = None

    def found_of(self, missing: int) -> int:
        if self.share is not None:
            return round(missing * self.share)
        return missing if self.status is Status.SUCCEEDED else missing // 2


@dataclass(frozen=True, slots=True)
class Run:
    """*to_find*: what the actor finds when it is let; *found*: how much of it stands in the dataset by now.

    *attempts*: 1, and one more for each time it was resurrected. *input_bytes*: how long its input was. *history*:
    every status that it had, and since when.
    """

    id: str
    actor_id: str
    profiles: tuple[str, ...]
    to_find: tuple[Item, ...]
    started_at: datetime
    dataset_id: str
    status: Status = Status.RUNNING
    finished_at: datetime | None = None
    found: int = 0
    attempts: int = 1
    task_id: str | None = None
    timeout_s: int = 0
    input_bytes: int = 0
    origin: str = "API"
    webhooks: tuple[Webhook, ...] = field(default=(), repr=False)
    history: tuple[tuple[Status, datetime], ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        return self.to_find[: self.found]

    @property
    def cost(self) -> Decimal:
        """US dollars, over all attempts."""
        return self.attempts * START_USD + self.found * ITEM_USD


def new_id() -> str:
    """As long as Apify's. At random, so that several look-alikes may report to one Tallybook."""
    return uuid.uuid4().hex[:17]


class Runs:
    """May be used from any thread. LookupError for a run, or a dataset, that is none."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._runs: dict[str, Run] = {}
        self._changed = threading.Condition()

    @property
    def all(self) -> tuple[Run, ...]:
        """In the order in which they were started."""
        with self._changed:
            return tuple(self._runs.values())

    def of(self, run_id: str) -> Run:
        with self._changed:
            return self._runs[run_id]

    def find(self, run_id: str) -> Run | None:
        with self._changed:
            return self._runs.get(run_id)

    def of_dataset(self, dataset_id: str) -> Run:
        for run in self.all:
            if run.dataset_id == dataset_id:
                return run
        raise LookupError(dataset_id)

    def add(self, run: Run) -> Run:
        with self._changed:
            return self._now_is(run)

    def end(self, run_id: str, ending: Ending) -> Run | None:
        """None: it was over before."""
        with self._changed:
            run = self._runs[run_id]
            if run.status.over:
                return None
            found = run.found + ending.found_of(len(run.to_find) - run.found)
            return self._now_is(replace(run, status=ending.status, found=found, finished_at=self._now()))

    def resurrect(self, run_id: str, more: tuple[Item, ...] = ()) -> Run | None:
        """None: it is not over."""
        with self._changed:
            run = self._runs[run_id]
            if not run.status.over:
                return None
            again = replace(run, status=Status.RUNNING, finished_at=None, attempts=run.attempts + 1)
            return self._now_is(replace(again, to_find=run.to_find + more))

    def wait_until_over(self, run_id: str, timeout_s: float) -> Run:
        """As it is then, or when the time is up."""
        with self._changed:
            self._changed.wait_for(lambda: self._runs[run_id].status.over, timeout_s)
            return self._runs[run_id]

    def _now_is(self, run: Run) -> Run:
        run = replace(run, history=(*run.history, (run.status, self._now())))
        self._runs[run.id] = run
        self._changed.notify_all()
        return run
