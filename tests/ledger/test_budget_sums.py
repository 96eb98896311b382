"""What is used of a window is what its calls used, whenever their operation runs began, ended or were heard of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.database import stamp
from tallybook.domain.budget import Budgets, Ceiling, Per, window_start
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Estimate, Money, Usage
from tallybook.ledger import spending
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.spending import Amount, Used
from tallybook.ledger.tables import calls, reservations
from tallybook.ledger.write import budgets, endings, progress, starts
from tallybook.ledger.write.calls import Call, record_call
from tests.ledger.scenes import Clock, asked, clients

PLENTY = Budgets(Ceiling(10**9, Money.usd(10**5)))
SEVERAL_EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120)
LAST_EVENING = datetime(2026, 11, 30, 22, tzinfo=UTC)
numbers = count()

TOKENS = st.none() | st.integers(0, 9)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, st.none() | st.integers(0, 9).map(Money))
WHICH = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([1, 100, 3600, 7200, 86_400])),
    st.tuples(st.just("open"), WHICH),
    st.tuples(st.just("close"), WHICH),
    st.tuples(st.just("start"), WHICH, st.integers(1, 9)),
    st.tuples(st.just("settle"), WHICH, USAGES, st.booleans()),
    st.tuples(st.just("record"), WHICH, USAGES),
)


@dataclass
class Story:
    """One client in two runs, of two operations each, in any order of events."""

    ledger: Ledger
    clock: Clock
    client_id: str
    keys: list[OperationKey] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)
    instants: list[datetime] = field(default_factory=list)

    def begin(self) -> None:
        for _run in range(2):
            run_id = self.ledger.do(starts.start, asked(self.client_id, queue_behind=True)).run_id
            self.ledger.do(starts.plan, run_id, clients(self.client_id))
            self.keys += [OperationKey(run_id, self.client_id, name) for name in list(OperationName)[:2]]

    def pass_(self, seconds: int) -> None:
        self.clock.pass_by(seconds=seconds)
        self.instants.append(self.clock.now)

    def open(self, which: int) -> None:
        self.ledger.do(progress.open_operation, self.keys[which])

    def close(self, which: int) -> None:
        self.ledger.do(endings.close_operation, self.keys[which])

    def start(self, which: int, tokens: int) -> None:
        self.open(which)
        call = self.call(which)
        self.call_ids.append(call.call_id)
        self.ledger.do(budgets.start_within, call, Estimate(1, tokens, 0, Money(tokens)), PLENTY)

    def settle(self, which: int, usage: Usage, refused: bool) -> None:
        for call_id in self.call_ids[which : which + 1]:
            self.ledger.do(budgets.settle_reserved, call_id, "ok", usage, refused=refused)

    def record(self, which: int, usage: Usage) -> None:
        self.open(which)
        self.ledger.do(record_call, self.call(which), "ok", usage)

    def call(self, which: int) -> Call:
        return Call(f"c{next(numbers)}", self.keys[which], "p", "m")

    def told(self, since: datetime) -> Used:
        return self.ledger.do(
            lambda tx: spending.of_client(tx.rows, self.client_id, since, self.clock.now + timedelta(days=1))
        )

    def counted(self, since: datetime) -> Used:
        """Row by row."""
        used = [calls.c.input_tokens, calls.c.output_tokens, calls.c.cost_pico_usd]
        of_calls = sa.select(*used).where(calls.c.client_id == self.client_id, calls.c.started_at >= stamp(since))
        aside = sa.select(reservations.c.tokens, reservations.c.cost_pico_usd).where(
            reservations.c.client_id == self.client_id, reservations.c.at >= stamp(since)
        )
        with self.ledger.database.reading() as connection:
            spent = sum(
                (Amount((row[0] or 0) + (row[1] or 0), row[2] or 0) for row in connection.execute(of_calls)), Amount()
            )
            kept = sum((Amount(row[0], row[1]) for row in connection.execute(aside)), Amount())
        return Used(spent, kept)


@SEVERAL_EXAMPLES
@given(steps=st.lists(STEPS, max_size=30))
def test_what_is_used_since_an_instant_is_what_the_calls_used_that_began_since(
    books: Ledger, clock: Clock, steps: Sequence[tuple[object, ...]]
) -> None:
    """F07, F37"""
    number = next(numbers)
    clock.now = LAST_EVENING + timedelta(seconds=number)
    story = Story(books, clock, f"client {number}")
    story.begin()
    for name, *arguments in steps:
        getattr(story, "pass_" if name == "pass" else str(name))(*arguments)
    windows = [window_start(per, clock.now) for per in (Per.DAY, Per.MONTH)]
    for since in (*windows, *story.instants):
        assert story.told(since) == story.counted(since)
    assert audit(books.database).differences == ()
