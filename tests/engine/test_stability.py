"""F25: scores moved by 20 to 40 points with the batch mates. Here that is measured: the same leads among other mates,
nobody's score changed, every call in the books.
"""

import os
import random
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.house import RUBRIC, House
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.errors import BudgetExhausted, ProviderStop
from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Answer, Failure, Item, Judgement, Meter, Scorer
from tallybook.domain.rounds import plan
from tallybook.domain.rubric import Attribute
from tallybook.domain.run import Run, Status
from tallybook.engine.runner import Limits
from tallybook.engine.stability import Studied, Study, carry_out
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import calls, outcomes, runs, worklist
from tallybook.ledger.write import claims
from tallybook.report.stability import Stability, stability
from tallybook.scorers.keywords import KeywordScorer
from tallybook.scorers.scripted import ScriptedScorer
from tallybook.testing.model_server import ModelServer
from tests.stories.acting import books, count, done, furnished, texts, until
from tests.stories.asking import QUICK, agree, results, scorer_of

QUESTIONS = 10 + 2 + 2 + 1
"""Ten leads alone, in chunks of five, of five and of ten."""
PATIENT = replace(QUICK, request_timeout_s=60.0, deadline_s=120.0)
"""The first question of a process waits until a large library is imported."""


@pytest.fixture(autouse=True)
def acme(house: House) -> None:
    furnished(house, "acme", leads=10)


def study_of(house: House) -> Study:
    store = house.clients.store("acme")
    leads = [each.lead for each in store.leads()]
    rounds = plan(leads, chunk_size=5, rounds=4, draw=random.Random(1))
    return Study(house.clients.get("acme"), store.rubric().for_leads, rounds)


def studied(house: House, scorer: Scorer, limits: Limits | None = None) -> Studied:
    return carry_out(house.ledger, scorer, study_of(house), limits or Limits(), by="Ada")


def figures(house: House, found: Studied) -> Stability:
    return stability(RUBRIC.for_leads, study_of(house).rounds, found.heard)


def newest(house: House) -> Run:
    """The one run there is, its books in order and nothing of it open."""
    (known,) = read.list_runs(house.database)
    run = books(house, known.run_id)
    assert run.status.terminal
    assert run.clients[0].status.terminal
    assert run.clients[0].operations[0].status.terminal
    assert not run.unsettled
    return run


# -- what is found -----------------------------------------------------------------------------------------------------


def test_a_model_whose_scores_drift_with_the_chunk_mates_is_found_out(house: House) -> None:
    with ModelServer(drift=0.3) as server:
        found = studied(house, scorer_of(server, patience=PATIENT))
        run = newest(house)
        agree(house, run, server)
    told = figures(house, found)
    assert (told.leads, told.total.leads) == (10, 10)
    assert told.total.largest is not None
    assert told.total.largest > 5
    assert told.moved > 0
    assert (found.run_id, run.status, run.tally.calls) == (run.run_id, Status.COMPLETED, QUESTIONS)
    assert run.tally.cost_pico_usd > 0


def test_a_model_that_does_not_drift_has_no_spread(house: House) -> None:
    with ModelServer() as server:
        told = figures(house, studied(house, scorer_of(server, patience=PATIENT)))
    assert told.steady
    assert told.total.leads == 10


def test_the_keyword_scorer_has_no_spread_and_makes_no_run_and_no_call(house: House) -> None:
    """F25: the offline scorer's results do not depend on order or chunk mates."""
    found = studied(house, KeywordScorer())
    assert figures(house, found).steady
    assert found.run_id is None
    assert (count(house, runs), count(house, calls)) == (0, 0)


def test_the_scripted_scorer_has_no_spread_and_its_calls_are_in_the_books(house: House) -> None:
    scorer = ScriptedScorer(fail_every=3)
    told = figures(house, studied(house, scorer))
    assert told.steady
    failed = 10 - told.total.leads
    assert told.failures == {"ai_response_format": 4 * failed}
    run = newest(house)
    assert run.tally.calls == QUESTIONS
    assert run.tally.total_tokens == study_of(house).estimate(scorer).total_tokens == QUESTIONS * 500
    (note,) = texts(house, run.run_id, "note")
    assert note == "Stability of the scorer scripted: the same leads asked about in 4 rounds"


def test_nobodys_score_changes(house: House) -> None:
    done(house, scorer=KeywordScorer())
    before = house.clients.leads("acme")
    booked = (count(house, outcomes), count(house, worklist))
    with ModelServer(drift=0.3) as server:
        studied(house, scorer_of(server, patience=PATIENT))
    assert house.clients.leads("acme") == before
    assert (count(house, outcomes), count(house, worklist)) == booked


def test_no_more_is_asked_at_once_than_a_run_would_ask(house: House) -> None:
    with ModelServer(latency_s=0.02) as server:
        studied(house, scorer_of(server, patience=PATIENT), Limits(calls_at_once=3))
        assert server.most_at_once <= 3


# -- when it ends early ------------------------------------------------------------------------------------------------


def test_ctrl_c_closes_the_run_and_settles_the_calls_in_flight_as_canceled(house: House) -> None:
    """F40"""
    with ModelServer(latency_s=5.0) as server:
        presser = threading.Thread(target=press_ctrl_c_when, args=(lambda: len(server.log) >= 4,))
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            studied(house, scorer_of(server, patience=PATIENT), Limits(calls_at_once=4))
        presser.join()
        run = newest(house)
        agree(house, run, server)
    assert run.status is Status.CANCELED
    assert results(house, run.run_id) == ["canceled"] * 4


def press_ctrl_c_when(ready: Any) -> None:
    until(ready)
    os.kill(os.getpid(), signal.SIGINT)


def test_a_refused_key_ends_it_and_nobody_is_asked_in_vain(house: House) -> None:
    with ModelServer(accepted_key="another") as server:
        with pytest.raises(ProviderStop, match=r"Mend scorer\.api_key"):
            studied(house, scorer_of(server, patience=PATIENT), Limits(calls_at_once=1))
        run = newest(house)
        agree(house, run, server)
    assert run.status is Status.FAILED
    assert run.error is not None
    assert "Mend scorer.api_key" in run.error
    assert results(house, run.run_id) == ["auth"]


def test_a_budget_ends_it(house: House) -> None:
    enough_for_some = Limits(calls_at_once=1, budgets=Budgets(run=Ceiling(tokens=1_200)))
    with pytest.raises(BudgetExhausted, match="is used up"):
        studied(house, ScriptedScorer(), enough_for_some)
    run = newest(house)
    assert (run.status, run.tally.calls, run.tally.total_tokens) == (Status.FAILED, 2, 1_000)


class Odd(ScriptedScorer):
    """Leaves out a lead, gives up without an answer, or breaks, as it is told."""

    def __init__(self, trouble: Exception | None = None) -> None:
        super().__init__()
        self._trouble = trouble

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        answers = await super().judge(attributes, items, meter)
        if self._trouble is not None:
            raise self._trouble
        return {key: answer for key, answer in answers.items() if not key.endswith("3")}


def test_a_lead_that_an_answer_leaves_out_has_failed(house: House) -> None:
    """F26"""
    found = studied(house, Odd())
    (left_out,) = [key for key in found.heard[0] if key.endswith("3")]
    for heard in found.heard:
        answer = heard[left_out]
        assert isinstance(answer, Failure)
        assert answer.reason is FailReason.MISSING_FROM_ANSWER
        assert sum(isinstance(each, Judgement) for each in heard.values()) == 9


def test_a_scorer_that_gives_up_is_not_asked_on(house: House) -> None:
    stop = ProviderStop("the quota is used up", reason=FailReason.QUOTA, blocked_reason="provider_quota")
    with pytest.raises(ProviderStop, match="the quota is used up"):
        studied(house, Odd(stop), Limits(calls_at_once=2))
    assert newest(house).tally.calls == 2


def test_a_scorer_that_breaks_leaves_nothing_open(house: House) -> None:
    with pytest.raises(RuntimeError, match="boom"):
        studied(house, Odd(RuntimeError("boom")))
    run = newest(house)
    assert (run.status, run.error) == (Status.FAILED, "RuntimeError: boom")


class HourLater(ScriptedScorer):
    """Takes an hour for every question, and somebody looks for silent runs in the meantime."""

    def __init__(self, house: House, clock: "Clock") -> None:
        super().__init__()
        self._house = house
        self._clock = clock

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        self._clock.now += timedelta(hours=1)
        await self._house.ledger.wait(claims.lose_silent_runs)
        return await super().judge(attributes, items, meter)


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def test_one_that_takes_long_is_not_taken_for_lost(house: House) -> None:
    clock = Clock(datetime.now(UTC))
    later = House(Ledger(house.database, clock), house.clients)
    studied(later, HourLater(later, clock), Limits(calls_at_once=1))
    later.ledger.close()
    assert newest(house).status is Status.COMPLETED
