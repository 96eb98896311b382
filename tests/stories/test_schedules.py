"""Servers that keep the same schedule start each run once."""

import subprocess
import sys
from datetime import datetime, timedelta

from benchmarks.house import House
from tallybook.database import utc_now
from tallybook.domain.run import Status, Trigger
from tallybook.ledger import read
from tallybook.ledger.schedules import missed_since
from tests.stories.acting import PATIENCE_S, ended, furnished

Server = subprocess.Popen[str]


def server(url: str, due_at: datetime) -> Server:
    command = [sys.executable, "-m", "tests.stories.server", url, f"{due_at.minute} {due_at.hour} * * *", str(due_at)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def says(server: Server, word: str) -> None:
    assert server.stdout is not None
    assert server.stdout.readline() == f"{word}\n"


def test_two_servers_on_one_database_start_one_run(house: House, database_url: str) -> None:
    """F13, F20: both look at the moment it is due."""
    furnished(house, "acme", leads=3)
    due_at = (utc_now() + timedelta(minutes=30)).replace(second=0, microsecond=0)
    servers = [server(database_url, due_at) for _ in range(2)]
    for each in servers:
        says(each, "ready")
    for each in servers:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in servers:
        says(each, "past")
    (run,) = read.list_runs(house.database)
    assert ended(house, run.run_id).status is Status.COMPLETED
    for each in servers:
        each.communicate(timeout=PATIENCE_S)
    assert [each.returncode for each in servers] == [0, 0]
    assert (run.trigger, run.requested_by) == (Trigger.CRON, "schedule of stream 1")
    assert len(read.list_runs(house.database)) == 1
    assert missed_since(house.database, due_at - timedelta(days=1)) == []
