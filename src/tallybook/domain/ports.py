"""What the engine asks of plugs, and what it hands them. tests/contracts holds plugs to these promises."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import ProviderStop
from tallybook.domain.external import ExternalRun, Found, Look, Tag, Taken
from tallybook.domain.lead import Lead, Post
from tallybook.domain.outcome import FailReason, LeadId, Outcome
from tallybook.domain.rubric import Attribute, Rubric, Verdict
from tallybook.domain.run import OperationName
from tallybook.domain.tally import Estimate, Money, Usage

UNKNOWN = Estimate()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lead that an operation could work on. *input_hash* names what would be judged."""

    lead_id: LeadId
    input_hash: str


class Store(Protocol):
    """Where one client's leads are kept. A handle bound to that tenant: it reaches nobody else's.

    Every method raises StoreUnavailable when the store does not answer.
    """

    def rubric(self) -> Rubric:
        """What this client's leads and posts are judged by; empty when none was given."""

    def candidates(self, operation: OperationName, after: LeadId | None, limit: int) -> Sequence[Candidate]:
        """Leads *operation* is not done with, in id order, at most *limit*, those after *after*.

        Whether an earlier failure or skip makes one not due is the engine's question, not the store's.
        """

    def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        """These leads with their posts, in any order. One that is gone is left out."""

    def of_profiles(self, profiles: Sequence[LeadId]) -> Sequence[LeadId]:
        """The leads whose profile URL has one of these as its `profile_id`, in id order. It may take a look at all."""

    def save(self, operation: OperationName, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes back, by lead id. Saving twice equals saving once."""

    def add_posts(self, outcomes: Sequence[Outcome]) -> None:
        """Merge the posts of harvests that came to nothing else, for their leads have an outcome already. Nothing but
        the posts changes, and twice equals once.
        """


class Clients(Protocol):
    """The operator's clients."""

    def of_stream(self, stream: int | None, only: Sequence[ClientId]) -> Sequence[Client]:
        """The active clients of *stream* (None: of every stream), in id order; with *only*, just these of them.

        Raises NotFound when *only* names a client that does not exist.
        """

    def get(self, client_id: ClientId) -> Client:
        """This client, active or not. Raises NotFound."""

    def store(self, client_id: ClientId) -> Store:
        """The handle bound to this client. Raises NotFound."""


class Meter(Protocol):
    """Books the calls of one chunk, and lets each of them through in its turn. A scorer wraps every attempt in it."""

    async def start(
        self, *, provider: str, model: str, attempt: int = 1, estimate: Estimate = UNKNOWN, patient: bool = True
    ) -> str:
        """Book that a paid call is about to be made; durable when this returns. Gives the call's id.

        Waits while the calls of this minute are used up. *estimate* is set aside from the client's and the run's
        budget until the call is settled. Raises BudgetExhausted; and NoRoom where what is left of a budget is set aside
        for calls in flight, unless it is *patient* and waits for them.
        """

    def settle(self, call_id: str, *, result: str, usage: Usage, refused: bool = False) -> None:
        """Book how it ended. *result* is 'ok' or a reason code. Durable no later than the outcomes recorded next.

        *refused*: the provider answered that it did nothing, so nothing was billed. Of other calls of unknown usage
        the estimate stays set aside.
        """

    async def pause(self, seconds: float) -> None:
        """Wait without taking up a place among the calls at once."""

    def note(self, kind: str, text: str) -> None:
        """Put an event in the books of this client run."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be judged: a lead, or one post of a lead. *key* is unique within a question."""

    key: str
    lead: Lead
    post: Post | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A scorer's word on an item: attribute id -> verdict."""

    verdicts: Mapping[str, Verdict]
    assessment: str = ""
    flagged: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """No word on an item, and why. *stop*: and asking about any other is pointless."""

    reason: FailReason
    detail: str = ""
    stop: ProviderStop | None = None


Answer = Judgement | Failure | ProviderStop
"""A ProviderStop: it was not asked about, or not answered, because asking on is pointless. It stays pending."""


MISSING = Failure(FailReason.MISSING_FROM_ANSWER, "the scorer's answer left it out")


def stop_in(answers: Iterable[Answer]) -> ProviderStop | None:
    """Why asking is to end early, if it is."""
    stops = (answer.stop if isinstance(answer, Failure) else answer for answer in answers)
    return next((stop for stop in stops if isinstance(stop, ProviderStop)), None)


class Scorer(Protocol):
    """Who judges. *model* and *prompt_version* are stored with every outcome."""

    @property
    def model(self) -> str: ...

    @property
    def prompt_version(self) -> str | None: ...

    async def judge(self, attributes: Sequence[Attribute], items: Sequence[Item], meter: Meter) -> Mapping[str, Answer]:
        """An answer for every item, by key. The result for an item depends on no other item.

        Raises ProviderStop when asking on is pointless and nothing was answered.
        """

    def estimate(self, attributes: Sequence[Attribute], items: Sequence[Item]) -> Estimate:
        """What judging these items in one question would take. Asks nobody."""


class Harvester(Protocol):
    """Who fetches posts, in runs of its own. *source* names it in the books, *model* what is run there.

    Every method raises ProviderError, and ProviderStop when asking on is pointless.
    """

    @property
    def source(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def start(self, profile_urls: Sequence[str], most_posts: int, run_timeout: timedelta, tag: Tag) -> str:
        """Start a run that fetches up to *most_posts* posts of each profile; gives its id there. Never tries twice."""

    async def look(self, external_id: str) -> Look:
        """How the run stands, by the provider's own word."""

    def found(self, external_id: str) -> AsyncIterator[Found]:
        """What the run has found, in its order."""

    async def abort(self, external_id: str) -> None:
        """Have the run end now. One that is over stays as it is."""


class ExternalRuns(Protocol):
    """The external runs of one operation run, in the books."""

    async def taken(self, leads: Sequence[LeadId]) -> Taken:
        """Which of *leads* an external run is at work on, or has brought an outcome."""

    async def starting(self, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        """Book that an external run is about to be started for *leads*; durable when this returns."""

    async def started(self, external_id: str, call_id: str, leads: Sequence[LeadId], until: datetime) -> None:
        """It was, and has an id. Durable when this returns."""

    async def refused(self, call_id: str) -> None:
        """It was not: the provider said so."""

    def in_doubt(self, call_id: str) -> None:
        """Nobody knows, for the answer was lost: news of it may still come."""

    async def cost_of_a_lead(self) -> Money | None:
        """What was billed for a lead of late, on average; None: there was no bill yet."""

    async def left(self) -> Money | None:
        """What is left of the budgets that hold, less what is set aside; None: none is in money."""

    def tag(self, call_id: str, until: datetime) -> Tag:
        """What the external run is to know of us."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What an operation works under: one operation run. *external*: only where it works outside."""

    client: Client
    rubric: Rubric
    rubric_version: str
    meter: Meter
    input_hashes: Mapping[LeadId, str] = field(default_factory=dict)
    external: ExternalRuns | None = None


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of a chunk. *stop*: asking on is pointless; leads without an outcome stay pending. So do those an
    external run works on: *outside*.
    """

    outcomes: Sequence[Outcome]
    stop: ProviderStop | None = None
    outside: frozenset[LeadId] = frozenset()


class Operation(Protocol):
    """One thing that is done with leads. A new one is one file plus its line in app's registry."""

    @property
    def name(self) -> OperationName: ...

    def does_not_apply(self, client: Client, rubric: Rubric) -> str | None:
        """The finish_reason with which the operation closes for this client at once, None when it applies."""

    def judged_by(self, rubric: Rubric) -> Sequence[Attribute]:
        """The part of the rubric whose change makes skipped leads due again."""

    async def work(self, leads: Sequence[Lead], job: Job) -> Worked:
        """One outcome for each lead of the chunk, unless it was stopped. Canceled at any await.

        Raises ProviderStop when asking on is pointless and there is no outcome at all.
        """


@dataclass(frozen=True, slots=True)
class Collected:
    """The result of an external run that is over. *outcomes*: for its leads, with all that was found for them.

    *cost*: as `Look.cost`. *strangers*: profiles found that are no leads of the client. *unread*: what was not
    understood of the answer, in a sentence. *finish_reason* and *error*: how, and why, it went wrong.
    """

    result: str
    outcomes: Sequence[Outcome]
    cost: Money | None = None
    ended_at: datetime | None = None
    strangers: int = 0
    unread: str = ""
    finish_reason: str | None = None
    error: str = ""


Load = Callable[[Sequence[LeadId]], Awaitable[Sequence[Lead]]]
"""These leads of the client, with their posts; one that is not there is left out."""

Find = Callable[[Sequence[LeadId]], Awaitable[Sequence[LeadId]]]
"""As `Store.of_profiles`."""


@runtime_checkable
class OutsideOperation(Operation, Protocol):
    """An operation whose work is done by external runs. `work` starts them; while they are under way the client run
    holds no thread, no slot and no permit. When one is over, by its word or ours, its result is collected.
    """

    @property
    def source(self) -> str:
        """Whose runs these are, as the books name it."""

    @property
    def chunk_size(self) -> int:
        """How many leads one external run gets."""

    @property
    def run_timeout(self) -> timedelta:
        """How long an external run may take before it is given up."""

    def daily_target(self, client: Client) -> int | None:
        """The most leads of a client that are worked on in a day of its timezone; None: all."""

    def is_due(self, candidate: Candidate, now: datetime) -> bool:
        """Is its last result old enough?"""

    def last_done(self, candidate: Candidate) -> datetime | None:
        """When its last result was reached; None: never."""

    async def look(self, external: ExternalRun) -> Look:
        """Raises ProviderError."""

    async def collect(
        self, external: ExternalRun, look: Look, load: Load, hashes: Mapping[LeadId, str], find: Find
    ) -> Collected:
        """Everything that came of an external run that is over. *find* is asked where nobody has said for whom it was.
        Raises ProviderError.
        """

    async def give_up(self, external: ExternalRun) -> None:
        """Have the provider end it. Raises ProviderError."""
