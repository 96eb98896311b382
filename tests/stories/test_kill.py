"""The kill story: a working process dies at any instant, and the books are exact all the same."""

import pytest
from hypothesis import settings

from benchmarks import kill, killed
from tests.children import unmeasured


def test_a_process_killed_at_any_point_leaves_books_that_end_exact(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02, F28: every adversarial point once, and a few random instants; `--hypothesis-profile thorough` takes more.
    `python -m benchmarks.kill` goes on for longer.
    """
    unmeasured(monkeypatch)  # whoever is killed cannot save its figures
    random_instants = settings().max_examples // 25
    plan = [*killed.POINTS, *[None] * random_instants]
    figures = kill.series(database_url, plan, seed=len(database_url))
    assert figures.faults == []
    assert figures.rounds == len(plan)
