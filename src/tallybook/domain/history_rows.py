"""Rows of an older system's books of runs, read one by one: whose each is, and what it says. What it says twice, and in
which spelling, is the business of `domain.history`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tallybook.domain.client import ClientId, read_client_id
from tallybook.domain.errors import BadInput, InvalidRunId
from tallybook.domain.fields import BY_NAME, Field, Sort, Value, read_value
from tallybook.domain.run import JobType, Status, Trigger, finish_reason_of
from tallybook.domain.runid import RunId
from tallybook.domain.telling import Part

LENGTH_OF_TIMES = len("2026-11-23T01:30:00.000000Z")


class Table(StrEnum):
    """Where a row stands."""

    JOBS = "job_tracking"
    CLIENTS = "client_run_results"

    @property
    def heading(self) -> str:
        return self.value.replace("_", " ").title()


@dataclass(frozen=True, slots=True)
class OldRow:
    """*said*: by the names of `domain.fields`, and `run_id`, `client_id` and `notes`; empty cells are not there."""

    table: Table
    record: str
    created_at: datetime
    said: Mapping[str, object]

    def text(self, name: str) -> str:
        """What stands there, without the white space around it; empty when nothing does."""
        return str(self.said.get(name, "")).strip()


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row whose run, client and status are known. *client_id* empty: it is of the run as a whole. *status* None: it
    has none. *facts*: all else that it says, as `fields.read_value` keeps it. *left_out*: what is not understood, by
    field, and why.
    """

    row: OldRow
    run: RunId
    client_id: ClientId
    status: Status | None
    finish_reason: str | None
    facts: Mapping[str, Value]
    left_out: Mapping[str, str]

    @property
    def part(self) -> Part:
        return Part(self.run.key, self.client_id)

    @property
    def age(self) -> tuple[datetime, str]:
        """Rows are as old as their records; of one instant, they go by their ids."""
        return self.row.created_at, self.row.record

    @property
    def completeness(self) -> int:
        """How many things it says. A nought says nothing: the old system wrote them for what it did not know (F07)."""
        return sum(not is_nothing(value) for value in self.facts.values())


def is_nothing(value: Value) -> bool:
    """Is it 0, as a number or as money?"""
    return value == 0 or (isinstance(value, str) and _NO_MONEY.fullmatch(value) is not None)


_NO_MONEY = re.compile(r"0+(\.0*)?")


def read_row(row: OldRow) -> ReadRow:
    """Raises BadInput, saying why, for one of which nobody can know whose it is or how that ended."""
    run, client_id = _run_and_client(row)
    status = row.text("status")
    facts, left_out = _facts(row)
    return ReadRow(
        row,
        run,
        client_id,
        Status.read(status) if status else None,
        finish_reason_of(status),
        facts,
        left_out,
    )


def _run_and_client(row: OldRow) -> tuple[RunId, ClientId]:
    text = row.text("run_id")
    if not text:
        raise BadInput("it has no Run ID")
    if row.table is Table.JOBS:
        return RunId.parse(text), ""
    if stated := row.text("client_id"):
        client_id = read_client_id(stated)
        return _run_of_label(text, client_id), client_id
    run = RunId.parse(text)
    client = run.client or run.client_or_issue
    if client is None:
        raise BadInput(f"it names no client: its Client ID is empty, and {text!r} has no client in it")
    return run, read_client_id(client)


def _run_of_label(text: str, client_id: ClientId) -> RunId:
    """Not every form allows for a client behind it; the old system put one there all the same, also twice (F04)."""
    try:
        return RunId.parse(text)
    except InvalidRunId as error:
        alone = text
        while alone.endswith(f"-{client_id}"):
            alone = alone.removesuffix(f"-{client_id}")
        try:
            return RunId.parse(alone)
        except InvalidRunId:
            raise error from None


# -- what it says ------------------------------------------------------------------------------------------------------


def _facts(row: OldRow) -> tuple[dict[str, Value], dict[str, str]]:
    facts: dict[str, Value] = {}
    left_out: dict[str, str] = {}
    for name, said in row.said.items():
        field = BY_NAME.get(name)
        if field is None or name == "status" or field.sort in (Sort.NOTE, Sort.COMPUTED) or not row.text(name):
            continue
        try:
            facts[name] = _READERS.get(name, _read)(field, said)
        except BadInput as error:
            left_out[name] = str(error)
    return facts, left_out


def _read(field: Field, said: object) -> Value:
    return read_time(said, field) if field.sort is Sort.TIME else read_value(field, said)


def read_time(said: object, field: Field = BY_NAME["started_at"]) -> str:
    """UTC text of fixed width, so that text order is time order. Raises BadInput."""
    text = str(read_value(field, said))
    if len(text) != LENGTH_OF_TIMES:
        raise BadInput(f"{field.name} must be a time after the year 999, got {said!r}")
    return text


def _read_stream(field: Field, said: object) -> Value:
    return read_value(Field(field.name, Sort.COUNT), said)


_READERS: Mapping[str, Callable[[Field, object], Value]] = {
    "job_type": lambda _, said: JobType.read(said).value,
    "triggered_by": lambda _, said: Trigger.read(said).value,
    "stream": _read_stream,
}


def shown(value: Value) -> str:
    """As a report puts it: counts as they are, texts in quotes."""
    return str(value) if isinstance(value, int) else repr(value)
