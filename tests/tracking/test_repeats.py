"""Every verb is safe to repeat: a program that says everything twice leaves the same books."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.database import Database
from tallybook.domain.runid import timestamp_id
from tallybook.ledger.audit import audit
from tallybook.ledger.ledger import Ledger
from tallybook.tracking import JobTracking

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
_numbers = itertools.count()

Verb = Callable[[JobTracking, str], object]

clients = st.sampled_from(["acme", "beta-beta"])
statuses = st.sampled_from([None, "running", "completed", "failed", "Cancelled", "CLIENT_TIMEOUT_KILLED", "nonsense"])
notes = st.sampled_from([None, "a", "b"])
counts = st.none() | st.integers(0, 9)
said = st.fixed_dictionaries(
    {},
    optional={
        "posts_scored": counts,
        "profiles_scored": counts,
        "failed_leads": counts,
        "total_tokens": counts,
        "system_notes": notes,
        "progress": notes,
        "error": notes,
        "status": statuses,
        "success_rate": counts,
        "colour": st.just("blue"),
    },
)
verbs: st.SearchStrategy[Verb] = st.one_of(
    st.builds(lambda said: lambda book, run: book.create_job(run, "post_scoring", **said), said),
    st.builds(lambda said: lambda book, run: book.update_job(run, **said), said),
    st.builds(lambda status: lambda book, run: book.complete_job(run, status), statuses),
    st.builds(lambda c, said: lambda book, run: book.create_client_run(run, c, **said), clients, said),
    st.builds(lambda c, said: lambda book, run: book.update_client_run(run, c, **said), clients, said),
    st.builds(lambda c, said: lambda book, run: book.update_client_run(f"{run}-{c}", **said), clients, said),
    st.builds(lambda c, status: lambda book, run: book.complete_client_run(run, c, status), clients, statuses),
    st.builds(
        lambda c, lead, kind: (
            lambda book, run: book.record_outcome(
                run, c, "lead_scoring", lead, kind, None if kind == "scored" else "timeout"
            )
        ),
        clients,
        st.sampled_from(["l1", "l2", "l3"]),
        st.sampled_from(["scored", "failed"]),
    ),
    st.builds(
        lambda c, call, tokens: (
            lambda book, run: book.record_call(
                run, c, "post_scoring", f"{run} {call}", input_tokens=tokens, output_tokens=tokens
            )
        ),
        clients,
        st.sampled_from(["c1", "c2"]),
        counts,
    ),
)


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    """Books whose clock stands."""
    books = Ledger(database, lambda: NOW)
    yield books
    books.close()


@pytest.fixture
def still(book: JobTracking) -> JobTracking:
    return book


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(verbs, max_size=12))
def test_every_verb_said_twice_equals_every_verb_said_once(still: JobTracking, story: list[Verb]) -> None:
    """F03, F37, F38."""
    once, twice = _new_run(), _new_run()
    for verb in story:
        verb(still, once)
    for verb in story:
        first = verb(still, twice)
        again = verb(still, twice)
        assert again in (first, False)
    assert _told(still, twice) == _told(still, once)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(verbs, max_size=12))
def test_no_order_of_verbs_makes_books_that_do_not_add_up(
    still: JobTracking, database: Database, story: list[Verb]
) -> None:
    """F01, F08, F36."""
    run = _new_run()
    for verb in story:
        verb(still, run)
    assert audit(database, run).differences == ()
    job = still.get_job(run)
    for each in [job, *job["clients"]] if job else []:
        assert 0 <= (each["totals"]["success_rate"] or 0) <= 1


def _new_run() -> str:
    return timestamp_id(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(_numbers)))


def _told(book: JobTracking, run: str) -> str:
    text = json.dumps(book.get_job(run), sort_keys=True)
    for client in ("acme", "beta-beta"):
        text += json.dumps(book.get_client_run(run, client), sort_keys=True)
    return text.replace(run, "RUN")
