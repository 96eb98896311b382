"""How a run comes into the books: its id, its start, its plan."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo

from tallybook.database import Tx, read_stamp, stamp
from tallybook.domain import runid
from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import BadInput, Busy, KeyReused, RunIdsExhausted
from tallybook.domain.fields import storable
from tallybook.domain.run import JobType, OperationName, Origin, Status, Trigger
from tallybook.ledger.write import endings, events

LONGEST_AHEAD_S = 60
MOST_A_DAY = 999
LONGEST_KEY = 200
KEY_KEPT = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks to be run. *stream* None: every stream; *clients* empty: all of them; *limit* per client
    and operation, *limits* in its place for single operations.
    """

    operations: tuple[OperationName, ...] = tuple(OperationName)
    stream: int | None = None
    clients: tuple[ClientId, ...] = ()
    limit: int | None = None
    trigger: Trigger = Trigger.MANUAL
    limits: Mapping[OperationName, int] = field(default_factory=dict)

    def limit_of(self, operation: OperationName) -> int | None:
        """The most leads of one client that *operation* takes up; None: all that are due."""
        return self.limits.get(operation, self.limit)

    def as_json(self) -> dict[str, object]:
        """As the ledger keeps it: the same for requests that ask for the same."""
        limits = {each.value: self.limits[each] for each in OperationName if each in self.limits}
        return {
            "operations": [each for each in OperationName if each in self.operations],
            "stream": self.stream,
            "clients": sorted(set(self.clients)),
            "limit": self.limit,
            "trigger": self.trigger.value,
            **({"limits": limits} if limits else {}),
        }

    @classmethod
    def of_json(cls, data: Mapping[str, object]) -> "Request":
        """The request as the ledger kept it."""
        limit, stream = data.get("limit"), data.get("stream")
        return cls(
            operations=tuple(OperationName(name) for name in _texts(data.get("operations"))),
            stream=stream if isinstance(stream, int) else None,
            clients=_texts(data.get("clients")),
            limit=limit if isinstance(limit, int) else None,
            trigger=Trigger(str(data.get("trigger", Trigger.MANUAL))),
            limits=_limits(data.get("limits")),
        )


def _limits(value: object) -> Mapping[OperationName, int]:
    return {OperationName(name): int(most) for name, most in value.items()} if isinstance(value, dict) else {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. *scope* keeps the keys of different callers apart; *name* is shown to whoever comes second (F13)."""

    scope: str = "cli"
    name: str = "somebody"


@dataclass(frozen=True, slots=True)
class RunIdStyle:
    """How new run ids look."""

    structured: bool = False
    zone: tzinfo = field(default=UTC)


@dataclass(frozen=True, slots=True)
class Started:
    """*replayed*: the key was known; nothing new was started."""

    run_id: str
    replayed: bool = False


def reserve_run_id(tx: Tx, style: RunIdStyle) -> str:
    """The only mint (F06). Raises RunIdsExhausted when the next free second is over a minute ahead."""
    tx.serialize("start")
    return _reserve_number(tx, style) if style.structured else _reserve_second(tx, style.zone)


def _reserve_second(tx: Tx, zone: tzinfo) -> str:
    for ahead_s in range(LONGEST_AHEAD_S + 1):
        run_id = runid.timestamp_id(tx.now + timedelta(seconds=ahead_s), zone)
        if _reserve(tx, run_id):
            return run_id
    raise RunIdsExhausted(
        f"every second up to {LONGEST_AHEAD_S} s ahead of the clock is taken as a run id;"
        " wait a minute, or supply run ids of your own"
    )


def _reserve_number(tx: Tx, style: RunIdStyle) -> str:
    day = tx.now.astimezone(style.zone)
    last = tx.row("SELECT MAX(number) FROM @run_ids WHERE day = ?", (f"{day:%y%m%d}",))
    taken = (last[0] or 0) if last else 0
    for number in range(taken + 1, MOST_A_DAY + 1):
        run_id = runid.structured_id(day, number)
        if _reserve(tx, run_id, day=f"{day:%y%m%d}", number=number):
            return run_id
    raise RunIdsExhausted(f"all {MOST_A_DAY} structured run ids of {day:%Y-%m-%d} are taken; use the timestamp form")


def _reserve(tx: Tx, run_id: str, *, day: str | None = None, number: int | None = None) -> bool:
    if tx.row("SELECT 1 FROM @runs WHERE run_id = ?", (run_id,)):
        return False
    return bool(
        tx.execute(
            "INSERT INTO @run_ids (run_id, reserved_at, day, number) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run_id, tx.stamp, day, number),
        )
    )


@dataclass(frozen=True, slots=True)
class Start:
    """A request with all that decides what becomes of it. *queue_behind*: wait instead of being refused as busy."""

    request: Request
    caller: Caller = Caller()
    key: str | None = None
    queue_behind: bool = False
    style: RunIdStyle = RunIdStyle()
    issue: str | None = None

    def __post_init__(self) -> None:
        if self.key is not None and not (0 < len(self.key) <= LONGEST_KEY and self.key.isprintable()):
            raise BadInput(f"an idempotency key is 1 to {LONGEST_KEY} printable characters, got {self.key[:60]!r}")


def start(tx: Tx, asked: Start) -> Started:
    """Known key, busy, or a new run: decided in one transaction (F13, F14). Raises KeyReused, Busy, RunIdsExhausted."""
    tx.serialize("start")
    known = _known_key(tx, asked)
    if known is not None:
        return Started(known, replayed=True)
    if not asked.queue_behind:
        _refuse_if_busy(tx, asked.request)
    run_id = reserve_run_id(tx, asked.style)
    _insert_run(tx, run_id, asked)
    trigger = asked.request.trigger
    events.append(tx, "started", f"Started by {asked.caller.name} ({trigger})", run_id=run_id)
    return Started(run_id)


def _known_key(tx: Tx, asked: Start) -> str | None:
    if asked.key is None:
        return None
    row = tx.row(
        "SELECT run_id, request, created_at FROM @runs WHERE key_scope = ? AND idempotency_key = ?",
        (asked.caller.scope, asked.key),
    )
    if row is None:
        return None
    run_id, request, created_at = row
    if created_at < stamp(tx.now - KEY_KEPT):
        tx.execute("UPDATE @runs SET idempotency_key = NULL WHERE run_id = ?", (run_id,))
        return None
    if json.loads(request) != asked.request.as_json():
        raise KeyReused(
            f"the key {asked.key!r} started run {run_id} with another request; use a new key", run_id=run_id
        )
    return str(run_id)


def _insert_run(tx: Tx, run_id: str, asked: Start) -> None:
    request = asked.request
    one_client = request.clients[0] if len(request.clients) == 1 else None
    tx.execute(
        "INSERT INTO @runs (run_id, display, job_type, stream, triggered_by, status, created_at, seen_at, key_scope,"
        " idempotency_key, request, requested_by, planned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (
            run_id,
            storable(runid.display(run_id, stream=request.stream, client=one_client, issue=asked.issue)),
            JobType.of(request.operations),
            request.stream,
            request.trigger,
            Status.QUEUED,
            tx.stamp,
            tx.stamp,
            asked.caller.scope,
            asked.key,
            json.dumps(request.as_json()),
            storable(asked.caller.name),
        ),
    )


def _refuse_if_busy(tx: Tx, request: Request) -> None:
    open_runs = tx.rows(
        "SELECT run_id, request, requested_by, created_at, status, started_at, triggered_by FROM @runs"
        " WHERE planned = 1 AND status IN ('queued', 'running', 'paused') ORDER BY run_id"
    )
    for run_id, other, by, created_at, status, started_at, trigger in open_runs:
        planned = _planned_clients(tx, run_id) if started_at else None
        if _overlap(request, Request.of_json(json.loads(other)), planned):
            raise Busy(
                f"run {run_id} ({status}) works on this already, started by {by} ({trigger}) at {_told(created_at)};"
                ' wait for it, or queue behind it: --new, or "queue": true over HTTP',
                run_id=run_id,
            )


def _told(text: str) -> str:
    at = read_stamp(text)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else text


def _planned_clients(tx: Tx, run_id: str) -> frozenset[str]:
    return frozenset(row[0] for row in tx.rows("SELECT client_id FROM @client_runs WHERE run_id = ?", (run_id,)))


def _overlap(new: Request, other: Request, planned: frozenset[str] | None) -> bool:
    """Could both work on the same client's operation? *planned*: the other's clients, where already read."""
    if not set(new.operations) & set(other.operations):
        return False
    theirs = planned if planned is not None else frozenset(other.clients)
    if new.clients and (planned is not None or theirs):
        return bool(theirs & set(new.clients))
    return new.stream is None or other.stream is None or new.stream == other.stream


def plan(tx: Tx, run_id: str, clients: Sequence[Client]) -> None:
    """Record which clients the run visits; from here on nobody reads the client list for it again."""
    row = tx.row("SELECT status, started_at FROM @runs WHERE run_id = ? @lock", (run_id,))
    if row is None or row[1] is not None or Status(row[0]).terminal:
        return
    tx.execute(
        "UPDATE @runs SET status = CASE WHEN status = 'queued' THEN 'running' ELSE status END, started_at = ?,"
        " version = version + 1 WHERE run_id = ?",
        (tx.stamp, run_id),
    )
    status = Status.PAUSED if row[0] == Status.PAUSED else Status.QUEUED
    tx.many(
        "INSERT INTO @client_runs (run_id, client_id, label, client_name, status, origin, position)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(*_named(run_id, each), status, Origin.PLANNED, position) for position, each in enumerate(clients)],
    )
    endings.close_run_if_done(tx, run_id)


def _named(run_id: str, client: Client) -> tuple[str, ...]:
    return run_id, client.client_id, runid.label(run_id, client.client_id), storable(client.name)
