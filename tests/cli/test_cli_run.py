"""`tallybook run start`: from the words of a start to its exit code."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from tallybook.ledger import (
    read,
    server_tables,  # noqa: F401  # declares its tables
)
from tallybook.ledger.columns import METADATA
from tests.cli.running import CLIENT_FACTS, OPERATION_FACTS, RUN_FACTS, Office, ended, without_rubric

pytestmark = pytest.mark.usefixtures("empty_books")

TOTALS = {
    "found", "scored", "harvested", "skipped", "failed", "pending", "posts", "success_rate", "calls",
    "unmeasured_calls", "input_tokens", "cached_tokens", "output_tokens", "total_tokens", "cost_usd", "unpriced_calls",
}  # fmt: skip


@pytest.fixture
def office(home: Path) -> Office:
    return Office(home).furnish()


# How it ends


def test_a_run_is_worked_to_its_end_and_the_verdict_is_the_last_line(office: Office) -> None:
    said = office.outside("run", "start", "lead_scoring")
    assert said.returncode == 0, said
    *_, counts, last = said.stdout.splitlines()
    assert "20 found = 20 scored + 0 skipped + 0 failed + 0 pending" in counts
    assert re.fullmatch(r"Completed in .+: 20 scored of 20 leads\. More: tallybook run show \S+", last)
    assert "client-0001: completed" in said.stderr


def test_every_found_lead_is_accounted_for(office: Office) -> None:
    """F15: 3 of 582 eligible leads were scored and nobody noticed. What is found is shown, and what became of it."""
    said = office("run", "start", "--limit", "4", TALLYBOOK_SCRIPTED__FAIL_EVERY="3")
    numbers = re.search(r"(\d+) found = (\d+) scored \+ (\d+) skipped \+ (\d+) failed \+ (\d+) pending", said.stdout)
    assert numbers is not None, said
    found, *parts = map(int, numbers.groups())
    assert found == 8 == sum(parts)
    report = office("report", str(office.newest())).stdout
    assert re.search(rf"all 2 clients +{found} +{parts[0]} +{parts[1]} +{parts[2]} +{parts[3]} ", report)


@pytest.mark.parametrize(("fail_every", "code", "word"), [(3, 3, "Completed with errors"), (1, 6, "Failed")])
def test_the_exit_code_is_that_of_the_status(office: Office, fail_every: int, code: int, word: str) -> None:
    said = office("run", "start", TALLYBOOK_SCRIPTED__FAIL_EVERY=str(fail_every))
    assert said.returncode == code, said
    last = said.stdout.splitlines()[-1]
    assert last.startswith(word)
    assert re.search(r"tallybook run explain \S+$", last)


def test_nothing_due_is_a_good_end(office: Office) -> None:
    office("run", "start")
    said = office("run", "start")
    assert said.returncode == 0
    assert "2 clients, nothing was due" in said.stdout


def test_the_json_of_a_run_is_as_promised(office: Office) -> None:
    run = office.json("run", "start", "lead-scoring", code=3, TALLYBOOK_SCRIPTED__FAIL_EVERY="4")
    assert set(run) == RUN_FACTS
    assert [set(client) for client in run["clients"]] == [CLIENT_FACTS] * 2
    (operation,) = run["clients"][0]["operations"]
    assert set(operation) == OPERATION_FACTS
    assert set(run["totals"]) == set(operation["totals"]) == TOTALS
    assert operation["reasons"] == {"ai_response_format": operation["totals"]["failed"]}
    assert (run["job_type"], run["triggered_by"], run["status"]) == ("lead_scoring", "manual", "completed_with_errors")
    assert run == office.json("run", "show", run["run_id"])


def test_with_json_stdout_holds_one_document_and_nothing_else(office: Office) -> None:
    said = office.outside("run", "start", "--json")
    assert said.stdout.startswith("{")
    assert said.stdout.rstrip().endswith("}")
    assert "client-0000" in said.stderr


# What is asked for


@pytest.mark.parametrize("words", [["post-scoring"], ["Posts Scoring"], ["post_scoring", "post-scoring"]])
def test_operations_are_read_in_every_legacy_spelling(office: Office, words: list[str]) -> None:
    run = office.json("run", "start", *words)
    assert run["job_type"] == "post_scoring"


def test_smart_resume_is_everything(office: Office) -> None:
    run = office.json("run", "start", "smart_resume")
    assert [each["operation"] for each in run["clients"][0]["operations"]] == [
        "lead_scoring", "post_harvesting", "post_scoring"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lead_scorign"], "'lead_scorign' is no operation"),
        (["--trigger", "moon"], "'moon' is no trigger"),
        (["--limit", "0"], "--limit"),
        (["--stream", "x"], "--stream"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_is_done(office: Office, words: list[str], told: str) -> None:
    said = office("run", "start", *words)
    assert said.returncode == 2
    assert told in said.stderr
    assert office.newest() is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--client", "nobody"], "there is no client 'nobody'"),
        (["--stream", "7"], "there are no active clients in stream 7"),
        (["--client", "client-0000", "--stream", "7"], "client client-0000 is in stream 1, not 7"),
    ],
)
def test_a_run_that_would_visit_nobody_is_refused(office: Office, words: list[str], told: str) -> None:
    said = office("run", "start", *words)
    assert said.returncode == 1
    assert told in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert office.newest() is None


def test_a_paused_client_is_named_and_left_out(office: Office) -> None:
    office("client", "pause", "client-0001")
    alone = office("run", "start", "--client", "client-0001")
    assert (alone.returncode, "client client-0001 is paused" in alone.stderr) == (1, True)
    both = office("run", "start", "--client", "client-0001", "--client", "client-0000", "--json")
    assert "Left out: client client-0001 is paused" in both.stderr
    assert '"client_id": "client-0000"' in both.stdout


def test_the_debug_settings_fill_in_what_is_not_said_and_say_so(office: Office) -> None:
    env = {"DEBUG_STREAM": "1", "DEBUG_CLIENT": "client-0001", "DEBUG_ISSUE": "BATCH"}
    said = office("run", "start", **env, TALLYBOOK_RUN_ID__FORMAT="structured")
    assert "DEBUG_STREAM is set: only stream 1" in said.stderr
    assert "DEBUG_CLIENT is set: only client client-0001" in said.stderr
    with office.house() as house:
        run = read.run(house.database, str(office.newest()))
    assert run.display is not None
    assert run.display.endswith("-S1-Cclient-0001-BATCH")
    assert [client.client_id for client in run.clients] == ["client-0001"]


# Twice


def test_a_second_start_is_told_who_started_the_first_and_when(office: Office) -> None:
    """F13: the same job started twice, 4 s apart. One run; the second caller gets its id, by whom, when, from where."""
    first = office.detached("--stream", "1")
    said = office("run", "start", "--stream", "1")
    assert said.returncode == 4
    assert re.search(rf"run {first} \(queued\).*started by \S+ on \S+ \(cli\).* at \d{{4}}-\d\d-\d\d", said.stderr)
    assert not said.stdout
    assert office.newest() == first


def test_new_waits_its_turn_instead(office: Office) -> None:
    first = office.detached()
    second = office.json("run", "start", "--new")
    assert second["status"] == "completed"
    assert second["totals"]["found"] == 0, "what the first run scored is not due again"
    assert office.glance(first).status.value == "completed"


def test_a_known_key_joins_the_unfinished_run_and_works_it(office: Office) -> None:
    first = office.detached("--key", "monday")
    said = office("run", "start", "--key", "monday")
    assert said.returncode == 0, said
    assert f"joining run {first}, started by" in said.stderr
    assert f"Run {first}" in said.stdout
    assert office.glance(first).status.value == "completed"


def test_a_known_key_of_a_finished_run_prints_it_and_exits_4(office: Office) -> None:
    first = office.json("run", "start", "--key", "monday")
    again = office.json("run", "start", "--key", "monday", code=4)
    assert again == first
    said = office("run", "start", "--key", "monday")
    assert (said.returncode, "Nothing was started" in said.stderr) == (4, True)


def test_a_key_is_not_taken_for_another_request(office: Office) -> None:
    office.detached("--key", "monday")
    said = office("run", "start", "--key", "monday", "--limit", "3")
    assert (said.returncode, "with another request" in said.stderr) == (4, True)


def test_a_run_whose_process_was_killed_is_revived_by_its_key(office: Office) -> None:
    with office.working("run", "start", "--key", "monday") as process:
        run_id = office.under_way(done=5)
        process.kill()
        process.wait()
    run = office.json("run", "start", "--key", "monday")
    assert (run["run_id"], run["totals"]["scored"], run["status"]) == (run_id, 20, "completed")
    assert office.audited()


# Somebody else does the work


def test_a_detached_run_is_worked_by_the_next_process_that_works(office: Office) -> None:
    run_id = office.detached("lead_scoring")
    assert office.glance(run_id).status.value == "queued"
    with office.working("run", "watch", run_id) as watching:
        assert office("run", "resume", run_id).returncode == 0
        code, out, _ = ended(watching)
    assert code == 0
    assert out.splitlines()[-1].startswith("Completed")


def test_whoever_watches_a_run_nobody_works_on_is_told(office: Office) -> None:
    run_id = office.detached()
    with office.working("run", "watch", run_id) as watching:
        assert watching.stderr is not None
        lines = [watching.stderr.readline() for _ in range(2)]
    assert f"No process seems to work on it. One that does: tallybook run resume {run_id}" in lines[1]


# A dry run


def test_a_dry_run_says_what_is_due_and_writes_nothing(home: Path) -> None:
    office = Office(home).furnish(leads=10, thin_every=5)
    without_rubric(office, "client-0001")
    before = _rows(office)
    said = office("run", "start", "--dry-run", "--limit", "8")
    assert said.returncode == 0
    assert "8 leads due; 2 would be skipped: insufficient_profile; 2 more over the limit" in said.stdout
    assert "the client has no rubric for it" in said.stdout
    assert said.stdout.splitlines()[-2:] == [
        "Dry run: 6 leads in lead scoring would be asked about. Nothing was started.",
        "It would take about 2 calls, 1,000 tokens, of unknown price,"
        " if every answer is good and the model does not think at length.",
    ]
    assert _rows(office) == before
    assert not (home / "tallybook-engine.db").exists()


def test_a_dry_run_counts_what_is_given_up_and_what_is_not_due(home: Path) -> None:
    office = Office(home).furnish(clients=1, leads=10, thin_every=5)
    for _ in range(3):
        office("run", "start", TALLYBOOK_SCRIPTED__FAIL_EVERY="1")
    (client,) = office.json("run", "start", "lead_scoring", "--dry-run")["items"]
    (operation,) = client["operations"]
    assert operation == {
        "operation": "lead_scoring", "due": 8, "attempted": 0, "skips": {"gave_up": 8}, "beyond_limit": 0,
        "not_due": 2, "finish_reason": None, "estimate": {
            "calls": 0, "input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "cost_usd": "0", "unpriced_calls": 0,
        },
    }  # fmt: skip


def _rows(office: Office) -> dict[str, int]:
    with office.house() as house, house.database.reading() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }
