"""A look-alike of Airtable, for trying everything without an account, and for tests.

Speaks the web API as far as clients, leads and the mirror need it, on this machine only: schema, records, filters by
formula, computed fields, limits and errors. `GET /log` gives every request as a line of JSON.
"""

import hmac
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from tallybook.testing.airtable_api import SCOPES, Api, Grant, unauthorized
from tallybook.testing.airtable_faults import AirtableFault, AirtablePlan, Asked, refusal
from tallybook.testing.airtable_fields import Column
from tallybook.testing.airtable_limits import BUSINESS, FREE, NO_LIMITS, TEAM, Gate, Limits
from tallybook.testing.airtable_log import Call, CallLog
from tallybook.testing.airtable_owner import Desk, OpenBase, OpenTable
from tallybook.testing.airtable_tables import Base
from tallybook.testing.airtable_wire import LONGEST_URL, Page
from tallybook.testing.lookalike_http import Exchange, Lookalike, Refused, Reply, as_json, as_lines

__all__ = [
    "BUSINESS",
    "FREE",
    "NO_LIMITS",
    "TEAM",
    "AirtableFault",
    "AirtableServer",
    "Asked",
    "Call",
    "Column",
    "Limits",
    "OpenBase",
    "OpenTable",
]

WORKSPACE = "wspLookAlike00001"


class AirtableServer(Lookalike):
    """Serves while the block lasts: `with AirtableServer() as server: … Api(…, endpoint_url=server.url) …`.

    *token*: the only one that is accepted, None: any; `add_token` gives more, and with other rights. *limits*: how
    much may be asked; none unless said, see FREE, TEAM, BUSINESS. *chances*: of each request, by *seed*. *offset_s*:
    how long the offset of a listing is good. *slow_s*: how late a SLOW answer is. *keep*: so many of the newest calls,
    None: all. *now*: the clock by which everything goes. Raises OSError when *port* is taken (0: any that is free).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        token: str | None = None,
        limits: Limits = NO_LIMITS,
        chances: Mapping[AirtableFault, float] | None = None,
        seed: int = 0,
        offset_s: float = 300.0,
        slow_s: float = 5.0,
        keep: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.faults = AirtablePlan(chances or {}, seed)
        """What goes wrong with requests: `faults.then(…)`, `faults.rule(…)`."""
        self.log = CallLog(keep)
        self._slow_s = slow_s
        self._now = now
        self._bases: dict[str, Base] = {}
        self._gate = Gate(limits, now)
        self._api = Api(self._bases, self._gate, now, offset_s)
        self._grants: dict[str, Grant] = {token: Grant()} if token is not None else {}
        self._anyone = token is None
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._desk = Desk(self._lock, now)
        super().__init__(port)

    # -- what there is -------------------------------------------------------------------------------------------------

    def add_base(
        self,
        name: str,
        tables: Mapping[str, Iterable[Column]] | None = None,
        *,
        base_id: str | None = None,
        workspace_id: str = WORKSPACE,
    ) -> OpenBase:
        """*tables*: the columns by name; a link may lead only to one before it. Raises LookupError, NotUnderstood."""
        with self._lock:
            base = Base(name, workspace_id, base_id)
            made = OpenBase(base, self._desk)
            for table, columns in (tables or {}).items():
                made.add_table(table, columns)
            self._bases[base.id] = base
        return made

    def base(self, name_or_id: str) -> OpenBase:
        """Raises LookupError."""
        for base in self.bases:
            if name_or_id in (base.id, base.name):
                return base
        raise LookupError(f"there is no base {name_or_id!r}")

    @property
    def bases(self) -> tuple[OpenBase, ...]:
        with self._lock:
            return tuple(OpenBase(base, self._desk) for base in self._bases.values())

    def delete_base(self, name_or_id: str) -> None:
        with self._lock:
            del self._bases[self.base(name_or_id).id]

    def add_token(self, token: str, scopes: Iterable[str] = SCOPES, base_ids: Iterable[str] | None = None) -> None:
        """From now on only the tokens that were added are accepted. *base_ids* None: it is good for every base."""
        with self._lock:
            self._anyone = False
            self._grants[token] = Grant(frozenset(scopes), None if base_ids is None else frozenset(base_ids))

    def expire_offsets(self) -> None:
        """Whoever is in the midst of a listing is told to start again."""
        with self._lock:
            self._api.listings.expire()

    def limit(self, limits: Limits) -> None:
        """From now on. What was counted so far is kept."""
        with self._lock:
            self._gate.limits = limits

    @property
    def calls(self) -> tuple[Call, ...]:
        """In the order in which they were answered; more in `log`."""
        return self.log.all

    def calls_this_month(self, workspace_id: str = WORKSPACE) -> int:
        with self._lock:
            return self._gate.calls_this_month(workspace_id)

    # -- serving -------------------------------------------------------------------------------------------------------

    def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET" and exchange.route == "/log":
            exchange.answer(as_lines(self.calls))
        else:
            self._serve_api(exchange)

    def _serve_api(self, exchange: Exchange) -> None:
        asked = Asked(next(self._numbers), exchange.method, exchange.route)
        fault = AirtableFault.OK
        reply: Reply | None
        with self._lock:
            try:
                if len(exchange.path) > LONGEST_URL:
                    raise Page(414)
                grant = self._grant(exchange)
                asked, last_id = self._api.asked_by(exchange, asked.number)
                self._gate.admit(asked.base_id)
                fault = self.faults.fault_for(asked)
                reply = self._done(asked, grant, last_id, fault)
            except Refused as refused:
                reply = refused.reply
            if fault is AirtableFault.LOST_ANSWER:
                reply = None
            self._note(asked, fault, reply)
        exchange.wait(self._slow_s if fault is AirtableFault.SLOW else 0)
        if reply is None:
            exchange.reset()
        else:
            exchange.answer(reply)

    def _done(self, asked: Asked, grant: Grant, last_id: str, fault: AirtableFault) -> Reply | None:
        """None: the connection is to break, and nothing was done. Raises Refused."""
        if fault is AirtableFault.RESET:
            return None
        refused = refusal(fault, asked)
        if refused is not None:
            raise refused
        return as_json(self._api.answer(asked, grant, last_id))

    def _grant(self, exchange: Exchange) -> Grant:
        """Raises Refused."""
        said = exchange.said("authorization").removeprefix("Bearer ")
        if said and self._anyone:
            return Grant()
        for token, grant in self._grants.items():
            if hmac.compare_digest(said.encode(), token.encode()):
                return grant
        raise unauthorized(said)

    def _note(self, asked: Asked, fault: AirtableFault, reply: Reply | None) -> None:
        """Before the client has the answer, so that who has it finds it here."""
        name = "" if fault is AirtableFault.OK else fault.value
        status = reply.status if reply else 0
        self.log.add(
            Call(
                asked.number,
                self._now(),
                asked.method,
                asked.route,
                asked.what,
                asked.base_id,
                asked.table,
                asked.records,
                name,
                status,
            )
        )
