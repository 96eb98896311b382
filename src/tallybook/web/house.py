"""What every route of one server has at hand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from fastapi import Depends, Request

from tallybook.app import App
from tallybook.domain.access import NewToken
from tallybook.ledger.ledger import Ledger
from tallybook.web.doorkeeper import Doorkeeper

if TYPE_CHECKING:
    from tallybook.engine.engine import Engine


class Finding(Protocol):
    """What a check has found. *level*: ok, notice or wrong; *mend*: what to do, empty where there is nothing to do."""

    @property
    def check(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def said(self) -> str: ...
    @property
    def mend(self) -> str: ...


Checks = Callable[[App], Iterable[Finding]]
"""Everything that can be wrong, looked at. Handed in by whoever serves: the checks live with the command line."""


@dataclass(slots=True)
class House:
    """*engine*: None where the server only keeps books. *ready*: it has begun; *leaving*: it was told to stop.

    *checks*: what `doctor` checks; None: nobody has said. *once*: what lets somebody on this machine sign in, once.
    """

    app: App
    doorkeeper: Doorkeeper
    engine: "Engine | None" = None
    ready: bool = False
    leaving: bool = False
    checks: Checks | None = None
    once: NewToken | None = None

    @property
    def ledger(self) -> Ledger:
        return self.app.ledger

    def leave(self) -> None:
        """Event streams end, and nothing new begins."""
        self.leaving = True

    def nudge(self) -> None:
        """Something was started or resumed: the engine of this process looks now."""
        if self.engine is not None:
            self.engine.nudge()


def house_of(request: Request) -> House:
    house: House = request.app.state.house
    return house


async def the_house(request: Request) -> House:
    """As a dependency: a coroutine, since FastAPI takes every other function to a thread."""
    return house_of(request)


TheHouse = Annotated[House, Depends(the_house)]
