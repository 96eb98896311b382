"""Progress: a table that fits a terminal, plain lines elsewhere."""

import io
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from tallybook.cli.progress import SUMMARY_EVERY_S, PlainScreen, client_line, screen, summary, watch
from tallybook.cli.progress_table import Pace, TableScreen, bar, fitting
from tallybook.database import Database
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import Tally
from tallybook.ledger.snapshot import ClientGlance, Glance
from tests.cli.console import SCRIPT, environment
from tests.cli.running import SCRIPTED, Office

SOME = Tally(found=60, scored=30, failed=2, calls=7, input_tokens=12_000, output_tokens=500, unpriced=7)


def client(name: str, status: Status = Status.RUNNING, tally: Tally = SOME, **more: object) -> ClientGlance:
    return ClientGlance(name, status, tally, **more)  # type: ignore[arg-type]  # passed on


def glance(*clients: ClientGlance, status: Status = Status.RUNNING) -> Glance:
    return Glance("261123-080000", status, clients=clients)


# Plain lines


def test_plain_lines_say_each_change_once() -> None:
    out = io.StringIO()
    plain = PlainScreen(out)
    waiting = client("b", Status.QUEUED, Tally())
    for _ in range(3):
        plain.show(glance(client("a"), waiting))
    plain.show(
        glance(client("a", Status.COMPLETED), client("b", Status.PAUSED, Tally(), blocked_reason="provider_quota"))
    )
    plain.close()
    assert out.getvalue().splitlines() == [
        "run 261123-080000: running",
        "a: running, 60 found = 30 scored + 0 skipped + 2 failed + 28 pending, 12.5k tokens, unpriced",
        "a: completed, 60 found = 30 scored + 0 skipped + 2 failed + 28 pending, 12.5k tokens, unpriced",
        "b: paused, the provider's quota is used up",
    ]


def test_plain_lines_sum_up_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("tallybook.cli.progress.time.monotonic", lambda: now)
    out = io.StringIO()
    plain = PlainScreen(out)
    plain.show(glance(client("a")))
    now += SUMMARY_EVERY_S
    plain.show(glance(client("a")))
    plain.show(glance(client("a")))
    assert out.getvalue().splitlines()[2:] == [summary(glance(client("a")))]
    assert summary(glance(client("a"))) == (
        "261123-080000: 0 of 1 client done, 32 of 60 leads, 2 failed, 12.5k tokens, unpriced"
    )


def test_a_client_that_has_found_nothing_yet_has_no_figures() -> None:
    assert client_line(client("a", tally=Tally())) == "a: running"


def test_what_is_no_terminal_gets_plain_lines() -> None:
    with screen(io.StringIO()) as shown:
        assert isinstance(shown, PlainScreen)


def test_a_database_that_does_not_answer_for_a_moment_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [LedgerUnavailable("it is away")]

    def look(*_: object) -> Glance:
        if away:
            raise away.pop()
        return glance(client("a", Status.COMPLETED), status=Status.COMPLETED)

    monkeypatch.setattr("tallybook.cli.progress.snapshot.glance", look)
    monkeypatch.setattr("tallybook.cli.progress.AGAIN_AFTER_S", 0.0)
    out = io.StringIO()
    seen = watch(Database("sqlite:///never-opened.db"), "261123-080000", PlainScreen(out))
    assert seen.status is Status.COMPLETED
    assert "Waiting for the database: it is away" in out.getvalue()


# The table


def drawn(seen: Glance, width: int = 80, height: int = 24) -> list[str]:
    out = io.StringIO()
    table = TableScreen(out)
    table._console = Console(file=out, width=width, height=height)
    table._console.print(table.table(seen, 0.0))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_line_per_client_fits_eighty_columns() -> None:
    lines = drawn(glance(client("a-client-with-a-very-long-name"), client("b", Status.COMPLETED)))
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"▸ a-client-with-a… +█+░+ +32/60 +30 +– +2 +12\.5k +unpriced +–", lines[1])
    assert re.fullmatch(r"✓ b .* done", lines[2])
    assert re.match(r" +1 of 2 clients", lines[-1])


def test_a_wide_terminal_also_says_what_is_being_done() -> None:
    lines = drawn(glance(client("a", doing=OperationName.POST_SCORING)), width=120)
    assert "post scoring" in lines[1]
    assert "261123-080000" in lines[-1]


def test_a_client_id_is_no_markup() -> None:
    assert "[red]x'\"{" in drawn(glance(client("[red]x'\"{")))[1]


def test_of_a_hundred_clients_those_at_work_are_shown() -> None:
    clients = [client(f"client-{n:03}", Status.RUNNING if n > 97 else Status.QUEUED, Tally()) for n in range(100)]
    lines = drawn(glance(*clients))
    assert len(lines) <= 23
    assert any("client-098" in line for line in lines)
    assert any(line.startswith("and 82 more") for line in lines)


def test_what_fits_stays_in_its_order() -> None:
    clients = [client(name, status) for name, status in zip("abcd", [*Status][:4], strict=True)]
    assert fitting(clients, 4) == clients
    assert [each.client_id for each in fitting(clients, 3)] == ["b", "c"]


@pytest.mark.parametrize(
    ("tally", "told"),
    [(Tally(), "░" * 8), (Tally(found=100, scored=99), "█" * 7 + "░"), (Tally(found=9, failed=9), "█" * 8)],
)
def test_a_bar_is_full_only_when_nothing_is_pending(tally: Tally, told: str) -> None:
    assert bar(tally) == told


def test_the_time_left_follows_from_what_was_seen() -> None:
    pace = Pace(since=0.0, done=10)
    assert pace.left_s(10.0, Tally(found=40, scored=20)) == 20.0
    assert pace.left_s(10.0, Tally(found=40, scored=10)) is None


# On a terminal, for real


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_on_a_terminal_the_table_is_drawn_beside_clean_json(home: Path, env: dict[str, str]) -> None:
    office = Office(home).furnish(clients=2, leads=10)
    code, out, err = on_a_terminal(office, "run", "start", "--json", **env)
    assert code == 0
    assert out.startswith("{")
    assert "\x1b" not in out
    assert "client-0001" in err
    assert err.count("\x1b[?25l") == err.count("\x1b[?25h") == 1, "the cursor is shown again"
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", err)) is not bool(env)


def test_on_a_dumb_terminal_lines_are_plain(home: Path) -> None:
    office = Office(home).furnish(clients=1, leads=5)
    _, _, err = on_a_terminal(office, "run", "start", TERM="dumb")
    assert "\x1b" not in err


def on_a_terminal(office: Office, *args: str, **env: str) -> tuple[int, str, str]:
    """Code, stdout through a pipe, stderr through a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SCRIPT, *args],
        cwd=office.home,
        env=environment(**{"TERM": "xterm-256color", **SCRIPTED, **env}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while part := _read(ours):
        said += part
    out, _ = process.communicate(timeout=60)
    os.close(ours)
    return process.returncode, out.decode(), said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end was closed
        return b""
