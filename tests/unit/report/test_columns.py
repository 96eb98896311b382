"""Runs as rows of a table: what has rows behind it, and what rests on a reporter's word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Basis, ClientRun, JobType, OperationName, OperationRun, Origin, Run, Status, Trigger
from tallybook.domain.tally import Money, Tally
from tallybook.domain.telling import RunStory
from tallybook.report.columns import MOST_OUTSIDE, client_values, run_values

LEAD_SCORING, POST_HARVESTING, POST_SCORING = OperationName
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def operation(name: OperationName, tally: Tally, basis: Basis = Basis.EXACT) -> OperationRun:
    return OperationRun(name, Status.COMPLETED, tally, basis=basis)


def client(*operations: OperationRun, client_id: str = "acme", **more: object) -> ClientRun:
    facts = {"status": Status.COMPLETED, "operations": operations, **more}
    return ClientRun(client_id, client_id.title(), f"261123-120000-{client_id}", **facts)  # type: ignore[arg-type]  # facts


RUN = Run("261123-120000", JobType.SMART_RESUME, Status.COMPLETED, Trigger.CRON, Tally(), stream=2)


def story(*clients: ClientRun, run: Run = RUN, **more: object) -> RunStory:
    return RunStory(replace(run, clients=clients), **more)  # type: ignore[arg-type]  # by name


def test_each_operation_fills_its_own_columns() -> None:
    found = client(
        operation(LEAD_SCORING, Tally(found=5, scored=4, failed=1, calls=2, input_tokens=10, output_tokens=5)),
        operation(POST_HARVESTING, Tally(found=3, harvested=3, posts=9, calls=1, cost_pico_usd=10**12)),
        operation(POST_SCORING, Tally(found=2, scored=1, failed=1, posts=7, input_tokens=4, output_tokens=2, calls=2)),
        errors=2,
    )
    told = story(found, posts_scored={"acme": 4}, leads={"acme": LeadFigures(6, 6, 4, 2, 0)})
    values = client_values(told, found)
    expected = {
        "profiles_examined": 5, "profiles_scored": 4, "profile_tokens": 15, "profiles_submitted": 3,
        "posts_harvested": 9, "posts_examined": 7, "posts_scored": 4, "post_tokens": 6, "posts_processed": 7,
        "errors": 4, "total_leads": 6, "successful_leads": 4, "failed_leads": 2, "leads_processed": 6,
        "prompt_tokens": 14, "completion_tokens": 7, "total_tokens": 21, "tokens_per_lead": 3.5,
        "estimated_cost_usd": Decimal(1), "apify_cost_usd": Decimal(1), "lead_success_rate": 4 / 6,
    }  # fmt: skip
    assert {name: values[name] for name in expected} == expected


def test_what_nobody_measured_is_empty_and_not_0() -> None:
    """F07"""
    unmeasured = client(operation(LEAD_SCORING, Tally(found=1, scored=1, calls=2, unmeasured=2)))
    unpriced = client(operation(LEAD_SCORING, Tally(found=1, scored=1, calls=1, unpriced=1, input_tokens=3)))
    free = client(operation(LEAD_SCORING, Tally(found=1, scored=1)))
    told = [client_values(story(each), each) for each in (unmeasured, unpriced, free)]
    assert [each["total_tokens"] for each in told] == [None, 3, 0]
    assert [each["estimated_cost_usd"] for each in told] == [None, None, 0]


def test_a_claim_stands_where_there_are_no_rows_and_only_there() -> None:
    claims = {"total_tokens": 1500, "posts_processed": 42, "estimated_cost_usd": "1.25", "apify_run_id": "x1"}
    said = client(operation(POST_SCORING, Tally(found=42), Basis.REPORTED), claims=claims, origin=Origin.REPORTED)
    values = client_values(story(said), said)
    assert (values["total_tokens"], values["posts_processed"], values["apify_run_id"]) == (1500, 42, "x1")
    assert values["estimated_cost_usd"] == Decimal("1.25")
    assert values["profiles_examined"] is None
    exact = client(operation(POST_SCORING, Tally(found=2, scored=2, posts=3, input_tokens=7, calls=1)), claims=claims)
    values = client_values(story(exact, outside={"acme": ["y1", "y2"]}), exact)
    assert (values["total_tokens"], values["posts_processed"], values["apify_run_id"]) == (7, 3, "y1, y2")


def test_a_run_is_the_sum_of_its_clients() -> None:
    """F37; F08: no rate over one."""
    one = client(operation(LEAD_SCORING, Tally(found=2, scored=2, input_tokens=5, calls=1, cost_pico_usd=10**11)))
    other = client(claims={"total_tokens": 10, "successful_leads": 3, "failed_leads": 1}, client_id="north")
    bad = client(status=Status.FAILED, client_id="south")
    run = replace(RUN, started_at=NOON, ended_at=NOON + timedelta(minutes=3))
    told = story(one, other, bad, run=run, leads={"acme": LeadFigures(2, 2, 2, 0, 0)})
    values = run_values(told)
    assert (values["total_clients"], values["successful_clients"], values["failed_clients"]) == (3, 2, 1)
    assert values["success_rate"] == 2 / 3
    assert (values["total_tokens"], values["prompt_tokens"]) == (15, 5)
    assert (values["successful_leads"], values["failed_leads"], values["lead_success_rate"]) == (5, 1, 5 / 6)
    assert values["estimated_cost_usd"] == Money(10**11).as_decimal
    assert values["duration"] == timedelta(minutes=3)
    assert values["items_processed"] == 2


def test_a_run_without_clients_is_as_its_reporter_says() -> None:
    claims = {"total_tokens": 7, "items_processed": 3, "estimated_cost_usd": "0.5"}
    values = run_values(story(run=replace(RUN, claims=claims)))
    assert (values["total_tokens"], values["items_processed"]) == (7, 3)
    assert values["estimated_cost_usd"] == Decimal("0.5")
    assert values["success_rate"] is None


def test_what_waits_says_for_what() -> None:
    """The mirrored status of a queued, a running and a paused run is the same."""
    paused = client(status=Status.PAUSED, blocked_reason="provider_quota")
    queued = client(status=Status.QUEUED, client_id="north")
    said = {"": [(NOON, "started", "Started by Ada"), (NOON, "replayed", "not for people")]}
    told = story(paused, queued, said=said, run=replace(RUN, status=Status.PAUSED, blocked_reason="provider_quota"))
    assert run_values(told)["system_notes"] == "2026-11-23 12:00:00 Started by Ada\nNow paused: provider_quota"
    assert client_values(told, paused)["system_notes"] == "Now paused: provider_quota"
    assert client_values(told, queued)["system_notes"] == "Now queued"
    assert client_values(told, client())["system_notes"] is None


def test_of_many_outside_runs_the_first_are_named() -> None:
    many = [f"x{number}" for number in range(MOST_OUTSIDE + 3)]
    told = story(client(), outside={"acme": many})
    assert str(client_values(told, told.run.clients[0])["apify_run_id"]).endswith("x19 and 3 more")
    assert str(run_values(told)["apify_run_id"]).endswith("x19 and 3 more")


def test_tokens_that_nobody_measured_are_empty_for_the_operation_too() -> None:
    """F07"""
    found = client(
        operation(LEAD_SCORING, Tally(found=1, scored=1, calls=1, unmeasured=1)),
        operation(POST_SCORING, Tally(found=1, scored=1, calls=1, unmeasured=1)),
    )
    values = client_values(story(found), found)
    assert (values["profile_tokens"], values["post_tokens"]) == (None, None)


def test_a_claim_of_use_stands_where_no_call_was_booked() -> None:
    """F07: nothing is overwritten with 0."""
    claims = {"total_tokens": 15_900, "estimated_cost_usd": "0.50"}
    found = client(operation(POST_SCORING, Tally(found=1, scored=1)), claims=claims, origin=Origin.REPORTED)
    values = client_values(story(found), found)
    assert (values["total_tokens"], values["estimated_cost_usd"]) == (15_900, Decimal("0.50"))


def test_sums_over_claimed_and_exact_operations_are_the_claims() -> None:
    claims = {"total_leads": 42, "total_tokens": 15_000, "posts_processed": 9}
    found = client(
        operation(LEAD_SCORING, Tally(found=1, scored=1, calls=1, input_tokens=3)),
        operation(POST_SCORING, Tally(found=42), Basis.REPORTED),
        claims=claims,
    )
    values = client_values(story(found, leads={"acme": LeadFigures(1, 1, 1, 0, 0)}), found)
    assert (values["total_leads"], values["total_tokens"]) == (42, 15_000)
    assert (values["profiles_scored"], values["posts_processed"]) == (1, 9)


def test_clients_that_a_reporter_only_counts_are_shown() -> None:
    claims = {"total_clients": 5, "successful_clients": 4, "failed_clients": 1}
    values = run_values(story(run=replace(RUN, claims=claims)))
    assert [values[name] for name in claims] == [5, 4, 1]
    assert values["success_rate"] == 0.8


def test_an_error_beside_the_leads_is_counted_though_nothing_was_worked_on() -> None:
    found = client(status=Status.FAILED, errors=1)
    assert client_values(story(found), found)["errors"] == 1
    claimed = client(status=Status.FAILED, errors=1, claims={"errors": 3})
    assert client_values(story(claimed), claimed)["errors"] == 3
