"""Which client runs wait in the queue, who gives them back, and that none is handed out twice."""

from tallybook.domain.run import Status, Stop
from tallybook.ledger import work
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import dispatch, starts, stops
from tests.ledger.scenes import asked, begun, clients, planned, texts, told


def test_runs_share_the_queue_a_few_clients_at_a_time(ledger: Ledger) -> None:
    run_id = planned(ledger, *"abcde")
    first = ledger.do(dispatch.dispatch, 2)
    assert [each.key.client_id for each in first] == ["a", "b"]
    assert first[1].workflow_id == f"{run_id}/1/0"
    assert ledger.do(dispatch.dispatch, 2) == []
    begun(ledger, run_id, "a")
    assert ledger.do(dispatch.tickets_out) == first
    assert [each.key.client_id for each in ledger.do(dispatch.dispatch, 2)] == ["c"]


def test_a_ticket_is_handed_out_once(ledger: Ledger) -> None:
    """F14"""
    planned(ledger, "acme")
    [ticket] = ledger.do(dispatch.dispatch, 9)
    assert not ledger.do(dispatch._hand_out, ticket)


def test_a_client_that_another_run_has_is_not_dispatched(ledger: Ledger) -> None:
    """F14"""
    planned(ledger, "acme", "b")
    second = planned(ledger, "acme", "c", start=asked("acme", "c", queue_behind=True))
    dispatched = ledger.do(dispatch.dispatch, 9)
    assert [each.key.client_id for each in dispatched if each.key.run_id == second] == ["c"]


def test_a_client_run_that_is_handed_back_waits_for_another_worker(ledger: Ledger) -> None:
    run_id = planned(ledger, "acme")
    [first] = ledger.do(dispatch.dispatch, 9)
    key = begun(ledger, run_id, "acme", "w1")
    ledger.do(dispatch.hand_back, key, "w1")
    [again] = ledger.do(dispatch.dispatch, 9)
    assert (again.key, again.turn) == (first.key, first.turn + 1)
    assert work.workers(ledger.database) == {}


def test_a_worker_that_was_taken_for_dead_hands_nothing_back(ledger: Ledger) -> None:
    """F14"""
    run_id = planned(ledger, "acme")
    begun(ledger, run_id, "acme", "w1")
    key = begun(ledger, run_id, "acme", "w2")
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    ledger.do(dispatch.hand_back, key, "w1")
    assert work.workers(ledger.database) == {"w2": [key]}


def test_a_client_run_that_is_handed_back_while_its_run_stops_stops(ledger: Ledger) -> None:
    """F40"""
    run_id = planned(ledger, "acme")
    key = begun(ledger, run_id, "acme", "w1")
    ledger.do(stops.stop_run, run_id, Stop.PAUSE, "by Ada")
    ledger.do(dispatch.hand_back, key, "w1")
    assert told(ledger, run_id).status is Status.PAUSED


def test_a_ticket_that_was_used_up_is_issued_again_unless_the_client_run_moved_on(ledger: Ledger) -> None:
    """F02"""
    planned(ledger, "acme")
    [ticket] = ledger.do(dispatch.dispatch, 9)
    assert ledger.do(dispatch.reissue, ticket)
    assert not ledger.do(dispatch.reissue, ticket)
    [again] = ledger.do(dispatch.dispatch, 9)
    assert again.turn == ticket.turn + 1


def test_runs_that_are_not_planned_yet_are_listed_oldest_first(ledger: Ledger) -> None:
    runs = [ledger.do(starts.start, asked(stream=n)).run_id for n in range(3)]
    ledger.do(starts.plan, runs[1], clients("a"))
    assert ledger.do(dispatch.unplanned_runs) == [runs[0], runs[2]]
    assert work.waiting(ledger.database)


def test_work_waits_until_it_is_in_the_queue(ledger: Ledger) -> None:
    assert not work.waiting(ledger.database)
    planned(ledger, "acme")
    assert work.waiting(ledger.database)
    ledger.do(dispatch.dispatch, 9)
    assert not work.waiting(ledger.database)


def test_a_run_whose_clients_cannot_be_read_has_failed(ledger: Ledger) -> None:
    run_id = ledger.do(starts.start, asked()).run_id
    for _time in range(2):
        ledger.do(dispatch.fail_plan, run_id, "Airtable said 500")
    run = told(ledger, run_id)
    assert (run.status, run.finish_reason, run.error) == (Status.FAILED, "clients_unreadable", "Airtable said 500")
    assert texts(ledger, run_id, "error") == ["Airtable said 500"]
