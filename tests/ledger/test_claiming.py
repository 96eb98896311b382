"""Claims: what reporters say about their own runs. Sums are replaced, notes appended, statuses never typed in."""

import pytest

from tallybook.domain.errors import BadInput
from tallybook.domain.fields import read_fields
from tallybook.domain.run import Status
from tallybook.ledger.keys import ClientKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import claims
from tallybook.ledger.write import reported as words
from tests.ledger.scenes import NOON, planned, reported, texts, told

RUN = "261123-120000"
ACME = ClientKey(RUN, "acme")


def say(ledger: Ledger, key: ClientKey, **said: object) -> bool:
    return ledger.do(words.claim, key, read_fields(said))


def test_the_last_value_of_a_sum_wins_and_none_never_overwrites(ledger: Ledger) -> None:
    """F37"""
    reported(ledger, "acme")
    say(ledger, ACME, total_leads=3, tokenUsage=10)
    say(ledger, ACME, total_leads=5, tokenUsage=None)
    say(ledger, ClientKey(RUN, ""), client_name="x", items_processed=7)
    run = told(ledger, RUN)
    assert run.clients[0].claims == {"total_leads": 5, "total_tokens": 10}
    assert run.claims == {"client_name": "x", "items_processed": 7}


def test_notes_and_errors_are_appended_and_a_repeated_verb_says_them_once(ledger: Ledger) -> None:
    """F38"""
    reported(ledger, "acme")
    for text in ("one", "two", "two", "one"):
        say(ledger, ACME, notes=text, error=f"error {text}")
    assert texts(ledger, RUN, "note") == ["one", "two", "one"]
    assert told(ledger, RUN).clients[0].error == "error one"
    say(ledger, ClientKey(RUN, ""), Error="of the run\0")
    assert told(ledger, RUN).error == "of the run"


def test_creating_again_fills_gaps_and_overwrites_nothing(ledger: Ledger) -> None:
    """F05"""
    ledger.do(claims.create_run, RUN, claims.Job(auto_created="update_job"))
    ledger.do(claims.create_client, ACME, None, "update_client_run")
    say(ledger, ACME, total_leads=3)
    at = {"started_at": "2026-11-23T10:00:00Z"}
    for key in (ACME, ClientKey(RUN, "")):
        for _time in range(2):
            said = read_fields({**at, "total_leads": 9, "client_name": "Acme Law", "notes": "begun"})
            ledger.do(words.claim, key, said, at_creation=True)
    ledger.do(words.claim, ACME, read_fields({"client_name": "Another"}), at_creation=True)
    run = told(ledger, RUN)
    [client] = run.clients
    assert (client.client_name, client.claims) == ("Acme Law", {"total_leads": 3})
    assert run.started_at == client.started_at == NOON.replace(hour=10)
    assert texts(ledger, RUN, "note") == ["begun", "begun"]


def test_a_name_and_a_start_can_be_said_later(ledger: Ledger) -> None:
    reported(ledger, "acme")
    for key in (ACME, ClientKey(RUN, "")):
        say(ledger, key, startTime="2026-11-23T09:00:00Z", client_name="Acme", job_type="post_scoring")
    run = told(ledger, RUN)
    assert (run.clients[0].client_name, run.started_at) == ("Acme", NOON.replace(hour=9))


def test_what_a_run_is_can_be_said_later_unless_our_engine_knows(ledger: Ledger) -> None:
    run_id, ours = reported(ledger, run_id="261123-110000"), planned(ledger, "acme")
    for each in (run_id, ours):
        ledger.do(words.set_words, each, {"job_type": "post_scoring", "stream": 7, "triggered_by": "cron"})
        ledger.do(words.set_words, each, {"stream": 8}, unless_created=True)
        ledger.do(words.set_words, each, {})
    assert (told(ledger, run_id).job_type, told(ledger, run_id).stream) == ("post_scoring", 7)
    assert (told(ledger, ours).job_type, told(ledger, ours).stream) == ("lead_scoring", 1)


@pytest.mark.parametrize("client_id", ["acme", ""])
def test_a_reporter_says_that_its_run_waits_or_pauses_but_never_that_it_is_queued_again(
    ledger: Ledger, client_id: str
) -> None:
    reported(ledger, "acme")
    key = ClientKey(RUN, client_id)

    def status() -> Status:
        run = told(ledger, RUN)
        return run.clients[0].status if client_id else run.status

    for said, found in (
        (Status.RUNNING, Status.RUNNING), (Status.QUEUED, Status.RUNNING), (Status.PAUSED, Status.PAUSED),
        (Status.QUEUED, Status.QUEUED),
    ):  # fmt: skip
        ledger.do(words.set_status, key, said)
        assert status() is found
    assert texts(ledger, RUN, "claim_refused") == ["Reported as queued, but it is running"]
    ledger.do(words.set_status, ClientKey("261123-000000", client_id), Status.PAUSED)


@pytest.mark.parametrize("client_id", ["acme", ""])
def test_an_ending_is_no_status_to_set(ledger: Ledger, client_id: str) -> None:
    """F01"""
    reported(ledger, "acme", "b")
    with pytest.raises(BadInput, match="complete the run"):
        ledger.do(words.set_status, ClientKey(RUN, client_id), Status.COMPLETED)
    assert told(ledger, RUN).status is Status.RUNNING


def test_a_reporter_does_not_move_what_our_engine_drives(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    ledger.do(words.set_status, ClientKey(run_id, "acme"), Status.PAUSED)
    assert told(ledger, run_id).clients[0].status is Status.QUEUED


def test_a_refusal_is_said_once(ledger: Ledger) -> None:
    """F34"""
    reported(ledger, "acme")
    assert ledger.do(words.refused, ACME, "no such field")
    assert not ledger.do(words.refused, ACME, "no such field")
    assert ledger.do(words.refused, None, "no such field")
    assert texts(ledger, RUN, "refused") == ["no such field"]
