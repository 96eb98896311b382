"""`tallybook run list, show, diff, explain`: what can be seen of runs afterwards."""

from pathlib import Path
from typing import Any

import pytest

from tallybook.domain.run import JobType, OperationName, Status
from tallybook.tracking import JobTracking
from tests.cli.conftest import Cli
from tests.cli.past import PAST, Past, past
from tests.cli.running import RUN_FACTS, Office

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def office(home: Path) -> Office:
    """Two runs over two clients, worked by nobody: they were written into the books."""
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        past(house, *PAST)
    return office


def test_the_list_is_newest_first_and_paged(office: Office, cli: Cli) -> None:
    first = cli.good("run", "list", "--limit", "1", "--json").json
    second = cli.good("run", "list", "--limit", "1", "--cursor", first["next_cursor"], "--json").json
    assert [page["items"][0]["run_id"] for page in (first, second)] == [PAST[1].run_id, PAST[0].run_id]
    assert second["next_cursor"] is None
    assert set(first["items"][0]) == RUN_FACTS - {"clients"}
    assert [each["run_id"] for each in cli.good("run", "list", "--json").json["items"]] == [
        PAST[1].run_id, PAST[0].run_id
    ]  # fmt: skip


def test_the_list_can_be_of_one_stream(office: Office, cli: Cli) -> None:
    assert cli.good("run", "list", "--stream", "2", "--json").json == {"items": [], "next_cursor": None}
    assert len(cli.good("run", "list", "--stream", "1", "--json").json["items"]) == 2


def test_the_list_fits_eighty_columns_and_says_where_it_goes_on(office: Office, cli: Cli) -> None:
    said = cli.good("run", "list", "--limit", "1")
    assert PAST[1].run_id in said.out
    assert "with errors" in said.out
    assert max(map(len, said.out.splitlines())) <= 80
    assert f"tallybook run list --cursor '2026-11-23T08:00:00.000000Z|{PAST[1].run_id}'" in said.err


def test_no_runs_say_how_to_start_one(home: Path, cli: Cli) -> None:
    said = cli.good("run", "list")
    assert "`tallybook run start` starts one" in said.err


@pytest.mark.parametrize("words", [["--limit", "0"], ["--limit", "1001"]])
def test_a_page_has_1_to_1000(home: Path, cli: Cli, words: list[str]) -> None:
    assert cli("run", "list", *words).code == 2


def test_a_cursor_that_is_none_is_refused(home: Path, cli: Cli) -> None:
    said = cli("run", "list", "--cursor", "nonsense")
    assert (said.code, "'nonsense' is no cursor" in said.error) == (1, True)


def test_a_run_is_found_by_its_id_and_by_a_label(office: Office, cli: Cli) -> None:
    by_id = cli.good("run", "show", PAST[1].run_id, "--json").json
    by_label = cli.good("run", "show", f"{PAST[1].run_id}-client-0001", "--json").json
    assert by_id == by_label


@pytest.mark.parametrize("verb", ["show", "watch", "pause", "cancel", "resume", "explain"])
def test_an_unknown_run_is_said_to_be_unknown(home: Path, cli: Cli, verb: str) -> None:
    said = cli("run", verb, "261123-999999" if verb == "show" else "261123-010101")
    assert said.code == 1
    assert "is no run id" in said.error or "there is no run 261123-010101" in said.error


def test_a_run_is_shown_client_by_client_with_all_that_was_found(office: Office, cli: Cli) -> None:
    """F15."""
    out = cli.good("run", "show", PAST[1].run_id).out
    verdict = "! Completed with errors in 2 min 00 s: 2 failed, 17 scored and 1 skipped of 20 leads."
    assert verdict in " ".join(out.split())
    assert "Client-0000" in out
    assert "       2 failed: output_truncated (the answer was cut off)" in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_changed_between_two_runs(office: Office, cli: Cli) -> None:
    words = ("run", "diff", PAST[0].run_id, PAST[1].run_id)
    facts = cli.good(*words, "--json").json
    assert facts["totals"] == {"scored": {"a": 20, "b": 17}, "skipped": {"a": 0, "b": 1}, "failed": {"a": 0, "b": 2}}
    assert facts["reasons"]["output_truncated"] == {"a": 0, "b": 2}
    assert facts["status"] == {"a": "completed", "b": "completed_with_errors"}
    (client,) = facts["clients"]
    assert client["client_id"] == "client-0000"
    out = cli.good(*words).out
    assert "client-0000: completed → completed with errors" in out
    assert "+2" in out


def test_a_run_is_the_same_as_itself(office: Office, cli: Cli) -> None:
    assert "No figure is different." in cli.good("run", "diff", PAST[0].run_id, PAST[0].run_id).out


def test_a_failure_is_explained_with_what_comes_next(office: Office, cli: Cli) -> None:
    out = " ".join(cli.good("run", "explain", PAST[1].run_id).out.split())
    assert (
        "client-0000: 2 of 10 leads failed in lead scoring: output_truncated (the answer was cut off)."
        " The next run tries them again (2 tries left)."
    ) in out
    assert "1 of 2 clients completed without a failure." in out
    facts = cli.good("run", "explain", PAST[1].run_id, "--json").json
    assert facts["run_id"] == PAST[1].run_id
    assert {"clients", "text"} == set(facts["explanation"][0])


def test_a_lead_that_failed_three_times_is_given_up_and_one_that_was_scored_since_is_settled(
    office: Office, cli: Cli
) -> None:
    with office.house() as house:
        past(house, Past("261123-090000", failed=2), Past("261123-100000", failed=1))
    out = " ".join(cli.good("run", "explain", "261123-090000").out.split())
    assert "1 of them came out better in a later run." in out
    assert "The next run gives 1 of them up, unless the profile or the rubric changes." in out


def test_the_claims_of_a_reporting_program_are_marked(office: Office, cli: Cli) -> None:
    with office.house() as house:
        book = JobTracking(house.ledger, strict=True, spool_folder=office.home)
        book.create_job(run_id="261123-110000", job_type="post_scoring", stream=1)
        book.create_client_run("261123-110000", "acme", client_name="Acme")
        book.update_client_run("261123-110000", "acme", posts_processed=42)
    out = cli.good("run", "show", "261123-110000").out
    assert "Claims (said by the reporting program, not counted by Tallybook)" in out
    assert "acme: posts_processed 42" in out
    assert "holds claims" in " ".join(cli.good("run", "explain", "261123-110000").out.split())


def test_what_a_run_waits_for_is_said(office: Office, cli: Cli) -> None:
    run_id = office.detached()
    out = " ".join(cli.good("run", "explain", run_id).out.split())
    assert "No process has taken it up yet." in out
    cli.good("run", "pause", run_id)
    out = " ".join(cli.good("run", "explain", run_id).out.split())
    assert "It is paused: paused by " in out
    assert f"go on: tallybook run resume {run_id}" in out


def statuses(said: Any) -> list[str]:
    return [each["status"] for each in said["items"]]


def test_the_words_are_those_of_the_domain(office: Office, cli: Cli) -> None:
    said = cli.good("run", "list", "--json").json
    assert set(statuses(said)) <= {status.value for status in Status}
    assert {each["job_type"] for each in said["items"]} <= {JobType.of([OperationName.LEAD_SCORING]).value}
