"""Programs that report at the same time, and what must be in the books after them."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tallybook.database import Database
from tallybook.ledger.audit import audit
from tallybook.tracking import JobTracking
from tests.tracking.crowd import SHARED, own_run

ROOT = Path(__file__).resolve().parents[2]


class Crowd:
    """*place*: the database's URL, or a server's and a token."""

    def __init__(self, programs: int, threads: int, spool_folder: Path, place: Sequence[str]) -> None:
        self._size = (programs, threads)
        command = [sys.executable, "-m", "tests.tracking.crowd", str(spool_folder)]
        self._programs = [
            subprocess.Popen(
                [*command, str(n), str(threads), *place],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for n in range(programs)
        ]

    def said(self) -> list[str]:
        """What each could not report; empty if there is nothing."""
        return [each.communicate()[0] for each in self._programs]

    def is_in_the_books(self, book: JobTracking, database: Database) -> None:
        """Once the runs that they share are completed."""
        programs, threads = self._size
        for run in SHARED:
            assert book.complete_client_run(run, "acme", "completed")
            assert book.complete_job(run, "completed")
            _is_whole(book, run, programs * threads)
        for name in range(programs):
            for thread in range(threads):
                _is_finished(book, own_run(str(name), thread))
        found = audit(database)
        assert (found.checked, found.differences) == (programs * threads + 2 * len(SHARED), ())
        assert book.status().spooled == 0


def _is_whole(book: JobTracking, run: str, everybody: int) -> None:
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
