"""Four processes of 64 threads report at once, partly on the same runs."""

from collections.abc import Callable
from pathlib import Path

from tallybook.database import Database
from tallybook.tracking import JobTracking
from tests.tracking.conftest import OpenBook, in_process
from tests.tracking.crowd import SHARED
from tests.tracking.crowding import Crowd

PROCESSES, THREADS = 4, 64


@in_process
def test_a_crowd_of_programs_meets_no_lock_and_loses_and_doubles_nothing(
    database: Database, database_url: str, open_book: OpenBook, spool_folder: Path
) -> None:
    """F03, F37, F38."""
    crowd = Crowd(PROCESSES, THREADS, spool_folder, (database_url,))
    assert crowd.said() == [""] * PROCESSES
    crowd.is_in_the_books(open_book(), database)


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
