"""Who may come in: tokens, the webhook's secrets, and patience with those who guess."""

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

    After MOST_FAILURES wrong credentials within a minute an address is sent away without a look at what it brings,
    unless that was found good before.
    """

    def __init__(self, ledger: Callable[[], Ledger], secrets: Sequence[str] = ()) -> None:
        self._ledger = ledger
        self._secrets = [each.encode() for each in secrets]
        self._known: dict[str, _Known] = {}
        self._failures: dict[str, deque[float]] = {}

    @property
    def has_webhook_secret(self) -> bool:
        return bool(self._secrets)

    async def of_bearer(self, text: str, address: str) -> Access:
        """Raises Unauthenticated, TooManyFailures, LedgerUnavailable."""
        key = hash_of(text)
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and now < known.until:
            self._note(known, now)
            return known.access
        if known is None:
            self.refuse_guesser(address)
        access = await run_in_threadpool(tokens.find_by_hash, self._ledger().database, key)
        if access is None:
            self._known.pop(key, None)
            raise self.failed(address, "the token is unknown or was revoked")
        noted_at = known.noted_at if known is not None else -NOTED_EVERY_S
        known = self._known[key] = _Known(access, now + TRUSTED_FOR_S, noted_at)
        self._note(known, now)
        return access

    def _note(self, known: _Known, now: float) -> None:
        if now - known.noted_at >= NOTED_EVERY_S:
            known.noted_at = now
            self._ledger().submit(note_use, known.access.token_id)

    def of_secret(self, text: str, address: str) -> Access:
        """Raises Unauthenticated, TooManyFailures. In constant time; no secret set: nobody comes in."""
        self.refuse_guesser(address)
        said = text.encode("utf-8", "surrogatepass")
        good = [hmac.compare_digest(said, each) for each in self._secrets]
        if not any(good):
            raise self.failed(address, "the webhook secret is wrong")
        return WEBHOOK_SECRET

    # -- guessing

    def refuse_guesser(self, address: str) -> None:
        """Raises TooManyFailures."""
        seen = self._failures.get(address)
        if seen is None:
            return
        now = time.monotonic()
        while seen and now - seen[0] > FAILURES_FORGOTTEN_AFTER_S:
            seen.popleft()
        if not seen:
            del self._failures[address]
        elif len(seen) >= MOST_FAILURES:
            wait_s = int(seen[0] + FAILURES_FORGOTTEN_AFTER_S - now) + 1
            raise TooManyFailures(f"too many wrong credentials; try again in {wait_s} s", retry_after_s=wait_s)

    def failed(self, address: str, why: str) -> Unauthenticated:
        """Note a wrong credential; gives what to raise."""
        if address not in self._failures and len(self._failures) >= MOST_ADDRESSES:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(address, deque()).append(time.monotonic())
        return Unauthenticated(f"{why}; make one with `tallybook token create`")
