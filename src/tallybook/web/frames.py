"""What is sent in an event stream, message by message."""

from collections.abc import Sequence

from tallybook.domain.client import ClientId
from tallybook.domain.tally import Tally
from tallybook.ledger.listing import told_to
from tallybook.ledger.read import Event
from tallybook.ledger.snapshot import ClientGlance, Glance
from tallybook.report.facts import Facts, moment, totals
from tallybook.web.reading import json_of

HEARTBEAT = b": still here\n\n"
"""A comment: nobody reads it, but the connection stays open."""


def of_event(event: Event, tenant: ClientId | None) -> bytes | None:
    """As *tenant* may see it; None: not at all."""
    told = told_to(event, tenant)
    if told is None:
        return None
    facts: Facts = {
        "id": told.event_id,
        "at": moment(told.at),
        "kind": told.kind,
        "text": told.text,
        "client_id": told.client_id or None,
    }
    return b"id: %d\n" % told.event_id + _frame(told.kind, facts)


def of_status(now: Glance, tenant: ClientId | None, before: Glance | None = None) -> bytes | None:
    """How far the run is; of its clients those that have moved on from *before*. None: nothing has, of what *tenant*
    may see.
    """
    clients, known = _clients(now, tenant), _clients(before, tenant) if before else ()
    past = set(known)
    moved = [each for each in clients if each not in past]
    head = _head(now, clients, tenant)
    if before is not None and not moved and head == _head(before, known, tenant):
        return None
    return _frame("status", {**head, "clients": [_client(each) for each in moved]})


def of_end(now: Glance) -> bytes:
    """The last message."""
    return _frame("end", {"run_id": now.run_id, "status": now.status.value})


def _frame(kind: str, facts: Facts) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + json_of(facts) + b"\n\n"


def _clients(glance: Glance, tenant: ClientId | None) -> Sequence[ClientGlance]:
    return [each for each in glance.clients if tenant in (None, each.client_id)]


def _head(glance: Glance, clients: Sequence[ClientGlance], tenant: ClientId | None) -> Facts:
    return {
        "run_id": glance.run_id,
        "status": glance.status.value,
        "blocked_reason": glance.blocked_reason if tenant is None else None,
        "totals": totals(sum((each.tally for each in clients), Tally())),
    }


def _client(client: ClientGlance) -> Facts:
    return {
        "client_id": client.client_id,
        "status": client.status.value,
        "blocked_reason": client.blocked_reason,
        "doing": client.doing.value if client.doing else None,
        "totals": totals(client.tally),
    }
