"""Leads that are kept in Airtable: worked on in a copy here, and written back."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import AirtableError
from tallybook.airtable.seen import ClientBase
from tallybook.domain.errors import BadInput, NotFound, StoreUnavailable
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.ports import Candidate
from tallybook.domain.rubric import Rubric
from tallybook.domain.run import OperationName
from tallybook.stores.airtable_base import BaseBook, ClientSchema
from tallybook.stores.airtable_cells import Foreseen, Values, posts_value, values_of
from tallybook.stores.airtable_copy import AirtableCopy, Told, Write
from tallybook.stores.airtable_reading import LeadReading
from tallybook.stores.airtable_rubric import read_attributes
from tallybook.stores.airtable_writing import LeadWriter
from tallybook.stores.connections import Connections
from tallybook.stores.putting import pages
from tallybook.stores.saving import SAVE, add_posts
from tallybook.stores.sql import SqlStore

READ_AGAIN_AFTER = timedelta(minutes=1)
STATUS = "scoring_status"


@contextmanager
def told_as_ours() -> Iterator[None]:
    """Whatever keeps Airtable from answering, a store says in one way."""
    try:
        yield
    except StoreUnavailable:
        raise
    except AirtableError as error:
        raise StoreUnavailable(str(error)) from error


class AirtableStore:
    """One client's leads. The base is that of our own record of the client; no other is reached from here (F17, F32).

    *local*: the copy as any store. Saving is done when Airtable has taken it. Any number of threads may use it at once.
    *alone*: held while something is written, by all handles of this client.
    """

    def __init__(
        self,
        local: SqlStore,
        connections: Connections,
        door: AirtableDoor,
        base: ClientBase,
        alone: AbstractContextManager[object] | None = None,
    ) -> None:
        self._local = local
        self._door = door
        self._base = base
        self._alone = alone or threading.Lock()
        self._book = BaseBook(connections, base)
        self._schema = ClientSchema(door, base, self._book)
        self._copy = AirtableCopy(connections, base.client_id)
        self._reading = LeadReading(door, self._schema, self._copy, self._book)
        self._writer = LeadWriter(door, self._schema, self._book)
        self._read_at: datetime | None = None
        self._rubric: Rubric | None = None

    def rubric(self) -> Rubric:
        """Read once. What the base holds is kept here too, so that it can be shown; a base without any leaves ours."""
        if self._rubric is None:
            with told_as_ours():
                found = read_attributes(self._door, self._schema, self._book)
            if found is not None:
                self._local.put_rubric(found)
            self._rubric = found or self._local.rubric()
        return self._rubric

    def candidates(self, operation: OperationName, after: LeadId | None, limit: int) -> Sequence[Candidate]:
        """Those at the beginning are asked for once the copy is up to date."""
        if after is not None:
            return self._local.candidates(operation, after, limit)
        fresh = self._is_fresh
        if not fresh:
            self.refresh()
        found = self._local.candidates(operation, None, limit)
        if found or not fresh:
            return found
        self.refresh()
        return self._local.candidates(operation, None, limit)

    def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        return self._local.load(lead_ids)

    def of_profiles(self, profiles: Sequence[LeadId]) -> Sequence[LeadId]:
        return self._local.of_profiles(profiles)

    def save(self, operation: OperationName, outcomes: Sequence[Outcome]) -> None:
        """In Airtable first: whatever then differs there from the copy is a person's word."""
        self._save(SAVE[operation], outcomes, lambda lead: values_of(operation, lead))

    def add_posts(self, outcomes: Sequence[Outcome]) -> None:
        self._save(add_posts, outcomes, posts_value)

    def exclude(self, lead_id: LeadId, excluded: bool) -> None:
        """Take a lead out of all runs by hand, or back in: here and in the base. Raises NotFound, and BadInput where
        the base cannot hold that, for what stands there would undo it.
        """
        found = self._copy.stored(lead_id)
        if found is None:
            raise NotFound(f"client {self._base.client_id!r} has no lead {lead_id!r}", client_id=self._base.client_id)
        record_id, stored = found
        status = "Excluded" if excluded else "Scored" if stored.scored_at else "To Be Scored"
        with self._alone, told_as_ours():
            if record_id and STATUS in self._schema.look().fields:
                self._write_status(record_id, status)
            self._local.exclude(lead_id, excluded)

    def refresh(self) -> None:
        """Bring the copy up to date."""
        with told_as_ours():
            self._reading.bring_up_to_date()
        self._read_at = self._copy.now()

    @property
    def _is_fresh(self) -> bool:
        return self._read_at is not None and self._copy.now() - self._read_at < READ_AGAIN_AFTER

    def _write_status(self, record_id: str, status: str) -> None:
        if self._writer.write({record_id: {STATUS: status}}).untold:
            raise BadInput(f"the field Scoring Status in Airtable does not take {status!r}: add that option there")

    def _save(self, write: Write, outcomes: Sequence[Outcome], values: Callable[[Foreseen], Values]) -> None:
        if not outcomes:
            return
        with self._alone, told_as_ours():
            self._reading.read_changes(READ_AGAIN_AFTER)  # somebody may have excluded a lead meanwhile
            for page in pages(sorted(outcomes, key=lambda each: each.lead_id)):
                self._save_page(write, page, values)

    def _save_page(self, write: Write, outcomes: Sequence[Outcome], values: Callable[[Foreseen], Values]) -> None:
        """A lead whose row was deleted is dropped, and counts as saved."""
        at, leads = self._copy.foreseen(write, outcomes)
        rows = {lead.record_id: each for lead in leads if (each := values(lead))}
        done = self._writer.write(rows)
        told = Told(
            written=[lead.lead_id for lead in leads if lead.record_id in rows],
            without_status=[lead.lead_id for lead in leads if (lead.record_id, STATUS) in done.untold],
            gone=[lead.lead_id for lead in leads if lead.record_id in done.gone],
        )
        self._copy.keep(write, outcomes, at, told)
