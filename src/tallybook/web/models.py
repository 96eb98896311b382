"""What is answered, as the API describes it. The answers themselves are made by `report.facts`; tests hold them against
this.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tallybook.domain.client import ClientStatus, Source
from tallybook.domain.outcome import Kind
from tallybook.domain.run import JobType, OperationName, Origin, Status, Trigger

COUNT = Field(ge=0, examples=[42])
MOMENT = Field(examples=["2026-11-25T02:00:00.000000Z"], description="RFC 3339, UTC")
MONEY = Field(examples=["0.0123"], pattern=r"^[0-9]+(\.[0-9]+)?$", description="US dollars, exact")
WHY = Field(examples=["no_work"], description="What the status does not say, as a code")
RUN_ID = Field(examples=["261125-020000"])
CLIENT_ID = Field(examples=["acme-law"])
NEXT = Field(description="Give it as `cursor` for the next page; null on the last one", examples=[None])

Times = str | None


class Totals(BaseModel):
    """Counts of lead-operations (a lead in three operations counts three times), and sums of calls."""

    found: int = COUNT
    scored: int = COUNT
    harvested: int = COUNT
    skipped: int = COUNT
    failed: int = COUNT
    pending: int = COUNT
    posts: int = COUNT
    success_rate: float | None = Field(ge=0, le=1, description="ok / (ok + failed); null for 0/0")
    calls: int = COUNT
    unmeasured_calls: int = Field(ge=0, description="Nobody knows what they used")
    input_tokens: int = Field(ge=0, description="The cached ones among them")
    cached_tokens: int = COUNT
    output_tokens: int = COUNT
    total_tokens: int = COUNT
    cost_usd: str = MONEY
    unpriced_calls: int = Field(ge=0, description="Nobody knows what they cost")


class OperationRun(BaseModel):
    """One operation for one client in one run."""

    operation: OperationName
    status: Status
    finish_reason: str | None = WHY
    totals: Totals
    reasons: dict[str, int] = Field(description="Reason code: leads", examples=[{"safety_block": 2}])


class ClientRun(BaseModel):
    """One client's part of a run."""

    client_id: str = CLIENT_ID
    client_name: str = Field(examples=["Acme Law"])
    label: str = Field(examples=["261125-020000-acme-law"])
    status: Status
    finish_reason: str | None = WHY
    wake_at: Times = Field(description="When a pause of this client alone ends by itself", examples=[None])
    origin: Origin
    error: str | None = Field(description="The newest error; all of them are events")
    totals: Totals
    operations: list[OperationRun]
    reported: dict[str, JsonValue] = Field(
        description="What a reporting program claims; not in the totals", examples=[{"posts_processed": 42}]
    )


class ClientRunAlone(ClientRun):
    """One client's part of a run, with what was noted of it."""

    run_id: str = RUN_ID
    origin_reason: str | None = Field(description="Why it was made though nobody had announced it")
    system_notes: list[str] = Field(examples=[["2026-11-25 02:00:03 Processing batch 2 of 4"]])


class ClientRuns(BaseModel):
    items: list[ClientRun]
    next_cursor: str | None = NEXT


class RunHead(BaseModel):
    """A run without its clients."""

    run_id: str = RUN_ID
    status: Status
    finish_reason: str | None = WHY
    blocked_reason: str | None = Field(description="What a run that does not move waits for")
    job_type: JobType
    stream: int | None = Field(examples=[1], description="Whose clients; null: all streams")
    triggered_by: Trigger
    started_at: Times = MOMENT
    ended_at: Times = MOMENT
    wake_at: Times = Field(
        description="When a paused run goes on by itself, as a whole or with a client", examples=[None]
    )
    duration_s: float | None = Field(ge=0, examples=[81.5])
    totals: Totals


class Run(RunHead):
    """A run with its clients and their operations."""

    clients: list[ClientRun]
    error: str | None = Field(description="The newest error; all of them are events")
    reported: dict[str, JsonValue] = Field(
        description="What a reporting program claims; not in the totals", examples=[{"items_processed": 42}]
    )
    system_notes: list[str] = Field(examples=[["2026-11-25 02:00:00 Started by token 1a2b3c4d (api)"]])


class Runs(BaseModel):
    items: list[RunHead]
    next_cursor: str | None = NEXT


# -- event streams -----------------------------------------------------------------------------------------------------


class EventTold(BaseModel):
    """Something that happened."""

    id: int
    at: Times = MOMENT
    kind: str = Field(examples=["started"])
    text: str = Field(examples=["Started by token 1a2b3c4d (api)"])
    client_id: str | None = Field(description="null: it happened to the run as a whole")


class ClientMoved(BaseModel):
    """How far one client is."""

    client_id: str = CLIENT_ID
    status: Status
    blocked_reason: str | None
    doing: OperationName | None = Field(description="The operation that is open")
    totals: Totals


class StatusTold(BaseModel):
    """How far the run is; of its clients those that have moved on since the last message of this kind."""

    run_id: str = RUN_ID
    status: Status
    blocked_reason: str | None
    totals: Totals
    clients: list[ClientMoved]


class EndTold(BaseModel):
    """There is no more."""

    run_id: str = RUN_ID
    status: Status


MESSAGES = (EventTold, StatusTold, EndTold)


# -- usage -------------------------------------------------------------------------------------------------------------


class Sums(BaseModel):
    """Of settled calls."""

    calls: int = COUNT
    unmeasured_calls: int = COUNT
    unpriced_calls: int = COUNT
    input_tokens: int = COUNT
    cached_tokens: int = COUNT
    output_tokens: int = COUNT
    total_tokens: int = COUNT
    cost_usd: str = MONEY


class UsageLine(Sums):
    """What it was grouped by, and the sums."""

    client_id: str | None = Field(default=None, examples=["acme-law"])
    operation: str | None = Field(default=None, examples=["post_scoring"])
    model: str | None = Field(default=None, description="Empty: it was not said", examples=["gemini-2.5-pro"])
    day: str | None = Field(default=None, description="Of UTC; of the call's beginning", examples=["2026-11-25"])
    open_calls: int = Field(ge=0, description="Under way, or lost in a crash and maybe billed")
    priced_by: list[str] = Field(
        description="The price lists by which costs were reckoned; none for what was billed as it is",
        examples=[["genai-prices 0.0.31"]],
    )


class Usage(BaseModel):
    items: list[UsageLine]
    next_cursor: str | None = NEXT
    total: Sums = Field(description="Of all pages")


# -- clients and leads -------------------------------------------------------------------------------------------------


class Client(BaseModel):
    client_id: str = CLIENT_ID
    client_name: str = Field(examples=["Acme Law"])
    stream: int = Field(examples=[1])
    service_level: int = Field(description="1: leads are scored; 2 and above: posts too")
    status: ClientStatus
    paused_here: bool = Field(description="Paused in Tallybook, whatever its source says")
    active: bool = Field(description="Runs visit it")
    timezone: str | None = Field(examples=["Europe/Berlin"])
    daily_target: int | None = Field(description="Most leads harvested in a day; null: as the settings say")
    source: Source


class ClientAlone(Client):
    """A client, and how many attributes its leads and posts are judged by."""

    lead_attributes: int = COUNT
    post_attributes: int = COUNT


class Clients(BaseModel):
    items: list[Client]
    next_cursor: str | None = NEXT


class Lead(BaseModel):
    """What the client's store holds of a lead: the newest results."""

    lead_id: str
    profile_url: str
    full_name: str
    headline: str
    score: float | None = Field(ge=0, le=100)
    scored_at: Times = MOMENT
    score_status: str | None
    score_reason: str | None
    excluded_by: str | None = Field(description="The attribute that excludes it")
    excluded_by_hand: bool
    flagged: bool = Field(description="An answer was out of range")
    posts: int = COUNT
    posts_scored: int = COUNT
    post_score: float | None
    post_status: str | None
    post_reason: str | None
    harvested_at: Times = MOMENT
    harvest_status: str | None
    harvest_reason: str | None


class Told(BaseModel):
    """What became of a lead in one operation of one run, and on what grounds."""

    run_id: str = RUN_ID
    operation: OperationName
    at: Times = MOMENT
    kind: Kind
    reason: str | None = Field(description="Why it was skipped or failed, as a code", examples=["no_content"])
    detail: str | None
    score: float | None = Field(ge=0, le=100)
    breakdown: dict[str, Any] | None = Field(description="By attribute, or by post")
    assessment: str | None
    best_post: dict[str, Any] | None
    posts: int = COUNT
    excluded_by: str | None
    flagged: bool
    model: str | None
    rubric_version: str | None
    prompt_version: str | None
    formula: int | None
    input_hash: str | None
    late: bool = Field(description="It came after its run had ended")
    saved: bool = Field(description="The client's store has it")


class Why(BaseModel):
    """Every outcome of a lead over all runs, newest first."""

    client_id: str = CLIENT_ID
    lead_id: str = Field(examples=["people.test/in/ada-example"])
    lead: Lead | None = Field(description="null: the store does not hold it any more")
    outcomes: list[Told]


# -- the old cron line -------------------------------------------------------------------------------------------------


class SmartResumeStarted(BaseModel):
    """As the old server answered."""

    success: Literal[True] = True
    runId: str = RUN_ID  # noqa: N815 -- the old server's words
    jobId: str = Field(description="The same as runId", examples=["261125-020000"])  # noqa: N815 -- the old server's words
    stream: int | None = Field(examples=[1])
    status: Literal["started"] = "started"
    message: str = Field(examples=["Run 261125-020000 of stream 1 was started"])
    statusUrl: str = Field(examples=["/smart-resume-status?stream=1"])  # noqa: N815 -- the old server's words


class StreamStatus(RunHead):
    """The newest run of a stream."""

    isRunning: bool = Field(description="It has not ended")  # noqa: N815 -- the old server's word


class Streams(BaseModel):
    model_config = ConfigDict(json_schema_extra={"description": "The newest run of each stream"})
    streams: list[StreamStatus]
