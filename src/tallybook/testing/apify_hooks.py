"""Deliveries: what is posted to webhooks, when, and how often until somebody takes it."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from tallybook.testing.apify_agenda import Agenda
from tallybook.testing.apify_faults import DeliveryFault, DeliveryPlan, Event

RETRIES = 11
TIMEOUT_S = 30.0
DISPATCH_ID = "X-Apify-Webhook-Dispatch-Id"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What one webhook is told of one event, however often it is tried."""

    id: str
    event: Event
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    retried: bool = True
    tries: int = 0
    fault: DeliveryFault = DeliveryFault.OK


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try. *status* None: there was no answer, or it was lost on purpose. *tries*: of this dispatch before it."""

    number: int
    dispatch_id: str
    run_id: str
    event: str
    request_url: str
    body: str
    headers: Mapping[str, str] = field(repr=False)
    tries: int
    fault: str
    status: int | None = None
    answer: str = ""

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Pace:
    """*retry_base_s*: the wait before the first retry, which doubles each time. *delay_s*: how late is DELAYED."""

    retry_base_s: float = 60.0
    delay_s: float = 1.0


class Deliveries:
    """Posts what is dispatched. Of one run everything is posted in order, unless a fault or a retry comes between."""

    def __init__(self, agenda: Agenda, plan: DeliveryPlan, pace: Pace, keep: int | None) -> None:
        self._agenda = agenda
        self._plan = plan
        self._pace = pace
        self._log: deque[Delivery] = deque(maxlen=keep)
        self._count = 0
        self._lines: dict[str, deque[Dispatch]] = defaultdict(deque)
        self._holding = False
        self._held: list[Dispatch] = []
        self._lock = threading.RLock()

    @property
    def log(self) -> tuple[Delivery, ...]:
        """In the order in which they were answered."""
        with self._lock:
            return tuple(self._log)

    def dispatch(self, dispatch: Dispatch) -> None:
        dispatch = replace(dispatch, fault=self._plan.fault_for(dispatch.event))
        if dispatch.fault is DeliveryFault.LOST:
            self._note(dispatch, None, "")
        elif dispatch.fault is DeliveryFault.DELAYED:
            self._agenda.after(self._pace.delay_s, partial(self._put, dispatch))
        else:
            self._put(dispatch)
        if dispatch.fault is DeliveryFault.DOUBLED:
            self._put(replace(dispatch, retried=False))

    def hold(self) -> None:
        """Post nothing more, until `release`."""
        with self._lock:
            self._holding = True

    def release(self, *, last_first: bool = False) -> None:
        with self._lock:
            self._holding = False
            held, self._held = self._held, []
            for dispatch in reversed(held) if last_first else held:
                self._put(dispatch)

    def send(self, dispatch: Dispatch) -> Delivery:
        """Now, once, in this thread."""
        status, answer = posted(dispatch.event.request_url, dispatch.headers, dispatch.body)
        return self._note(dispatch, status, answer)

    def _put(self, dispatch: Dispatch) -> None:
        """To the end of the line of its run."""
        with self._lock:
            if self._holding:
                self._held.append(dispatch)
                return
            line = self._lines[dispatch.event.run_id]
            line.append(dispatch)
            if len(line) == 1:
                self._agenda.after(0, partial(self._post, dispatch))

    def _post(self, dispatch: Dispatch) -> None:
        delivery = self.send(dispatch)
        if not delivery.taken and dispatch.retried and dispatch.tries < RETRIES:
            again = replace(dispatch, tries=dispatch.tries + 1)
            self._agenda.after(self._pace.retry_base_s * 2**dispatch.tries, partial(self._put, again))
        with self._lock:
            line = self._lines[dispatch.event.run_id]
            line.popleft()
            if line:
                self._agenda.after(0, partial(self._post, line[0]))
            else:
                del self._lines[dispatch.event.run_id]

    def _note(self, dispatch: Dispatch, status: int | None, answer: str) -> Delivery:
        with self._lock:
            self._count += 1
            delivery = Delivery(
                self._count,
                dispatch.id,
                dispatch.event.run_id,
                dispatch.event.name,
                dispatch.event.request_url,
                dispatch.body.decode("utf-8", "replace"),
                dispatch.headers,
                dispatch.tries,
                "" if dispatch.fault is DeliveryFault.OK else dispatch.fault.value,
                status,
                answer,
            )
            self._log.append(delivery)
        return delivery


def posted(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int | None, str]:
    """The status and text of the answer; None when there is none, and why."""
    try:
        parts = urlsplit(url)
        connect: Callable[..., HTTPConnection] = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        with closing(connect(parts.hostname or "", parts.port, timeout=TIMEOUT_S)) as line:
            line.request("POST", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, dict(headers))
            response = line.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
    except (OSError, HTTPException, ValueError) as error:  # ValueError: the URL or a header cannot be sent
        return None, f"{type(error).__name__}: {error}"
