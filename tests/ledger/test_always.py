"""Whatever is done to the books in whatever order, the rules of design.md hold after every step."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain.budget import Budgets, Ceiling, Per
from tallybook.domain.errors import TallybookError
from tallybook.domain.fields import read_fields
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason
from tallybook.domain.run import OperationName, Run, Status, Stop
from tallybook.domain.tally import Estimate, Money, Tally, Usage
from tallybook.ledger import read
from tallybook.ledger.audit import audit
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import budgets, calls, claims, dispatch, endings, progress, reported, starts, stops
from tests.ledger.scenes import Clock, asked, clients, due

CLIENTS = st.sampled_from(("acme", "b'%s?"))
OPERATIONS = st.sampled_from(list(OperationName)[:2])
LEADS = st.lists(st.sampled_from("wxyz"), max_size=4)
DUE = st.lists(st.sampled_from("wxyz"), max_size=4, unique=True).map(lambda few: few if len(few) < 2 else list("wxyz"))
REASONS: dict[Kind, SkipReason | FailReason] = {Kind.SKIPPED: SkipReason.NO_POSTS, Kind.FAILED: FailReason.QUOTA}
ENDED = st.none() | st.sampled_from([each for each in Status if each.terminal])
TOKENS = st.none() | st.integers(0, 9)
HOURS = st.none() | st.integers(0, 30)
HOLDING = Budgets(day=Ceiling(20, Money(20)), run=Ceiling(30))
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS, st.none() | st.integers(0, 9).map(Money))


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    def outcome(lead: str) -> Outcome:
        kind = draw(st.sampled_from(Kind))
        return Outcome(lead, kind, REASONS.get(kind), posts=draw(st.integers(0, 3)))

    return [outcome(lead) for lead in draw(LEADS)]


class Books(RuleBasedStateMachine):
    """Every verb of the ledger, with everybody doing everything at the wrong moment too."""

    template: Path
    runs = Bundle("runs")
    started_calls = Bundle("started_calls")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=self.template.parent))
        shutil.copy(self.template, self.folder / "books.db")
        self.clock = Clock()
        self.ledger = Ledger(Database(f"sqlite:///{self.folder}/books.db"), self.clock)
        self.call_ids = 0
        self.ended: dict[tuple[str, ...], str] = {}
        self.known: list[Run] | None = None

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)

    def do(self, verb: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        """Refusals are right answers here."""
        self.known = None
        with suppress(TallybookError):
            return self.ledger.do(verb, *arguments, **more)

    # Runs of our engine

    @rule(target=runs, only=st.lists(CLIENTS), stream=st.sampled_from([None, 1, 2]), behind=st.booleans())
    def start(self, only: list[str], stream: int | None, behind: bool) -> Any:
        self.clock.pass_by(seconds=1)
        found = self.do(starts.start, asked(*only, stream=stream, queue_behind=behind))
        return found.run_id if found else multiple()

    @rule(target=runs, only=st.lists(CLIENTS, min_size=1, unique=True))
    def start_planned(self, only: list[str]) -> str:
        self.clock.pass_by(seconds=1)
        run_id: str = self.do(starts.start, asked(*only, queue_behind=True)).run_id
        self.do(starts.plan, run_id, clients(*only))
        return run_id

    @rule(run=runs, only=st.lists(CLIENTS))
    def plan(self, run: str, only: list[str]) -> None:
        self.do(starts.plan, run, clients(*only))

    @rule(again=st.integers(1, 3))
    def dispatch(self, again: int) -> None:
        for ticket in self.do(dispatch.dispatch, again):
            if ticket.position % 2:
                self.do(dispatch.reissue, ticket)

    @rule(run=runs, client=CLIENTS, worker=st.sampled_from(["w1", "w2"]))
    def begin(self, run: str, client: str, worker: str) -> None:
        self.do(progress.begin_client, ClientKey(run, client), worker)

    @rule(run=runs, client=CLIENTS, worker=st.sampled_from(["w1", "w2"]))
    def hand_back(self, run: str, client: str, worker: str) -> None:
        self.do(dispatch.hand_back, ClientKey(run, client), worker)

    @rule(run=runs, client=CLIENTS, operation=OPERATIONS, leads=DUE, whole=st.booleans(), given_up=st.booleans())
    def freeze(  # noqa: PLR0917 -- hypothesis fills them in by name
        self, run: str, client: str, operation: OperationName, leads: list[str], whole: bool, given_up: bool
    ) -> None:
        key = OperationKey(run, client, operation)
        self.do(progress.open_operation, key)
        gone = [Outcome.skipped(lead, SkipReason.GAVE_UP) for lead in leads[:1] if given_up]
        self.do(progress.freeze, key, due(*leads), gone, whole=whole)

    @rule(run=runs, client=CLIENTS, operation=OPERATIONS, results=outcomes(), saved=st.booleans())
    def record(self, run: str, client: str, operation: OperationName, results: list[Outcome], saved: bool) -> None:
        key = OperationKey(run, client, operation)
        self.do(progress.record, key, results)
        if saved:
            self.do(progress.mark_saved, key, [each.lead_id for each in results])

    @rule(run=runs, client=CLIENTS, operation=OPERATIONS, errors=st.integers(0, 1))
    def close_operation(self, run: str, client: str, operation: OperationName, errors: int) -> None:
        self.do(endings.close_operation, OperationKey(run, client, operation), errors=errors)

    @rule(run=runs, client=CLIENTS, error=st.none() | st.just("broke"))
    def close_client(self, run: str, client: str, error: str | None) -> None:
        self.do(endings.close_client, ClientKey(run, client), error=error)

    # Calls

    @rule(target=started_calls, run=runs, client=CLIENTS, operation=OPERATIONS)
    def start_call(self, run: str, client: str, operation: OperationName) -> str:
        self.call_ids += 1
        call_id = f"c{self.call_ids}"
        self.do(calls.start_call, calls.Call(call_id, OperationKey(run, client, operation), "p", "m"))
        return call_id

    @rule(call_id=started_calls, usage=USAGES, result=st.sampled_from(["ok", "lost", "quota"]))
    def settle_call(self, call_id: str, usage: Usage, result: str) -> None:
        self.do(calls.settle_call, call_id, result, usage)

    @rule(target=started_calls, run=runs, client=CLIENTS, operation=OPERATIONS, tokens=st.integers(0, 9))
    def start_within(self, run: str, client: str, operation: OperationName, tokens: int) -> str:
        self.call_ids += 1
        call = calls.Call(f"c{self.call_ids}", OperationKey(run, client, operation), "p", "m")
        self.do(budgets.start_within, call, Estimate(1, tokens), HOLDING)
        return call.call_id

    @rule(call_id=started_calls, usage=USAGES, refused=st.booleans())
    def settle_reserved(self, call_id: str, usage: Usage, refused: bool) -> None:
        self.do(budgets.settle_reserved, call_id, "ok", usage, refused=refused)

    @rule(call_id=consumes(started_calls), run=runs, client=CLIENTS, operation=OPERATIONS, usage=USAGES)
    def record_call(self, call_id: str, run: str, client: str, operation: OperationName, usage: Usage) -> None:
        self.do(calls.record_call, calls.Call(call_id, OperationKey(run, client, operation), "p", "m"), "ok", usage)

    # Stops

    @rule(run=runs, stop=st.sampled_from(Stop), hours=HOURS)
    def stop_run(self, run: str, stop: Stop, hours: int | None) -> None:
        self.do(stops.stop_run, run, stop, f"told {stop}", wake_at=self.after(hours))

    @rule(run=runs, client=CLIENTS, stop=st.sampled_from(Stop), hours=HOURS)
    def stop_client(self, run: str, client: str, stop: Stop, hours: int | None) -> None:
        self.do(stops.stop_client, ClientKey(run, client), stop, f"told {stop}", wake_at=self.after(hours))

    def after(self, hours: int | None) -> datetime | None:
        return None if hours is None else self.clock.now + timedelta(hours=hours)

    @rule(amount=st.integers(0, 9))
    def wake(self, amount: int) -> None:
        self.do(budgets.set_budget, "acme", Per.MONTH, Ceiling(amount))
        self.do(stops.wake_due)

    @rule(run=runs)
    def resume(self, run: str) -> None:
        self.do(stops.resume_run, run)

    @rule(run=runs)
    def expire(self, run: str) -> None:
        self.do(stops.expire_pause, run)

    # Runs that other programs drive

    @rule(target=runs, number=st.integers(0, 2))
    def report_run(self, number: int) -> Any:
        return self.do(claims.create_run, f"261123-11000{number}", claims.Job())

    @rule(run=runs, client=CLIENTS)
    def report_client(self, run: str, client: str) -> None:
        self.do(claims.create_client, ClientKey(run, client), None)

    @rule(
        run=runs, client=CLIENTS, name=st.sampled_from(["profiles_scored", "errors", "posts_scored", "notes", "error"])
    )
    def claim(self, run: str, client: str, name: str) -> None:
        self.do(reported.claim, ClientKey(run, client), read_fields({name: 3}))

    @rule(run=runs, client=CLIENTS | st.just(""), status=st.sampled_from(Status))
    def claim_status(self, run: str, client: str, status: Status) -> None:
        self.do(reported.set_status, ClientKey(run, client), status)

    @rule(run=runs, client=CLIENTS, operation=OPERATIONS, results=outcomes())
    def report_outcomes(self, run: str, client: str, operation: OperationName, results: list[Outcome]) -> None:
        for each in results:
            self.do(claims.record_outcome, OperationKey(run, client, operation), each)

    @rule(run=runs, client=CLIENTS, claimed=ENDED)
    def complete_client(self, run: str, client: str, claimed: Status | None) -> None:
        self.do(claims.complete_client, ClientKey(run, client), claimed)

    @rule(run=runs, claimed=ENDED)
    def complete_run(self, run: str, claimed: Status | None) -> None:
        self.do(claims.complete_run, run, claimed)

    @rule(hours=st.sampled_from([1, 3, 7]))
    def wait(self, hours: int) -> None:
        self.clock.pass_by(hours=hours)
        self.do(claims.lose_silent_runs)

    # What must hold

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert audit(self.ledger.database).differences == ()

    @invariant()
    def every_lead_is_done_or_pending_and_parents_end_last(self) -> None:
        """F01, F08, F15, F36"""
        for run in self.all_runs():
            for client in run.clients:
                for operation in client.operations:
                    check_figures(operation.tally)
                    self.check_status((run.run_id, client.client_id, operation.operation), operation.status)
                    assert operation.status.terminal or not client.status.terminal
                self.check_status((run.run_id, client.client_id), client.status)
                assert client.status.terminal or not run.status.terminal
            self.check_status((run.run_id,), run.status)
            check_figures(run.tally)

    @invariant()
    def a_paused_run_says_what_it_waits_for(self) -> None:
        for run in self.all_runs():
            assert run.status is not Status.PAUSED or run.blocked_reason or not run.planned

    @invariant()
    def only_what_is_paused_waits_to_be_woken(self) -> None:
        for run in self.all_runs():
            assert run.wake_at is None or run.stop is Stop.PAUSE
            waiting = [each for each in run.clients if run.planned and each.wake_at is not None]
            assert all(each.status is Status.PAUSED for each in waiting)

    @invariant()
    def a_client_is_worked_on_by_one_run_at_a_time(self) -> None:
        """F14"""
        worked_on = [
            client.client_id
            for run in self.all_runs()
            for client in run.clients
            if run.planned and client.status is Status.RUNNING
        ]
        assert len(set(worked_on)) == len(worked_on)

    def all_runs(self) -> list[Run]:
        """As they are since the last verb: read once for all that must hold."""
        if self.known is None:
            listed = read.list_runs(self.ledger.database)
            self.known = [read.run(self.ledger.database, seen.run_id) for seen in listed]
        return self.known

    def check_status(self, key: tuple[str, ...], status: Status) -> None:
        """Terminal never changes (F31)."""
        assert self.ended.get(key, status) == status, f"{key} was {self.ended[key]} and is {status}"
        if status.terminal:
            self.ended[key] = status


def check_figures(tally: Tally) -> None:
    assert tally.found == tally.scored + tally.harvested + tally.skipped + tally.failed + tally.pending
    assert tally.pending >= 0
    assert tally.success_rate is None or 0 <= tally.success_rate <= 1


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A SQLite file with all tables; each example begins with a copy."""
    database = Database(f"sqlite:///{tmp_path}/template.db")
    migrations.ensure(database)
    database.close()
    return tmp_path / "template.db"


def test_the_rules_hold_whatever_is_done_in_whatever_order(template: Path) -> None:
    """F01, F08, F14, F15, F31, F36, F37"""
    from hypothesis.stateful import run_state_machine_as_test

    Books.template = template
    examples = settings().max_examples // 2
    run_state_machine_as_test(Books, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None))
