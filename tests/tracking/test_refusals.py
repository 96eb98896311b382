"""What a verb refuses, and that it never raises into the program that calls it."""

import pytest

from tallybook.tracking import JobTracking
from tests.tracking.conftest import RUN


@pytest.mark.parametrize("client_id", ["O'Brien", 'quo"ted', "{curly}", "back\\slash", "émoji 🚀", "a-b-c", "100%"])
def test_any_printable_text_is_a_client_id(book: JobTracking, client_id: str) -> None:
    """F16."""
    label = book.create_client_run(RUN, client_id)
    assert book.update_client_run(label if isinstance(label, str) else None, posts_scored=1)
    client = book.get_client_run(RUN, client_id)
    assert client is not None
    assert client["reported"] == {"posts_scored": 1}


@pytest.mark.parametrize(
    "bad", [None, "", " ", 5, b"x", "not an id", "261123-013000\n", {"run": 1}, "9" * 300, "\ud800"]
)
def test_a_bad_run_id_is_refused_and_never_raised(book: JobTracking, bad: object) -> None:
    """F39."""
    run_id: str = bad  # type: ignore[assignment]  # what callers do
    assert book.create_job(run_id) is False
    assert book.update_job(run_id, progress="x") is False
    assert book.complete_job(run_id) is False
    assert book.create_client_run(run_id, "acme") is False
    assert book.update_client_run(run_id, "acme", posts_scored=1) is False
    assert book.complete_client_run(run_id, "acme") is False
    assert book.record_outcome(run_id, "acme", "lead_scoring", "l", "scored") is False
    assert book.record_call(run_id, "acme", "lead_scoring", "c") is False
    assert book.exists(run_id) is False
    assert book.get_job(run_id) is None
    assert book.get_client_run(run_id, "acme") is None
    assert book.client_label(run_id, "acme") is None
    assert sum(book.status().refused.values()) == 12


@pytest.mark.parametrize("bad", [None, "", "  ", 7, "tab\there", "x" * 201])
def test_a_bad_client_id_is_refused_and_never_raised(book: JobTracking, bad: object) -> None:
    """F39."""
    client_id: str = bad  # type: ignore[assignment]  # what callers do
    assert book.create_client_run(RUN, client_id) is False
    assert book.update_client_run(RUN, client_id, posts_scored=1) is False
    assert book.complete_client_run(RUN, client_id) is False
    assert book.record_outcome(RUN, client_id, "lead_scoring", "l", "scored") is False
    assert book.exists(RUN) is False


@pytest.mark.parametrize(
    "fields",
    [
        {"posts_scored": -1},
        {"posts_scored": "many"},
        {"posts_scored": 10**30},
        {"estimated_cost_usd": float("nan")},
        {"started_at": "soon"},
        {"status": "exploded"},
        {"stream": "blue"},
        {"triggered_by": "magic"},
        {"job_type": "nonsense"},
    ],
)
def test_a_bad_value_is_refused_and_nothing_of_the_call_is_written(
    book: JobTracking, fields: dict[str, object]
) -> None:
    """F39."""
    assert book.update_job(RUN, progress="half", **fields) is False
    assert book.exists(RUN) is False


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "exploded"},
        {"kind": "failed"},
        {"kind": "scored", "reason": None, "score": 101},
        {"kind": "scored", "score": "high"},
        {"kind": "scored", "flagged": "yes"},
        {"kind": "scored", "breakdown": {"x": {1, 2}}},
        {"kind": "scored", "colour": "blue"},
        {"kind": "scored", "lead_id": None},
        {"kind": "scored", "operation": "dancing"},
    ],
)
def test_a_bad_outcome_is_refused(book: JobTracking, facts: dict[str, object]) -> None:
    said = {"operation": "lead_scoring", "lead_id": "lead-1", **facts}
    assert book.record_outcome(RUN, "acme", **said) is False
    assert book.exists(RUN) is False


@pytest.mark.parametrize("facts", [{"call_id": ""}, {"input_tokens": -1}, {"cost_usd": "much"}, {"colour": 1}])
def test_a_bad_call_is_refused(book: JobTracking, facts: dict[str, object]) -> None:
    assert book.record_call(RUN, "acme", "lead_scoring", **{"call_id": "c", **facts}) is False
    assert book.exists(RUN) is False


def test_what_surprises_even_us_does_not_reach_the_caller(book: JobTracking) -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert book.update_job(RUN, progress=Unprintable()) is False
    assert (book.status().lost, book.status().last_error) == (1, "no words")
