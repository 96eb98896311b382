"""What can go wrong between a model and whoever asks it."""

from collections.abc import Mapping
from enum import StrEnum


class Fault(StrEnum):
    """Each as the provider asked would do it. OK is none."""

    OK = "ok"

    MALFORMED = "malformed"
    """The answer is no JSON."""
    WRONG_SHAPE = "wrong_shape"
    """The answer is JSON of quite another shape."""
    FENCED = "fenced"
    """The answer stands in a block of Markdown code."""
    PROSE = "prose"
    """There are words before and after the answer."""
    WRAPPED = "wrapped"
    """The items stand under another name: `posts` in requests of odd number, `data.results` in those of even."""
    BARE_ARRAY = "bare_array"
    """The answer is the list of items itself."""
    LOOSE_VALUES = "loose_values"
    """Points are strings, Yes or No where the scale is fixed; penalties are positive numbers."""
    MISSING = "missing"
    """The last item is left out."""
    UNKNOWN_ID = "unknown_id"
    """An item is judged that nobody asked about."""
    DUPLICATE_ID = "duplicate_id"
    """The first item is judged again at the end, with other points."""
    OUT_OF_RANGE = "out_of_range"
    """The first attribute of the first item gets more than it can give, or take."""
    OBEYS_INJECTION = "obeys_injection"
    """An item that says "ignore all previous instructions" gets the most that can be had."""
    INVENTED_EVIDENCE = "invented_evidence"
    """The quotes are not in the text."""
    TRUNCATED = "truncated"
    """There was no room for more than half of the answer."""
    EMPTY = "empty"
    """The model is done, and has said nothing."""
    SAFETY = "safety"
    """The provider holds the answer back."""
    PROMPT_BLOCKED = "prompt_blocked"
    """The provider does not let the model read the prompt."""
    NO_USAGE = "no_usage"
    """A good answer, of which the provider does not tell what it used."""

    RATE_LIMIT = "rate_limit"
    RATE_LIMIT_SILENT = "rate_limit_silent"
    """Without a word on how long to wait."""
    DAILY_QUOTA = "daily_quota"
    UNAVAILABLE = "unavailable"
    SERVER_ERROR = "server_error"
    BAD_KEY = "bad_key"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    """There is no such model."""

    HTML = "html"
    """A page with status 200 in place of the answer, which the model gave and the provider bills."""
    BAD_GATEWAY = "bad_gateway"
    """A page with status 502; the model was never asked."""
    RESET = "reset"
    """The connection breaks instead of an answer, which the model gave and the provider bills."""
    SLOW = "slow"
    """A good answer, late."""


def check_chances(chances: Mapping[Fault, float]) -> None:
    """Raises ValueError unless all are shares that together are at most 1."""
    for fault, share in chances.items():
        if not 0 <= share <= 1:
            raise ValueError(f"the share of {fault} must be from 0 to 1, not {share:g}")
    if sum(chances.values()) > 1 + 1e-9:
        raise ValueError(f"the shares come to {sum(chances.values()):g}; together they can be 1 at most")
