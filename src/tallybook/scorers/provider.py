"""What asking a model comes to, whoever the provider is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tallybook.domain.outcome import FailReason
from tallybook.domain.tally import Estimate, Usage


class Ending(StrEnum):
    """Why an answer ended where it does."""

    COMPLETE = "complete"
    CUT = "cut"
    BLOCKED = "blocked"


class Remedy(StrEnum):
    """What helps against a trouble."""

    ASK_AGAIN = "ask_again"
    ASK_LESS = "ask_less"
    WAIT = "wait"
    WAIT_FOR_QUOTA = "wait_for_quota"
    MEND_KEY = "mend_key"
    MEND_SETTINGS = "mend_settings"


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, ours or the model's."""

    text: str
    ours: bool = True


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model said. *text* is empty when it said nothing, or was not let."""

    text: str
    ending: Ending
    usage: Usage


class Trouble(Exception):
    """The provider did not answer. *wait_s*: how long it asked to wait. *refused*: it said that it did nothing.

    Holds no exception of the provider's library: those carry headers, and with them the key.
    """

    def __init__(
        self,
        message: str,
        reason: FailReason,
        remedy: Remedy = Remedy.ASK_AGAIN,
        *,
        wait_s: float | None = None,
        refused: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.remedy = remedy
        self.wait_s = wait_s
        self.refused = refused


class Provider(Protocol):
    """Who is asked. *name* is the provider's, *model* the model's own name there."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def ask(self, instructions: str, turns: Sequence[Turn], call_id: str) -> Reply:
        """One request, no retry. *call_id* goes with it, so that the provider's log can be held against the books.

        Raises Trouble. Canceled at any await.
        """

    def priced(self, estimate: Estimate) -> Estimate:
        """*estimate* with what it would cost, or as unpriced."""
