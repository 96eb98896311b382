"""Parts of runs as rows of the operator's base."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tallybook.airtable.listing import Record
from tallybook.airtable.resolved import Resolved, ResolvedTable, WritableField
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.airtable.values import Cell, row_of
from tallybook.domain.run import ClientRun
from tallybook.domain.telling import Part, RunStory, Standing, Telling
from tallybook.report.columns import client_values, run_values

Table = ResolvedTable[OperatorBase]
Cells = Mapping[WritableField, Cell]


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """A part as its row is to be. *key*: what stands in the primary field."""

    telling: Telling
    table: Table
    key: str
    cells: Cells


class RunRows:
    """The rows of one run, of which *tellings* says how they stand. Its story is asked for when a row is."""

    def __init__(
        self, base: Resolved[OperatorBase], tellings: Sequence[Telling], story: Callable[[str], RunStory]
    ) -> None:
        self.whole, *self.clients = tellings
        self._jobs = base.table(JOB_TRACKING)
        self._results = base.table(CLIENT_RUN_RESULTS)
        self._ask = story

    @cached_property
    def story(self) -> RunStory:
        return self._ask(self.whole.part.run_id)

    @property
    def ended(self) -> bool:
        return self.story.run.status.terminal

    @property
    def due(self) -> Sequence[Telling]:
        return [*([self.whole] if self.whole.behind else []), *self.clients_due()]

    def of(self, part: Part) -> Telling:
        return next(each for each in (self.whole, *self.clients) if each.part == part)

    def clients_due(self, *, linked_anew: bool = False) -> Sequence[Telling]:
        """*linked_anew*: those that are told as well."""
        there = [each for each in self.clients if linked_anew and each.standing.kept_up and each.ref]
        return [each for each in self.clients if each.behind or each in there]

    @property
    def whole_ref(self) -> str | None:
        """Where the run's own row is, which those of its clients are linked to."""
        return None if self.whole.standing in (Standing.GONE, Standing.RETIRED) else self.whole.ref

    def row(self, telling: Telling, whole_ref: str | None, *, linked_anew: bool = False) -> MirrorRow:
        """*whole_ref*: where the run's own row is. The link to it is written once: people may add others."""
        if not telling.part.client_id:
            return _row(telling, self._jobs, run_values(self.story))
        values = client_values(self.story, self._by_id[telling.part.client_id])
        unlinked = linked_anew or telling.ref is None or telling.told_version is None
        link = {"job": [whole_ref]} if whole_ref and unlinked else {}
        return _row(telling, self._results, {**values, **link})

    @cached_property
    def _by_id(self) -> Mapping[str, ClientRun]:
        return {each.client_id: each for each in self.story.run.clients}


def _row(telling: Telling, table: Table, values: Mapping[str, object]) -> MirrorRow:
    row = row_of(table, values)
    return MirrorRow(telling, table, str(values[table.schema.columns[0].key]), row.cells)


def notes_in(table: Table, record: Record) -> str | None:
    """What people have put there, be it text or not. None: nothing, or there is no such field."""
    seen = table.fields.get("notes")
    cell = record.cells.get(seen.id) if seen else None
    return None if cell is None or cell == "" else str(cell)
