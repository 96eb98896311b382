"""Two tenants share runs: neither sees, by any way there is, what is the other's."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.lead import Lead
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.tables import events
from tests.ledger.scenes import asked, planned
from tests.web.calling import SAMPLES, call, described, guarded
from tests.web.conftest import headers_of
from tests.web.scenes import V1, furnished, heard, of, problem, told_of, worked
from tests.web.serving import MakeToken, served

MINE, THEIRS = "tenant-mine", "tenant-theirs"
SECRETS = (THEIRS, "Ada Operator", "An error of all", "On all", "theirs.test")
"""Words that stand in the books for what is not mine. *THEIRS* is in every id, name, label, note and lead of theirs."""


@pytest.fixture
def foreign(app: App) -> list[str]:
    """Runs that only they are in."""
    furnished(app, MINE, THEIRS)
    app.clients.put_leads(THEIRS, [Lead("theirs.test/in/ada", full_name=f"Of {THEIRS}")])
    return [worked(app.ledger, THEIRS, stream=2, by="Ada Operator"), told_of(app, THEIRS, run_id="261123-140000")]


@pytest.fixture
def shared(app: App, foreign: list[str]) -> list[str]:
    """Runs that both are in: one of ours that has ended, one of ours that goes on, and one that is reported."""
    ended = worked(app.ledger, MINE, THEIRS, by="Ada Operator")
    open_run = planned(app.ledger, MINE, THEIRS, start=asked(stream=1, by="Ada Operator"))
    return [ended, open_run, told_of(app, MINE, THEIRS)]


@pytest.fixture
def tenant(base_url: str, make_token: MakeToken) -> Iterator[httpx.Client]:
    token = make_token(Scope.RUNS_READ, Scope.RUNS_WRITE, Scope.RUNS_START, client_id=MINE)
    with httpx.Client(base_url=base_url, headers=headers_of(token), timeout=30) as client:
        yield client


def clean(answer: httpx.Response) -> Any:
    """The answer, in which nothing is that is not mine."""
    answer.raise_for_status()
    said = f"{answer.text}\n{answer.headers}"
    assert [word for word in SECRETS if word in said] == []
    return answer.json()


def test_the_list_of_runs_has_those_it_is_in_with_its_own_totals(
    tenant: httpx.Client, shared: list[str], foreign: list[str]
) -> None:
    found = clean(tenant.get(f"{V1}/runs"))["items"]
    assert sorted(each["run_id"] for each in found) == sorted(shared)
    assert not set(foreign) & {each["run_id"] for each in found}
    (ended,) = [each for each in found if each["run_id"] == shared[0]]
    assert (ended["totals"]["found"], ended["totals"]["calls"]) == (2, 1)
    assert clean(tenant.get(f"{V1}/runs", params={"stream": 2}))["items"] == []
    assert len(clean(tenant.get(f"{V1}/runs", params={"client": MINE}))["items"]) == 3
    problem(tenant.get(f"{V1}/runs", params={"client": THEIRS}), 403)


def test_a_run_shows_its_part_alone_by_every_name_of_it(tenant: httpx.Client, shared: list[str]) -> None:
    """F05"""
    for run_id in shared:
        run = clean(tenant.get(of("runs", run_id)))
        assert [each["client_id"] for each in run["clients"]] == [MINE]
        assert run["totals"] == run["clients"][0]["totals"]
        assert (run["error"], run["blocked_reason"], run["reported"]) == (None, None, {})
        assert {line[20:] for line in run["system_notes"]} <= {"Started", "Ended completed_with_errors"}
        for name in (f"{run_id}-{MINE}", f"{run_id}-{THEIRS}", f"{run_id}-nobody"):
            assert clean(tenant.get(of("runs", name))) == run
        page = clean(tenant.get(of("runs", run_id, "clients")))
        assert (page["items"], page["next_cursor"]) == (run["clients"], None)
        mine = clean(tenant.get(of("runs", run_id, "clients", MINE)))
        assert mine["totals"] == run["totals"]
        problem(tenant.get(of("runs", run_id, "clients", THEIRS)), 403)


def test_a_run_without_it_is_not_there_in_the_words_of_one_that_never_was(
    tenant: httpx.Client, foreign: list[str]
) -> None:
    never = "261123-000000"
    for run_id in foreign:
        for name in (run_id, f"{run_id}-{THEIRS}", f"{run_id}-{MINE}"):
            for parts in ((), ("clients",), ("clients", MINE), ("events",)):
                hidden = problem(tenant.get(of("runs", name, *parts)), 404)
                unknown = problem(tenant.get(of("runs", name.replace(run_id, never), *parts)), 404)
                assert hidden["detail"].replace(run_id, never) == unknown["detail"]
                assert hidden.keys() == unknown.keys()


def test_a_label_that_is_no_run_id_does_not_tell_whether_it_is_there(
    tenant: httpx.Client, app: App, shared: list[str]
) -> None:
    long_id = "x" * 200
    run_id = told_of(app, MINE, long_id, run_id="261123-150000")
    for label in (f"{run_id}-{long_id}", f"{run_id}-{'y' * 200}"):
        problem(tenant.get(of("runs", label)), 422)


def test_a_cursor_of_somebody_who_sees_all_shows_no_more(
    tenant: httpx.Client, api: httpx.Client, shared: list[str], foreign: list[str]
) -> None:
    every_run = api.get(f"{V1}/runs", params={"limit": 1}).json()["next_cursor"]
    seen = clean(tenant.get(f"{V1}/runs", params={"cursor": every_run}))["items"]
    assert {each["run_id"] for each in seen} <= set(shared)
    first = api.get(of("runs", shared[0], "clients"), params={"limit": 1}).json()["next_cursor"]
    assert clean(tenant.get(of("runs", shared[0], "clients"), params={"cursor": first}))["items"] == []
    usage = api.get(f"{V1}/usage", params={"limit": 1}).json()["next_cursor"]
    assert clean(tenant.get(f"{V1}/usage", params={"cursor": usage}))["items"] == []
    clients = api.get(f"{V1}/clients", params={"limit": 1}).json()["next_cursor"]
    assert clean(tenant.get(f"{V1}/clients", params={"cursor": clients}))["items"] == []


def test_the_stream_of_events_has_its_own_alone(tenant: httpx.Client, app: App, shared: list[str]) -> None:
    for run_id in shared:
        told = heard(tenant, run_id, params={"follow": "false"})
        said = json.dumps([each.data for each in told])
        assert [word for word in SECRETS if word in said] == []
        with app.database.reading() as connection:
            mine = connection.execute(
                sa.select(events.c.id).where(
                    events.c.run_id == run_id,
                    sa.or_(events.c.client_id == MINE, events.c.kind.in_(("started", "ended"))),
                )
            ).scalars()
            assert [each.event_id for each in told if each.event_id] == sorted(mine)


def test_usage_is_its_own(tenant: httpx.Client, shared: list[str], foreign: list[str]) -> None:
    told = clean(tenant.get(f"{V1}/usage", params={"by": "client,operation"}))
    assert [(each["client_id"], each["calls"]) for each in told["items"]] == [(MINE, 1)]
    assert told["total"]["calls"] == 1
    assert clean(tenant.get(f"{V1}/usage", params={"by": "day"}))["items"][0]["calls"] == 1
    assert clean(tenant.get(f"{V1}/usage", params={"client": MINE}))["total"] == told["total"]
    problem(tenant.get(f"{V1}/usage", params={"client": THEIRS}), 403)


def test_of_clients_and_leads_it_sees_its_own(
    tenant: httpx.Client, app: App, shared: list[str], base_url: str, make_token: MakeToken
) -> None:
    assert [each["client_id"] for each in clean(tenant.get(f"{V1}/clients"))["items"]] == [MINE]
    assert clean(tenant.get(of("clients", MINE)))["client_id"] == MINE
    assert len(clean(tenant.get(of("clients", MINE, "leads", f"lead of {MINE}", "why")))["outcomes"]) == 1
    told = clean(tenant.get(of("clients", MINE, "leads", "lead", "why")))["outcomes"]
    assert [each["run_id"] for each in told] == [shared[0]], "they have a lead of that name, too"
    for client_id in (THEIRS, "nobody"):
        assert "bound to another client" in problem(tenant.get(of("clients", client_id)), 403)["detail"]
        problem(tenant.get(of("clients", client_id, "leads", "lead", "why")), 403)
    problem(tenant.get(of("clients", MINE, "leads", "theirs.test/in/ada", "why")), 404)
    nobody = headers_of(make_token(Scope.RUNS_READ, client_id="nobody"))
    assert httpx.get(f"{base_url}{V1}/clients", headers=nobody).json()["items"] == []


def test_what_it_writes_reaches_no_run_of_others(tenant: httpx.Client, app: App, foreign: list[str]) -> None:
    """A client run of its own in a run of theirs is what reporting makes; it does not show the rest."""
    run_id = foreign[1]
    problem(tenant.patch(of("runs", run_id), json={"system_notes": "x"}), 403)
    problem(tenant.put(of("runs", run_id), json={}), 403)
    problem(tenant.patch(of("runs", run_id, "clients", THEIRS), json={"system_notes": "x"}), 403)
    problem(tenant.post(f"{V1}/run-ids", json={}), 403)
    clean(tenant.patch(of("runs", run_id, "clients", MINE), json={"system_notes": "x"}))
    run = clean(tenant.get(of("runs", run_id)))
    assert [each["client_id"] for each in run["clients"]] == [MINE]


def test_of_all_routes_none_says_what_is_not_its_own(
    tenant: httpx.Client, app: App, shared: list[str], foreign: list[str]
) -> None:
    for route in guarded():
        for run_id in (*shared, *foreign):
            if "{run_id}" in route.path or run_id == shared[0]:
                answer = call(tenant, route, run_id=run_id, client_id=MINE)
                said = f"{answer.text}\n{answer.headers}"
                assert [word for word in SECRETS if word in said] == [], described(route, answer)
                assert answer.status_code < 500, described(route, answer)
    assert {each.name for each in guarded()} < set(SAMPLES)


def test_two_tenants_of_one_server_are_two(app: App, books: Ledger, make_token: MakeToken, shared: list[str]) -> None:
    with served(app) as url:
        seen = {
            client_id: httpx.get(
                f"{url}{of('runs', shared[0])}", headers=headers_of(make_token(Scope.RUNS_READ, client_id=client_id))
            ).json()
            for client_id in (MINE, THEIRS)
        }
    for client_id, run in seen.items():
        assert [each["client_id"] for each in run["clients"]] == [client_id]
        assert run["status"] == "completed_with_errors"
