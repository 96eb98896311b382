"""External runs: jobs of a provider that work for one of our operation runs and report back when they are done."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tallybook.domain.client import ClientId
from tallybook.domain.lead import Post
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
    where only that names its client; a run of another task is not ours.
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

    @property
    def unborn(self) -> "ExternalRun":
        """As it stands in the books before its provider has given it an id."""
        return replace(self, external_id=f"?{self.call_id}", state=ExternalState.STARTING)

    @property
    def name(self) -> str:
        return f"{self.source} run {self.external_id}"


@dataclass(frozen=True, slots=True)
class Tag:
    """What a provider's run is told about us, and brings back: for whom it works, and how long that holds."""

    run_id: str
    client_id: ClientId
    call_id: str
    expires_at: datetime

    def of_call(self, call_id: str) -> "Tag":
        return replace(self, call_id=call_id)


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
    """One thing that a provider found for a profile: a post, or why there is none."""

    profile_url: str
    post: Post | None = None
    error: str = ""
