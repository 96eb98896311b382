"""JobTracking: the verbs other programs call."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tallybook.domain import runid
from tallybook.domain.client import read_client_id
from tallybook.domain.errors import BadInput, NotFound, RunIdsExhausted, TallybookError
from tallybook.domain.fields import storable
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.tracking import verbs, wording
from tallybook.tracking.caller import call_site
from tallybook.tracking.delivery import Delivery, Spooled
from tallybook.tracking.door import PATIENCE_S, Door
from tallybook.tracking.health import Health, TrackingStatus
from tallybook.tracking.in_process import LedgerDoor, OpenLedger
from tallybook.tracking.mint import SpareMint
from tallybook.tracking.saying import Saying
from tallybook.tracking.spool import BAD, ENDING, REFUSED, lines_in

log = logging.getLogger("tallybook.tracking")

T = TypeVar("T")
Text = str | None
"""Ids as callers have them: None is refused, with a line in the log, not raised (F39)."""
_REFUSED: str | bool = False


class JobTracking:
    """The book for programs that run their own jobs.

    Every verb is safe to repeat, takes a run id or a client-run label, and never raises into the program that calls it
    unless *strict*. It gives False when it was refused: nothing of that call was written. What the books cannot take
    now waits in *spool_folder* and counts as accepted.

    *books*: the ledger, a function that opens it when it is first needed, or the door to a server, which has a patience
    and a style of run ids of its own. *caller*: who reports, where that is not the calling code. Safe from any
    number of threads.
    """

    def __init__(
        self,
        books: Ledger | OpenLedger | Door,
        *,
        strict: bool = False,
        spool_folder: Path,
        style: RunIdStyle | None = None,
        patience_s: float = PATIENCE_S,
        caller: str | None = None,
    ) -> None:
        self._strict = strict
        style = style or RunIdStyle()
        self._caller = caller
        self._health = Health()
        self._mint = SpareMint(spool_folder, style.zone)
        self._door: Door = (
            LedgerDoor(books, style, patience_s) if callable(books) or isinstance(books, Ledger) else books
        )
        self._delivery = Delivery(self._door, spool_folder, self._health)
        self._delivery.adopt()
        self._delivery.caught_up()

    # -- runs ----------------------------------------------------------------------------------------------------------

    def generate_run_id(self) -> str | None:
        """A new run id, reserved. While the books are away, one made from the clock (its limits: docs/reporting.md).

        None when all ids of the next minute are taken; strict raises RunIdsExhausted.
        """
        return self._edge("generate_run_id", "", self._generate_run_id, None)

    def create_job(
        self,
        run_id: Text = None,
        job_type: object = None,
        stream: object = None,
        triggered_by: object = None,
        system_notes: object = None,
        **fields: object,
    ) -> str | bool:
        """Book a run. Gives its id; where it exists, only what nobody has said yet is added. False: refused."""
        words = {"job_type": job_type, "stream": stream, "triggered_by": triggered_by, "system_notes": system_notes}
        return self._say("create_job", run_id, None, {**words, **fields}, by_id=True)

    def update_job(self, run_id: Text = None, **fields: object) -> bool:
        """Add to what is known of a run. A status that ends it completes it."""
        return bool(self._say("update_job", run_id, None, fields))

    def complete_job(self, run_id: Text = None, status: object = None, **fields: object) -> bool:
        """The run is over, or will be with the last of its client runs. Its status is derived unless claimed."""
        return bool(self._say("complete_job", run_id, None, {"status": status, **fields}))

    # -- client runs ---------------------------------------------------------------------------------------------------

    def create_client_run(
        self, run_id: Text = None, client_id: Text = None, client_name: object = None, **fields: object
    ) -> str | bool:
        """Book one client's part of a run. Gives its label, also when it exists. False: refused."""
        return self._say("create_client_run", run_id, client_id, {"client_name": client_name, **fields}, by_id=True)

    def update_client_run(self, run_id: Text = None, client_id: Text = None, **fields: object) -> bool:
        """Add to what is known of a client run. *client_id* may be left out where *run_id* is its label."""
        return bool(self._say("update_client_run", run_id, client_id, fields))

    def complete_client_run(
        self, run_id: Text = None, client_id: Text = None, status: object = None, **fields: object
    ) -> bool:
        """The client run is over. Its status comes from its rows, or the claim, or the claimed sums, in this order."""
        return bool(self._say("complete_client_run", run_id, client_id, {"status": status, **fields}))

    # -- rows: the exact way -------------------------------------------------------------------------------------------

    def record_outcome(  # noqa: PLR0917 -- who passes them by place is not raised into
        self,
        run_id: Text = None,
        client_id: Text = None,
        operation: object = None,
        lead_id: object = None,
        kind: object = None,
        reason: object = None,
        **facts: object,
    ) -> bool:
        """Book what became of one lead: scored, harvested, skipped or failed. True when that is new.

        *facts*: detail, score, breakdown, assessment, best_post, posts, excluded_by, flagged, rubric_version,
        prompt_version, formula, model, input_hash.
        """

        item = {**facts, "lead_id": lead_id, "kind": kind, "reason": reason}

        def read() -> Saying:
            return verbs.record_outcome(run_id, client_id, operation, item, self._site())

        return bool(self._tell("record_outcome", run_id, read))

    def record_call(  # noqa: PLR0917  # the verb as its users call it
        self,
        run_id: Text = None,
        client_id: Text = None,
        operation: object = None,
        call_id: object = None,
        provider: object = "",
        model: object = "",
        result: object = "ok",
        input_tokens: object = None,
        cached_tokens: object = None,
        output_tokens: object = None,
        cost_usd: object = None,
        attempt: object = 1,
        chunk: object = None,
        **unknown: object,
    ) -> bool:
        """Book one paid call that is over. True when *call_id* is new. Tokens and cost: None is unknown, never 0."""

        usage = {"input_tokens": input_tokens, "cached_tokens": cached_tokens, "output_tokens": output_tokens}
        about = {"call_id": call_id, "provider": provider, "model": model, "attempt": attempt, "chunk": chunk}
        item = {**unknown, **about, **usage, "operation": operation, "result": result, "cost_usd": cost_usd}

        def read() -> Saying:
            return verbs.record_call(run_id, client_id, item, self._site())

        return bool(self._tell("record_call", run_id, read))

    # -- reading -------------------------------------------------------------------------------------------------------

    def exists(self, run_id: Text, client_id: Text = None) -> bool:
        """Is the run, or the client run, in the books? False also while they cannot be read."""
        return self._read("exists", run_id, lambda text: self._door.exists(text, wording.read_client(client_id)), False)

    def get_job(self, run_id: Text) -> dict[str, Any] | None:
        """The run as JSON data, with what was claimed under "reported" and its events as lines under "system_notes"."""
        return self._read("get_job", run_id, self._door.job, None)

    def get_client_run(self, run_id: Text, client_id: Text = None) -> dict[str, Any] | None:
        """The client run as JSON data, with "reported" and "system_notes"."""
        return self._read(
            "get_client_run",
            run_id,
            lambda text: self._door.client_run(text, wording.read_client(client_id)),
            None,
        )

    def client_label(self, run_id: Text, client_id: Text) -> str | None:
        """What the client run is called, whether it is in the books or not. None: these are no ids."""

        def label() -> str:
            return runid.label(runid.RunId.parse(run_id).key, read_client_id(client_id))

        return self._edge("client_label", run_id, label, None)

    # -- the spool -----------------------------------------------------------------------------------------------------

    def status(self) -> TrackingStatus:
        """What waits, what was refused, what was lost (F34)."""
        folder = self._delivery.spool.folder
        aside = sum(lines_in(folder, ENDING + each) for each in (BAD, REFUSED))
        waiting = {"spooled": lines_in(folder, ENDING), "set_aside": aside}
        try:
            seen = self._door.misreports()
        except Exception as error:
            self._health.trouble(error)
            return self._health.status(**waiting)
        return self._health.status(**waiting, refused_ever=seen.refused, auto_created=seen.auto_created)

    def replay(self) -> bool:
        """Write now what waits, of dead processes too. True when nothing of that is left."""
        self._delivery.adopt()
        return self._delivery.replay()

    def close(self) -> None:
        """Write what waits if that is possible, and leave the rest to the next process. A ledger stays open."""
        self._delivery.caught_up()
        self._delivery.close()

    # -- the edge: nothing gets out of here ----------------------------------------------------------------------------

    def _say(
        self, verb: str, run_id: object, client_id: object, fields: Mapping[str, object], *, by_id: bool = False
    ) -> str | bool:
        def read() -> Saying:
            return verbs.say(verb, run_id, client_id, fields, self._site())

        return self._tell(verb, run_id, read, by_id=by_id)

    def _tell(self, verb: str, run_id: object, read: Callable[[], Saying], *, by_id: bool = False) -> str | bool:
        def tell() -> str | bool:
            saying = read()
            return self._deliver(saying, wording.name_of(saying) if by_id else True)

        return self._edge(verb, run_id, tell, _REFUSED)

    def _site(self) -> str:
        return self._caller or call_site()

    def _deliver(self, saying: Saying, if_spooled: str | bool) -> str | bool:
        try:
            return self._delivery.deliver(saying)
        except Spooled:
            return if_spooled

    def _edge(self, verb: str, run_id: object, act: Callable[[], T], otherwise: T) -> T:
        """Run a verb. Whatever goes wrong is logged and counted; only strict raises it (F34)."""
        try:
            return act()
        except TallybookError as error:
            self._refuse(verb, run_id, error)
            if self._strict:
                raise
        except Exception as error:
            self._health.lost(error)
            log.exception("%s for %r is lost: neither the books nor the disk took it", verb, run_id)
            if self._strict:
                raise
        return otherwise

    def _refuse(self, verb: str, run_id: object, error: TallybookError) -> None:
        self._health.refused(verb, error)
        text = f"{verb} was refused: {error}"
        log.warning("%s (run %r, at %s)", text, run_id, self._site())
        name = run_id if isinstance(run_id, str) else ""
        try:
            self._deliver(Saying("note_refusal", name, facts={"text": storable(text)}), True)
        except Exception as trouble:
            self._health.trouble(trouble)
            log.exception("the refusal could not be noted")

    def _generate_run_id(self) -> str:
        if self._delivery.caught_up():
            try:
                run_id = self._door.mint()
            except RunIdsExhausted:
                raise
            except Exception as error:
                self._health.trouble(error)
            else:
                self._mint.given(run_id)
                return run_id
        run_id = self._mint.make(self._door.now())
        self._deliver(Saying("reserve_run_id", run_id, site=self._site()), True)
        return run_id

    def _read(self, verb: str, run_id: object, read: Callable[[str], T], otherwise: T) -> T:
        def act() -> T:
            text = wording.read_run(run_id)
            self._delivery.caught_up()
            try:
                return read(text)
            except NotFound:
                return otherwise

        try:
            return act()
        except BadInput as error:
            self._refuse(verb, run_id, error)
            if self._strict:
                raise
        except Exception as error:
            self._health.trouble(error)
            log.warning("%s for %r: the books cannot be read: %s", verb, run_id, error)
            if self._strict:
                raise
        return otherwise
