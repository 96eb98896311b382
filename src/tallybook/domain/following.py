"""What is asked of followers, and what they are handed. Beside `domain.ports`, where all other plugs are."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from tallybook.domain.run import Run
from tallybook.domain.telling import Changed, Part, RunStory, Standing, Telling, Told


class FollowerState(Protocol):
    """What the ledger offers one follower: runs as they stand, what it was told of them, and a place for its own notes.

    Every method raises LedgerUnavailable.
    """

    def now(self) -> datetime: ...

    def changed(self, after: Changed | None = None) -> Sequence[Changed]:
        """Runs that are open, and some of the ended ones that changed since `told_until`, in the order in which they
        did; then those *after* the last.
        """

    def told_until(self, at: datetime) -> None:
        """Everything that changed before *at* was told."""

    def made_since(self, since: datetime, after: str = "") -> Sequence[str]:
        """Runs of which followers are told, by their ids, some at a time: those after *after*."""

    def told_before(self, at: datetime, limit: int) -> Sequence[str]:
        """Ended runs made before *at*, oldest first, of which the follower has a part beside which nobody wrote."""

    def standing_so(self, *standings: Standing) -> Sequence[str]:
        """Runs of which a part stands so."""

    @property
    def began_at(self) -> datetime | None:
        """Since when the follower is told; None: it never was."""

    def start_over(self) -> None:
        """The follower has nothing of what it was told."""

    def tellings(self, run_id: str) -> Sequence[Telling]:
        """The run as a whole first, then its clients in the order in which they are visited."""

    def tellings_of(self, run_ids: Sequence[str]) -> Mapping[str, Sequence[Telling]]:
        """The same of several, by run."""

    def story(self, run_id: str) -> RunStory: ...

    def previous(self, run: Run) -> Run | None:
        """The one before it, of the same stream and job type, that has ended."""

    def parts_of(self, refs: Sequence[str]) -> Mapping[str, Part]:
        """Whose these are, by where the follower has them."""

    def parts_named(self, keys: Sequence[str]) -> Mapping[str, Part]:
        """Whose run ids, display forms or labels these are."""

    def refs(self, after: Part | None = None) -> Sequence[tuple[Part, str]]:
        """Where the follower has the parts that are kept up, some at a time: those after *after*."""

    def counts(self) -> Mapping[Standing, int]: ...

    def parked(self, limit: int) -> Sequence[tuple[Part, str]]:
        """Parts that were not taken, and why."""

    def told(self, parts: Sequence[Told]) -> None:
        """The follower has them now."""

    def stands(
        self, parts: Mapping[Part, str | None], standing: Standing, version: Mapping[Part, int] | None = None
    ) -> None:
        """How these stand, with the reason. *version*: one that was refused in it is tried again with the next."""

    def attempt(self, part: Part, ref: str, was: Standing) -> bool:
        """It is about to be told as *ref*: from now on it stands as SENDING, whatever becomes of this process.
        False: it did not stand as *was*.
        """

    def adopt(self, refs: Mapping[Part, str | None]) -> None:
        """Where the follower has these; they are told anew. None: nowhere."""

    def keep_notes(self, notes: Mapping[Part, str | None]) -> None:
        """What people wrote beside these."""

    def owe_again(self, run_id: str) -> None:
        """All of the run is to be told once more."""

    def kept(self, name: str) -> str | None:
        """A note of the follower's own."""

    def keep(self, name: str, value: str | None) -> None:
        """None: forget it."""

    def event(self, kind: str, text: str, *, once_key: str, part: Part | None = None) -> None:
        """Put it in the books, once per key."""


class Follower(Protocol):
    """Who is told when runs change. One process at a time tells it; what it raises never reaches a run.

    *name*: its own in the books. *every*: so long after it was told, it is told of runs that go on. *ends_only*: it is
    told of runs that have ended, and of no others. *beats*: it has duties of its own, so that every so often it is told
    of no run at all.
    """

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> timedelta: ...

    @property
    def ends_only(self) -> bool: ...

    @property
    def beats(self) -> bool: ...

    def tell(self, run_ids: Sequence[str], book: FollowerState) -> datetime | None:
        """Tell what has changed in these runs. None: all of it is told, but for what cannot be. Else when to try again.

        Raises LedgerUnavailable.
        """
