"""How much the look-alike of Airtable lets one ask, and who may ask what."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tallybook.testing.airtable_api import READ, READ_SCHEMA, SCOPES, WRITE, WRITE_SCHEMA
from tallybook.testing.airtable_fields import text
from tallybook.testing.airtable_server import BUSINESS, FREE, NO_LIMITS, TEAM, AirtableServer, Limits
from tests.testing.airtables import NOWHERE, TOKEN, Clock, api, ask, refusal, status, table

SLOW_DOWN = {"errors": [{"error": "RATE_LIMIT_REACHED", "message": "Rate limit exceeded. Please try again later"}]}
Serve = Callable[[Limits], AirtableServer]


@pytest.fixture
def serve(clock: Clock) -> Iterator[Serve]:
    servers: list[AirtableServer] = []

    def served(limits: Limits) -> AirtableServer:
        server = AirtableServer(token=TOKEN, limits=limits, now=clock)
        servers.append(server.__enter__())
        for name in ("One", "Two"):
            server.add_base(name, {"T": [text("Name")]}, workspace_id=f"wsp{name}")
        return server

    yield served
    for server in servers:
        server.close()


def statuses(server: AirtableServer, base: str, number: int) -> list[int]:
    path = f"/v0/{server.base(base).id}/T"
    return [ask(server, "GET", path)[0] for _ in range(number)]


# -- in a second -------------------------------------------------------------------------------------------------------


def test_the_sixth_request_in_a_second_is_refused_and_all_for_the_next_thirty(serve: Serve, clock: Clock) -> None:
    server = serve(Limits())
    assert statuses(server, "One", 3) == [200, 200, 200]
    clock.move(0.9)
    assert statuses(server, "One", 3) == [200, 200, 429]
    assert ask(server, "GET", f"/v0/{server.base('One').id}/T") == (429, SLOW_DOWN)
    assert ask(server, "GET", f"/v0/meta/bases/{server.base('One').id}/tables") == (429, SLOW_DOWN)
    assert statuses(server, "Two", 5) == [200] * 5
    clock.move(29.9)
    assert statuses(server, "One", 1) == [429]
    clock.move(0.1)
    assert statuses(server, "One", 6) == [200] * 5 + [429]


def test_five_a_second_can_be_asked_for_ever(serve: Serve, clock: Clock) -> None:
    server = serve(Limits())
    for _ in range(4):
        assert statuses(server, "One", 5) == [200] * 5
        clock.move(1)
    assert (server.log.most_in_a_second(server.base("One").id), server.log.most_in_a_second()) == (5, 5)


def test_all_tokens_of_a_user_are_counted_together(serve: Serve, clock: Clock) -> None:
    server = serve(Limits(base_per_s=None, user_per_s=4))
    server.add_token("patB")
    assert statuses(server, "One", 2) + statuses(server, "Two", 1) == [200] * 3
    assert [ask(server, "GET", "/v0/meta/whoami", token="patB")[0] for _ in range(2)] == [200, 429]
    clock.move(30)
    assert statuses(server, "Two", 1) == [200]


def test_nothing_is_written_by_a_request_too_many_and_nothing_says_when_to_come_again(serve: Serve) -> None:
    server = serve(Limits(base_per_s=1))
    table(server, "T", "One").create({"Name": "a"})
    assert status(lambda: table(server, "T", "One").create({"Name": "b"})) == 429
    assert server.base("One").table("T").rows == [{"Name": "a"}]
    server.limit(NO_LIMITS)
    assert statuses(server, "One", 60) == [200] * 60


# -- in a month, and in a base -----------------------------------------------------------------------------------------


def test_a_month_that_is_used_up_lasts_until_it_turns(serve: Serve, clock: Clock) -> None:
    server = serve(Limits(None, None, calls_per_month=3))
    assert statuses(server, "One", 4) == [200, 200, 200, 429]
    code, kind, why = refusal(lambda: table(server, "T", "One").all())
    assert (code, kind) == (429, "PUBLIC_API_BILLING_LIMIT_EXCEEDED")
    assert "this month" in why
    assert status(lambda: table(server, "T", "One").schema()) == 200
    assert statuses(server, "Two", 1) == [200]
    assert (server.calls_this_month("wspOne"), server.calls_this_month("wspTwo")) == (3, 1)
    clock.at = datetime(2025, 5, 31, 23, 59, 59, tzinfo=UTC)
    assert statuses(server, "One", 1) == [429]
    clock.move(1)
    assert statuses(server, "One", 1) == [200]
    assert server.calls_this_month("wspOne") == 1


def test_a_base_holds_so_many_records_over_all_its_tables(serve: Serve) -> None:
    server = serve(Limits(None, None, records_per_base=3))
    server.base("One").add_table("U", [text("Name")]).add({"Name": "a"})
    one = table(server, "T", "One")
    one.batch_create([{"Name": "b"}])
    assert refusal(lambda: one.batch_create([{"Name": "c"}, {"Name": "d"}]))[:2] == (422, "RECORD_LIMIT_EXCEEDED")
    one.batch_upsert([{"fields": {"Name": "b"}}, {"fields": {"Name": "c"}}], ["Name"])
    assert status(lambda: one.batch_upsert([{"fields": {"Name": "d"}}], ["Name"])) == 422
    assert status(lambda: one.batch_upsert([{"fields": {"Name": "c"}}], ["Name"])) == 200
    assert server.base("One").records == 3


def test_the_plans_have_their_limits() -> None:
    assert (FREE.calls_per_month, FREE.records_per_base) == (1_000, 1_000)
    assert (TEAM.calls_per_month, TEAM.records_per_base) == (100_000, 50_000)
    assert (BUSINESS.calls_per_month, BUSINESS.records_per_base) == (None, 125_000)
    assert {(plan.base_per_s, plan.user_per_s, plan.penalty_s) for plan in (FREE, TEAM, BUSINESS)} == {(5, 50, 30)}


# -- who may -----------------------------------------------------------------------------------------------------------


def test_without_the_token_nobody_is_answered(airtable: AirtableServer) -> None:
    path = f"/v0/{airtable.base('Operator').id}/Jobs"
    assert refusal(lambda: api(airtable, "patOther").whoami())[:2] == (401, "UNAUTHORIZED")
    assert ask(airtable, "GET", path, token="") == (
        401,
        {"error": {"type": "AUTHENTICATION_REQUIRED", "message": "Authentication required"}},
    )
    with AirtableServer() as open_to_all:
        assert api(open_to_all, "patAny").whoami()["id"]
        assert ask(open_to_all, "GET", "/v0/meta/whoami", token="")[0] == 401


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_does_what_its_scopes_allow(scope: str, airtable: AirtableServer) -> None:
    airtable.add_token("patOne", [scope])
    base = api(airtable, "patOne").base(airtable.base("Operator").id)
    name: list[dict[str, Any]] = [{"name": "A", "type": "singleLineText"}]
    does: dict[str, list[Callable[[], object]]] = {
        READ: [base.table("Jobs").all, lambda: base.table("Jobs").all(formula="1")],
        WRITE: [
            lambda: base.table("Jobs").create({"Leads": 1}),
            lambda: base.table("Jobs").batch_upsert([{"fields": {"Leads": 1}}], ["Leads"]),
        ],
        READ_SCHEMA: [base.schema, base.api.bases],
        WRITE_SCHEMA: [lambda: base.api.post(base.urls.tables, json={"name": "New", "fields": name})],
    }
    for needed, tries in does.items():
        for do in tries:
            if needed == scope:
                do()
            else:
                assert refusal(do)[:2] == (403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND")
    assert base.api.whoami()["id"]


def test_a_token_reaches_only_its_bases(airtable: AirtableServer) -> None:
    other = airtable.add_base("Other", {"T": [text("Name")]})
    airtable.add_token("patOne", base_ids=[other.id])
    mine = api(airtable, "patOne")
    assert [base.id for base in mine.bases()] == [other.id]
    assert mine.table(other.id, "T").all() == []
    assert status(lambda: mine.table(airtable.base("Operator").id, "Jobs").all()) == 403
    airtable.delete_base("Other")
    assert status(lambda: mine.table(other.id, "T").all()) == 403


def test_a_base_or_table_that_is_none_is_not_told_from_one_that_is_forbidden(airtable: AirtableServer) -> None:
    base_id = airtable.base("Operator").id
    wrong = "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"
    for do in (
        lambda: api(airtable).table("appAAAAAAAAAAAAAA", "Jobs").all(),
        lambda: api(airtable).table(base_id, "Nothing").create({}),
        lambda: api(airtable).base("appAAAAAAAAAAAAAA").schema(),
        lambda: api(airtable).table(base_id, "Nothing").get(NOWHERE),
    ):
        assert refusal(do)[:2] == (403, wrong)
    path = f"/v0/meta/bases/{base_id}/tables/{airtable.base('Operator').table('Jobs').id}/fields/fldAAAAAAAAAAAAAA"
    assert ask(airtable, "PATCH", path, {"name": "x"})[0] == 403


@pytest.mark.parametrize("path", ["/", "/v0", "/v0/meta/nothing", "/v0/other/Jobs", "/v1/meta/whoami"])
def test_an_unknown_route_is_not_found(path: str, airtable: AirtableServer) -> None:
    assert ask(airtable, "GET", path) == (404, {"error": "NOT_FOUND"})
    assert airtable.calls[-1].what == ""


def test_a_body_must_be_an_object_of_some_size(airtable: AirtableServer) -> None:
    path = f"/v0/{airtable.base('Operator').id}/Jobs"
    assert ask(airtable, "POST", path, b"{")[0] == 400
    assert ask(airtable, "POST", path, b"[]")[0] == 422
    assert ask(airtable, "POST", path, b'{"fields": {"Notes": "' + b"x" * 10_000_000 + b'"}}')[0] == 413
    assert len(airtable.base("Operator").table("Jobs")) == 0
