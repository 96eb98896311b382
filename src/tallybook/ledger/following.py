"""The books as one follower sees them: what the port FollowerState promises."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from tallybook.database import read_stamp
from tallybook.domain.run import Run
from tallybook.domain.telling import Changed, Part, RunStory, Standing, Telling, Told
from tallybook.ledger import figures, read, telling
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import events
from tallybook.ledger.write import telling as write

OVERLAP = timedelta(minutes=15)
"""What changed so long before the last look is looked at again: clocks differ, and commits take their time."""
MOST_REFS_AT_ONCE = 1000
MOST_AT_ONCE = 100
"""Ended runs that one look is concerned with."""


class FollowerBook:
    """For one follower by its name. Every method raises LedgerUnavailable."""

    def __init__(self, ledger: Ledger, follower: str) -> None:
        self._ledger = ledger
        self._follower = follower

    def now(self) -> datetime:
        return self._ledger.clock()

    # -- which runs

    def changed(self, after: Changed | None = None) -> Sequence[Changed]:
        until = read_stamp(self.kept("told_until"))
        if until is None:
            until = self.now()
            self._ledger.do(write.begin, self._follower, until)
        since = until - OVERLAP
        return telling.changed_runs(self._ledger.database, self._follower, since, after=after, limit=MOST_AT_ONCE)

    @property
    def began_at(self) -> datetime | None:
        return read_stamp(self.kept("began_at"))

    def start_over(self) -> None:
        self._ledger.do(write.start_over, self._follower)

    def told_until(self, at: datetime) -> None:
        self._ledger.do(write.look_from, self._follower, at)

    def made_since(self, since: datetime, after: str = "") -> Sequence[str]:
        return telling.runs_made_since(self._ledger.database, since, after=after, limit=MOST_AT_ONCE)

    def told_before(self, at: datetime, limit: int) -> Sequence[str]:
        return telling.told_before(self._ledger.database, self._follower, at, limit)

    def standing_so(self, *standings: Standing) -> Sequence[str]:
        return telling.told_of(self._ledger.database, self._follower, standings)

    # -- their parts

    def tellings(self, run_id: str) -> Sequence[Telling]:
        return self.tellings_of([run_id])[run_id]

    def tellings_of(self, run_ids: Sequence[str]) -> Mapping[str, Sequence[Telling]]:
        return telling.tellings_of(self._ledger.database, self._follower, run_ids)

    def story(self, run_id: str) -> RunStory:
        return telling.story_of(self._ledger.database, run_id)

    def previous(self, run: Run) -> Run | None:
        found = figures.previous_run(self._ledger.database, run)
        return read.run(self._ledger.database, found) if found else None

    def parts_of(self, refs: Sequence[str]) -> Mapping[str, Part]:
        return telling.part_of_ref(self._ledger.database, self._follower, refs)

    def parts_named(self, keys: Sequence[str]) -> Mapping[str, Part]:
        return telling.part_of_key(self._ledger.database, keys)

    def refs(self, after: Part | None = None) -> Sequence[tuple[Part, str]]:
        return telling.refs(self._ledger.database, self._follower, after or Part("", ""), limit=MOST_REFS_AT_ONCE)

    def counts(self) -> Mapping[Standing, int]:
        return telling.count_by_standing(self._ledger.database, self._follower)

    def parked(self, limit: int) -> Sequence[tuple[Part, str]]:
        return telling.parked(self._ledger.database, self._follower, limit)

    def told(self, parts: Sequence[Told]) -> None:
        self._ledger.do(write.told, self._follower, parts)

    def stands(
        self,
        parts: Mapping[Part, str | None],
        standing: Standing,
        version: Mapping[Part, int] | None = None,
    ) -> None:
        self._ledger.do(write.stands, self._follower, parts, standing, version)

    def found(self, refs: Mapping[Part, str | None]) -> None:
        """These were there before us; see `Standing.FOUND`."""
        self._ledger.do(write.found, self._follower, refs)

    def attempt(self, part: Part, ref: str, was: Standing) -> bool:
        return self._ledger.do(write.attempt, self._follower, part, ref, was)

    def adopt(self, refs: Mapping[Part, str | None]) -> None:
        self._ledger.do(write.adopt, self._follower, refs)

    def keep_notes(self, notes: Mapping[Part, str | None]) -> None:
        self._ledger.do(write.keep_notes, self._follower, notes)

    def owe_again(self, run_id: str) -> None:
        self._ledger.do(write.owe_again, self._follower, run_id)

    # -- the follower's own notes

    def kept(self, name: str) -> str | None:
        return telling.state_of(self._ledger.database, self._follower).get(name)

    def keep(self, name: str, value: str | None) -> None:
        self._ledger.do(write.keep, self._follower, name, value)

    def event(self, kind: str, text: str, *, once_key: str, part: Part | None = None) -> None:
        run_id, client_id = part or (None, "")
        self._ledger.do(events.append, kind, text, run_id=run_id, client_id=client_id, once_key=once_key)
