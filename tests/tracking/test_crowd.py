"""Four processes of 64 threads report at once, partly on the same runs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tallybook.database import Database
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking
from tests.tracking.crowd import SHARED, THREADS, own_run

PROCESSES = 4
ROOT = Path(__file__).resolve().parents[2]


def test_a_crowd_of_programs_meets_no_lock_and_loses_and_doubles_nothing(
    database: Database, database_url: str, ledger: Ledger, spool_folder: Path
) -> None:
    """F03, F37, F38."""
    command = [sys.executable, "-m", "tests.tracking.crowd", database_url, str(spool_folder)]
    programs = [
        subprocess.Popen([*command, str(n)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for n in range(PROCESSES)
    ]
    assert [each.communicate()[0] for each in programs] == [""] * PROCESSES
    book = JobTracking(ledger, spool_folder=spool_folder)
    for run in SHARED:
        assert book.complete_client_run(run, "acme", "completed")
        assert book.complete_job(run, "completed")
        _is_whole(book, run)
    for name in range(PROCESSES):
        for thread in range(THREADS):
            _is_finished(book, own_run(str(name), thread))
    found = audit(database)
    assert (found.checked, found.differences) == (PROCESSES * THREADS + 2 * len(SHARED), ())
    assert book.status().spooled == 0


def _is_whole(book: JobTracking, run: str) -> None:
    everybody = PROCESSES * THREADS
    job = book.get_job(run)
    assert job is not None
    [client] = job["clients"]
    scoring = next(each for each in client["operations"] if each["operation"] == "lead_scoring")["totals"]
    assert (scoring["found"], scoring["scored"], scoring["calls"]) == (everybody + 1,) * 3
    assert (scoring["input_tokens"], scoring["output_tokens"]) == (5 * (everybody + 1), everybody + 1)
    assert (client["client_name"], client["reported"]["posts_scored"]) == ("Acme", 7)
    found = book.get_client_run(run, "acme")
    assert found is not None
    assert _count(found["system_notes"], "note of") == everybody
    assert _count(job["system_notes"], "progress of") == everybody
    assert sum(line.endswith("Started") for line in job["system_notes"]) == 1
    assert (job["status"], client["status"]) == ("completed", "completed")


def _is_finished(book: JobTracking, run: str) -> None:
    client = book.get_client_run(run, "acme")
    assert client is not None
    assert (client["status"], client["reported"]["posts_scored"]) == ("completed", 2)
    assert [line[20:] for line in client["system_notes"]] == ["note 0", "note 1", "note 2"]


def _count(lines: list[str], what: str) -> int:
    """How many different lines say *what*; each must be there once."""
    found = [line[20:] for line in lines if what in line]
    assert len(found) == len(set(found))
    return len(found)


def test_64_threads_creating_the_same_client_run_leave_one_row(
    book: JobTracking, in_threads: Callable[[Callable[[], object]], list[object]]
) -> None:
    """F03."""
    run = SHARED[0]
    assert set(in_threads(lambda: book.create_client_run(run, "acme"))) == {f"{run}-acme"}
    job = book.get_job(run)
    assert job is not None
    assert len(job["clients"]) == 1
    minted = [each for each in in_threads(book.generate_run_id) if each is not None]
    assert len(set(minted)) == len(minted) >= THREADS - 4  # 61 seconds are free when nobody minted before
