"""Clients that are kept in the operator's base: read anew whenever a run asks for whom it is to work."""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.errors import Cause, Misconfigured
from tallybook.airtable.resolved import Resolved, ResolvedTable, resolve
from tallybook.airtable.seen import ClientBase, OperatorBase
from tallybook.airtable.tables import CLIENTS
from tallybook.domain.client import Client, ClientId, ClientStatus, Source
from tallybook.domain.errors import BadInput, ImportRefused, NotFound
from tallybook.stores.airtable_rows import plain
from tallybook.stores.airtable_store import AirtableStore
from tallybook.stores.cells import Row, folded
from tallybook.stores.client_files import client_in
from tallybook.stores.putting import Changes
from tallybook.stores.sql import SqlClients, SqlStore
from tallybook.stores.tabular import BadRow

log = logging.getLogger(__name__)
LOOK_AGAIN_AFTER = timedelta(days=1)
_COLUMNS = ("client_id", "client_name", "status", "base_id", "service_level", "stream", "timezone")


@dataclass(frozen=True, slots=True)
class ReadClients:
    """What the table holds. *bad*: rows that are left out, by their number, and why."""

    clients: Sequence[Client]
    bases: Mapping[ClientId, str]
    bad: Sequence[BadRow]


@dataclass(frozen=True, slots=True)
class Imported:
    read: ReadClients
    changes: Changes


class AirtableClients:
    """Those of *local*, of which some are kept in *operator*; `import_all` makes them so. May be used from any thread.

    Raises StoreUnavailable, and Misconfigured where somebody has to mend the base, the token or the settings.
    """

    def __init__(self, local: SqlClients, door: AirtableDoor, operator: OperatorBase) -> None:
        self._local = local
        self._door = door
        self._operator = operator
        self._seen: tuple[datetime, Resolved[OperatorBase]] | None = None
        self._writing: dict[ClientId, threading.Lock] = {}
        self._told: Sequence[str] = ()

    # -- what a run asks for: ports.Clients

    def of_stream(self, stream: int | None, only: Sequence[ClientId]) -> Sequence[Client]:
        """The table is read each time, if any client comes from there."""
        self._read_anew()
        return self._local.of_stream(stream, only)

    def get(self, client_id: ClientId) -> Client:
        """As it was read last; the table is read for one that is not known."""
        try:
            return self._local.get(client_id)
        except NotFound:
            self._read_anew()
            return self._local.get(client_id)

    def store(self, client_id: ClientId) -> SqlStore | AirtableStore:
        store = self._local.store(client_id)
        base_id = self._local.in_airtable().get(client_id)
        if base_id is None:
            return store
        base = ClientBase(base_id, client_id)
        return AirtableStore(store, self._local.connections, self._door, base, self._alone(client_id))

    def _alone(self, client_id: ClientId) -> threading.Lock:
        """One writes to a base at a time: what two have foreseen apart, only one of them would tell."""
        return self._writing.setdefault(client_id, threading.Lock())

    # -- what the operator does

    def import_all(self) -> Imported:
        """Read the table; from now on its clients come from there, whatever they came from before. Raises ImportRefused
        when not one can be used.
        """
        read = self._read()
        if not read.clients:
            why = f": row {read.bad[0].line}: {read.bad[0].reason}" if read.bad else ", for it is empty"
            raise ImportRefused(f"no row of Clients in base {self._operator.id} can be used{why}")
        return Imported(read, self._put(read.clients, read.bases))

    def _read_anew(self) -> None:
        """Clients of files stay what they are. Whoever is not in the table any more, or whose row cannot be used, is
        paused until that is mended: nobody is worked for by accident.
        """
        known = self._local.in_airtable()
        if not known:
            return
        read = self._read()
        self._tell(read.bad)
        others = {each.client_id for each in self._everybody() if each.source is not Source.AIRTABLE}
        there = [each for each in read.clients if each.client_id not in others]
        gone = sorted(set(known) - {each.client_id for each in there})
        vanished = [self._local.get(each) for each in gone]
        for each in vanished:
            if each.status is ClientStatus.ACTIVE:
                log.warning("client %s has no good row in Clients in Airtable any more; it is paused", each.client_id)
        paused = [replace(each, status=ClientStatus.PAUSED) for each in vanished]
        self._put([*there, *paused], {each.client_id: read.bases[each.client_id] for each in there})

    def _everybody(self) -> Iterator[Client]:
        page = self._local.list()
        while page:
            yield from page
            page = self._local.list(page[-1].client_id)

    def _put(self, clients: Sequence[Client], bases: Mapping[ClientId, str]) -> Changes:
        """How many leads a day are harvested is said here alone."""
        targets = {each.client_id: each.daily_target for each in self._everybody()}
        kept = [replace(each, source=Source.AIRTABLE, daily_target=targets.get(each.client_id)) for each in clients]
        return self._local.put_clients(kept, bases)

    def _tell(self, bad: Sequence[BadRow]) -> None:
        """Once, as long as nothing changes."""
        told = [f"row {each.line} of Clients in Airtable is left out: {each.reason}" for each in bad]
        for text in told if told != self._told else ():
            log.warning("%s", text)
        self._told = told

    # -- reading

    def _read(self) -> ReadClients:
        try:
            return self._read_with(self._table())
        except Misconfigured as error:
            if error.cause is not Cause.UNKNOWN_FIELD:
                raise
            return self._read_with(self._table(look=True))

    def _table(self, *, look: bool = False) -> ResolvedTable[OperatorBase]:
        """As it was seen within the day: its fields by their ids, as long as this process lives."""
        now = self._local.connections.now()
        at, known = self._seen or (now, None)
        if look or known is None or now - at > LOOK_AGAIN_AFTER:
            at, known = now, resolve(self._operator, self._door.tables(self._operator), known)
        table = self._checked(known)
        self._seen = at, known
        return table

    def _checked(self, found: Resolved[OperatorBase]) -> ResolvedTable[OperatorBase]:
        try:
            table = found.table(CLIENTS)
        except BadInput as error:
            raise Misconfigured(f"{error} (airtable.master_base_id)", cause=Cause.SCHEMA) from None
        lacking = [CLIENTS.by_key[key].name for key in ("client_id", "base_id") if key not in table.fields]
        if lacking:
            text = f"{table.name} in base {self._operator.id} has no field {lacking[0]}; it is needed"
            raise Misconfigured(text, cause=Cause.SCHEMA)
        return table

    def _read_with(self, table: ResolvedTable[OperatorBase]) -> ReadClients:
        taken = _Taken(self._operator.id)
        for row in _rows(self._door, table):
            taken.take(row)
        return ReadClients(list(taken.clients.values()), taken.bases, taken.bad)


class _Taken:
    """Rows, one after the other. What an earlier row has used no later one has."""

    def __init__(self, operator_id: str) -> None:
        self.clients: dict[ClientId, Client] = {}
        self.bases: dict[ClientId, str] = {}
        self.bad: list[BadRow] = []
        self._used = {operator_id: "the operator's own base"}

    def take(self, row: Row) -> None:
        try:
            client, base_id = client_in(row), row.text((folded("base_id"),), "Airtable Base ID")
            self._refuse_used(client.client_id, ClientBase(base_id, client.client_id).id)
        except BadInput as error:
            name = row.value((folded("client_id"),))
            self.bad.append(BadRow(row.line, f"{name}: {error}" if name else str(error)))
            return
        self.clients[client.client_id] = client
        self.bases[client.client_id] = base_id
        self._used[base_id] = f"the base of client {client.client_id!r}"

    def _refuse_used(self, client_id: ClientId, base_id: str) -> None:
        if client_id in self.clients:
            raise BadInput(f"the client id {client_id!r} is that of an earlier row")
        if base_id in self._used:
            raise BadInput(f"the base {base_id} of client {client_id!r} is {self._used[base_id]}")


def _rows(door: AirtableDoor, table: ResolvedTable[OperatorBase]) -> Iterator[Row]:
    """As those of a file. A row in which nothing stands is none."""
    columns = {key: column for key, column in table.schema.by_key.items() if key in _COLUMNS and key in table.fields}
    for line, record in enumerate(door.records(table, list(columns)), start=1):
        if record.cells:
            told = {
                folded(key): plain(column, table.fields[key], record.cells.get(table.fields[key].id))
                for key, column in columns.items()
            }
            yield Row(line, told)
