"""`tallybook schedule`, and what `doctor` says about schedules."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tallybook.app import open_app
from tallybook.database import Database
from tallybook.domain.schedule import Schedule
from tallybook.engine.lease import take_slot
from tallybook.engine.schedule import Keeper, Timetable
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts
from tests.cli.conftest import Cli
from tests.ledger.scenes import NOON, Clock, asked

NIGHTLY = """
[[schedule]]
cron = "30 2 * * mon-fri"
stream = 1
timezone = "Europe/Berlin"
operations = ["lead_scoring", "post_scoring"]
limit = 500
"""
HOURLY = """
[[schedule]]
cron = "0 * * * *"
operations = ["lead_scoring"]
"""
NEVER = """
[[schedule]]
cron = "0 6 31 2 *"
stream = 7
"""
HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for place in ("tallybook.database.utc_now", "tallybook.cli.doctor_runs.utc_now"):
        monkeypatch.setattr(place, clock)
    return clock


@pytest.fixture
def set_(home: Path) -> Callable[..., None]:
    def write(*lines: str) -> None:
        (home / "tallybook.toml").write_text("".join(lines))

    return write


class Server:
    """Keeps the schedules of the settings in force, one look at a time."""

    def __init__(self, clock: Clock) -> None:
        app = open_app()
        self.schedules = app.schedules
        app.close()
        self.clock = clock
        self.books = Ledger(Database("sqlite:///tallybook.db"), clock)

    def looks(self, at: datetime) -> None:
        self.clock.now = at
        Keeper(self.books, Timetable(self.schedules), lambda: None).look()

    def done(self) -> None:
        self.books.do(lambda tx: tx.execute("UPDATE @runs SET status = 'completed'"))


@pytest.fixture
def server(cli: Cli, clock: Clock, set_: Callable[..., None]) -> Any:
    """One that began at noon to keep an hourly schedule."""
    set_(HOURLY)
    cli.good("client", "list")
    server = Server(clock)
    server.looks(NOON)
    yield server
    server.books.close()


def doctor(cli: Cli, check: str) -> list[tuple[str, str, str | None]]:
    """(level, said, mend) of one check."""
    found = cli("doctor", "--json").json["checks"]
    return [(each["level"], each["said"], each["mend"]) for each in found if each["check"] == check]


# list


def test_without_schedules_one_is_told_how_to_set_some(cli: Cli) -> None:
    for verb in ("list", "next"):
        said = cli.good("schedule", verb)
        assert (said.out, said.err) == (
            "",
            "No schedule is set: `[[schedule]]` in tallybook.toml starts runs by themselves (docs/schedules.md).\n",
        )
        assert cli.good("schedule", verb, "--json").json == {"items": [], "next_cursor": None}


def test_schedules_are_listed_as_they_are_set(cli: Cli, clock: Clock, set_: Callable[..., None]) -> None:
    set_(NIGHTLY, HOURLY, NIGHTLY, NEVER)
    said = cli.good("schedule", "list")
    heading, *rows = [re.split(r"\s{2,}", line) for line in said.out.splitlines()]
    assert heading == ["STREAM", "LINE", "TIMEZONE", "DOES", "LIMIT", "NEXT DUE", "IN UTC", "LAST RUN", "MISSED"]
    nightly = ["1", "30 2 * * mon-fri", "Europe/Berlin", "lead scoring, post scoring", "500"]
    hourly = ["all", "0 * * * *", "UTC", "lead scoring", "–"]
    assert rows == [
        [*nightly, "Tue 2026-11-24 02:30 +0100", "2026-11-24 01:30:00 UTC", "–", "0"],
        [*hourly, "Mon 2026-11-23 13:00 +0000", "2026-11-23 13:00:00 UTC", "–", "0"],
        ["7", "0 6 31 2 *", "UTC", "all that apply", "–", "never", "–", "–", "0"],
    ]
    assert said.err == ("Nobody keeps 3 of these: is `tallybook serve` running, and with these settings?\n")


def test_a_schedule_is_listed_with_what_it_started_and_missed(cli: Cli, server: Server) -> None:
    server.looks(NOON + HOUR)
    server.done()
    server.looks(NOON + 3.5 * HOUR)
    server.looks(NOON + 4 * HOUR + timedelta(seconds=10))
    said = cli.good("schedule", "list")
    row = re.split(r"\s{2,}", said.out.splitlines()[1])
    assert row[-2:] == [
        "261123-153000 queued",
        "1, last 2026-11-23 14:00:00 UTC: no server kept the schedule then, or none reached the database",
    ]
    assert said.err == ""  # the run that is due waits for another: somebody keeps it


def test_a_program_sees_all_of_it(cli: Cli, server: Server) -> None:
    server.looks(NOON + HOUR)
    server.looks(NOON + 2 * HOUR)
    server.looks(NOON + 3 * HOUR + timedelta(minutes=1))
    (item,) = cli.good("schedule", "list", "--json").json["items"]
    assert item == {
        "schedule_id": server.schedules[0].schedule_id,
        "cron": "0 * * * *",
        "timezone": "UTC",
        "stream": None,
        "operations": ["lead_scoring"],
        "limit": None,
        "due_at": "2026-11-23T16:00:00.000000Z",
        "due_local": "2026-11-23T16:00:00+00:00",
        "kept": True,
        "checked_at": "2026-11-23T14:59:59.999999Z",
        "last_run": {"run_id": "261123-130000", "status": "queued", "due_at": "2026-11-23T13:00:00.000000Z"},
        "missed": 1,
        "newest_missed": {"due_at": "2026-11-23T14:00:00.000000Z", "reason": "no_server", "run_id": None},
    }


def test_a_schedule_that_is_new_and_never_due_is_told_to_programs(
    cli: Cli, clock: Clock, set_: Callable[..., None]
) -> None:
    set_(NEVER)
    (item,) = cli.good("schedule", "list", "--json").json["items"]
    said = ("due_at", "due_local", "kept", "checked_at", "last_run", "missed", "newest_missed")
    assert [item[name] for name in said] == [None, None, False, None, None, 0, None]


# next


def test_what_is_due_next_is_told_over_all_schedules(cli: Cli, clock: Clock, set_: Callable[..., None]) -> None:
    set_(NEVER, NIGHTLY, HOURLY)
    clock.now = NOON + 11.9 * HOUR
    lines = cli.good("schedule", "next", "--count", "4").out.splitlines()
    assert [re.split(r"\s{2,}", line)[:4] for line in lines] == [
        ["DUE", "IN UTC", "STREAM", "LINE"],
        ["Tue 2026-11-24 00:00 +0000", "2026-11-24 00:00:00 UTC", "all", "0 * * * *"],
        ["Tue 2026-11-24 01:00 +0000", "2026-11-24 01:00:00 UTC", "all", "0 * * * *"],
        ["Tue 2026-11-24 02:30 +0100", "2026-11-24 01:30:00 UTC", "1", "30 2 * * mon-fri"],
        ["Tue 2026-11-24 02:00 +0000", "2026-11-24 02:00:00 UTC", "all", "0 * * * *"],
    ]


def test_it_needs_no_database(cli: Cli, home: Path, clock: Clock, set_: Callable[..., None]) -> None:
    set_(NIGHTLY)
    items = cli.good("schedule", "next", "--count", "2", "--json").json["items"]
    assert [(each["due_at"], each["due_local"], each["stream"], each["limit"]) for each in items] == [
        ("2026-11-24T01:30:00.000000Z", "2026-11-24T02:30:00+01:00", 1, 500),
        ("2026-11-25T01:30:00.000000Z", "2026-11-25T02:30:00+01:00", 1, 500),
    ]
    assert [each.name for each in home.iterdir()] == ["tallybook.toml"]
    assert len(cli.good("schedule", "next", "--json").json["items"]) == 10


def test_of_days_no_calendar_has_nothing_comes_next(cli: Cli, set_: Callable[..., None]) -> None:
    set_(NEVER)
    said = cli.good("schedule", "next")
    assert (said.out, "no calendar has the days they name" in said.err) == ("", True)


@pytest.mark.parametrize("count", ["0", "1001", "-1", "x"])
def test_a_count_that_cannot_be_is_one_line(cli: Cli, count: str) -> None:
    said = cli("schedule", "next", "--count", count)
    assert (said.code, "--count" in said.error) == (2, True)


# doctor


def test_doctor_has_nothing_to_say_without_schedules(cli: Cli) -> None:
    cli.good("client", "list")
    assert doctor(cli, "schedule") == [("ok", "No schedule is set", None)]
    assert doctor(cli, "missed_run") == [("ok", "No run was missed in 7 days", None)]


def test_doctor_is_content_while_a_server_keeps_the_schedules(cli: Cli, server: Server) -> None:
    server.clock.pass_by(minutes=2)
    assert doctor(cli, "schedule") == [("ok", "1 schedule, kept by a server", None)]


def test_doctor_finds_a_schedule_nobody_keeps(cli: Cli, server: Server, set_: Callable[..., None]) -> None:
    """F20"""
    set_(NIGHTLY, HOURLY, NEVER)
    server.clock.pass_by(minutes=3)
    nightly, hourly, never = doctor(cli, "schedule")
    mend = "Is `tallybook serve` running, and with these settings? It starts what is due."
    of = "Nobody keeps the schedule of"
    assert nightly == ("wrong", f"{of} stream 1 (30 2 * * mon-fri Europe/Berlin) and no server ever did", mend)
    assert hourly == ("wrong", f"{of} all streams (0 * * * * UTC) since 2026-11-23 12:00:00 UTC", mend)
    assert (never[0], never[1].endswith("is never due: no calendar has such a day")) == ("wrong", True)
    assert cli("doctor").code == 1


def test_doctor_tells_of_a_run_that_waits_for_another(cli: Cli, server: Server) -> None:
    server.books.do(starts.start, asked("acme"))
    server.looks(NOON + HOUR)
    server.clock.pass_by(minutes=30)
    ((level, said, _),) = doctor(cli, "schedule")
    assert (level, said[:45]) == ("wrong", "Nobody keeps the schedule of all streams (0 *")
    _, lock = take_slot(server.books.database)
    ((level, said, mend),) = doctor(cli, "schedule")
    lock.close()
    assert (level, said) == (
        "notice",
        "The run of all streams due at 2026-11-23 13:00:00 UTC waits: another run is in its way",
    )
    assert mend == "tallybook run list shows it. An hour after it was due a run counts as missed."


def test_doctor_finds_what_was_missed(cli: Cli, server: Server) -> None:
    """F20: for a week, and wrong until the schedule starts again."""
    server.books.do(starts.start, asked("acme"))
    server.looks(NOON + HOUR)
    server.looks(NOON + 4.5 * HOUR)
    ((level, said, mend),) = doctor(cli, "missed_run")
    assert (level, mend) == ("wrong", "tallybook run start lead_scoring does it now.")
    assert said == (
        "3 runs of all streams missed in 7 days, the last one due at 2026-11-23 15:00:00 UTC: no server kept the"
        " schedule then, or none reached the database"
    )
    server.done()
    server.looks(NOON + 4.6 * HOUR)
    ((level, _, mend),) = doctor(cli, "missed_run")
    assert (level, mend) == ("notice", "Since then it began as it should, last with run 261123-163600.")
    server.clock.pass_by(days=8)
    assert doctor(cli, "missed_run")[0][0] == "ok"


def test_doctor_says_how_to_do_now_what_was_missed(cli: Cli, clock: Clock, set_: Callable[..., None]) -> None:
    set_(NIGHTLY, NEVER.replace("31 2", "24 11"))
    cli.good("client", "list")
    server = Server(clock)
    server.looks(NOON)
    server.looks(NOON + 30 * HOUR)
    server.books.close()
    found = doctor(cli, "missed_run")
    assert [mend for _, _, mend in found] == [
        "tallybook run start --stream 7 does it now.",
        "tallybook run start lead_scoring post_scoring --stream 1 --limit 500 does it now.",
    ]
    set_(HOURLY)
    assert [(level, mend) for level, _, mend in doctor(cli, "missed_run")] == [
        ("notice", "That schedule is no longer set.")
    ] * 2


# The engine that keeps them


def test_an_engine_keeps_the_schedules_where_it_is_told_to(set_: Callable[..., None]) -> None:
    set_(NIGHTLY, HOURLY)
    app = open_app()
    with app.engine() as engine:
        assert engine._watcher._keeper is None
    with app.engine(keeps_schedules=True) as engine:
        keeper = engine._watcher._keeper
        assert keeper is not None
        assert list(keeper._schedules.values()) == list(app.schedules)
    app.close()
    assert [type(each) for each in app.schedules] == [Schedule, Schedule]
