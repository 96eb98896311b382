"""Which leads are due, run after run; and that neither memory nor results depend on how they are cut up."""

from collections.abc import Mapping, Sequence

import pytest

from benchmarks.house import RUBRIC, House, open_house
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import FailReason
from tallybook.domain.ports import Answer, Failure, Item, Job, Meter, Scorer, Worked
from tallybook.domain.rubric import Attribute, Category, Rubric
from tallybook.domain.run import Status
from tallybook.domain.tally import Estimate
from tallybook.engine import pages, worklist
from tallybook.engine.runner import Limits
from tallybook.ledger import read
from tallybook.ledger.tables import calls, outcomes
from tallybook.operations.lead_scoring import LeadScoring
from tallybook.scorers.keywords import KeywordScorer
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import (
    LEAD_SCORING,
    TroubledClients,
    asked,
    at_work,
    calling,
    count,
    done,
    ended,
    furnished,
    kinds,
    started,
)

OTHER_RUBRIC = Rubric((Attribute("other", "Something else", Category.POSITIVE, 10),))


class Failing:
    """A `Scorer` that fails every lead."""

    model = "failing"
    prompt_version = None

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        return {item.key: Failure(FailReason.UNAVAILABLE) for item in items}

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        return Estimate()


def test_a_failed_lead_is_due_three_times_then_given_up_once_without_a_call(house: House) -> None:
    """F28: an attempt is not a result. Due again when its input or the rubric changes."""
    furnished(house, "acme", leads=2)
    failing = ScriptedScorer(fail_every=1)
    with at_work(house, failing) as engine:

        def run() -> tuple[str, int, int, int]:
            tally = ended(house, started(house, engine=engine)).tally
            return f"found {tally.found}", tally.failed, tally.skipped, tally.calls

        for _ in range(3):
            assert run() == ("found 2", 2, 0, 1)
        assert run() == ("found 2", 0, 2, 0)
        assert run() == ("found 0", 0, 0, 0)
        house.clients.put_leads("acme", [Lead("people.test/in/person-1-000001", headline="Changed")])
        assert run() == ("found 1", 1, 0, 1)
        house.clients.put_rubric("acme", OTHER_RUBRIC)
        assert run() == ("found 2", 2, 0, 1)
    told = {each.outcome.reason for each in read.why(house.database, "acme", "people.test/in/person-1-000000")}
    assert "gave_up" in told


def test_an_operation_that_breaks_every_time_is_given_up_too(sqlite_house: House) -> None:
    """F28: a lead that breaks our own code is no reason to try for ever."""

    class Broken(LeadScoring):
        async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
            raise RuntimeError("broken")

    furnished(sqlite_house, "acme", leads=1)
    with at_work(sqlite_house, operations={LEAD_SCORING: Broken(Failing())}) as engine:
        told = [list(kinds(sqlite_house, ended(sqlite_house, started(sqlite_house, engine=engine)).run_id).values())]
        for _ in range(4):
            run = ended(sqlite_house, started(sqlite_house, engine=engine))
            told.append(list(kinds(sqlite_house, run.run_id).values()))
    assert told == [["failed(unknown)"]] * 3 + [["skipped(gave_up)"], []]


def test_a_skipped_lead_is_due_again_only_when_its_input_or_the_rubric_changed(house: House) -> None:
    furnished(house, "acme", leads=0)
    house.clients.put_leads("acme", [Lead("x.test/thin"), Lead("x.test/bare")])
    with at_work(house) as engine:

        def found() -> int:
            return ended(house, started(house, engine=engine)).tally.found

        assert [found(), found()] == [2, 0]
        house.clients.put_leads("acme", [Lead("x.test/thin", about="Still thin")])
        assert [found(), found()] == [1, 0]
        house.clients.put_rubric("acme", OTHER_RUBRIC)
        assert [found(), found()] == [2, 0]
        house.clients.put_leads("acme", [Lead("x.test/bare", headline="Owner")])
        assert [found(), found()] == [1, 0]


def test_a_scored_lead_is_not_due_and_one_added_later_belongs_to_the_next_run(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", leads=5)
    with at_work(sqlite_house) as engine:
        assert ended(sqlite_house, started(sqlite_house, engine=engine)).tally.found == 5
        furnished(sqlite_house, "acme", leads=8)
        assert ended(sqlite_house, started(sqlite_house, engine=engine)).tally.found == 3


def test_a_store_is_never_asked_for_more_than_a_page_and_two_are_in_memory(
    sqlite_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F22."""
    monkeypatch.setattr(worklist, "FREEZE_AT_ONCE", 300)
    loaded: list[str] = []
    most = 0

    def note(what: str) -> None:
        nonlocal most
        if what in ("load", "save"):
            loaded.append(what)
            most = max(most, loaded.count("load") - loaded.count("save"))

    furnished(sqlite_house, "acme", leads=1050)
    clients = TroubledClients(sqlite_house.clients, note)
    run = done(sqlite_house, clients=clients)
    assert run.tally.scored == 1050
    assert {limit for what, limit in clients.asked if what == "candidates"} == {300}
    assert max(size for what, size in clients.asked if what == "load") == pages.PAGE == 100
    assert most == 2


def scores(house: House) -> Mapping[str, object]:
    return {each.lead.lead_id: each.score for each in house.clients.leads("acme", limit=10_000)}


@pytest.mark.parametrize("scorer", [KeywordScorer(), ScriptedScorer(fail_every=11)], ids=["keywords", "scripted"])
def test_scores_depend_neither_on_chunks_nor_on_order(tmp_path_factory: pytest.TempPathFactory, scorer: Scorer) -> None:
    """F25."""
    told = []
    for chunk_size, calls_at_once in ((1, 16), (5, 3), (50, 1)):
        house = open_house(f"sqlite:///{tmp_path_factory.mktemp('house')}/tallybook.db")
        furnished(house, "acme", leads=125)
        house.clients.put_leads("acme", [Lead(f"x.test/{n}", headline=f"Agency for a clinic {n}") for n in range(5)])
        run = done(house, scorer=scorer, limits=Limits(chunk_size=chunk_size, calls_at_once=calls_at_once))
        told.append((scores(house), kinds(house, run.run_id)))
        house.close()
    assert told[0] == told[1] == told[2]
    assert len(set(told[0][0].values())) > 1


def test_a_pause_in_the_middle_changes_no_result(sqlite_house: House) -> None:
    """F25: nor is any lead asked about again that was recorded."""
    furnished(sqlite_house, "acme", leads=60)
    scorer = ScriptedScorer(latency_ms=20)
    with at_work(sqlite_house, scorer, limits=Limits(calls_at_once=2)) as engine:
        run_id = started(sqlite_house, asked(limit=50), engine)
        calling(sqlite_house, run_id)
    with at_work(sqlite_house, scorer) as engine:
        run = ended(sqlite_house, run_id)
        rest = ended(sqlite_house, started(sqlite_house, engine=engine))
    assert (run.status, run.tally.scored, rest.tally.scored) == (Status.COMPLETED, 50, 10)
    cut_short = count(sqlite_house, calls, calls.c.run_id == run_id, calls.c.result != "ok")
    assert run.tally.calls == 10 + cut_short
    assert count(sqlite_house, outcomes) == 60


def test_the_rubric_of_the_house_is_what_judges(sqlite_house: House) -> None:
    furnished(sqlite_house, "acme", leads=3)
    done(sqlite_house, scorer=KeywordScorer())
    told = read.why(sqlite_house.database, "acme", "people.test/in/person-1-000000")[0].outcome
    assert set(told.breakdown or {}) == {each.id for each in RUBRIC.attributes}
