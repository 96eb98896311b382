"""An older system's books of runs: rows in two tables, some of them twice, as the runs they stand for.

Every row is either refused, or belongs to one run, or to one client's part of one. Nothing here adds up: of rows that
stand for the same, each says anew what the others said.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from tallybook.domain import runid
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput, UnknownWord
from tallybook.domain.fields import BY_NAME, FIELDS, Value, storable
from tallybook.domain.history_rows import OldRow, ReadRow, Table, is_nothing, read_row, read_time, shown
from tallybook.domain.run import Child, Ending, JobType, OperationName, Status, Trigger, verdict_of_children
from tallybook.domain.telling import Part

MAY_BE_UNDER_WAY = timedelta(hours=6)
"""A row that still says Running is believed for so long after its start."""
LOST = Ending(Status.TIMED_OUT, "lost")
NO_ROW = "clients of an older system's run that has no row of its own were imported"
ROW_REFUSED = "clients of an older system's run whose own row was refused were imported"
NOTES_OF_PEOPLE = "notes_of_people"
SYSTEM_NOTES = "imported_notes"
_IN_COLUMNS = ("job_type", "stream", "triggered_by", "started_at", "ended_at", "client_name", "error")
"""What a run or client run has a column of its own for; all else that is said of it is a claim."""


class What(StrEnum):
    """What is told of rows."""

    REFUSED = "refused"
    MERGED = "merged"
    RENAMED = "renamed"
    CLOSED = "closed"
    MADE = "made"
    LEFT_OUT = "left_out"
    ASSUMED = "assumed"
    ALREADY = "already"


@dataclass(frozen=True, slots=True)
class Line:
    """Something that is told of *records*. *part*: whose they are, None: nobody's."""

    what: What
    table: Table
    records: tuple[str, ...]
    text: str
    part: Part | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A run as a whole, or one client's part of it, as it was. Times are UTC text of fixed width.

    *claims*: what was said of it. *notes*: kind of event -> text. *records*: its rows, oldest first; none: it was made
    up for its clients. *lines*: what is to be told of it, once it is written.
    """

    part: Part
    ending: Ending
    started_at: str
    ended_at: str
    claims: Mapping[str, Value]
    records: tuple[str, ...]
    name: str = ""
    error: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    operations: tuple[OperationName, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def table(self) -> Table:
        return Table.CLIENTS if self.part.client_id else Table.JOBS


@dataclass(frozen=True, slots=True)
class PastRun:
    """*made_because*: there is no row of the run itself; None: there is. *under_way*: it may be; it is not imported."""

    whole: Past
    clients: tuple[Past, ...]
    display: str
    job_type: JobType
    trigger: Trigger
    stream: int | None = None
    made_because: str | None = None
    under_way: bool = False

    @property
    def run_id(self) -> str:
        return self.whole.part.run_id

    @property
    def parts(self) -> tuple[Past, ...]:
        return self.whole, *self.clients


@dataclass(frozen=True, slots=True)
class Plan:
    """What *rows* come to, before anybody looked into the books. *runs*: oldest first."""

    rows: Mapping[Table, int]
    runs: tuple[PastRun, ...]
    refused: tuple[Line, ...]


def plan(rows: Sequence[OldRow], now: datetime) -> Plan:
    read: dict[str, list[ReadRow]] = {}
    refused: list[Line] = []
    half_refused: set[str] = set()
    for row in rows:
        try:
            found = read_row(row)
        except BadInput as error:
            refused.append(Line(What.REFUSED, row.table, (row.record,), str(error)))
            half_refused |= _runs_named_by(row)
        else:
            read.setdefault(found.run.key, []).append(found)
    runs = [
        _run(by_part(some), ROW_REFUSED if run_id in half_refused else NO_ROW, now) for run_id, some in read.items()
    ]
    runs.sort(key=lambda run: (run.whole.started_at, run.run_id))
    return Plan({table: sum(row.table is table for row in rows) for table in Table}, tuple(runs), tuple(refused))


def _runs_named_by(row: OldRow) -> set[str]:
    """Whose own row this is, where that much is known."""
    try:
        return {runid.RunId.parse(row.text("run_id")).key} if row.table is Table.JOBS else set()
    except BadInput:
        return set()


# -- rows that stand for the same --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows of one part as one, the *best* of them first: the most complete, then the newest. *status* None: none of
    them has any.
    """

    best: Sequence[ReadRow]
    facts: Mapping[str, Value]
    status: Status | None
    finish_reason: str | None
    disagreements: tuple[str, ...]

    @property
    def first(self) -> ReadRow:
        return self.best[0]

    @property
    def oldest_first(self) -> Sequence[ReadRow]:
        return sorted(self.best, key=lambda each: each.age)

    @property
    def records(self) -> tuple[str, ...]:
        return tuple(each.row.record for each in self.oldest_first)

    @property
    def lost(self) -> bool:
        """Nobody said how it ended (F02)."""
        return self.status is None or not self.status.terminal

    @property
    def ending(self) -> Ending:
        return LOST if self.status is None or self.lost else Ending(self.status, self.finish_reason)

    @property
    def name(self) -> str:
        """What it is called in the books; structured run ids are shown there as they were written."""
        run = self.first.run
        if self.first.client_id:
            return runid.label(*self.first.part)
        return run.text if run.form is runid.Form.STRUCTURED else run.key


def by_part(rows: Iterable[ReadRow]) -> list[Merged]:
    """Rows of one run, those of the same part merged (F03, F05)."""
    parts: dict[Part, list[ReadRow]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    return [merged(some) for _, some in sorted(parts.items())]


def merged(rows: Sequence[ReadRow]) -> Merged:
    """Of each thing, what the best row says that says it: empty never wins, nor does 0 over a figure (F07, F37).

    An ending wins over none; of two endings, that of the newest row.
    """
    best = sorted(rows, key=lambda each: (each.completeness, *each.age), reverse=True)
    facts: dict[str, Value] = {}
    disagreements: list[str] = []
    for name in (each.name for each in FIELDS):
        saying = [(each.facts[name], each.row.record) for each in best if name in each.facts]
        if saying:
            taken = next((each for each in saying if not is_nothing(each[0])), saying[0])
            facts[name] = taken[0]
            disagreements += _disagreement(name, taken, saying)
    with_status = [each for each in sorted(rows, key=lambda each: each.age, reverse=True) if each.status]
    ended = [each for each in with_status if each.status and each.status.terminal]
    last = next(iter(ended or with_status), None)
    if last is None:
        return Merged(best, facts, None, None, tuple(disagreements))
    statuses = [(str(each.status), each.row.record) for each in with_status]
    disagreements += _disagreement("status", (str(last.status), last.row.record), statuses)
    return Merged(best, facts, last.status, last.finish_reason, tuple(disagreements))


Saying = tuple[Value, str]


def _disagreement(name: str, taken: Saying, saying: Sequence[Saying]) -> Iterator[str]:
    others = [f"{shown(value)} of {record}" for value, record in saying if value != taken[0]]
    if others:
        yield f"{name} {shown(taken[0])} of {taken[1]} was taken, not {', '.join(others)}"


def _under_way(of: Merged, now: datetime) -> bool:
    """Judged by when it says it began, else by its run id."""
    began = str(of.facts.get("started_at") or read_time(of.first.run.at))
    return of.lost and began > read_time(now - MAY_BE_UNDER_WAY)


# -- the runs they stand for -------------------------------------------------------------------------------------------


def _run(parts: Sequence[Merged], why_made: str, now: datetime) -> PastRun:
    clients = tuple(_past(each) for each in parts if each.first.client_id)
    own = next((each for each in parts if not each.first.client_id), None)
    named = (own or parts[0]).first.run
    whole = _past(own, clients) if own else _made_up(named.key, clients, why_made)
    facts = own.facts if own else {}
    stream = facts.get("stream", named.stream)
    return PastRun(
        whole,
        clients,
        own.name if own else named.key,
        JobType(str(facts["job_type"])) if "job_type" in facts else _job_type_of(named),
        Trigger(str(facts.get("triggered_by", Trigger.API))),
        None if stream is None else int(stream),
        None if own else why_made,
        any(_under_way(each, now) for each in parts),
    )


def _job_type_of(run: runid.RunId) -> JobType:
    """What the id says it did; else the job that does all."""
    said = JobType.POST_SCORING if run.form is runid.Form.STANDALONE else run.operation
    try:
        return JobType.read(said or JobType.SMART_RESUME)
    except UnknownWord:
        return JobType.SMART_RESUME


def _past(of: Merged, clients: Sequence[Past] = ()) -> Past:
    started_at = str(of.facts.get("started_at") or read_time(of.oldest_first[0].row.created_at))
    known_end = of.facts.get("ended_at")
    ended_at = max(str(known_end or started_at), started_at, *(each.ended_at for each in clients if not known_end))
    claims = {name: value for name, value in of.facts.items() if name not in _IN_COLUMNS}
    if not of.lost:
        claims["status"] = of.ending.status.value
    error = of.facts.get("error")
    return Past(
        of.first.part,
        of.ending,
        started_at,
        ended_at,
        claims,
        of.records,
        name=str(of.facts.get("client_name", of.first.client_id)),
        error=None if error is None else str(error),
        notes=_notes(of.oldest_first),
        operations=_operations(of.facts),
        lines=(*_lines(of, started_at, ended_at),),
    )


def _made_up(run_id: str, clients: Sequence[Past], why: str) -> Past:
    """A run of which only its clients are known; it ended as they did (F36)."""
    ending = verdict_of_children([Child(each.ending.status, ok=each.ending.status.good) for each in clients])
    part = Part(run_id, "")
    records = tuple(record for each in clients for record in each.records)
    text = f"run {run_id} was made for them: {why}; it ended {ending.status} by its clients"
    return Past(
        part,
        ending,
        min(each.started_at for each in clients),
        max(each.ended_at for each in clients),
        {},
        (),
        lines=(Line(What.MADE, Table.CLIENTS, records, text, part),),
    )


def _notes(oldest_first: Sequence[ReadRow]) -> Mapping[str, str]:
    """What people wrote and what the old system did are kept apart; of rows that say the same, once."""
    kinds = {NOTES_OF_PEOPLE: "notes", SYSTEM_NOTES: "system_notes"}
    texts = {kind: dict.fromkeys(each.row.text(name) for each in oldest_first) for kind, name in kinds.items()}
    joined = {kind: storable("\n".join(filter(None, some))) for kind, some in texts.items()}
    return {kind: text for kind, text in joined.items() if text}


def _operations(facts: Mapping[str, Value]) -> tuple[OperationName, ...]:
    """Those of which a figure speaks. Noughts do not: the old system wrote them for what was never done."""
    spoken = {BY_NAME[name].operation for name, value in facts.items() if not is_nothing(value)}
    return tuple(each for each in OperationName if each in spoken)


# -- what is told of them ----------------------------------------------------------------------------------------------


def _lines(of: Merged, started_at: str, ended_at: str) -> Iterator[Line]:
    part, table = of.first.part, of.first.row.table
    if len(of.best) > 1:
        text = "; ".join((f"{len(of.best)} rows are one, {of.first.row.record} says most", *of.disagreements))
        yield Line(What.MERGED, table, of.records, text, part)
    yield from (each for row in of.oldest_first for each in _lines_of_row(row, of.name))
    if of.lost:
        said = f"it was still {of.status}" if of.status else "it has no status"
        text = f"{said}: it is closed as {LOST.status}, {LOST.finish_reason}"
        yield Line(What.CLOSED, table, of.records, text, part)
    if "ended_at" not in of.facts:
        yield Line(What.ASSUMED, table, of.records, f"it says no End Time: {ended_at} is taken", part)
    elif of.facts["ended_at"] != ended_at:
        text = f"it ended before it began: {started_at} is taken for both"
        yield Line(What.ASSUMED, table, of.records, text, part)


def _lines_of_row(read: ReadRow, name: str) -> Iterator[Line]:
    table, records = read.row.table, (read.row.record,)
    if read.row.text("run_id") != name:
        yield Line(What.RENAMED, table, records, f"{read.row.text('run_id')!r} is {name!r} in the books", read.part)
    for left_out, why in read.left_out.items():
        yield Line(What.LEFT_OUT, table, records, f"{left_out} was left out: {why}", read.part)


# -- what the books have already ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """A run in the books. *imported*: from an older system. *made*: for its clients; its own row never came."""

    imported: bool
    made: bool
    clients: frozenset[ClientId]


def to_write(run: PastRun, kept: Kept | None) -> frozenset[ClientId]:
    """Which parts are still to be written, the run as a whole being "". What is in the books stays as it is."""
    everything = frozenset(each.part.client_id for each in run.parts)
    if run.under_way or (kept is not None and not kept.imported):
        return frozenset()
    if kept is None:
        return everything
    whole = frozenset([""]) if kept.made and run.made_because is None else frozenset[ClientId]()
    return whole | everything - kept.clients - {""}
