"""`tallybook scorer`: does a score depend on who is asked about together (F25)?"""

from pathlib import Path
from typing import Any

import pytest

from tallybook.domain.run import Run
from tallybook.ledger import read
from tallybook.testing.model_server import ModelServer
from tests.cli.conftest import Cli
from tests.cli.running import Office, ended, interrupt, without_rubric
from tests.stories.acting import books, until

pytestmark = pytest.mark.usefixtures("empty_books")

CLIENT = "client-0000"


@pytest.fixture
def office(home: Path) -> Office:
    """Ten leads of one client, of which the first has nothing to judge."""
    return Office(home).furnish(clients=1, leads=10, thin_every=10)


def asks(server: ModelServer, monkeypatch: pytest.MonkeyPatch, key: str = "sk-good") -> None:
    """Whom the commands ask from here on."""
    monkeypatch.setenv("TALLYBOOK_SCORER__MODEL", "google:gemini-2.5-flash")
    monkeypatch.setenv("TALLYBOOK_SCORER__BASE_URL", server.google_url)
    monkeypatch.setenv("TALLYBOOK_SCORER__API_KEY", key)


def the_run(office: Office) -> Run:
    """The only one; its books are in order, and nothing of it is open."""
    with office.house() as house:
        (known,) = read.list_runs(house.database)
        run = books(house, known.run_id)
    assert run.status.terminal
    assert not run.unsettled
    return run


def test_scores_that_drift_are_shown_with_what_they_mean(
    office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(drift=0.3) as server:
        asks(server, monkeypatch)
        said = cli.good("scorer", "stability", CLIENT)
    run = the_run(office)
    before, after = said.err.splitlines()
    assert before.startswith("This asks about 14 questions: about ")
    assert after.startswith("It took 14 calls, ")
    assert after.endswith(f"; booked as run {run.run_id}.")
    lines = said.out.splitlines()
    assert lines[0] == f"9 leads of {CLIENT}, judged in 4 rounds by google:gemini-2.5-flash"
    assert [line.split()[0] for line in lines if line.startswith(("seniority", "fit", "vendor", "score"))] == [
        "seniority", "fit", "vendor", "score",
    ]  # fmt: skip
    assert "chunks of 9, shuffled" in said.out
    assert lines[-1].startswith("A lead's score moves by up to ")
    assert lines[-1].endswith("or lower engine.chunk_size.")


def test_its_calls_are_in_the_usage_and_it_is_a_run_like_others(
    office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer() as server:
        asks(server, monkeypatch)
        facts = cli.good("scorer", "stability", CLIENT, "--leads", "4", "--rounds", "2", "--json").json
        billed = server.bill
    assert (facts["client_id"], facts["model"], facts["leads"]) == (CLIENT, "google:gemini-2.5-flash", 4)
    assert [each["chunk_size"] for each in facts["rounds"]] == [1, 4]
    assert (facts["steady"], facts["meaning"]) == (True, "Scores do not depend on the chunk.")
    run = the_run(office)
    assert (facts["run_id"], run.tally.calls, run.stream) == (run.run_id, 5, 1)
    used: Any = cli.good("usage", "--json").json["total"]
    assert (used["input_tokens"], used["output_tokens"]) == (billed.input_tokens, billed.output_tokens)
    assert "Completed" in cli.good("run", "show", run.run_id).out


def test_the_same_seed_draws_the_same_chunk_mates(office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with ModelServer(drift=0.3) as server:
        asks(server, monkeypatch)
        told = [
            cli.good("scorer", "stability", CLIENT, "--seed", seed, "--json").json["score"] for seed in ("3", "3", "4")
        ]
    assert told[0] == told[1] != told[2]


def test_the_offline_scorer_is_steady_and_makes_no_run(office: Office, cli: Cli) -> None:
    """F25"""
    said = cli.good("scorer", "stability", CLIENT)
    assert said.err == "This makes no paid call, and books nothing.\n"
    assert said.out.splitlines()[-1] == "Scores do not depend on the chunk."
    assert cli.good("run", "list", "--json").json["items"] == []


def test_a_model_without_a_price_is_said_to_have_none(
    office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYBOOK_SCORER__MODEL", "scripted")
    said = cli.good("scorer", "stability", CLIENT, "--json")
    assert "about 7,000 tokens, of unknown price." in said.err
    assert the_run(office).tally.total_tokens == 7_000


def test_leads_taken_out_by_hand_are_not_asked_about(office: Office, cli: Cli) -> None:
    first = cli.good("lead", "list", CLIENT, "--json").json["items"][1]["lead_id"]
    cli.good("lead", "exclude", CLIENT, first)
    assert cli.good("scorer", "stability", CLIENT, "--json").json["leads"] == 8


def test_where_every_answer_fails_nothing_is_said_of_scores(
    office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TALLYBOOK_SCORER__MODEL", "scripted")
    monkeypatch.setenv("TALLYBOOK_SCRIPTED__FAIL_EVERY", "1")
    said = cli("scorer", "stability", CLIENT)
    assert said.code == 1
    assert "Failed, and left out: 36 answers, ai_response_format" in said.out
    assert said.out.splitlines()[-1] == "No lead has a score from two rounds, so nothing can be said."


# -- refused, and ended early ------------------------------------------------------------------------------------------


def test_a_refused_key_is_one_line_and_leaves_nothing_open(
    office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelServer(accepted_key="sk-another") as server:
        asks(server, monkeypatch, key="sk-planted")
        said = cli("scorer", "stability", CLIENT)
    assert said.code == 1
    _asked, error = said.err.splitlines()
    assert error.startswith("tallybook: google answered 400: the key was refused. Mend scorer.api_key")
    assert "sk-planted" not in said.err + said.out
    assert the_run(office).status.value == "failed"


def test_a_budget_of_the_settings_holds(office: Office, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_SCORER__MODEL", "scripted")
    monkeypatch.setenv("TALLYBOOK_BUDGET__CLIENT_TOKENS_PER_DAY", "1200")
    said = cli("scorer", "stability", CLIENT)
    assert said.code == 1
    assert "the day's budget of client 'client-0000' is used up" in said.err
    assert the_run(office).tally.total_tokens == 1_000


def test_ctrl_c_cancels_the_run(office: Office) -> None:
    """F40: the process is gone long before its calls would have been answered."""
    with office.working("scorer", "stability", CLIENT, latency_ms=20_000) as process:
        until(lambda: office.newest() is not None and _in_flight(office), "a call in flight")
        interrupt(process)
        code, out, err = ended(process)
    assert (code, out, err.splitlines()[-1]) == (130, "", "tallybook: stopped")
    run = the_run(office)
    assert (run.status.value, run.tally.unmeasured) == ("canceled", 2)


def _in_flight(office: Office) -> bool:
    with office.house() as house:
        (known,) = read.list_runs(house.database)
        return read.run(house.database, known.run_id).unsettled == 2


def test_what_cannot_be_compared_is_refused(office: Office, cli: Cli) -> None:
    assert "there is no client 'nobody'" in cli("scorer", "stability", "nobody").error
    for words in (["--leads", "1"], ["--rounds", "1"], ["--leads", "1001"]):
        assert cli("scorer", "stability", CLIENT, *words).code == 2
    cli.good("client", "pause", CLIENT)
    assert "is paused" in cli("scorer", "stability", CLIENT).error
    cli.good("client", "pause", CLIENT, "--off")
    without_rubric(office, CLIENT)
    assert "has no rubric for leads: `tallybook rubric import" in cli("scorer", "stability", CLIENT).error


def test_one_lead_has_no_chunk_mates(home: Path, cli: Cli) -> None:
    Office(home).furnish(clients=1, leads=2, thin_every=2)
    error = cli("scorer", "stability", CLIENT).error
    assert error == "client-0000 has 1 lead with a headline or a history; it takes two"
