"""Runs that happened: written into the books as an engine would have, without one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.house import House
from tallybook.database import Tx, Writer
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.ports import Candidate
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Money, Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.write import calls, endings, progress, starts
from tallybook.ledger.write.starts import Request, Start

LEADS = 10


@dataclass(frozen=True)
class Past:
    """A run of lead_scoring over the clients of stream 1, begun on the instant its id names. The first client has the
    *failed* and *skipped* leads; *usage*: of one call for each client.
    """

    run_id: str
    failed: int = 0
    skipped: int = 0
    usage: Usage | None = None
    model: str = "google:gemini"

    @property
    def at(self) -> datetime:
        return datetime.strptime(f"20{self.run_id}", "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


PAST = (Past("261122-080000"), Past("261123-080000", failed=2, skipped=1))


def past(house: House, *runs: Past) -> None:
    for run in runs:
        clients = house.clients.of_stream(1, ())
        with at(house, run.at) as tx:
            run_id = starts.start(tx, Start(Request((OperationName.LEAD_SCORING,), stream=1))).run_id
            assert run_id == run.run_id
            starts.plan(tx, run_id, clients)
        with at(house, run.at + timedelta(minutes=2)) as tx:
            for number, client in enumerate(clients):
                _work(
                    tx,
                    ClientKey(run_id, client.client_id),
                    run if number == 0 else Past(run.run_id, usage=run.usage, model=run.model),
                )


def at(house: House, instant: datetime) -> "_At":
    return _At(house, instant)


class _At:
    """A transaction at an instant of choice."""

    def __init__(self, house: House, instant: datetime) -> None:
        self._writer = Writer(house.database, lambda: instant)
        self._transaction = self._writer.transaction()

    def __enter__(self) -> Tx:
        return self._transaction.__enter__()

    def __exit__(self, *error: object) -> None:
        self._transaction.__exit__(*error)  # type: ignore[arg-type]  # passed through
        self._writer.close()


def _work(tx: Tx, client: ClientKey, run: Past) -> None:
    key = OperationKey(*client, OperationName.LEAD_SCORING)
    progress.begin_client(tx, client, "slot-0")
    progress.open_operation(tx, key)
    leads = [Candidate(f"people.test/in/person-1-{number:06}", "same") for number in range(LEADS)]
    progress.freeze(tx, key, leads, [], whole=True)
    if run.usage is not None:
        calls.start_call(tx, calls.Call(f"{run.run_id}{client.client_id}", key, "google", run.model, 1, ""))
        calls.settle_call(tx, f"{run.run_id}{client.client_id}", "ok", run.usage)
    progress.record(tx, key, list(_outcomes(run)), saved=True)
    endings.close_operation(tx, key)
    endings.close_client(tx, client)


def _outcomes(run: Past) -> Iterator[Outcome]:
    facts = {"input_hash": "same", "versions": Versions(rubric="r1")}
    for number in range(LEADS):
        lead_id = f"people.test/in/person-1-{number:06}"
        if number < run.failed:
            yield Outcome.failed(lead_id, FailReason.OUTPUT_TRUNCATED, **facts)
        elif number < run.failed + run.skipped:
            yield Outcome.skipped(lead_id, SkipReason.INSUFFICIENT_PROFILE, **facts)
        else:
            yield Outcome(lead_id, Kind.SCORED, score=50.0, input_hash="same", versions=Versions(rubric="r1"))


PRICED = Usage(1_000, 100, 200, Money.usd("0.0123"))
