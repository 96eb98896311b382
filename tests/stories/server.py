"""A server of test_schedules.py: an engine that keeps a schedule, until stdin is closed.

`python -m tests.stories.server URL CRON DUE`. It says "ready" when it has begun; told anything, its clock goes on to
the instant DUE, and it says "past" when it has looked since.
"""

import sys
from datetime import datetime, timedelta

from benchmarks.house import open_house
from tallybook.database import utc_now
from tallybook.domain.run import OperationName
from tallybook.domain.schedule import Schedule
from tallybook.engine import watch
from tallybook.engine.engine import Engine
from tallybook.engine.runner import Limits
from tallybook.engine.schedule import Keeper, Timetable
from tallybook.ledger.schedules import checked
from tallybook.scorers.scripted import ScriptedScorer
from tests.stories.acting import until


def main(url: str, cron: str, due: str) -> None:
    watch.SCHEDULES_EVERY_S = 0.02
    house, due_at, ahead = open_house(url), datetime.fromisoformat(due), timedelta(0)
    house.ledger.clock = lambda: utc_now() + ahead
    timetable = Timetable([Schedule(cron, 1, operations=(OperationName.LEAD_SCORING,))])
    with Engine(house.ledger, house.clients, house.operations(ScriptedScorer()), Limits(), timetable) as engine:
        keeper = engine._watcher._keeper
        assert keeper is not None
        until(lambda: checked(house.database) and keeper._try_at, "its first look")
        print("ready", flush=True)
        sys.stdin.readline()
        ahead = due_at - utc_now()
        until(lambda: _looked_past(keeper, due_at), "a look since")
        print("past", flush=True)
        sys.stdin.read()
    house.close()


def _looked_past(keeper: Keeper, due_at: datetime) -> bool:
    return all(at > due_at for at in keeper._try_at.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
