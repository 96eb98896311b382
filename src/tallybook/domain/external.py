"""External runs: jobs of a provider that work for one of our operation runs and report back when they are done."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput
from tallybook.domain.lead import Post, lead_id_of_url, read_lead_id
from tallybook.domain.outcome import LeadId
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Money


class ExternalState(StrEnum):
    """STARTING: it is being started, and has no id at the provider yet. DOUBTFUL: the answer to its start was lost."""

    STARTING = "starting"
    DOUBTFUL = "doubtful"
    STARTED = "started"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ExternalRun:
    """One attempt of a provider's run. A run that is resurrected gets another attempt; the first stays as it ended.

    *call_id*: its row among the paid calls. *leads*: whom it was started for; None: whomever its result names.
    *until*: given up then. *abandoned*: our side was told to stop. *ended_at*: when the provider ended it, once its
    result was taken; what is looked at after that may have been resurrected. *task*: what a delivery said that it runs,
    where only that names its client; a run of another task is nobody's. *ours*: we started this attempt, so that it
    is ours to end.
    """

    source: str
    external_id: str
    run_id: str
    client_id: ClientId
    operation: OperationName
    call_id: str
    until: datetime
    attempt: int = 1
    leads: tuple[LeadId, ...] | None = None
    looks: int = 0
    abandoned: bool = False
    ended_at: datetime | None = None
    state: ExternalState = ExternalState.STARTED
    task: str | None = None
    ours: bool = True

    @property
    def this(self) -> tuple[str, str, int]:
        """Its key in the books."""
        return self.source, self.external_id, self.attempt

    @property
    def unborn(self) -> "ExternalRun":
        """As it stands in the books before its provider has given it an id."""
        return replace(self, external_id=f"?{self.call_id}", state=ExternalState.STARTING)

    @property
    def has_id(self) -> bool:
        """Has its provider told us how it calls it?"""
        return not self.external_id.startswith("?")

    @property
    def name(self) -> str:
        if not self.has_id:
            return f"the {self.source} run that was to be started"
        return f"{self.source} run {self.external_id}"


@dataclass(frozen=True, slots=True)
class Taken:
    """Of an operation run: how many external *runs* are at work for it, and the *leads* that need none to be started.
    None: one of them works for leads that only its result will name.
    """

    runs: int
    leads: frozenset[LeadId] | None


@dataclass(frozen=True, slots=True)
class Tag:
    """What a provider's run is told about us, and brings back: for whom it works, and how long that holds."""

    run_id: str
    client_id: ClientId
    call_id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Look:
    """What the provider says of a run now. *result*: succeeded, failed, aborted or timed_out, once it is over.

    *cost*: billed so far, over all attempts; None: it does not say. *task*: what it runs, where it names that.
    """

    over: bool
    result: str = ""
    cost: Money | None = None
    ended_at: datetime | None = None
    detail: str = ""
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a provider found for a profile: a post, or why there is none.

    With neither, or of no profile, it was not understood; *fields* then names its parts, never what they hold.
    """

    profile_url: str = ""
    post: Post | None = None
    error: str = ""
    fields: tuple[str, ...] = ()


def profile_id(url: str) -> LeadId | None:
    """What all spellings of a profile's URL have in common; of a name that is no URL, the name. None: no database would
    take it.
    """
    for read in (lead_id_of_url, read_lead_id):
        try:
            return read(url.strip())
        except BadInput:
            continue
    return None
