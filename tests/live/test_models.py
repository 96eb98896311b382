"""Real providers, with real keys and for real money (a fraction of a cent): `./dev test -m live tests/live`.

TALLYBOOK_LIVE_GOOGLE, TALLYBOOK_LIVE_OPENAI, TALLYBOOK_LIVE_ANTHROPIC: each `MODEL KEY`. What is not set is skipped.
"""

import os

import pytest

from benchmarks.house import House
from tallybook.domain.run import Status
from tallybook.ledger import read
from tallybook.scorers.attempts import Patience
from tallybook.scorers.model import ModelScorer, Named
from tests.stories.acting import at_work, done, started, until
from tests.stories.asking import PROVIDERS, calls_of, furnished_with, leads

pytestmark = pytest.mark.live


@pytest.fixture(params=PROVIDERS)
def named(request: pytest.FixtureRequest) -> Named:
    variable = f"TALLYBOOK_LIVE_{request.param.upper()}"
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set")
    model, _, key = os.environ[variable].partition(" ")
    return Named(request.param, model, key)


def test_leads_are_scored_and_every_call_is_measured_and_priced(sqlite_house: House, named: Named) -> None:
    furnished_with(sqlite_house, leads(5))
    run = done(sqlite_house, scorer=ModelScorer(named, Patience()))
    assert run.tally.scored == 5
    assert all(call.measured and call.cost_pico_usd for call in calls_of(sqlite_house, run.run_id))
    told = read.why(sqlite_house.database, "acme", leads(1)[0].lead_id)[0].outcome
    assert told.assessment
    assert told.breakdown


def test_a_wrong_key_pauses_the_run_and_says_what_to_mend(sqlite_house: House, named: Named) -> None:
    furnished_with(sqlite_house, leads(10))
    wrong = Named(named.provider, named.model, "no-key-at-all")
    with at_work(sqlite_house, ModelScorer(wrong, Patience())) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
    assert read.run(sqlite_house.database, run_id).blocked_reason == "auth"


def test_a_model_that_does_not_exist_pauses_the_run(sqlite_house: House, named: Named) -> None:
    furnished_with(sqlite_house, leads(5))
    wrong = Named(named.provider, "no-such-model-1", named.api_key)
    with at_work(sqlite_house, ModelScorer(wrong, Patience())) as engine:
        run_id = started(sqlite_house, engine=engine)
        until(lambda: read.run(sqlite_house.database, run_id).status is Status.PAUSED, "a pause")
    assert read.run(sqlite_house.database, run_id).blocked_reason == "model_config"
