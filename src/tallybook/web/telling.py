"""A verb that came over HTTP: its headers, its place in the books, once per key. What is refused is noted there."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from tallybook.database import Tx
from tallybook.domain.access import Access
from tallybook.domain.errors import BadInput, Conflict, KeyReused, LedgerUnavailable, NotFound
from tallybook.domain.fields import storable
from tallybook.domain.runid import RunId
from tallybook.ledger import listing
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import keyed, reported
from tallybook.ledger.write.keyed import Answer, Answered, Key
from tallybook.tracking import writing
from tallybook.tracking.saying import Saying
from tallybook.tracking.wording import read_time
from tallybook.web.house import house_of

T = TypeVar("T")
LONGEST_SITE = 200
KEY, SAID_AT, SITE = "Idempotency-Key", "Tallybook-Said-At", "Tallybook-Site"
RESERVES = "reserve_run_id"
REFUSALS = (BadInput, Conflict, NotFound)


def _header(name: str, about: str, **schema: object) -> Mapping[str, object]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "string", **schema},
    }


_PRINTABLE = "^[!-~]([ -~]*[!-~])?$"
_KEY = _header(
    KEY,
    "The same request with the same key is done once, and answered with 200 and `Idempotent-Replayed: true`"
    " from then on; another request with it: 409. Keys of different tokens are different keys",
    pattern=_PRINTABLE,
    maxLength=keyed.LONGEST_KEY,
)
KEY_HEADER: dict[str, Any] = {"parameters": [_KEY]}
HEADERS: dict[str, Any] = {
    "parameters": [
        _KEY,
        _header(
            SAID_AT,
            "When it was said, where that is earlier than now: for what waited",
            format="date-time",
            pattern="^[12][0-9]{3}-",
        ),
        _header(
            SITE,
            "Where it was said, such as `jobs/nightly.py:42`: shown where something had to be created",
            pattern=_PRINTABLE,
            maxLength=LONGEST_SITE,
        ),
    ]
}
"""For a route's `openapi_extra`. They are read by `Telling`."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Who tells what, of which run and client. *body*: as it was sent."""

    request: Request
    access: Access
    verb: str
    run_id: str
    client_id: str | None
    body: Any

    # -- headers -------------------------------------------------------------------------------------------------------

    def _header(self, name: str) -> str | None:
        """As UTF-8, where it is that."""
        said = self.request.headers.get(name)
        return said if said is None or said.isascii() else said.encode("latin-1").decode("utf-8", "replace")

    @property
    def site(self) -> str:
        """Where it was said, for what had to be created. Raises BadInput."""
        said = self._header(SITE)
        if said is None:
            return self.access.actor
        if not said.strip() or len(said) > LONGEST_SITE or not said.isprintable():
            raise BadInput(f"{SITE} is 1 to {LONGEST_SITE} printable characters")
        return said

    @property
    def said_at(self) -> str | None:
        """When it was said, if that was not now. A run id is of the moment in which it is reserved. Raises BadInput."""
        said = self._header(SAID_AT)
        return None if said is None or self.verb == RESERVES else read_time(SAID_AT, said)

    @property
    def key(self) -> Key | None:
        """Raises BadInput."""
        said = self._header(KEY)
        if said is None:
            return None
        asked = json.dumps([self.verb, self.run_id, self.client_id, self.body], sort_keys=True)
        return Key(self.access.token_id, said, hashlib.sha256(asked.encode()).hexdigest())

    # -- the books -----------------------------------------------------------------------------------------------------

    async def book(self, read: Callable[[str], T], write: Callable[[Tx, T], Answer]) -> Answered:
        """*read* what was said (given the site), then *write* it: at once, durably, and once per key.

        Raises what they raise, and KeyReused, LedgerUnavailable.
        """
        ledger = house_of(self.request).ledger
        try:
            words, key, said_at = read(self.site), self.key, self.said_at
            if said_at is not None:
                return await ledger.wait(keyed.once, key, lambda tx: self._write_as_of(tx, said_at, words, write))
            return await ledger.wait(keyed.once, key, lambda tx: write(tx, words))
        except REFUSALS as error:
            if not isinstance(error, KeyReused):
                await self._note_refusal(ledger, f"{self.verb} was refused: {error}")
            if isinstance(error, Conflict) and error.run_id is not None:
                # NotFound in its place, where it would tell a tenant of a run in which that has no part
                await run_in_threadpool(
                    listing.refuse_unconcerned, ledger.database, error.run_id, self.access.client_id
                )
            raise

    def _write_as_of(self, tx: Tx, said_at: str, words: T, write: Callable[[Tx, T], Answer]) -> Answer:
        """As of then; but it was heard now."""
        answer = write(writing.as_of(tx, said_at), words)
        if self.run_id:
            reported.heard_of(tx, RunId.parse(self.run_id).key)
        return answer

    async def _note_refusal(self, ledger: Ledger, text: str) -> None:
        """In the books, as the verbs in Python do (F34). A tenant's is noted where it alone can see it."""
        note = Saying("note_refusal", self.run_id, self.access.client_id, facts={"text": storable(text)})
        try:
            await ledger.wait(writing.write, note)
        except LedgerUnavailable:
            return  # whoever was refused is told so all the same
