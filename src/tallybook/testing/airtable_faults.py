"""What can go wrong between Airtable and whoever uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tallybook.testing.airtable_wire import (
    BILLED_OUT,
    BILLING,
    Listed,
    Page,
    bad_value,
    billed_out,
    offset_gone,
    rate_limited,
)
from tallybook.testing.lookalike_http import Refused
from tallybook.testing.lookalike_plan import Plan


class AirtableFault(StrEnum):
    """Of a request. OK is none. Nothing was done unless it says so."""

    OK = "ok"
    RATE_LIMIT = "rate_limit"
    MONTHLY_LIMIT = "monthly_limit"
    MONTHLY_LIMIT_LISTED = "monthly_limit_listed"
    """The same in the other form in which it has been seen."""
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    """A page with status 502."""
    UNAVAILABLE = "unavailable"
    """A page with status 503."""
    EXPIRED_OFFSET = "expired_offset"
    """Only of a request that goes on with a listing; any other is answered as ever."""
    BAD_ROW = "bad_row"
    """A value of some row is not taken, and so none of the request's rows is. For a rule that knows the row."""
    RESET = "reset"
    """The connection breaks."""
    LOST_ANSWER = "lost_answer"
    """What was asked is done; then the connection breaks instead of an answer."""
    SLOW = "slow"
    """What was asked is done at once, and the answer comes late."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. *what*: whoami, bases, schema, create_base, create_table, update_table, create_field, update_field,
    list, get, create, update, upsert, replace, delete, or nothing for an unknown route.

    *table*: its name, or as the path has it when there is no such table. *said*: the body, or the query of a GET or
    DELETE; *records*: how many of them it writes.
    """

    number: int
    method: str
    route: str
    what: str = ""
    base_id: str = ""
    table: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    records: int = 0


class AirtablePlan(Plan[AirtableFault, Asked]):
    """Chance follows from what is asked of which table."""

    def __init__(self, chances: Mapping[AirtableFault, float], seed: int) -> None:
        super().__init__(AirtableFault.OK, lambda asked: f"{asked.what}\0{asked.table}", chances, seed)


def refusal(fault: AirtableFault, asked: Asked) -> Refused | None:
    """What *fault* makes of a request in place of what it would be, if it is such a fault."""
    if fault is AirtableFault.EXPIRED_OFFSET and not asked.said.get("offset"):
        return None
    errors = {
        AirtableFault.RATE_LIMIT: rate_limited(),
        AirtableFault.MONTHLY_LIMIT: billed_out(),
        AirtableFault.MONTHLY_LIMIT_LISTED: Listed(429, BILLING, BILLED_OUT),
        AirtableFault.SERVER_ERROR: Refused(500, "SERVER_ERROR", "Something broke here"),
        AirtableFault.BAD_GATEWAY: Page(502),
        AirtableFault.UNAVAILABLE: Page(503),
        AirtableFault.EXPIRED_OFFSET: offset_gone(),
        AirtableFault.BAD_ROW: bad_value("Status"),
    }
    return errors.get(fault)
