"""What Apify does with runs: starts them, ends them when their time has come, and tells webhooks."""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from tallybook.testing.apify_agenda import Agenda, Entry
from tallybook.testing.apify_faults import Attempt, Event, RunFault, RunPlan
from tallybook.testing.apify_hooks import DISPATCH_ID, Deliveries, Dispatch
from tallybook.testing.apify_posts import Item
from tallybook.testing.apify_runs import Ending, Run, Runs, Status, new_id
from tallybook.testing.apify_webhooks import CREATED, RESURRECTED, Webhook
from tallybook.testing.apify_wire import event_values

_ENDS = {RunFault.FAILED: Status.FAILED, RunFault.TIMED_OUT: Status.TIMED_OUT, RunFault.ABORTED: Status.ABORTED}
_THEIRS = {"Content-Type": "application/json", "X-Apify-Webhook": "1", "X-Apify-Request-Origin": "WEBHOOK"}


@dataclass(frozen=True, slots=True)
class Course:
    """*latency_s*: how long a run takes; None: until somebody ends it. *endings*: how the first runs end. *faults*:
    what befalls the others, and those that are resurrected without a word on how they end.
    """

    faults: RunPlan
    latency_s: float | None = 0.0
    endings: tuple[Ending, ...] = ()


@dataclass(frozen=True, slots=True)
class Forged:
    """What a delivery says in place of what it would; None: that. *dispatch_id* empty: none."""

    headers: Mapping[str, str] | None = None
    body: bytes | str | Mapping[str, Any] | None = None
    dispatch_id: str | None = None


class Platform:
    """*course*: how its runs go."""

    def __init__(self, agenda: Agenda, deliveries: Deliveries, course: Course, now: Callable[[], datetime]) -> None:
        self.runs = Runs(now)
        self.account_webhooks: list[Webhook] = []
        self._agenda = agenda
        self._deliveries = deliveries
        self._faults = course.faults
        self._latency_s = course.latency_s
        self._endings = deque(course.endings)
        self.now = now
        self._ends: dict[str, Entry] = {}
        self._lock = threading.RLock()

    def start(self, run: Run) -> Run:
        with self._lock:
            ending = self._endings.popleft() if self._endings else self._ending_of(run)
            run = self.runs.add(run)
            self._tell(run, CREATED)
            self._end_later(run, ending)
        return run

    def end(self, run_id: str, ending: Ending) -> Run:
        """Nothing, when it is over. Raises LookupError."""
        with self._lock:
            ended = self.runs.end(run_id, ending)
            if ended is None:
                return self.runs.of(run_id)
            entry = self._ends.pop(run_id, None)
            if entry is not None:
                self._agenda.cancel(entry)
            self._tell(ended, ended.status.event)
            return ended

    def resurrect(self, run_id: str, more: tuple[Item, ...] = (), ending: Ending | None = None) -> Run | None:
        """None: it is not over. *ending* None: as chance has it. Raises LookupError."""
        with self._lock:
            run = self.runs.resurrect(run_id, more)
            if run is not None:
                self._tell(run, RESURRECTED)
                self._end_later(run, ending or self._ending_of(run))
            return run

    def by_hand(self, run_id: str, event: str, to: Webhook, forged: Forged) -> Dispatch:
        """What *to* would be told, but for what is *forged*. The run need not exist."""
        dispatch_id = new_id() if forged.dispatch_id is None else forged.dispatch_id
        made = self._dispatch(to, run_id, event, dispatch_id)
        if forged.headers is not None:
            made = replace(made, headers=_headers(forged.headers, dispatch_id))
        return made if forged.body is None else replace(made, body=_as_bytes(forged.body))

    def _ending_of(self, run: Run) -> Ending:
        fault = self._faults.fault_for(Attempt(run.attempts, run.profiles, run.task_id))
        return Ending(_ENDS.get(fault, Status.SUCCEEDED))

    def _end_later(self, run: Run, ending: Ending) -> None:
        latency_s = self._latency_s
        if latency_s is None:
            return
        if 0 < run.timeout_s < latency_s:
            latency_s, ending = run.timeout_s, Ending(Status.TIMED_OUT)
        self._ends[run.id] = self._agenda.after(latency_s, partial(self._end_in_time, run, ending))

    def _end_in_time(self, run: Run, ending: Ending) -> None:
        """Unless this attempt of it has ended otherwise."""
        with self._lock:
            if self.runs.of(run.id).attempts == run.attempts:
                self.end(run.id, ending)

    def _tell(self, run: Run, event: str) -> None:
        for webhook in (*run.webhooks, *self.account_webhooks):
            if event in webhook.event_types:
                self._deliveries.dispatch(self._dispatch(webhook, run.id, event, new_id()))

    def _dispatch(self, webhook: Webhook, run_id: str, event: str, dispatch_id: str) -> Dispatch:
        run = self.runs.find(run_id)
        values = event_values(run_id, run, event, self.now())
        return Dispatch(
            dispatch_id,
            Event(event, run_id, webhook.request_url, run.profiles if run else ()),
            _headers(webhook.all_headers(values), dispatch_id),
            webhook.body(values).encode(),
            retried=not webhook.do_not_retry,
        )


def _headers(own: Mapping[str, str], dispatch_id: str) -> dict[str, str]:
    """Some are Apify's to say, whatever a template has."""
    theirs = {**_THEIRS, **({DISPATCH_ID: dispatch_id} if dispatch_id else {})}
    taken = {"host", "content-length", DISPATCH_ID.lower(), *(name.lower() for name in theirs)}
    return {**{name: value for name, value in own.items() if name.lower() not in taken}, **theirs}


def _as_bytes(body: bytes | str | Mapping[str, Any]) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()
