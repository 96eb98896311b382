"""What became of one lead in one operation run."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tallybook.domain.errors import BadInput, UnknownWord

LeadId = str


class Kind(StrEnum):
    SCORED = "scored"
    HARVESTED = "harvested"
    SKIPPED = "skipped"
    FAILED = "failed"


class SkipReason(StrEnum):
    """Why a lead was passed over. A skip is a decision, not a failure."""

    INSUFFICIENT_PROFILE = "insufficient_profile"
    NO_CONTENT = "no_content"
    NO_POSTS = "no_posts"
    LEAD_GONE = "lead_gone"
    GAVE_UP = "gave_up"


class FailReason(StrEnum):
    """Why an attempt came to nothing. The next run tries again; at most three runs for the same input where the reason
    lies with the lead.
    """

    SAFETY_BLOCK = "safety_block"
    QUOTA = "quota"
    TIMEOUT = "timeout"
    AUTH = "auth"
    MODEL_CONFIG = "model_config"
    UNAVAILABLE = "unavailable"
    AI_RESPONSE_FORMAT = "ai_response_format"
    OUTPUT_TRUNCATED = "output_truncated"
    EMPTY_RESPONSE = "empty_response"
    MISSING_FROM_ANSWER = "missing_from_answer"
    STORE_ERROR = "store_error"
    UNKNOWN = "unknown"


_OF_LEAD = (
    FailReason.SAFETY_BLOCK,
    FailReason.AI_RESPONSE_FORMAT,
    FailReason.OUTPUT_TRUNCATED,
    FailReason.EMPTY_RESPONSE,
    FailReason.MISSING_FROM_ANSWER,
    FailReason.UNKNOWN,
)
COUNTED_REASONS = tuple(reason.value for reason in _OF_LEAD)
"""Failures of the lead's own, which count as tries. The others are the provider's trouble or the store's, and no number
of such is a reason to give a lead up.
"""


@dataclass(frozen=True, slots=True)
class Versions:
    """With what a verdict was reached: enough to know whether asking again could change it."""

    rubric: str | None = None
    prompt: str | None = None
    formula: int | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one lead. Holds everything a store saves.

    *score* 0 to 100, two decimals. *breakdown*, plain JSON data: of a lead, attribute id -> points, bound, evidence;
    of posts, post URL -> {"total", "attributes", "is_repost"}; of a harvest, post URL -> {"text", "posted_at",
    "is_repost"}. *best_post*: {"url", "text", "score", "is_repost"}.
    *posts* counts the posts judged, tried or newly harvested; *input_hash* names the input the verdict was reached on.
    """

    lead_id: LeadId
    kind: Kind
    reason: SkipReason | FailReason | None = None
    detail: str | None = None
    score: float | None = None
    breakdown: Mapping[str, object] | None = None
    assessment: str | None = None
    best_post: Mapping[str, object] | None = None
    posts: int = 0
    excluded_by: str | None = None
    flagged: bool = False
    versions: Versions = Versions()
    input_hash: str | None = None

    def __post_init__(self) -> None:
        if self.score is not None and not 0 <= self.score <= 100:
            raise BadInput(f"a score is 0 to 100, got {self.score!r}")
        if self.posts < 0:
            raise BadInput(f"posts are counted from 0, got {self.posts!r}")
        expected = _REASONS[self.kind]
        if expected is None and self.reason is not None:
            raise BadInput(f"a lead that was {self.kind} has no reason, got {self.reason!r}")
        if expected is not None and not isinstance(self.reason, expected):
            raise BadInput(f"a lead that was {self.kind} needs one of: {', '.join(expected)}; got {self.reason!r}")

    @property
    def ok(self) -> bool:
        return self.kind in (Kind.SCORED, Kind.HARVESTED)

    @classmethod
    def skipped(cls, lead_id: LeadId, reason: SkipReason, **facts: object) -> "Outcome":
        return cls(lead_id, Kind.SKIPPED, reason, **facts)  # type: ignore[arg-type]  # facts are the fields above

    @classmethod
    def failed(cls, lead_id: LeadId, reason: FailReason, **facts: object) -> "Outcome":
        return cls(lead_id, Kind.FAILED, reason, **facts)  # type: ignore[arg-type]  # facts are the fields above


_REASONS: Mapping[Kind, type[SkipReason] | type[FailReason] | None] = {
    Kind.SCORED: None,
    Kind.HARVESTED: None,
    Kind.SKIPPED: SkipReason,
    Kind.FAILED: FailReason,
}


def read_reason(kind: Kind, text: str | None) -> SkipReason | FailReason | None:
    """The reason code *text* for *kind*. Raises UnknownWord with the codes that exist."""
    expected = _REASONS[kind]
    if expected is None or text is None:
        return None
    try:
        return expected(text)
    except ValueError:
        raise UnknownWord(f"{text!r} is no reason for {kind}; use one of: {', '.join(expected)}") from None
