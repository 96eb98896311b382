"""What can go wrong between Apify and whoever uses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tallybook.testing.lookalike_plan import Plan


class ApiFault(StrEnum):
    """Of a request. OK is none."""

    OK = "ok"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    """A page with status 502, and nothing was done."""
    RESET = "reset"
    """The connection breaks, and nothing was done."""
    LOST_ANSWER = "lost_answer"
    """What was asked is done, a run started, say; then the connection breaks instead of an answer."""
    SLOW = "slow"
    """What was asked is done at once, and the answer comes late."""


class RunFault(StrEnum):
    """Of one attempt of a run, which then has half of what it had yet to find. OK is none."""

    OK = "ok"
    FAILED = "failed_run"
    TIMED_OUT = "timed_out_run"
    ABORTED = "aborted_run"


class DeliveryFault(StrEnum):
    """Of a webhook's dispatch. OK is none."""

    OK = "ok"
    LOST = "lost_delivery"
    """It never comes, and is not tried again."""
    DOUBLED = "doubled_delivery"
    """It comes twice, under one dispatch id."""
    DELAYED = "delayed_delivery"
    """It comes late, so that later ones overtake it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. *what*: start, run, runs, abort, resurrect, items, actor, me, or nothing for an unknown route.

    *subject*: the id in its path. *profiles*: those of the run that it is about.
    """

    number: int
    method: str
    route: str
    what: str = ""
    subject: str = ""
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a run, and one webhook is to be told. *name* as in `ACTOR.RUN.SUCCEEDED`."""

    name: str
    run_id: str
    request_url: str
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run is started, or goes on after it was resurrected. *number*: 1 for the start."""

    number: int
    profiles: tuple[str, ...]
    task_id: str | None = None


class ApiPlan(Plan[ApiFault, Asked]):
    """Chance follows from what is asked about which profiles."""

    def __init__(self, chances: Mapping[ApiFault, float], seed: int) -> None:
        super().__init__(ApiFault.OK, lambda asked: "\0".join((asked.what, *sorted(asked.profiles))), chances, seed)


class DeliveryPlan(Plan[DeliveryFault, Event]):
    """Chance follows from what happened to a run of which profiles."""

    def __init__(self, chances: Mapping[DeliveryFault, float], seed: int) -> None:
        super().__init__(
            DeliveryFault.OK, lambda event: "\0".join((event.name, *sorted(event.profiles))), chances, seed
        )


class RunPlan(Plan[RunFault, Attempt]):
    """Chance follows from the profiles, and from which attempt it is."""

    def __init__(self, chances: Mapping[RunFault, float], seed: int) -> None:
        super().__init__(RunFault.OK, lambda one: "\0".join((str(one.number), *sorted(one.profiles))), chances, seed)
