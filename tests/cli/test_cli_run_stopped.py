"""Stopping a run: Ctrl-C, SIGTERM, `run pause`, `run cancel`, and going on afterwards."""

import signal
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tallybook.ledger import read
from tallybook.ledger.tables import calls
from tallybook.tracking import JobTracking
from tests.cli.running import Office, ended, interrupt

pytestmark = pytest.mark.usefixtures("empty_books")

LONG_MS = 20_000
"""A call that nobody waits for: whatever ends sooner has let go of it."""


@pytest.fixture
def office(home: Path) -> Office:
    return Office(home).furnish(clients=2, leads=40)


def test_ctrl_c_pauses_the_run_and_resume_finishes_it(office: Office) -> None:
    with office.working("run", "start", "lead_scoring") as process:
        run_id = office.under_way(done=10)
        interrupt(process)
        code, out, err = ended(process)
    assert code == 8
    assert "Pausing" in err
    assert out.splitlines()[-1].startswith("Paused by Ctrl-C: ")
    assert out.splitlines()[-1].endswith(f"Go on: tallybook run resume {run_id}")
    run = office.json("run", "resume", run_id)
    assert (run["status"], run["totals"]["scored"]) == ("completed", 80)
    assert office.audited()


def test_ctrl_c_reaches_the_call_in_flight(office: Office) -> None:
    """F40: a stop did not stop the work. The process is gone long before its call would have been answered."""
    with office.working("run", "start", latency_ms=LONG_MS) as process:
        _wait_for_a_call(office)
        since = time.monotonic()
        interrupt(process)
        code, _, _ = ended(process)
    assert code == 8
    assert time.monotonic() - since < 5


def test_ctrl_c_twice_leaves_at_once_and_the_run_can_be_resumed(office: Office) -> None:
    with office.working("run", "start", latency_ms=300) as process:
        run_id = office.under_way(done=10)
        interrupt(process)
        interrupt(process)
        code, out, _ = ended(process)
    assert code in (8, 130)
    assert not out or code == 8
    run = office.json("run", "resume", run_id)
    assert (run["status"], run["totals"]["scored"]) == ("completed", 80)
    assert office.audited()


def test_sigterm_hands_the_run_back_without_pausing_it(office: Office) -> None:
    with office.working("run", "start") as process:
        run_id = office.under_way(done=10)
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process)
    assert code == 8
    assert f"Handed back: run {run_id} goes on as soon as a process works on this database" in err
    assert office.glance(run_id).status.value == "running"
    assert office.json("run", "resume", run_id)["totals"]["scored"] == 80
    assert office.audited()


def test_cancel_from_another_process_reaches_the_call_in_flight(office: Office) -> None:
    """F40: within a second of the cancel its process has let go; twice that on a busy machine."""
    with office.working("run", "start", latency_ms=LONG_MS) as process:
        run_id = _wait_for_a_call(office)
        canceled = office.json("run", "cancel", run_id)
        assert canceled["status"] == "canceled"
        code, out, _ = ended(process)
    assert code == 7
    assert out.splitlines()[-1].startswith("Canceled")
    assert _seconds_from_told_to_ended(office, run_id) < 2
    assert office("run", "resume", run_id).returncode == 4
    assert office("run", "cancel", run_id).returncode == 4
    assert office("run", "pause", run_id).returncode == 4
    assert office("run", "watch", run_id).returncode == 7


def test_pause_from_another_process_stops_it_and_resume_goes_on(office: Office) -> None:
    with office.working("run", "start", "lead_scoring", latency_ms=600) as process:
        run_id = office.under_way(done=5)
        said = office("run", "pause", run_id)
        code, _, _ = ended(process)
    assert (said.returncode, code) == (0, 8)
    assert said.stdout.startswith("Paused by ")
    assert said.stdout.rstrip().endswith(f"Go on: tallybook run resume {run_id}")
    assert office("run", "resume", run_id, "--detach").stdout.strip() == run_id
    assert office.json("run", "resume", run_id)["totals"]["scored"] == 80


@pytest.mark.parametrize(("verb", "status", "code"), [("pause", "paused", 8), ("cancel", "canceled", 7)])
def test_a_run_whose_process_is_dead_is_stopped_all_the_same(office: Office, verb: str, status: str, code: int) -> None:
    with office.working("run", "start", latency_ms=600) as process:
        run_id = office.under_way(done=5)
        process.kill()
        process.wait()
        assert office.json("run", verb, run_id)["status"] == status
    assert office("run", "watch", run_id).returncode == code
    assert office.audited()


def test_a_run_that_waits_in_the_queue_can_be_canceled(office: Office) -> None:
    run_id = office.detached()
    assert office.json("run", "cancel", run_id)["status"] == "canceled"


def test_a_run_that_another_program_reports_is_stopped_there(office: Office) -> None:
    run_id = "261123-010203"
    with office.house() as house:
        JobTracking(house.ledger, strict=True, spool_folder=office.home).create_job(run_id=run_id, job_type="scoring")
    for verb in ("pause", "cancel", "resume"):
        said = office("run", verb, run_id)
        assert (said.returncode, "reported by another program" in said.stderr) == (4, True), verb


def _seconds_from_told_to_ended(office: Office, run_id: str) -> float:
    with office.house() as house:
        at = {event.kind: event.at for event in read.events_of(house.database, run_id)}
    told, over = at["cancel"], at["ended"]
    assert told is not None
    assert over is not None
    return (over - told).total_seconds()


def _wait_for_a_call(office: Office) -> str:
    """Until somebody asks the scorer; gives the run."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with office.house() as house, house.database.reading() as connection:
            found = connection.execute(sa.select(calls.c.run_id).limit(1)).scalar()
        if found:
            return str(found)
        time.sleep(0.05)
    raise AssertionError("nobody was asked")
