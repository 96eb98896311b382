"""A look-alike of Apify, for trying everything without an account, and for tests.

Speaks the API as far as harvesting needs it, on this machine only: an actor that finds posts, its runs, their datasets
and webhooks, which are really posted. `GET /bill` gives the sums, `GET /log` every request as a line of JSON.
"""

import hmac
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from tallybook.testing.apify_agenda import Agenda
from tallybook.testing.apify_api import ACTOR, Api, Fields
from tallybook.testing.apify_faults import ApiFault, ApiPlan, Asked, DeliveryFault, DeliveryPlan, RunFault, RunPlan
from tallybook.testing.apify_hooks import Deliveries, Delivery, Pace
from tallybook.testing.apify_platform import Course, Forged, Platform
from tallybook.testing.apify_posts import Item, Posts, items_of, posts_of
from tallybook.testing.apify_runs import Ending, Run, Status
from tallybook.testing.apify_webhooks import Webhook
from tallybook.testing.lookalike_http import Exchange, Lookalike, Refused, Reply, as_json, as_lines, page

__all__ = [
    "ApiFault",
    "ApifyServer",
    "Bill",
    "Delivery",
    "DeliveryFault",
    "Ending",
    "Record",
    "Run",
    "RunFault",
    "Status",
    "Webhook",
]

MOST_POSTS = 10
_ERRORS = {
    ApiFault.RATE_LIMIT: (429, "rate-limit-exceeded", "there are too many requests; wait a little"),
    ApiFault.SERVER_ERROR: (500, "internal-server-error", "something broke here"),
}
_NOTHING_DONE = {ApiFault.RESET: None, ApiFault.BAD_GATEWAY: page(502)}


@dataclass(frozen=True, slots=True)
class Record:
    """One request. *status*: 0 when the connection was broken instead of an answer. Tokens are not kept."""

    number: int
    method: str
    route: str
    what: str
    fault: str
    status: int


@dataclass(frozen=True, slots=True)
class Bill:
    """The sums over all runs. *deliveries*: how often something was posted to a webhook."""

    runs: int
    items: int
    usd: Decimal
    deliveries: int


class ApifyServer(Lookalike):
    """Serves while the block lasts: `with ApifyServer() as server: … server.url …`.

    *token*: the only one that is accepted, None: any. *latency_s*: how long a run takes, None: until `finish`.
    *profiles*: the posts by profile URL, or a function that gives them; None: made up for any URL. *endings*: how the
    first runs end. *chances*: of each request, *run_chances*: of each further run, *delivery_chances*: of each dispatch
    of a webhook, by *seed*. *account_webhooks* are told of every run. *retry_base_s*: the wait before a delivery is
    tried again, which doubles each time. *delay_s*: how late a DELAYED delivery is; *slow_s*: a SLOW answer.
    *actor_id*: the only actor, None: any. *tasks*: the inputs of its tasks. *keep*: so many of the newest records,
    None: all. Raises OSError when *port* is taken (0: any that is free).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        token: str | None = None,
        latency_s: float | None = 0.0,
        profiles: Mapping[str, Sequence[Item]] | Posts | None = None,
        profiles_field: str = "targetUrls",
        posts_field: str = "maxPosts",
        endings: Iterable[Ending] = (),
        chances: Mapping[ApiFault, float] | None = None,
        run_chances: Mapping[RunFault, float] | None = None,
        delivery_chances: Mapping[DeliveryFault, float] | None = None,
        seed: int = 0,
        account_webhooks: Iterable[Webhook] = (),
        retry_base_s: float = 60.0,
        delay_s: float = 1.0,
        slow_s: float = 5.0,
        actor_id: str | None = None,
        tasks: Mapping[str, Mapping[str, Any]] | None = None,
        keep: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = ApiPlan(chances or {}, seed)
        """What goes wrong with requests: `faults.then(…)`, `faults.rule(…)`."""
        self.run_faults = RunPlan(run_chances or {}, seed)
        self.delivery_faults = DeliveryPlan(delivery_chances or {}, seed)
        self._slow_s = slow_s
        self._token = token
        self._agenda = Agenda()
        self._deliveries = Deliveries(self._agenda, self.delivery_faults, Pace(retry_base_s, delay_s), keep)
        course = Course(self.run_faults, latency_s, tuple(endings))
        self._platform = Platform(self._agenda, self._deliveries, course, now)
        self._platform.account_webhooks.extend(account_webhooks)
        fields = Fields(profiles_field, posts_field)
        self._api = Api(self._platform, posts_of(profiles), fields=fields, actor_id=actor_id, tasks=tasks or {})
        self._records: deque[Record] = deque(maxlen=keep)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        super().__init__(port)

    # -- what is true --------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> tuple[Run, ...]:
        """In the order in which they were started."""
        return self._platform.runs.all

    def run(self, run_id: str) -> Run:
        """Raises LookupError."""
        return self._platform.runs.of(run_id)

    @property
    def requests(self) -> tuple[Record, ...]:
        """In the order in which they were answered."""
        with self._lock:
            return tuple(self._records)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """In the order in which they were answered."""
        return self._deliveries.log

    @property
    def billed_usd(self) -> Decimal:
        return sum((run.cost for run in self.runs), Decimal())

    @property
    def bill(self) -> Bill:
        items = sum(len(run.items) for run in self.runs)
        return Bill(len(self.runs), items, self.billed_usd, len(self.deliveries))

    def wait_until_idle(self, timeout_s: float = 5.0) -> bool:
        """No run is still to end by itself, no delivery to be made. Held ones and runs without a time do not count."""
        return self._agenda.wait_until_idle(timeout_s)

    # -- what happens at Apify -----------------------------------------------------------------------------------------

    @property
    def account_webhooks(self) -> list[Webhook]:
        """Those that are told of every run; append to it."""
        return self._platform.account_webhooks

    def start_outside(self, profiles: Iterable[str], task_id: str | None = None, most_posts: int = MOST_POSTS) -> Run:
        """A run that somebody starts in the console: it brings no webhook of its own."""
        run = self._api.new_run(ACTOR, tuple(profiles), most_posts, task_id=task_id, origin="WEB")
        return self._platform.start(run)

    def finish(self, run_id: str, status: Status = Status.SUCCEEDED, share: float | None = None) -> Run:
        """End it now. *share*: of what it has yet to find. Nothing, when it is over. Raises LookupError."""
        return self._platform.end(run_id, Ending(status, share))

    def resurrect(
        self,
        run_id: str,
        more: Mapping[str, Sequence[Item]] | None = None,
        ending: Ending | None = None,
    ) -> Run:
        """*more*: posts it finds in addition, by profile URL. *ending* None: as `run_faults` have it.

        Raises ValueError when it is not over, LookupError.
        """
        found = items_of(tuple(more or ()), posts_of(more or {}), None)
        run = self._platform.resurrect(run_id, found, ending)
        if run is None:
            raise ValueError(f"run {run_id} is not over")
        return run

    def deliver(
        self,
        run_id: str,
        event: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | Mapping[str, Any] | None = None,
        dispatch_id: str | None = None,
        to: str | None = None,
    ) -> Delivery:
        """Post this now, once, and say what was answered. What is not given is as the run's own webhook would have it.

        *to*: else the first webhook of the run, or of the account. The run may be none of ours. Raises LookupError when
        nobody is to be told.
        """
        webhook = self._webhook(run_id, to)
        forged = Forged(headers, body, dispatch_id)
        return self._deliveries.send(self._platform.by_hand(run_id, event, webhook, forged))

    def hold(self) -> None:
        """Deliver nothing more, until `release`."""
        self._deliveries.hold()

    def release(self, *, last_first: bool = False) -> None:
        """Deliver what was held; *last_first*: in the wrong order."""
        self._deliveries.release(last_first=last_first)

    def _webhook(self, run_id: str, to: str | None) -> Webhook:
        own = [webhook for run in self.runs if run.id == run_id for webhook in run.webhooks]
        for webhook in (*own, *self.account_webhooks):
            if to in (None, webhook.request_url):
                return webhook
        if to is None:
            raise LookupError(f"nobody is to be told of run {run_id}")
        return Webhook(to)

    # -- serving -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends serving, and every connection with it. What was still to be delivered never is."""
        self._agenda.close()
        super().close()

    def __enter__(self) -> Self:
        self._agenda.start()
        return super().__enter__()

    def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET" and exchange.route == "/bill":
            exchange.answer(as_json({**asdict(self.bill), "usd": str(self.bill.usd)}))
        elif exchange.method == "GET" and exchange.route == "/log":
            exchange.answer(as_lines(self.requests))
        else:
            self._serve_api(exchange)

    def _serve_api(self, exchange: Exchange) -> None:
        asked = self._api.asked_by(exchange, next(self._numbers))
        fault = ApiFault.OK
        try:
            self._admit(exchange)
            fault = self.faults.fault_for(asked)
            if fault in _ERRORS:
                raise Refused(*_ERRORS[fault])
            reply = _NOTHING_DONE[fault] if fault in _NOTHING_DONE else self._api.answer(asked, exchange)
        except Refused as refused:
            reply = refused.reply
        if fault is ApiFault.LOST_ANSWER:
            reply = None
        self._note(asked, fault, reply)
        exchange.wait(self._slow_s if fault is ApiFault.SLOW else 0)
        if reply is None:
            exchange.reset()
        else:
            exchange.answer(reply)

    def _admit(self, exchange: Exchange) -> None:
        """Raises Refused."""
        said = exchange.said("authorization").removeprefix("Bearer ") or exchange.query.get("token", "")
        if not said:
            raise Refused(401, "token-not-provided", "there is no API token in the request")
        if self._token is not None and not hmac.compare_digest(said.encode(), self._token.encode()):
            raise Refused(401, "user-or-token-not-found", "nobody has this API token")

    def _note(self, asked: Asked, fault: ApiFault, reply: Reply | None) -> None:
        """Before the client has the answer, so that who has it finds it here."""
        name = "" if fault is ApiFault.OK else fault.value
        with self._lock:
            self._records.append(
                Record(asked.number, asked.method, asked.route, asked.what, name, reply.status if reply else 0)
            )
