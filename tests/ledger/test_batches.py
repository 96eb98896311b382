"""Rows that come in batches: the books are the same as if each had come alone."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.house import House
from tallybook.database import Database
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason
from tallybook.domain.run import Status
from tallybook.domain.runid import timestamp_id
from tallybook.domain.tally import Money, Usage
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import calls, claims
from tests.ledger.scenes import LEAD_SCORING, POST_SCORING

_numbers = count()
outcomes = st.builds(
    lambda lead, said, posts: Outcome(lead, said[0], said[1], posts=posts),
    st.sampled_from(["l1", "l2", "l3", "l4"]),
    st.sampled_from(
        [
            (Kind.SCORED, None),
            (Kind.SKIPPED, SkipReason.NO_POSTS),
            (Kind.FAILED, FailReason.TIMEOUT),
            (Kind.FAILED, FailReason.QUOTA),
        ]
    ),
    st.integers(0, 3),
)
batches = st.lists(st.lists(outcomes, min_size=1, max_size=6), min_size=1, max_size=4)


def new_client(ledger: Ledger) -> ClientKey:
    run_id = timestamp_id(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_numbers)))
    ledger.do(claims.create_run, run_id, claims.Job())
    key = ClientKey(run_id, "acme")
    ledger.do(claims.create_client, key, None)
    return key


def told(database: Database, key: ClientKey) -> object:
    """What there is of its rows but the times, and how often something was told to followers."""
    statements = [
        "SELECT lead_id, position, input_hash FROM @worklist WHERE run_id = ? ORDER BY position, lead_id",
        "SELECT lead_id, kind, reason, posts, late FROM @outcomes WHERE run_id = ? ORDER BY lead_id",
        "SELECT found, scored, skipped, failed, posts, status, basis FROM @operation_runs WHERE run_id = ?",
        "SELECT kind, text FROM @events WHERE run_id = ? AND kind = 'outcome_too_late' ORDER BY text",
    ]
    with database.writing() as tx:
        return [tx.rows(each, (key.run_id,)) for each in statements]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=batches, ends_after=st.none() | st.integers(0, 3))
def test_a_batch_of_outcomes_is_the_same_as_each_alone(
    sqlite_house: House, batches: Sequence[Sequence[Outcome]], ends_after: int | None
) -> None:
    """Also after the end, when what comes too late is noted."""
    ledger = sqlite_house.ledger
    together, alone = new_client(ledger), new_client(ledger)
    for number, batch in enumerate(batches):
        for key in (together, alone) if number == ends_after else ():
            ledger.do(claims.complete_client, key, Status.COMPLETED)
        new = ledger.do(claims.record_outcomes, OperationKey(*together, LEAD_SCORING), batch)
        ones = {
            each.lead_id for each in batch if ledger.do(claims.record_outcome, OperationKey(*alone, LEAD_SCORING), each)
        }
        assert new == ones
    assert told(sqlite_house.database, together) == told(sqlite_house.database, alone)
    assert audit(sqlite_house.database, together.run_id).differences == ()


def test_batches_are_exact_on_both_databases(ledger: Ledger) -> None:
    key = new_client(ledger)
    scoring = OperationKey(*key, LEAD_SCORING)
    first = [Outcome(f"lead {n}", Kind.SCORED, score=n % 100) for n in range(1000)]
    assert len(ledger.do(claims.record_outcomes, scoring, first)) == 1000
    again = [*first[::2], Outcome("another", Kind.SCORED), Outcome("lead 0", Kind.FAILED, FailReason.TIMEOUT)]
    assert ledger.do(claims.record_outcomes, scoring, again) == {"another"}
    usage = Usage(10, 0, 1, Money.usd("0.001"))
    paid = [
        (calls.Call(f"call {n % 7}", OperationKey(*key, operation), "p", "m"), "ok", usage)
        for n, operation in enumerate([LEAD_SCORING, POST_SCORING] * 5)
    ]
    assert ledger.do(claims.record_calls, key, paid) == {f"call {n}" for n in range(7)}
    assert ledger.do(claims.record_calls, key, paid) == frozenset()
    assert audit(ledger.database).differences == ()
