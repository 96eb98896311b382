"""What goes wrong with the look-alike of Airtable when it is asked to."""

from contextlib import suppress

import pytest
from requests import ConnectionError as Broken

from tallybook.testing.airtable_fields import text
from tallybook.testing.airtable_server import AirtableFault, AirtableServer
from tests.testing.airtables import TOKEN, answer_to, ask, refusal, status, table


@pytest.mark.parametrize(
    ("fault", "code", "body"),
    [
        (AirtableFault.RATE_LIMIT, 429, '{"errors": [{"error": "RATE_LIMIT_REACHED", "message": "Rate limit '),
        (AirtableFault.MONTHLY_LIMIT, 429, '{"error": {"type": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", "message": '),
        (AirtableFault.MONTHLY_LIMIT_LISTED, 429, '{"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED", '),
        (AirtableFault.SERVER_ERROR, 500, '{"error": {"type": "SERVER_ERROR", "message": '),
        (AirtableFault.BAD_GATEWAY, 502, "<!doctype html>"),
        (AirtableFault.UNAVAILABLE, 503, "<!doctype html>"),
    ],
)
def test_an_error_does_nothing(fault: AirtableFault, code: int, body: str, airtable: AirtableServer) -> None:
    airtable.faults.then(fault)
    jobs = table(airtable, "Jobs")
    answer = answer_to(lambda: jobs.create({"Leads": 1}))
    assert (answer.status_code, len(airtable.base("Operator").table("Jobs"))) == (code, 0)
    assert answer.text.startswith(body)
    assert "Retry-After" not in answer.headers
    assert (airtable.calls[0].fault, airtable.calls[0].status, airtable.calls[0].ok) == (fault.value, code, False)
    assert status(lambda: jobs.create({"Leads": 1})) == 200


@pytest.mark.parametrize(("fault", "rows"), [(AirtableFault.RESET, 0), (AirtableFault.LOST_ANSWER, 1)])
def test_a_connection_that_breaks_says_nothing_about_what_was_written(
    fault: AirtableFault, rows: int, airtable: AirtableServer
) -> None:
    jobs = table(airtable, "Jobs")
    airtable.faults.rule(fault, lambda asked: asked.what == "upsert" and asked.table == "Jobs", times=1)
    assert jobs.all() == []
    with pytest.raises(Broken):
        jobs.batch_upsert([{"fields": {"Run ID": "r"}}], ["Run ID"])
    assert (len(airtable.base("Operator").table("Jobs")), airtable.calls[-1].status) == (rows, 0)
    jobs.batch_upsert([{"fields": {"Run ID": "r"}}], ["Run ID"])
    assert airtable.base("Operator").table("Jobs").rows == [{"Run ID": "r"}]


def test_a_create_whose_answer_is_lost_and_that_is_tried_again_writes_twice(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    airtable.faults.then(AirtableFault.LOST_ANSWER)
    with pytest.raises(Broken):
        jobs.create({"Run ID": "r"})
    jobs.create({"Run ID": "r"})
    assert airtable.base("Operator").table("Jobs").where("Run ID", "r") == airtable.base("Operator").table("Jobs").ids
    assert len(airtable.base("Operator").table("Jobs")) == 2


def test_a_slow_answer_is_of_something_done_at_once() -> None:
    with AirtableServer(token=TOKEN, slow_s=0.05) as server:
        server.add_base("Operator", {"Jobs": [text("Name")]})
        server.faults.then(AirtableFault.SLOW)
        assert table(server, "Jobs").create({"Name": "a"})["fields"] == {"Name": "a"}
        assert server.calls[0].fault == "slow"


def test_rules_see_what_is_asked(airtable: AirtableServer) -> None:
    jobs = table(airtable, "Jobs")
    airtable.faults.rule(AirtableFault.SERVER_ERROR, lambda asked: asked.records > 1 or "sort" in asked.said)
    assert status(lambda: jobs.create({"Leads": 1})) == 200
    assert refusal(lambda: jobs.batch_create([{"Leads": 1}, {"Leads": 2}]))[0] == 500
    assert refusal(lambda: jobs.all(sort=["Leads"]))[0] == 500
    assert refusal(lambda: jobs.batch_delete(["a", "b"]))[0] == 500
    assert [call.records for call in airtable.calls] == [1, 2, 0, 2]


def test_an_expired_offset_befalls_only_who_has_one(airtable: AirtableServer) -> None:
    airtable.faults.rule(AirtableFault.EXPIRED_OFFSET, lambda asked: True)
    assert table(airtable, "Jobs").all() == []
    assert table(airtable, "Jobs").create({"Leads": 1})["fields"] == {"Leads": 1}


def test_faults_befall_requests_by_chance_the_same_for_the_same_seed() -> None:
    chances = {AirtableFault.RATE_LIMIT: 0.3, AirtableFault.LOST_ANSWER: 0.2}

    def seen(seed: int) -> list[str]:
        with AirtableServer(chances=chances, seed=seed) as server:
            server.add_base("Operator", {"Jobs": [text("Name")]})
            path = f"/v0/{server.base('Operator').id}/Jobs"
            for _ in range(20):
                with suppress(ConnectionError):
                    ask(server, "GET", path)
            return [call.fault for call in server.calls]

    first = seen(1)
    assert first == seen(1) != seen(2)
    assert set(first) == {"", "rate_limit", "lost_answer"}


def test_the_shares_are_shares() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        AirtableServer(chances={AirtableFault.RESET: 2})
