"""A program that reports, to be killed: `python -m tests.tracking.talker SPOOL RUN URL [TOKEN]`.

Says `said` and then waits.
"""

import sys
import time
from pathlib import Path

from tallybook.database import Database
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking
from tallybook.tracking.remote import ServerDoor

NOTES = 20


def main(spool: str, run: str, url: str, token: str | None = None) -> None:
    books = ServerDoor(url, token) if token else Ledger(Database(url))
    book = JobTracking(books, spool_folder=Path(spool), patience_s=0.1)
    assert book.create_job(run, "lead_scoring", 1, "cron", "Started") == run
    assert book.create_client_run(run, "acme") == f"{run}-acme"
    for n in range(NOTES):
        assert book.update_client_run(run, "acme", system_notes=f"note {n}", error="slow", posts_scored=n)
    for n in range(NOTES):
        assert book.record_outcome(run, "acme", "lead_scoring", f"lead-{n}", "scored")
        assert book.record_call(run, "acme", "lead_scoring", f"{run} call-{n}", input_tokens=1, output_tokens=1)
    assert book.complete_client_run(run, "acme")
    assert book.complete_job(run)
    print("said", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
