"""What passes between the look-alike of a model and the forms its three providers give to the same things."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from tallybook.testing.lookalike_http import Reply
from tallybook.testing.model_faults import Fault

BYTES_PER_TOKEN = 4
"""A rule of thumb. All that matters is that both sides of a test can reckon it."""


class Refused(Exception):
    """A request that no provider takes: *status* and why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. *path* is without its query; *header* gives the header of a name, or an empty string."""

    path: str
    header: Callable[[str], str]
    body: Mapping[str, Any]

    @property
    def bearer(self) -> str:
        return self.header("authorization").removeprefix("Bearer ")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request says to a model, whichever provider's form it came in."""

    provider: str
    model: str
    key: str = field(repr=False)
    system: str
    user: tuple[str, ...]
    """The texts of the user's messages, oldest first."""
    stream: bool = False


class Finish(StrEnum):
    """Why a model stopped: it was done, had no room left, or would not answer or even read."""

    DONE = "done"
    NO_ROOM = "no_room"
    UNSAFE_ANSWER = "unsafe_answer"
    UNSAFE_PROMPT = "unsafe_prompt"


@dataclass(frozen=True, slots=True)
class Tokens:
    """*input* includes *cached*; *output* includes *thinking*."""

    input: int = 0
    cached: int = 0
    output: int = 0
    thinking: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model said. *tokens* None: the provider does not tell what was used. *at_s*: Unix time."""

    number: int
    model: str
    text: str
    finish: Finish
    tokens: Tokens | None
    at_s: float
    stream: bool = False
    """It was asked for piece by piece."""


class Provider(Protocol):
    """One provider's form of everything."""

    @property
    def name(self) -> str: ...

    def read(self, request: Request) -> Prompt:
        """Raises Refused, and LookupError, TypeError or AttributeError for a body of another shape."""

    def say(self, answer: Answer) -> Reply:
        """The model's answer, whatever it finished for."""

    def refuse(self, fault: Fault, model: str, wait_s: float) -> Reply | None:
        """The error that *fault* is with this provider; None when the model answers all the same."""

    def error(self, status: int, message: str) -> Reply:
        """Any other error."""


def wait_headers(wait_s: float) -> tuple[tuple[str, str], ...]:
    """As OpenAI and Anthropic tell it: whole seconds in one header, the exact time in another."""
    whole = ("retry-after", str(-int(-wait_s // 1)))
    return (whole,) if wait_s == int(wait_s) else (whole, ("retry-after-ms", str(round(wait_s * 1_000))))


def texts_of(content: object) -> str:
    """The text of a message's content: a string, or blocks of which those with a text count."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))


def tokens_in(*texts: str) -> int:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    return -(-size // BYTES_PER_TOKEN)
