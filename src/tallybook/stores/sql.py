"""The embedded store: clients and their leads in our own database, SQLite or PostgreSQL."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tallybook.database import Clock, Database, Row, Tx, utc_now
from tallybook.domain.client import Client, ClientId, Source
from tallybook.domain.errors import NotFound
from tallybook.domain.external import profile_id
from tallybook.domain.fields import storable
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.ports import Candidate
from tallybook.domain.rubric import Rubric
from tallybook.domain.run import OperationName
from tallybook.stores.connections import Connections
from tallybook.stores.putting import BATCH, Changes, combined, lead_rows, lock, marks, pages, posts_by_lead, put_page
from tallybook.stores.rows import (
    CLIENT_COLUMNS,
    LEAD_COLUMNS,
    VERDICT_COLUMNS,
    StoredLead,
    client_of,
    lead_of,
    row_of_client,
    rubric_of,
    stored_lead_of,
    text_of_rubric,
)
from tallybook.stores.saving import SAVE, add_posts, harvest_input

PAGE = 1_000
"""The most leads or clients a listing gives at once unless told."""

_CANDIDATES = {
    OperationName.LEAD_SCORING: ("profile_hash", "scored_at IS NULL AND NOT excluded_by_hand"),
    OperationName.POST_HARVESTING: (
        "COALESCE(harvested_at, 'never') || ' ' || profile_url",
        "profile_url <> '' AND NOT excluded_by_hand",
    ),
    OperationName.POST_SCORING: ("posts_hash", "posts_hash IS NOT NULL AND NOT excluded_by_hand"),
}
"""Operation -> what names its input, and which leads it is not done with. An index alone answers for both scorings."""

_PUT_CLIENT = (
    f"INSERT INTO @clients ({CLIENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET "
    "name = excluded.name, stream = excluded.stream, service_level = excluded.service_level, "
    "status = excluded.status, timezone = excluded.timezone, source = excluded.source, "
    "daily_target = excluded.daily_target"
)
_PUT_RUBRIC = (
    "INSERT INTO @rubrics (client_id, rubric) VALUES (?, ?) "
    "ON CONFLICT (client_id) DO UPDATE SET rubric = excluded.rubric"
)


class SqlStore:
    """One client's leads. Its every statement names that client; there is no way from here to another's (rule 10).

    Any number of threads may use it at once.
    """

    def __init__(self, connections: Connections, client_id: ClientId) -> None:
        self._connections = connections
        self._client_id = client_id

    # -- what a run asks for: ports.Store

    def rubric(self) -> Rubric:
        with self._connections.reading() as tx:
            row = tx.row("SELECT rubric FROM @rubrics WHERE client_id = ?", (self._client_id,))
        return rubric_of(row[0]) if row else Rubric()

    def candidates(self, operation: OperationName, after: LeadId | None, limit: int) -> Sequence[Candidate]:
        input_hash, open_leads = _CANDIDATES[operation]
        statement = (
            f"SELECT lead_id, {input_hash} FROM @leads "
            f"WHERE client_id = ? AND lead_id > ? AND {open_leads} ORDER BY lead_id LIMIT ?"
        )
        with self._connections.reading() as tx:
            rows = tx.rows(statement, (self._client_id, after or "", limit))
        name = harvest_input if operation is OperationName.POST_HARVESTING else str
        return [Candidate(lead_id, name(told)) for lead_id, told in rows]

    def load(self, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        with self._connections.reading() as tx:
            return [lead for page in pages(lead_ids) for lead in self._leads_of(tx, page)]

    def of_profiles(self, profiles: Sequence[LeadId]) -> Sequence[LeadId]:
        """Reads the ids and URLs of all leads, a page at a time: no index knows how a URL is spelled."""
        wanted, found, page = frozenset(profiles), [], self._profiles_after("") if profiles else []
        while page:
            found += [lead_id for lead_id, profile_url in page if profile_id(profile_url) in wanted]
            page = self._profiles_after(page[-1][0])
        return found

    def save(self, operation: OperationName, outcomes: Sequence[Outcome]) -> None:
        self._save(SAVE[operation], outcomes)

    def add_posts(self, outcomes: Sequence[Outcome]) -> None:
        self._save(add_posts, outcomes)

    # -- what the operator does by hand

    def put_rubric(self, rubric: Rubric) -> bool:
        """Replace the whole rubric. False when it already was this one."""
        text = text_of_rubric(rubric)
        with self._connections.writing() as tx:
            known = tx.row("SELECT rubric FROM @rubrics WHERE client_id = ?", (self._client_id,))
            if known == (text,):
                return False
            tx.execute(_PUT_RUBRIC, (self._client_id, text))
        return True

    def put_leads(self, leads: Sequence[Lead]) -> Changes:
        """Add or update leads, merging posts by URL. Doing it twice changes nothing the second time.

        What a lead leaves empty keeps its value, and no score is forgotten. Written in transactions of some hundred
        leads: when one fails, those before it stay, and the same call finishes the work.
        """
        total = Changes()
        for page in pages(combined(leads)):
            with self._connections.writing() as tx:
                total += put_page(tx, self._client_id, page)
        if total.new >= BATCH:
            self._count_anew()
        return total

    def exclude(self, lead_id: LeadId, excluded: bool) -> None:
        """Take a lead out of all runs by hand, or back in. Raises NotFound."""
        statement = "UPDATE @leads SET excluded_by_hand = ? WHERE client_id = ? AND lead_id = ?"
        _refuse_unheard_of(lead_id)
        with self._connections.writing() as tx:
            touched = tx.execute(statement, (excluded, self._client_id, lead_id))
        if not touched:
            raise NotFound(f"client {self._client_id!r} has no lead {lead_id!r}", client_id=self._client_id)

    def leads(self, after: LeadId | None = None, limit: int = PAGE) -> Sequence[StoredLead]:
        """In id order, those after *after*."""
        found = f"SELECT {LEAD_COLUMNS}, {VERDICT_COLUMNS} FROM @leads WHERE client_id = ? AND lead_id > ?"
        with self._connections.reading() as tx:
            rows = tx.rows(f"{found} ORDER BY lead_id LIMIT ?", (self._client_id, storable(after or ""), limit))
            return self._stored(tx, rows)

    def lead(self, lead_id: LeadId) -> StoredLead:
        """Raises NotFound."""
        _refuse_unheard_of(lead_id)
        with self._connections.reading() as tx:
            rows = lead_rows(tx, self._client_id, [lead_id], f"{LEAD_COLUMNS}, {VERDICT_COLUMNS}")
            found = self._stored(tx, rows)
        if not found:
            raise NotFound(f"client {self._client_id!r} has no lead {lead_id!r}", client_id=self._client_id)
        return found[0]

    def _profiles_after(self, lead_id: LeadId) -> Sequence[Row]:
        statement = (
            "SELECT lead_id, profile_url FROM @leads WHERE client_id = ? AND lead_id > ? ORDER BY lead_id LIMIT ?"
        )
        with self._connections.reading() as tx:
            return tx.rows(statement, (self._client_id, lead_id, PAGE))

    def _save(self, write: Callable[[Tx, ClientId, Sequence[Outcome]], None], outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        with self._connections.writing() as tx:
            for page in pages(sorted(outcomes, key=lambda each: each.lead_id)):
                lock(tx, self._client_id, [each.lead_id for each in page])
                write(tx, self._client_id, page)

    def _count_anew(self) -> None:
        """PostgreSQL sorts a whole client for every page until it has learned that the table has grown."""
        with self._connections.writing() as tx:
            if not tx.sqlite:
                tx.execute("ANALYZE @leads, @posts")

    def _leads_of(self, tx: Tx, lead_ids: Sequence[LeadId]) -> Sequence[Lead]:
        rows = lead_rows(tx, self._client_id, lead_ids, LEAD_COLUMNS)
        posts = posts_by_lead(tx, self._client_id, lead_ids)
        return [lead_of(row, posts.get(row[0], ())) for row in rows]

    def _stored(self, tx: Tx, rows: Sequence[Row]) -> Sequence[StoredLead]:
        return [lead for page in pages(rows) for lead in self._stored_page(tx, page)]

    def _stored_page(self, tx: Tx, rows: Sequence[Row]) -> Sequence[StoredLead]:
        posts = posts_by_lead(tx, self._client_id, [row[0] for row in rows])
        return [stored_lead_of(row, posts.get(row[0], ())) for row in rows]


class SqlClients:
    """The operator's clients. What is one client's own is reached through `store`, the handle bound to that client."""

    def __init__(self, database: Database, clock: Clock = utc_now) -> None:
        self._connections = Connections(database, clock)

    @property
    def connections(self) -> Connections:
        return self._connections

    # -- what a run asks for: ports.Clients

    def of_stream(self, stream: int | None, only: Sequence[ClientId]) -> Sequence[Client]:
        found = self._some(only) if only else self._all()
        missing = sorted(set(only) - {client.client_id for client in found})
        if missing:
            raise NotFound(f"there is no client {missing[0]!r}", client_id=missing[0])
        return [client for client in found if client.active and stream in (None, client.stream)]

    def store(self, client_id: ClientId) -> SqlStore:
        self.get(client_id)
        return SqlStore(self._connections, client_id)

    # -- what the operator asks for and does

    def list(self, after: ClientId | None = None, limit: int = PAGE) -> Sequence[Client]:
        """All clients, paused ones too, in id order, those after *after*."""
        return self._clients("client_id > ? ORDER BY client_id LIMIT ?", (storable(after or ""), limit))

    def get(self, client_id: ClientId) -> Client:
        """Raises NotFound."""
        found = self._some([client_id])
        if not found:
            raise NotFound(f"there is no client {client_id!r}", client_id=client_id)
        return found[0]

    def put_clients(self, clients: Sequence[Client], bases: Mapping[ClientId, str] = MappingProxyType({})) -> Changes:
        """Add or update clients. A pause by hand (`pause`) stays, whatever they say. *bases*: where their leads are in
        Airtable.
        """
        total = Changes()
        for page in pages(sorted(clients, key=lambda each: each.client_id)):
            with self._connections.writing() as tx:
                total += _put_client_page(tx, page)
                placed = [(bases[each.client_id], each.client_id) for each in page if each.client_id in bases]
                tx.many("UPDATE @clients SET base_id = ? WHERE client_id = ?", placed)
        return total

    def in_airtable(self) -> Mapping[ClientId, str | None]:
        """The clients that come from there, and their bases."""
        with self._connections.reading() as tx:
            found = tx.rows("SELECT client_id, base_id FROM @clients WHERE source = ?", (Source.AIRTABLE.value,))
        return dict(found)

    def pause(self, client_id: ClientId, paused: bool) -> None:
        """Pause a client here, whatever its source says, or lift that. Raises NotFound."""
        self.get(client_id)
        with self._connections.writing() as tx:
            tx.execute("UPDATE @clients SET paused_here = ? WHERE client_id = ?", (paused, client_id))

    def put_rubric(self, client_id: ClientId, rubric: Rubric) -> bool:
        return self.store(client_id).put_rubric(rubric)

    def put_leads(self, client_id: ClientId, leads: Sequence[Lead]) -> Changes:
        return self.store(client_id).put_leads(leads)

    def exclude(self, client_id: ClientId, lead_id: LeadId, excluded: bool) -> None:
        self.store(client_id).exclude(lead_id, excluded)

    def leads(self, client_id: ClientId, after: LeadId | None = None, limit: int = PAGE) -> Sequence[StoredLead]:
        return self.store(client_id).leads(after, limit)

    def lead(self, client_id: ClientId, lead_id: LeadId) -> StoredLead:
        return self.store(client_id).lead(lead_id)

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def _all(self) -> Sequence[Client]:
        return self._clients("1 = 1 ORDER BY client_id", ())

    def _some(self, client_ids: Sequence[ClientId]) -> Sequence[Client]:
        known = sorted({each for each in client_ids if storable(each) == each})
        found = [self._clients(f"client_id IN ({marks(page)}) ORDER BY client_id", page) for page in pages(known)]
        return [client for page in found for client in page]

    def _clients(self, where: str, parameters: Sequence[object]) -> Sequence[Client]:
        with self._connections.reading() as tx:
            return [
                client_of(row) for row in tx.rows(f"SELECT {CLIENT_COLUMNS} FROM @clients WHERE {where}", parameters)
            ]


def _put_client_page(tx: Tx, clients: Sequence[Client]) -> Changes:
    rows = {client.client_id: row_of_client(client) for client in clients}
    where = f"client_id IN ({marks(list(rows))}) ORDER BY client_id @lock"
    found = tx.rows(f"SELECT {CLIENT_COLUMNS} FROM @clients WHERE {where}", list(rows))
    told = {client_id: row[:-1] for client_id, row in rows.items()}
    known = {row[0]: tuple(row[:-1]) for row in found}
    tx.many(_PUT_CLIENT, [row for client_id, row in rows.items() if known.get(client_id) != told[client_id]])
    return Changes.between([known.get(client_id) for client_id in told], list(told.values()))


def _refuse_unheard_of(lead_id: LeadId) -> None:
    """Some texts no database can hold, so they name nothing."""
    if storable(lead_id) != lead_id:
        raise NotFound(f"there is no lead {lead_id!r}")
