"""The copy of a client's leads: what is read of their base goes in, what is written there is foreseen in it.

A lead's `read_at` says as of when its row is known. What was read before then says nothing of it: so a page that was
asked for before we wrote a score does not undo it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tallybook.database import Row, Tx, stamp
from tallybook.domain.client import ClientId
from tallybook.domain.lead import Lead
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.stores.airtable_cells import Foreseen, JudgedPost
from tallybook.stores.airtable_rows import CHECKED, EXCLUDED, SCORED, TO_BE_SCORED, LeadRow
from tallybook.stores.connections import Connections
from tallybook.stores.putting import (
    combined,
    lead_rows,
    lock,
    marks,
    posts_by_lead,
    put_page,
    refresh_posts_hash,
)
from tallybook.stores.rows import LEAD_COLUMNS, VERDICT_COLUMNS, StoredLead, stored_lead_of, url_hash

Write = Callable[[Tx, ClientId, Sequence[Outcome]], None]
Merge = Callable[[Lead, Lead], Lead]

UNTOLD = "status_not_written"
"""The reason that stands beside a score whose status has no place in the base: what stands there is nobody's wish."""

_KNOWN = "lead_id, record_id, read_at, scored_at, score_reason, post_score, harvested_at"
_READ = "UPDATE @leads SET record_id = ?, read_at = ? WHERE client_id = ? AND lead_id = ?"
_WRITTEN = "UPDATE @leads SET read_at = ? WHERE client_id = ? AND lead_id = ?"
_EXCLUDED = "UPDATE @leads SET excluded_by_hand = ? WHERE client_id = ? AND lead_id = ? AND excluded_by_hand <> ?"
_UNTOLD = "UPDATE @leads SET score_reason = ? WHERE client_id = ? AND lead_id = ? AND scored_at IS NOT NULL"
_TOLD = "UPDATE @leads SET score_reason = NULL WHERE client_id = ? AND lead_id = ?"
_TO_SCORE_AGAIN = """
    UPDATE @leads SET scored_at = NULL, score = NULL, breakdown = NULL, assessment = NULL, excluded_by = NULL,
      flagged = ?, score_status = NULL, score_reason = NULL
    WHERE client_id = ? AND lead_id = ?"""
_SCORED_BEFORE = """
    UPDATE @leads SET scored_at = ?, score = ?, assessment = ?, score_status = 'scored', score_reason = NULL
    WHERE client_id = ? AND lead_id = ?"""
_POSTS_SCORED_BEFORE = """
    UPDATE @leads SET post_score = ?, post_status = 'scored', post_reason = NULL WHERE client_id = ? AND lead_id = ?"""
_POST_SCORED_BEFORE = """
    UPDATE @posts SET scored_at = ?
    WHERE client_id = ? AND lead_id = ? AND url_hash = ? AND scored_at IS NULL"""
_HARVESTED_BEFORE = """
    UPDATE @leads SET harvested_at = ?, harvest_status = ?, harvest_reason = ? WHERE client_id = ? AND lead_id = ?"""


@dataclass(frozen=True, slots=True)
class Double:
    """A row of somebody whom another row stands for."""

    lead_id: LeadId
    record_id: str
    other_id: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows that were read together, at least one. *unread*: ids of those that name nobody. *asked_at*: before they
    were asked for. *begun*: of a listing of all rows; what it has not met since is not there, as far as is known.
    """

    rows: Sequence[LeadRow]
    unread: Sequence[str]
    asked_at: datetime
    begun: datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """Leads whose rows were written; those whose status had no place there; and those whose rows are gone."""

    written: Sequence[LeadId]
    without_status: Sequence[LeadId]
    gone: Sequence[LeadId]


@dataclass(frozen=True, slots=True)
class _Known:
    lead_id: LeadId
    record_id: str | None
    read_at: str | None
    scored_at: str | None
    score_reason: str | None
    post_score: float | None
    harvested_at: str | None


class _Foreseen(Exception):
    """Nothing is kept of the transaction in which this was seen."""

    def __init__(self, at: datetime, leads: Sequence[Foreseen]) -> None:
        super().__init__()
        self.at = at
        self.leads = leads


class AirtableCopy:
    """Of one client. Raises StoreUnavailable."""

    def __init__(self, connections: Connections, client_id: ClientId) -> None:
        self._connections = connections
        self._client_id = client_id

    def now(self) -> datetime:
        return self._connections.now()

    # -- what was read

    def put(self, batch: Batch, merge: Merge, *, settled: bool = False) -> Sequence[Double]:
        """Gives those whom another row stands for already; they are left out, unless it is *settled* who counts."""
        with self._connections.writing() as tx:
            self._let_go_of_moved(tx, batch)
            known = self._known(tx, [row.lead.lead_id for row in batch.rows])
            rows: dict[LeadId, LeadRow] = {}
            doubles: list[Double] = []
            for row in batch.rows:
                lead_id = row.lead.lead_id
                other = rows[lead_id].record_id if lead_id in rows else _other(known.get(lead_id), row, batch)
                if other and not settled:
                    doubles.append(Double(lead_id, row.record_id, other))
                elif not _newer(known.get(lead_id), row, batch):
                    rows[lead_id] = row
            self._put(tx, rows, known, stamp(batch.asked_at), merge)
        return doubles

    def drop_unseen(self, since: datetime) -> int:
        """Leads whose rows a listing of all, begun *since*, has not met: they were deleted. Gives how many."""
        statement = "DELETE FROM @leads WHERE client_id = ? AND record_id IS NOT NULL AND read_at < ?"
        with self._connections.writing() as tx:
            return tx.execute(statement, (self._client_id, stamp(since)))

    def _let_go_of_moved(self, tx: Tx, batch: Batch) -> None:
        """A row with another profile URL is another person."""
        now = {row.record_id: row.lead.lead_id for row in batch.rows} | dict.fromkeys(batch.unread, "")
        found = tx.rows(
            f"SELECT record_id, lead_id, read_at FROM @leads WHERE client_id = ? AND record_id IN ({marks(list(now))})",
            (self._client_id, *now),
        )
        asked_at = stamp(batch.asked_at)
        moved = [lead_id for record_id, lead_id, at in found if now[record_id] != lead_id and (at or "") <= asked_at]
        self._drop(tx, moved)

    def _drop(self, tx: Tx, lead_ids: Sequence[LeadId]) -> None:
        tx.many(
            "DELETE FROM @leads WHERE client_id = ? AND lead_id = ?", [(self._client_id, each) for each in lead_ids]
        )

    def _known(self, tx: Tx, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, _Known]:
        rows = lead_rows(tx, self._client_id, lead_ids, _KNOWN, "ORDER BY lead_id @lock")
        return {row[0]: _Known(*row) for row in rows}

    def _put(
        self, tx: Tx, rows: Mapping[LeadId, LeadRow], known: Mapping[LeadId, _Known], at: str, merge: Merge
    ) -> None:
        put_page(tx, self._client_id, combined([row.lead for row in rows.values()]), merge)
        tx.many(_READ, [(row.record_id, at, *self._key(lead_id)) for lead_id, row in rows.items()])
        told = [
            (row.marks.status == EXCLUDED, lead_id) for lead_id, row in rows.items() if row.marks.status is not None
        ]
        tx.many(_EXCLUDED, [(excluded, *self._key(lead_id), excluded) for excluded, lead_id in told])
        self._heed_status(tx, rows, known)
        self._heed_posts(tx, rows, known)

    def _heed_status(self, tx: Tx, rows: Mapping[LeadId, LeadRow], known: Mapping[LeadId, _Known]) -> None:
        """To be scored again, as somebody wishes; or scored before we knew of it."""
        scored = {lead_id for lead_id in rows if lead_id in known and known[lead_id].scored_at}
        told = {lead_id for lead_id in scored if known[lead_id].score_reason != UNTOLD}
        again = [each for each in told if _to_be_scored(rows[each], known[each])]
        tx.many(_TO_SCORE_AGAIN, [(False, *self._key(each)) for each in again])
        tx.many(_TOLD, [self._key(each) for each in scored - told if rows[each].marks.status == SCORED])
        before = [(lead_id, row.marks) for lead_id, row in rows.items() if lead_id not in scored]
        held = [
            (stamp(said.scored_at or tx.now), said.score, said.assessment, *self._key(lead_id))
            for lead_id, said in before
            if said.status == SCORED and said.score is not None
        ]
        tx.many(_SCORED_BEFORE, held)

    def _heed_posts(self, tx: Tx, rows: Mapping[LeadId, LeadRow], known: Mapping[LeadId, _Known]) -> None:
        """Posts that were harvested and scored before we knew of it are not paid for again."""
        for lead_id, row in rows.items():
            said, held = row.marks, known.get(lead_id)
            if said.posts_score is not None and (held is None or held.post_score is None):
                self._take_for_scored(tx, row, said.posts_score, said.posts_scored_at or tx.now)
            if said.checked_at and said.harvest_status in CHECKED and (held is None or held.harvested_at is None):
                reason = CHECKED[said.harvest_status]
                status = "skipped" if reason else "harvested"
                tx.execute(_HARVESTED_BEFORE, (stamp(said.checked_at), status, reason, *self._key(lead_id)))

    def _take_for_scored(self, tx: Tx, row: LeadRow, score: float, at: datetime) -> None:
        """All its posts but those that are known to be newer."""
        key = self._key(row.lead.lead_id)
        tx.execute(_POSTS_SCORED_BEFORE, (score, *key))
        old = [post for post in row.lead.posts if (post.posted_at or "") <= at.isoformat()]
        tx.many(_POST_SCORED_BEFORE, [(stamp(at), *key, url_hash(post.url)) for post in old])
        refresh_posts_hash(tx, self._client_id, [row.lead.lead_id])

    def _key(self, lead_id: LeadId) -> Row:
        return self._client_id, lead_id

    # -- what is written

    def foreseen(self, write: Write, outcomes: Sequence[Outcome]) -> tuple[datetime, Sequence[Foreseen]]:
        """How *write* will leave the leads that have a row, and as of when. Nothing is written yet: what Airtable was
        not told, the copy does not hold, and so whatever differs there is a person's word.
        """
        try:
            with self._connections.writing() as tx:
                self._write(tx, write, outcomes)
                raise _Foreseen(tx.now, self._foreseen(tx, {each.lead_id: each for each in outcomes}))
        except _Foreseen as seen:
            return seen.at, seen.leads

    def keep(self, write: Write, outcomes: Sequence[Outcome], at: datetime, told: Told) -> None:
        """Airtable was."""
        with self._connections.writing() as tx:
            now, tx.stamp = tx.stamp, stamp(at)
            self._write(tx, write, outcomes)
            tx.many(_WRITTEN, [(now, *self._key(each)) for each in told.written])
            tx.many(_UNTOLD, [(UNTOLD, *self._key(each)) for each in told.without_status])
            self._drop(tx, told.gone)

    def stored(self, lead_id: LeadId) -> tuple[str | None, StoredLead] | None:
        """A lead and the id of its row."""
        with self._connections.reading() as tx:
            return self._stored(tx, [lead_id]).get(lead_id)

    def _write(self, tx: Tx, write: Write, outcomes: Sequence[Outcome]) -> None:
        lock(tx, self._client_id, [each.lead_id for each in outcomes])
        write(tx, self._client_id, outcomes)

    def _foreseen(self, tx: Tx, outcomes: Mapping[LeadId, Outcome]) -> Sequence[Foreseen]:
        judged = self._judged(tx, list(outcomes))
        return [
            Foreseen(record_id, stored, outcomes[lead_id], judged.get(lead_id, ()))
            for lead_id, (record_id, stored) in self._stored(tx, list(outcomes)).items()
            if record_id is not None
        ]

    def _stored(self, tx: Tx, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, tuple[str | None, StoredLead]]:
        rows = lead_rows(tx, self._client_id, lead_ids, f"{LEAD_COLUMNS}, {VERDICT_COLUMNS}, record_id")
        posts = posts_by_lead(tx, self._client_id, lead_ids)
        return {row[0]: (row[-1], stored_lead_of(row[:-1], posts.get(row[0], ()))) for row in rows}

    def _judged(self, tx: Tx, lead_ids: Sequence[LeadId]) -> Mapping[LeadId, Sequence[JudgedPost]]:
        rows = tx.rows(
            "SELECT lead_id, url, score, breakdown, scored_at FROM @posts "
            f"WHERE client_id = ? AND lead_id IN ({marks(lead_ids)}) AND scored_at IS NOT NULL ORDER BY url",
            (self._client_id, *lead_ids),
        )
        found: dict[LeadId, list[JudgedPost]] = {}
        for lead_id, url, score, breakdown, at in rows:
            found.setdefault(lead_id, []).append(JudgedPost(url, score, json.loads(breakdown or "{}"), at))
        return {lead_id: sorted(posts, key=lambda post: -(post.score or 0)) for lead_id, posts in found.items()}


def _other(known: _Known | None, row: LeadRow, batch: Batch) -> str | None:
    """The row that stands for the lead of *row* already. One that the listing has not met may be gone."""
    if known is None or known.record_id in (None, row.record_id):
        return None
    if batch.begun is not None and (known.read_at or "") < stamp(batch.begun):
        return None
    return known.record_id


def _to_be_scored(row: LeadRow, known: _Known) -> bool:
    """So it says; or it is another row than that in which the score was written, and has none."""
    other = known.record_id not in (None, row.record_id) and row.marks.score is None
    return row.marks.status == TO_BE_SCORED or (row.marks.status == SCORED and other)


def _newer(known: _Known | None, row: LeadRow, batch: Batch) -> bool:
    """Is more known of it than *row* says?"""
    return known is not None and known.record_id == row.record_id and (known.read_at or "") > stamp(batch.asked_at)
