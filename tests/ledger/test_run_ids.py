"""Run ids are minted in one place, and no two runs ever share one."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tallybook.database import Database
from tallybook.domain.errors import RunIdsExhausted
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims
from tallybook.ledger.write.starts import RunIdStyle, reserve_run_id
from tests.ledger.scenes import Clock, reported

SOURCES = Path(__file__).parents[2] / "src" / "tallybook"
PLAIN, NUMBERED = RunIdStyle(), RunIdStyle(structured=True)


@pytest.fixture
def frozen_ledger(database: Database) -> Ledger:
    return Ledger(database, Clock())


def test_two_runs_never_share_an_id_not_even_in_the_same_second(frozen_ledger: Ledger) -> None:
    """F06"""
    ids = [frozen_ledger.do(reserve_run_id, PLAIN) for _ in range(3)]
    assert ids == ["261123-120000", "261123-120001", "261123-120002"]


def test_a_reservation_more_than_a_minute_ahead_of_the_clock_is_refused(frozen_ledger: Ledger) -> None:
    """F06"""
    ids = {frozen_ledger.do(reserve_run_id, PLAIN) for _ in range(61)}
    assert (len(ids), max(ids)) == (61, "261123-120100")
    with pytest.raises(RunIdsExhausted, match="60 s ahead of the clock") as caught:
        frozen_ledger.do(reserve_run_id, PLAIN)
    assert caught.value.retryable


def test_ids_asked_for_by_sixteen_threads_at_once_are_distinct(frozen_ledger: Ledger) -> None:
    """F06"""
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda _: frozen_ledger.do(reserve_run_id, PLAIN), range(40)))
    assert len(set(ids)) == 40


def test_only_one_function_of_the_whole_house_mints_a_run_id() -> None:
    """F06"""
    makers = re.compile(r"runid\.(timestamp_id|structured_id)\(|\b(timestamp_id|structured_id)\(")
    using = {path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py") if makers.search(path.read_text())}
    away = "tracking/mint.py"  # hands ids out while no ledger can be reached; the ledger has the last word on them
    assert using <= {"domain/runid.py", "ledger/write/starts.py", away}, using


def test_an_id_that_a_reporter_brought_along_is_not_minted_again(frozen_ledger: Ledger) -> None:
    """F06"""
    reported(frozen_ledger, run_id="261123-120000")
    assert frozen_ledger.do(reserve_run_id, PLAIN) == "261123-120001"


def test_an_id_handed_out_while_the_ledger_was_away_is_booked_once(frozen_ledger: Ledger) -> None:
    assert frozen_ledger.do(claims.keep_run_id, "261123-120000")
    assert not frozen_ledger.do(claims.keep_run_id, "261123-120000")
    assert frozen_ledger.do(reserve_run_id, PLAIN) == "261123-120001"
    reported(frozen_ledger, run_id="261123-120009")
    assert not frozen_ledger.do(claims.keep_run_id, "261123-120009")


def test_an_id_names_the_second_on_the_clocks_of_the_zone_that_was_set(frozen_ledger: Ledger) -> None:
    assert frozen_ledger.do(reserve_run_id, RunIdStyle(zone=ZoneInfo("Asia/Tokyo"))) == "261123-210000"


def test_ids_of_the_hour_that_comes_twice_are_distinct(database: Database) -> None:
    """F06"""
    clock = Clock(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    ledger, style = Ledger(database, clock), RunIdStyle(zone=ZoneInfo("Europe/Berlin"))
    summer = ledger.do(reserve_run_id, style)
    clock.pass_by(hours=1)
    assert (summer, ledger.do(reserve_run_id, style)) == ("261025-023000", "261025-023001")


def test_structured_ids_are_numbered_within_their_day(database: Database) -> None:
    clock = Clock()
    ledger = Ledger(database, clock)
    first = [ledger.do(reserve_run_id, NUMBERED) for _ in range(2)]
    clock.pass_by(days=1)
    assert [*first, ledger.do(reserve_run_id, NUMBERED)] == ["SR-261123-001", "SR-261123-002", "SR-261124-001"]


def test_a_structured_id_in_use_is_passed_over_and_the_day_has_999(frozen_ledger: Ledger) -> None:
    for number in ("001", "998"):
        reported(frozen_ledger, run_id=f"SR-261123-{number}")
    assert frozen_ledger.do(reserve_run_id, NUMBERED) == "SR-261123-002"
    frozen_ledger.do(_jump_to, 997)
    assert frozen_ledger.do(reserve_run_id, NUMBERED) == "SR-261123-999"
    with pytest.raises(RunIdsExhausted, match="all 999 structured run ids of 2026-11-23"):
        frozen_ledger.do(reserve_run_id, NUMBERED)


def _jump_to(tx, number: int) -> None:  # type: ignore[no-untyped-def]  # a Tx
    tx.execute("UPDATE @run_ids SET number = ? WHERE number = 2", (number,))
