"""The kill story: a working process dies at any instant, and the books are exact all the same."""

from benchmarks import kill, killed


def test_a_process_killed_at_any_point_leaves_books_that_end_exact(database_url: str) -> None:
    """F02, F28: every adversarial point once, four random instants. `python -m benchmarks.kill` goes on for longer."""
    plan = [*killed.POINTS, None, None, None, None]
    figures = kill.series(database_url, plan, seed=len(database_url))
    assert figures.faults == []
    assert figures.rounds == len(plan)
