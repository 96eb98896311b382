"""Deliveries: what providers tell us by webhook, and what becomes of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tallybook.domain.client import ClientId

_RUN_ID = re.compile("[A-Za-z0-9]{1,64}")


def is_run_id(text: str) -> bool:
    """Could a provider have given a run this id? It becomes a part of the address at which the provider is asked."""
    return _RUN_ID.fullmatch(text) is not None


class State(StrEnum):
    """What became of a delivery. RECEIVED: it is kept, and not applied yet. An orphan is authentic and speaks of a run
    that is not known (yet).
    """

    RECEIVED = "received"
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
    client of the token that was sent, or the one that its task is mapped to. *task*: that task, which is only claimed:
    the body says it, and the provider is to say the same.
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
    task: str | None = None
