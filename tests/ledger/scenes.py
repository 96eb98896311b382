"""Short ways to bring the books into a state."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tallybook.domain.client import Client
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName, Run
from tallybook.domain.tally import Money, Usage
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, claims, endings, progress, starts

LEAD_SCORING, POST_HARVESTING, POST_SCORING = OperationName
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ODD_IDS = ("O'Neil", 'say "hi"', "a/b\\c {x}", "-", "a--b", "C1-S1", "👩\u200d🚀 Ltd", "日本", "%s ? @runs", "x" * 200)
"""Client ids as people write them; none may break a label, a filter or a statement (F16)."""
USED = Usage(1000, 200, 100, Money.usd("0.0123"))


@dataclass
class Clock:
    """Stands still until it is told to move."""

    now: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **amount: float) -> None:
        self.now += timedelta(**amount)


def asked(
    *clients: str,
    operations: Sequence[OperationName] = (LEAD_SCORING,),
    stream: int | None = 1,
    limit: int | None = None,
    key: str | None = None,
    queue_behind: bool = False,
    by: str = "Ada",
    scope: str = "cli",
) -> starts.Start:
    request = starts.Request(tuple(operations), stream, tuple(clients), limit)
    return starts.Start(request, starts.Caller(scope, by), key, queue_behind)


def clients(*client_ids: str) -> list[Client]:
    return [Client(each, each.title()) for each in client_ids]


def planned(ledger: Ledger, *client_ids: str, start: starts.Start | None = None) -> str:
    """A run of our engine whose clients are known and wait."""
    run_id = ledger.do(starts.start, start or asked(*client_ids)).run_id
    ledger.do(starts.plan, run_id, clients(*client_ids))
    return run_id


def begun(ledger: Ledger, run_id: str, client_id: str, worker: str = "w1") -> ClientKey:
    key = ClientKey(run_id, client_id)
    assert ledger.do(progress.begin_client, key, worker).go
    return key


def working(ledger: Ledger, leads: Iterable[str], client_id: str = "acme") -> OperationKey:
    """One client of a new run, begun, its lead scoring frozen over *leads*."""
    run_id = planned(ledger, client_id)
    return frozen(ledger, begun(ledger, run_id, client_id), leads)


def frozen(
    ledger: Ledger, client: ClientKey, leads: Iterable[str], operation: OperationName = LEAD_SCORING
) -> OperationKey:
    key = OperationKey(*client, operation)
    ledger.do(progress.open_operation, key)
    ledger.do(progress.freeze, key, due(*leads), [], whole=True)
    return key


def due(*leads: str) -> list[Candidate]:
    return [Candidate(each, f"hash of {each}"[:40]) for each in leads]


def client_of(key: OperationKey) -> ClientKey:
    return ClientKey(key.run_id, key.client_id)


def scored(*leads: str, **facts: object) -> list[Outcome]:
    return [Outcome(each, Kind.SCORED, score=50.0, **facts) for each in leads]  # type: ignore[arg-type]  # see Outcome


def skipped(*leads: str) -> list[Outcome]:
    return [Outcome.skipped(each, SkipReason.NO_CONTENT) for each in leads]


def failed(*leads: str) -> list[Outcome]:
    return [Outcome.failed(each, FailReason.TIMEOUT) for each in leads]


def recorded(ledger: Ledger, key: OperationKey, *outcomes: Outcome) -> None:
    """Recorded and saved."""
    ledger.do(progress.record, key, outcomes)
    ledger.do(progress.mark_saved, key, [each.lead_id for each in outcomes])


def closed(ledger: Ledger, key: OperationKey) -> None:
    """The operation run and its client run."""
    ledger.do(endings.close_operation, key)
    ledger.do(endings.close_client, client_of(key))


def called(ledger: Ledger, key: OperationKey, call_id: str, usage: Usage | None = USED) -> None:
    """A call that was made; *usage* None: nobody answered for it."""
    ledger.do(calls.start_call, calls.Call(call_id, key, "google", "gemini"))
    if usage is not None:
        ledger.do(calls.settle_call, call_id, "ok", usage)


def reported(ledger: Ledger, *client_ids: str, run_id: str = "261123-120000") -> str:
    """A run that another program drives, with its client runs."""
    ledger.do(claims.create_run, run_id, claims.Job())
    for each in client_ids:
        ledger.do(claims.create_client, ClientKey(run_id, each), None)
    return run_id


def told(ledger: Ledger, run_id: str) -> Run:
    """The run as the books tell it; they are in order."""
    differences = audit(ledger.database).differences
    assert not differences, differences
    return read.run(ledger.database, run_id)


def texts(ledger: Ledger, run_id: str, kind: str) -> list[str]:
    return [each.text for each in read.events_of(ledger.database, run_id) if each.kind == kind]
