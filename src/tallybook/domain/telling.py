"""What followers are told: a run as a whole, or one client's part of it, as it stands in the books."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from tallybook.domain.client import ClientId
from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Run

Said = tuple[datetime | None, str, str]


class Part(NamedTuple):
    """What is told of. *client_id* empty: the run as a whole."""

    run_id: str
    client_id: ClientId


class Standing(StrEnum):
    """How a part stands with a follower. PARKED: it was not taken. GONE: people have deleted it there, and it is not
    made again. RETIRED: it is too old to be kept there. FOUND: it was there before us, and is left as it is.

    What is told once and never again, as a mail is: SENDING while nobody knows whether it was taken, and DOUBTFUL when
    nobody ever will. GATHERED: it is told together with others, later. PASSED: it is not one that this follower tells.
    """

    OWED = "owed"
    TOLD = "told"
    PARKED = "parked"
    GONE = "gone"
    RETIRED = "retired"
    FOUND = "found"
    SENDING = "sending"
    DOUBTFUL = "doubtful"
    GATHERED = "gathered"
    PASSED = "passed"

    @property
    def kept_up(self) -> bool:
        """Is it told of changes?"""
        return self in (Standing.OWED, Standing.TOLD, Standing.PARKED)


@dataclass(frozen=True, slots=True)
class Telling:
    """How a part stands. *version*: of the books; it only grows. *told_version*: what the follower has; None: nothing.

    *begun*: it was worked on, or has ended. *followed*: it is no run of an older system, of which nobody is told.
    *ref*: where the follower has it. *notes*: what people wrote beside it.
    """

    part: Part
    version: int
    begun: bool
    followed: bool = True
    told_version: int | None = None
    told_at: datetime | None = None
    standing: Standing = Standing.OWED
    ref: str | None = None
    notes: str | None = None
    tries: int = 0
    next_try_at: datetime | None = None
    error: str | None = None

    @property
    def behind(self) -> bool:
        """Does the books' version wait to be told? What waits in the queue has nothing to tell yet."""
        speaks = self.begun or self.ref is not None
        return speaks and self.followed and self.standing.kept_up and self.told_version != self.version


@dataclass(frozen=True, slots=True)
class Told:
    """A part that a follower has in this version now. *as_of*: when that was the books'; None: now."""

    part: Part
    version: int
    ref: str
    notes: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A run in which something may have changed since a follower was told. *ended_at*, *changed_at*: None while it
    goes on. *told_at*, *standing*: of the run as a whole.
    """

    run_id: str
    ended_at: datetime | None = None
    changed_at: datetime | None = None
    told_at: datetime | None = None
    standing: Standing = Standing.OWED

    @property
    def ended(self) -> bool:
        return self.changed_at is not None

    @property
    def news(self) -> bool:
        """Is it one that the follower has not heard of yet, or of whose end?"""
        if self.told_at is None:
            return self.standing.kept_up
        return self.standing.kept_up and self.ended_at is not None and self.told_at < self.ended_at


@dataclass(frozen=True, slots=True)
class RunStory:
    """A run with all that is told of it. *leads*: figures per client. *said*: what happened (instant, kind, text) by
    client, the run's own under "". *outside*: ids of runs that were done for it elsewhere. *posts_scored*: posts of
    leads whose posts were scored.
    """

    run: Run
    leads: Mapping[ClientId, LeadFigures] = field(default_factory=dict)
    said: Mapping[ClientId, Sequence[Said]] = field(default_factory=dict)
    outside: Mapping[ClientId, Sequence[str]] = field(default_factory=dict)
    posts_scored: Mapping[ClientId, int] = field(default_factory=dict)
