"""A tenant that reports on a run of ours in which it has no part is told what it is told of a run that never was."""

from collections.abc import Iterator

import httpx
import pytest

from tallybook.domain.access import Scope
from tallybook.ledger.ledger import Ledger
from tests.ledger.scenes import planned
from tests.web.conftest import headers_of
from tests.web.scenes import of, problem
from tests.web.serving import MakeToken

MINE, THEIRS = "tenant-mine", "tenant-theirs"
OUTCOMES = {"operation": "lead_scoring", "items": [{"lead_id": "a", "kind": "scored"}]}
CALLS = {"items": [{"call_id": "c1", "operation": "lead_scoring", "provider": "openai"}]}


@pytest.fixture
def tenant(base_url: str, make_token: MakeToken) -> Iterator[httpx.Client]:
    token = make_token(Scope.RUNS_WRITE, client_id=MINE)
    with httpx.Client(base_url=base_url, headers=headers_of(token), timeout=30) as client:
        yield client


def written(tenant: httpx.Client, run_id: str) -> list[httpx.Response]:
    """The answers to everything that it may say of a client run."""
    place = of("runs", run_id, "clients", MINE)
    return [
        tenant.put(place, json={}),
        tenant.patch(place, json={"posts_processed": 1}),
        tenant.post(f"{place}/outcomes", json=OUTCOMES),
        tenant.post(f"{place}/calls", json=CALLS),
        tenant.post(f"{place}:complete", json={}),
    ]


def test_a_run_of_ours_without_it_is_not_there(tenant: httpx.Client, books: Ledger) -> None:
    """F32"""
    run_id = planned(books, THEIRS)
    for answer in written(tenant, run_id):
        assert problem(answer, 404)["detail"] == f"there is no run {run_id}"


def test_of_a_run_of_ours_with_it_it_is_told_that_we_drive_it(tenant: httpx.Client, books: Ledger) -> None:
    run_id = planned(books, MINE, THEIRS)
    outcomes = written(tenant, run_id)[2]
    assert "Tallybook itself drives" in problem(outcomes, 409)["detail"]
