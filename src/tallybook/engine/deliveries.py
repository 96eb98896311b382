"""Applies deliveries that are kept and were not applied: who took them in has died, or something was away."""

import logging
from datetime import timedelta
from functools import partial

from tallybook.domain.client import Client, ClientId
from tallybook.domain.errors import NotFound
from tallybook.domain.ports import Clients
from tallybook.engine.runner import tried
from tallybook.ledger import inbox as ledger_inbox
from tallybook.ledger.inbox import Left
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import inbox
from tallybook.ledger.write.inbox import Applied

log = logging.getLogger(__name__)
APPLIED_WITHIN = timedelta(seconds=10)
"""So long whoever took a delivery in may take to apply it."""


def client_of(clients: Clients, client_id: ClientId | None) -> Client | None:
    """Whom a delivery is bound to; None: nobody, or nobody whom we know. Raises StoreUnavailable, LedgerUnavailable."""
    if client_id is None:
        return None
    try:
        return clients.get(client_id)
    except NotFound:
        return None


def apply_left(ledger: Ledger, clients: Clients) -> None:
    """One that cannot be applied is tried again the next time; why, stands in the inbox."""
    for left in ledger_inbox.left(ledger.database, ledger.clock() - APPLIED_WITHIN):
        trouble = tried(partial(_apply, ledger, clients, left))
        if isinstance(trouble, Exception) and ledger.do(inbox.put_off, left.source, left.delivery_id, str(trouble)):
            log.warning("delivery %s cannot be applied yet: %s", left.delivery_id, trouble)


def _apply(ledger: Ledger, clients: Clients, left: Left) -> Applied:
    return ledger.do(inbox.apply, left.source, left.delivery_id, client_of(clients, left.bound_to))
