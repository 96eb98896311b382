"""The mirror held against the books, row by row, without writing a cell."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tallybook.airtable.listing import MOST_PER_PAGE, Record
from tallybook.airtable.resolved import Resolved, WritableField
from tallybook.airtable.schema import Kind
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.airtable.values import Cell, same
from tallybook.domain.batches import batched
from tallybook.domain.following import FollowerState
from tallybook.domain.telling import Part, Standing, Telling
from tallybook.followers.airtable_mirror import AirtableMirror
from tallybook.followers.mirror_rows import RunRows, Table, notes_in
from tallybook.followers.mirror_schema import MirrorSchema, Notice
from tallybook.followers.mirror_window import OTHERS

RUNS_HELD = 64
OVERLAP = timedelta(hours=1)
"""Clocks differ: so long before the mirror was begun, a run may say that it was made."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A cell that is not as the books have it; or, where *column* is empty, a row that is not there."""

    part: Part
    key: str
    table: str
    column: str
    ours: object = None
    theirs: object = None


@dataclass(frozen=True, slots=True)
class Copy:
    """One row more with the key of one of ours. *notes*: what people wrote there, unless ours says the same."""

    part: Part
    key: str
    table: str
    record_id: str
    notes: str | None = None


@dataclass
class Checked:
    """*differences*: what `repair` mends. *owed*: rows of runs that go on, which are told in their time. *gone*: rows
    that people have deleted, and are not made again; *fresh*: those of them of which nobody knew. *copies*: further
    rows of one key. *adrift*: rows of ours that are there and that nobody knew of. *found*: those that were there
    before us. *others*: rows that are none of ours. *parked*: rows that were not taken, and why. *notices*: what became
    of the base.
    """

    rows: int = 0
    owed: int = 0
    differences: list[Difference] = field(default_factory=list)
    gone: list[Part] = field(default_factory=list)
    fresh: dict[Part, str] = field(default_factory=dict)
    copies: list[Copy] = field(default_factory=list)
    adrift: dict[Part, Record] = field(default_factory=dict)
    found: int = 0
    parked: list[tuple[Part, str]] = field(default_factory=list)
    others: int = 0
    notices: Sequence[Notice] = ()

    @property
    def well(self) -> bool:
        """Nothing is to be mended."""
        return not (self.differences or self.parked)


class Check:
    """One comparison. Rows are read as they are compared; some runs are held at once."""

    def __init__(self, mirror: AirtableMirror, book: FollowerState) -> None:
        self._mirror = mirror
        self._book = book
        self._schema = MirrorSchema(mirror.door, mirror.base, book)
        self._found = Checked()
        self._seen: set[str] = set()
        self._held: OrderedDict[str, RunRows] = OrderedDict()

    def run(self) -> Checked:
        """Raises AirtableError."""
        base = self._schema.look()
        for table in (base.table(JOB_TRACKING), base.table(CLIENT_RUN_RESULTS)):
            for page in batched(self._mirror.door.records(table), MOST_PER_PAGE):
                self._compare_page(base, table, page)
        self._look_for_untold(base)
        self._find_gone()
        found = self._found
        found.gone += [each.part for each in self._standing(Standing.GONE)]
        found.parked += [(each.part, each.error or "") for each in self._standing(Standing.PARKED)]
        found.notices = self._schema.notices()
        self._book.keep(OTHERS, str(found.others))
        return found

    # -- what is there

    def _compare_page(self, base: Resolved[OperatorBase], table: Table, page: Sequence[Record]) -> None:
        parts = self._book.parts_of([record.id for record in page])
        self._seen.update(parts.keys() & {record.id for record in page})
        for record in page:
            if record.id in parts:
                self._compare(base, table, record, parts[record.id])
        self._sort_out(base, table, [record for record in page if record.id not in parts])

    def _compare(self, base: Resolved[OperatorBase], table: Table, record: Record, part: Part) -> None:
        run = self._run(base, part.run_id)
        telling = run.of(part)
        if not telling.standing.kept_up:
            self._found.found += 1
            return
        self._found.rows += 1
        self._keep_notes(telling, notes_in(table, record))
        if telling.behind and not run.ended:
            self._found.owed += 1
            return
        there = run.whole_ref if run.whole_ref in self._seen else None
        row = run.row(telling, there, linked_anew=there is not None)
        for cell_field, cell in row.cells.items():
            theirs = record.cells.get(cell_field.id)
            if not _same(cell_field, cell, theirs):
                name = cell_field.seen.name
                self._found.differences.append(Difference(part, row.key, table.name, name, cell, theirs))

    def _keep_notes(self, telling: Telling, notes: str | None) -> None:
        if notes != telling.notes:
            self._book.keep_notes({telling.part: notes})

    def _sort_out(self, base: Resolved[OperatorBase], table: Table, records: Sequence[Record]) -> None:
        """Rows that we do not know: copies of ours, ours of which the answer was lost, and other people's."""
        keys = [str(record.cells.get(table.key.id, "")) for record in records]
        parts = {key: part for key, part in self._book.parts_named(keys).items() if _belongs(part, table)}
        for key, record in zip(keys, records, strict=True):
            telling = self._run(base, parts[key].run_id).of(parts[key]) if key in parts else None
            if telling is None or not (telling.followed and telling.standing.kept_up):
                self._found.others += 1
            elif telling.ref is None:
                self._adopt(table, key, record, telling)
            else:
                self._copy(table, key, record, telling)

    def _adopt(self, table: Table, key: str, record: Record, telling: Telling) -> None:
        """Of several the oldest."""
        other = self._found.adrift.get(telling.part)
        if other is None:
            self._found.differences.append(Difference(telling.part, key, table.name, ""))
            self._found.adrift[telling.part] = record
            return
        older, newer = sorted((other, record), key=lambda each: (each.created_at, each.id))
        self._found.adrift[telling.part] = older
        self._copy(table, key, newer, telling)

    def _copy(self, table: Table, key: str, record: Record, telling: Telling) -> None:
        notes = notes_in(table, record)
        kept = None if notes == telling.notes else notes
        self._found.copies.append(Copy(telling.part, key, table.name, record.id, kept))

    # -- what is not

    def _look_for_untold(self, base: Resolved[OperatorBase]) -> None:
        """Every run since the mirror was begun: whatever clocks there are."""
        after, since = "", self._book.began_at
        while since is not None and (page := self._book.made_since(since - OVERLAP, after)):
            after = page[-1]
            for tellings in self._book.tellings_of(page).values():
                self._look_for_untold_of(RunRows(base, tellings, self._book.story))

    def _look_for_untold_of(self, run: RunRows) -> None:
        untold = [each for each in run.due if each.ref is None and each.part not in self._found.adrift]
        if untold and not run.ended:
            self._found.owed += len(untold)
            return
        self._found.differences += [Difference(each.part, _name(each), "", "") for each in untold]

    def _find_gone(self) -> None:
        after: Part | None = None
        while page := self._book.refs(after):
            self._found.fresh |= {part: ref for part, ref in page if ref not in self._seen}
            after = page[-1][0]
        self._found.gone += list(self._found.fresh)

    def _standing(self, standing: Standing) -> Iterator[Telling]:
        for run_id in self._book.standing_so(standing):
            yield from (each for each in self._book.tellings(run_id) if each.standing is standing)

    def _run(self, base: Resolved[OperatorBase], run_id: str) -> RunRows:
        run = self._held.pop(run_id, None) or RunRows(base, self._book.tellings(run_id), self._book.story)
        self._held[run_id] = run
        if len(self._held) > RUNS_HELD:
            self._held.popitem(last=False)
        return run


def _same(cell_field: WritableField, ours: Cell, theirs: object) -> bool:
    """Of a link, that ours is there: a row that people copy is linked as the one it was copied from."""
    if cell_field.column.kind is Kind.LINK and isinstance(ours, list) and isinstance(theirs, list) and ours:
        return set(ours) <= set(theirs)
    return same(ours, theirs)


def _belongs(part: Part, table: Table) -> bool:
    return (table.schema is CLIENT_RUN_RESULTS) == bool(part.client_id)


def _name(telling: Telling) -> str:
    return "-".join(filter(None, telling.part))
