"""One of several programs that report at the same time.

`python -m tests.tracking.crowd SPOOL NAME THREADS URL [TOKEN]`: many threads, each with a run of its own and a share in
two runs that all of them report. Prints what was not accepted; with a server, which may be away, once all is written.
"""

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallybook.database import Database
from tallybook.domain.runid import timestamp_id
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking
from tallybook.tracking.remote import ServerDoor

SHARED = ("261123-013000", "261123-013001")
PATIENCE_S = 120.0


def own_run(name: str, thread: int) -> str:
    at = datetime(2026, 1, 1 + int(name), tzinfo=UTC) + timedelta(seconds=thread)
    return timestamp_id(at)


def main(spool: str, name: str, threads: str, url: str, token: str | None = None) -> None:
    books = ServerDoor(url, token) if token else Ledger(Database(url))
    book = JobTracking(books, spool_folder=Path(spool), patience_s=PATIENCE_S)
    trouble: list[str] = []
    crowd = [threading.Thread(target=_report, args=(book, name, n, trouble)) for n in range(int(threads))]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    while token and not book.replay():
        time.sleep(0.05)
    status = book.status()
    if not (status.well or token) or status.refused or status.lost or (status.last_error and not token):
        trouble.append(str(status))
    print("\n".join(trouble), end="", flush=True)


def _report(book: JobTracking, name: str, thread: int, trouble: list[str]) -> None:
    own = own_run(name, thread)
    answers = [answer for run in SHARED for answer in _share(book, run, f"{name}-{thread}")]
    answers += [
        book.create_job(own, "post_scoring") == own,
        book.create_client_run(own, "acme") == f"{own}-acme",
        *(book.update_client_run(own, "acme", posts_scored=n, system_notes=f"note {n}") for n in range(3)),
        book.complete_client_run(f"{own}-acme", status="completed"),
        book.complete_job(own),
    ]
    if not all(answers):
        trouble.append(f"{name}-{thread}: {answers}")


def _share(book: JobTracking, run: str, who: str) -> list[bool]:
    book.record_outcome(run, "acme", "lead_scoring", "the same lead", "scored", score=50)
    book.record_call(run, "acme", "lead_scoring", f"{run} the same call", input_tokens=5, output_tokens=1)
    return [
        book.create_job(run, "lead_scoring", 1, "cron", "Started") == run,
        book.create_client_run(run, "acme", client_name="Acme") == f"{run}-acme",
        book.update_client_run(run, "acme", system_notes=f"note of {who}", posts_scored=7),
        book.record_outcome(run, "acme", "lead_scoring", f"lead of {who}", "scored", score=50),
        book.record_call(run, "acme", "lead_scoring", f"{run} call of {who}", input_tokens=5, output_tokens=1),
        book.update_job(run, progress=f"progress of {who}"),
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
