"""An operator's office: books, a base at the look-alike of Airtable, the mirror between them. All go by one clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.seen import OperatorBase
from tallybook.followers import mirror_care
from tallybook.followers.airtable_mirror import NAME, AirtableMirror
from tallybook.followers.mirror_check import Check, Checked
from tallybook.followers.mirror_window import Window
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.testing.airtable_owner import OpenBase, OpenTable
from tallybook.testing.airtable_server import AirtableServer
from tests.airtable.premises import Clock
from tests.ledger import scenes

KEEP = timedelta(days=365)


@dataclass
class Office:
    clock: Clock
    server: AirtableServer
    base: OpenBase
    ledger: Ledger
    door: AirtableDoor
    window: Window = field(default_factory=lambda: Window(KEEP, 50_000))

    @property
    def mirror(self) -> AirtableMirror:
        return AirtableMirror(self.door, OperatorBase(self.base.id), self.window)

    @property
    def book(self) -> FollowerBook:
        return FollowerBook(self.ledger, NAME)

    @property
    def jobs(self) -> OpenTable:
        return self.base.table("Job Tracking")

    @property
    def results(self) -> OpenTable:
        return self.base.table("Client Run Results")

    def job(self, run_id: str) -> dict[str, Any]:
        """The row of the run, of which there is one."""
        (record_id,) = self.jobs.where("Run ID", run_id)
        return self.jobs.row(record_id)

    def result(self, run_id: str, client_id: str) -> dict[str, Any]:
        (record_id,) = self.results.where("Run ID", f"{run_id}-{client_id}")
        return self.results.row(record_id)

    # -- what happens

    def set_up(self) -> mirror_care.SetUpDone:
        return mirror_care.set_up(self.mirror, self.book)

    def sync(self) -> int:
        return mirror_care.sync(self.mirror, self.book)

    def check(self) -> Checked:
        return Check(self.mirror, self.book).run()

    def how_it_is(self) -> mirror_care.HowItIs:
        return mirror_care.how_it_is(self.mirror, self.book)

    def repair(self, **how: bool) -> None:
        mirror_care.repair(self.mirror, self.book, self.check(), **how)

    def tell(self, *run_ids: str) -> Any:
        return self.mirror.tell(run_ids, self.book)

    def run(self, *client_ids: str, leads: Sequence[str] = ("a", "b", "c")) -> str:
        """A run over these clients, of each of whom the leads were scored but one, that failed."""
        run_id = scenes.planned(self.ledger, *client_ids)
        for client_id in client_ids:
            self.work(run_id, client_id, leads)
            self.end(run_id, client_id)
        return run_id

    def work(self, run_id: str, client_id: str, leads: Sequence[str] = ("a", "b", "c")) -> None:
        key = scenes.frozen(self.ledger, scenes.begun(self.ledger, run_id, client_id), leads)
        scenes.called(self.ledger, key, f"call of {run_id} {client_id}")
        self.clock.sleep(60)
        scenes.recorded(self.ledger, key, *scenes.scored(*leads[:-1]), *scenes.failed(leads[-1]))

    def end(self, run_id: str, client_id: str) -> None:
        scenes.closed(self.ledger, OperationKey(run_id, client_id, scenes.LEAD_SCORING))

    def make_history(self) -> None:
        """Every run is one of an older system."""
        self.ledger.do(
            lambda tx: tx.execute("UPDATE @runs SET changed_at = NULL, ended_at = created_at, status = 'completed'")
        )
