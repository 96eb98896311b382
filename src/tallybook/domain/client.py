"""Clients: the tenants an operator serves."""

import re
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from tallybook.domain.errors import BadInput

ClientId = str
LONGEST_ID = 200
POSTS_FROM_LEVEL = 2


class ClientStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"


class Source(StrEnum):
    """Where a client's record comes from."""

    FILE = "file"
    AIRTABLE = "airtable"


@dataclass(frozen=True, slots=True)
class Client:
    """A tenant. *service_level* 1 scores leads, 2 and above also harvests and scores posts.

    *paused_here*: paused by the operator in Tallybook, whatever its source says. *daily_target*: the most leads whose
    posts are harvested in a day of its timezone; None: as many as the settings say.
    """

    client_id: ClientId
    name: str
    stream: int = 1
    service_level: int = 1
    status: ClientStatus = ClientStatus.ACTIVE
    timezone: str | None = None
    source: Source = Source.FILE
    paused_here: bool = False
    daily_target: int | None = None

    @property
    def wants_posts(self) -> bool:
        """Does its service level include posts?"""
        return self.service_level >= POSTS_FROM_LEVEL

    @property
    def active(self) -> bool:
        return self.status is ClientStatus.ACTIVE and not self.paused_here


def read_client_id(text: object) -> ClientId:
    """*text* as a client id: any non-empty printable text, kept as it is. Raises BadInput (F39)."""
    if not isinstance(text, str):
        raise BadInput(f"a client id is text, got {text!r}")
    if not text.strip():
        raise BadInput("a client id must not be empty")
    if len(text) > LONGEST_ID:
        raise BadInput(f"a client id has at most {LONGEST_ID} characters, got {len(text)}")
    if not text.isprintable():
        raise BadInput(f"a client id must be printable text, got {text!r}")
    return text


def read_service_level(text: object) -> int:
    """The leading integer: '2-Lead Scoring + Post Scoring' is 2. Raises BadInput."""
    found = re.match(r"\s*([0-9]{1,6})", str(text))
    if not found:
        raise BadInput(f"service_level must begin with a whole number, got {text!r}")
    return int(found.group(1))


def read_client_status(text: object) -> ClientStatus:
    """'active' or 'paused' in any case. Raises BadInput."""
    try:
        return ClientStatus(str(text).strip().lower())
    except ValueError:
        raise BadInput(f"status must be active or paused, got {text!r}") from None


def read_timezone(text: str) -> str:
    """A zone of the tz database, as written there. Raises BadInput."""
    try:
        return ZoneInfo(text.strip()).key
    except (KeyError, ValueError, OSError):
        raise BadInput(f"{text!r} is no timezone; use a name such as Europe/Berlin") from None
