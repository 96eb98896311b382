"""Deliveries: what providers tell us by webhook, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tallybook.domain.client import ClientId


class State(StrEnum):
    """What became of a delivery. An orphan is authentic and speaks of a run that is not known (yet)."""

    APPLIED = "applied"
    NOTED = "noted"
    ORPHAN = "orphan"
    REFUSED = "refused"


class News(StrEnum):
    """What a delivery says has happened to the provider's run."""

    OVER = "over"
    RESURRECTED = "resurrected"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Delivery:
    """An authentic delivery. *body*, *headers*: as they came, without what is secret.

    What its sender proved: *ours*: (run, client, call) of the token we gave to a run that we started; *bound_to*: the
    client of the token that was sent, or the one that its task is mapped to.
    """

    source: str
    delivery_id: str
    body: str
    headers: Mapping[str, str]
    event: str
    news: News
    external_id: str | None
    ours: tuple[str, ClientId, str] | None = None
    bound_to: ClientId | None = None
