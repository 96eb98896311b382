"""Who may come in: tokens, the webhook's secrets, and patience with those who guess."""

import asyncio
import hmac
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from tallybook.domain.access import Access, Scope, hash_of
from tallybook.domain.errors import TooManyFailures, Unauthenticated
from tallybook.ledger import tokens
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.tokens import note_use

TRUSTED_FOR_S = 2.0
"""How long a revoked token may still be good: looked up no more often than this."""
NOTED_EVERY_S = 60.0
MOST_FAILURES = 20
FAILURES_FORGOTTEN_AFTER_S = 60.0
MOST_ADDRESSES = 10_000
WEBHOOK_SECRET = Access("webhook secret", "", frozenset({Scope.RUNS_START}))
"""Whoever knows x-webhook-secret may start runs, and look at what they started."""


@dataclass(slots=True)
class _Known:
    access: Access
    until: float
    noted_at: float


class Doorkeeper:
    """Answers for one server who somebody is. *secrets*: those that x-webhook-secret may say; several are good at once.

    After MOST_FAILURES wrong credentials within a minute an address is sent away with every further one for a while. A
    good one always comes in: others may guess behind the same proxy. Belongs to one event loop.
    """

    def __init__(self, ledger: Callable[[], Ledger], secrets: Sequence[str] = ()) -> None:
        self._ledger = ledger
        self._secrets = [each.encode() for each in secrets]
        self._known: dict[str, _Known] = {}
        self._looks: dict[str, asyncio.Task[_Known | None]] = {}
        self._failures: dict[str, deque[float]] = {}

    @property
    def has_webhook_secret(self) -> bool:
        return bool(self._secrets)

    async def of_bearer(self, text: str, address: str) -> Access:
        """Raises Unauthenticated, TooManyFailures, LedgerUnavailable."""
        key = hash_of(text)
        known, now = self._known.get(key), time.monotonic()
        if known is None or now >= known.until:
            known = await self._looked_up(key)
        if known is None:
            raise self.failed(address, "the token is unknown or was revoked")
        self._note(known, now)
        return known.access

    async def _looked_up(self, key: str) -> _Known | None:
        """All who ask at once share one look; that one of them stops waiting does not end it."""
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = asyncio.create_task(self._look_up(key))
            look.add_done_callback(lambda _: self._looks.pop(key))
        return await asyncio.shield(look)

    async def _look_up(self, key: str) -> _Known | None:
        now, before = time.monotonic(), self._known.get(key)
        access = await run_in_threadpool(tokens.find_by_hash, self._ledger().database, key)
        if access is None:
            self._known.pop(key, None)
            return None
        noted_at = before.noted_at if before is not None else -NOTED_EVERY_S
        known = self._known[key] = _Known(access, now + TRUSTED_FOR_S, noted_at)
        return known

    def _note(self, known: _Known, now: float) -> None:
        if now - known.noted_at >= NOTED_EVERY_S:
            known.noted_at = now
            self._ledger().submit(note_use, known.access.token_id)

    def of_secret(self, text: str, address: str) -> Access:
        """Raises Unauthenticated, TooManyFailures. In constant time; no secret set: nobody comes in."""
        said = text.encode("utf-8", "surrogatepass")
        good = [hmac.compare_digest(said, each) for each in self._secrets]
        if not any(good):
            raise self.failed(address, "the webhook secret is wrong")
        return WEBHOOK_SECRET

    # -- guessing

    def failed(self, address: str, why: str) -> Unauthenticated | TooManyFailures:
        """Note a wrong credential; gives what to raise."""
        now = time.monotonic()
        seen = self._failures_of(address)
        while seen and now - seen[0] > FAILURES_FORGOTTEN_AFTER_S:
            seen.popleft()
        if len(seen) >= MOST_FAILURES:
            wait_s = int(seen[0] + FAILURES_FORGOTTEN_AFTER_S - now) + 1
            return TooManyFailures(f"too many wrong credentials; try again in {wait_s} s", retry_after_s=wait_s)
        seen.append(now)
        return Unauthenticated(f"{why}; make one with `tallybook token create`")

    def _failures_of(self, address: str) -> deque[float]:
        if address not in self._failures and len(self._failures) >= MOST_ADDRESSES:
            self._failures.pop(next(iter(self._failures)))
        return self._failures.setdefault(address, deque())
