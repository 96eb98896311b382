"""Slots: one process each, free again when it dies."""

from collections.abc import Iterator

import psycopg
import pytest

from tallybook.database import Database
from tallybook.domain.errors import LedgerUnavailable
from tallybook.engine import lease
from tests.stories.acting import until


@pytest.fixture
def bare(database_url: str) -> Iterator[Database]:
    """A database without tables: slots need none."""
    found = Database(database_url)
    yield found
    found.close()


def test_every_process_gets_the_first_slot_that_is_free(bare: Database) -> None:
    first, second = lease.Slot(bare), lease.Slot(bare)
    assert (first.executor, second.executor) == ("slot-0", "slot-1")
    first.close()
    third = lease.Slot(bare)
    assert third.executor == "slot-0"
    assert third.held()
    third.close()
    second.close()


def test_when_all_slots_are_held_nobody_else_may_work(bare: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "MOST_SLOTS", 1)
    held = lease.Slot(bare)
    with pytest.raises(lease.SlotsTaken, match="1 processes work on"):
        lease.Slot(bare)
    held.close()


def test_a_slot_is_held_for_whoever_takes_over_from_the_dead(bare: Database) -> None:
    """F14: and never while its process lives."""
    living = lease.Slot(bare)
    with lease.held_if_dead(bare, living.executor) as dead:
        assert not dead
    living.close()
    with lease.held_if_dead(bare, "slot-0") as dead:
        assert dead
        newcomer = lease.Slot(bare)
        assert newcomer.executor == "slot-1"
    newcomer.close()


def test_a_lost_slot_is_taken_again_unless_somebody_else_has_it(postgres_url: str) -> None:
    bare = Database(postgres_url)
    slot = lease.Slot(bare)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    assert not slot.held()
    other = lease.Slot(bare)
    assert not slot.retake()
    other.close()
    assert slot.retake()
    assert slot.held()
    slot.close()
    bare.close()


def test_asking_who_lives_leaves_no_session_behind(postgres_url: str) -> None:
    """It is asked every two seconds, for as long as a server lives."""
    bare = Database(postgres_url)
    slot = lease.Slot(bare)
    for _ in range(20):
        for executor in ("slot-0", "slot-5"):
            with lease.held_if_dead(bare, executor):
                pass
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        ours = "datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%advisory%'"
        sessions = f"SELECT COUNT(*) FROM pg_stat_activity WHERE {ours}"
        until(lambda: admin.execute(sessions).fetchone() == (1,), "one session alone")
    slot.close()
    bare.close()


def test_a_server_that_is_not_there_gives_no_slot() -> None:
    with pytest.raises(LedgerUnavailable, match="gives no lock"):
        lease.Slot(Database("postgresql://nobody@127.0.0.1:1/nothing"))
