"""Answers that Airtable itself hardly gives: of what stands before it, or where it takes keys more freely than us."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import AirtableError, BadRow, LostAnswer, Misconfigured, NotNow
from tallybook.airtable.pacing import Pace
from tallybook.airtable.resolved import ResolvedTable, resolve
from tallybook.airtable.seen import OperatorBase, SeenField, SeenTable
from tallybook.airtable.tables import JOB_TRACKING
from tallybook.testing.lookalike_http import Exchange, Listener, Reply, as_json, page
from tests.airtable.premises import TOKEN, Clock

BASE = OperatorBase("appLookAlike00001")
Opened = Callable[[Reply], AbstractContextManager[AirtableDoor]]


@pytest.fixture
def jobs() -> ResolvedTable[OperatorBase]:
    seen = SeenTable("tblLookAlike00001", "Job Tracking", (SeenField("fld1", "Run ID", "singleLineText"),))
    return resolve(BASE, [seen]).table(JOB_TRACKING)


@pytest.fixture
def answered(pace: Pace, clock: Clock) -> Opened:
    """A door behind which everything is answered alike."""

    @contextmanager
    def opened(reply: Reply) -> Iterator[AirtableDoor]:
        def serve(exchange: Exchange) -> None:
            exchange.answer(reply)

        listener = Listener(0, serve)
        listener.start()
        try:
            yield AirtableDoor(TOKEN, f"http://127.0.0.1:{listener.server_port}", pace, sleep=clock.sleep)
        finally:
            listener.close()

    return opened


ODD = [page(200), as_json([]), as_json({}), as_json({"records": 5}), Reply(200, b""), as_json(7, 500)]


@pytest.mark.parametrize("reply", ODD, ids=lambda reply: reply.body[:20].decode() or "nothing")
def test_what_is_no_answer_of_airtables_is_told_as_that(
    answered: Opened, jobs: ResolvedTable[OperatorBase], reply: Reply
) -> None:
    with answered(reply) as door:
        with pytest.raises(NotNow) as told:
            list(door.records(jobs))
        assert not isinstance(told.value, LostAnswer)
        with pytest.raises(LostAnswer, match="may have been done all the same"):
            door.upsert(jobs, {"a": {}})


def record(number: int, run_id: str) -> dict[str, object]:
    return {"id": f"rec{number}", "createdTime": "2026-11-23T01:30:00.000Z", "fields": {"fld1": run_id}}


def test_rows_that_only_airtable_takes_for_equal_are_not_the_ones_asked_for(
    answered: Opened, jobs: ResolvedTable[OperatorBase]
) -> None:
    with answered(as_json({"records": [record(1, "A"), record(2, "a")]})) as door:
        assert [each.id for each in door.by_keys(jobs, "run_id", ["a"])] == ["rec2"]


def test_keys_that_come_back_otherwise_are_matched_by_their_order(
    answered: Opened, jobs: ResolvedTable[OperatorBase]
) -> None:
    said = {"records": [record(1, "a"), record(2, "b")], "createdRecords": ["rec2"], "updatedRecords": ["rec1"]}
    with answered(as_json(said)) as door:
        upserted = door.upsert(jobs, {"b": {}, "a": {}})
        assert upserted.ids == {"a": "rec1", "b": "rec2"}
        assert upserted.created == {"rec2"}
        assert door.upsert(jobs, {"a ": {}, "b ": {}}).ids == {"a ": "rec1", "b ": "rec2"}
        with pytest.raises(LostAnswer):
            door.upsert(jobs, {"a": {}, "b": {}, "c": {}})


def test_an_answer_about_other_rows_says_nothing_of_ours(answered: Opened, jobs: ResolvedTable[OperatorBase]) -> None:
    with answered(as_json({"records": [record(1, "a")]})) as door:
        assert list(door.update(jobs, {"rec1": {}})) == ["rec1"]
        with pytest.raises(LostAnswer):
            door.update(jobs, {"rec2": {}})


def test_why_a_row_was_refused_is_told_though_the_table_cannot_be_read(
    answered: Opened, jobs: ResolvedTable[OperatorBase]
) -> None:
    refused = {"error": {"type": "SOMETHING_NEW", "message": "No"}}
    with answered(Reply(422, json.dumps(refused).encode())) as door, pytest.raises(BadRow, match="SOMETHING_NEW"):
        door.upsert(jobs, {"a": {}})


def test_what_stands_before_airtable_and_repeats_the_token_is_not_repeated(
    answered: Opened, jobs: ResolvedTable[OperatorBase]
) -> None:
    """F35"""
    said = {"error": {"type": "REFUSED", "message": f"Authorization: Bearer {TOKEN}"}}
    with answered(Reply(400, json.dumps(said).encode())) as door, pytest.raises(Exception, match=r"Bearer \*+") as told:
        door.upsert(jobs, {"a": {}})
    assert TOKEN not in str(told.value)


@pytest.mark.parametrize("before", range(250, 300, 7))
def test_no_part_of_the_token_is_repeated_where_long_words_are_cut(
    answered: Opened, jobs: ResolvedTable[OperatorBase], before: int
) -> None:
    """F35"""
    said = {"error": {"type": "REFUSED", "message": "x" * before + TOKEN}}
    with answered(Reply(400, json.dumps(said).encode())) as door, pytest.raises(AirtableError) as told:
        door.upsert(jobs, {"a": {}})
    assert TOKEN[:8] not in str(told.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_written_or_asked_elsewhere_than_at_airtable(
    answered: Opened, jobs: ResolvedTable[OperatorBase], status: int
) -> None:
    """A write that is sent elsewhere would come there as a question, whose answer looks like the rows written."""
    with answered(as_json({"records": [record(1, "a")], "createdRecords": []})) as elsewhere:
        away = Reply(status, b"", headers=(("Location", f"{elsewhere._calls._endpoint_url}/v0/x"),))
        with answered(away) as door:
            for ask in (lambda: door.upsert(jobs, {"a": {}}), lambda: list(door.records(jobs))):
                with pytest.raises(Misconfigured, match="endpoint_url"):
                    ask()


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(402, Misconfigured, "change the plan"), (407, Misconfigured, "endpoint_url"), (408, LostAnswer, "may have been")],
)
def test_what_lies_in_no_row_is_not_told_of_a_row(
    answered: Opened, jobs: ResolvedTable[OperatorBase], status: int, kind: type[Exception], words: str
) -> None:
    with answered(page(status)) as door, pytest.raises(kind, match=words):
        door.upsert(jobs, {"a": {}})
