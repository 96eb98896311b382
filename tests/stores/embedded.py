"""The embedded store on a fresh database, under a clock that moves with every look."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

from tallybook.database import Database
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead, Position, Post
from tallybook.domain.outcome import Kind, Outcome
from tallybook.stores.sql import SqlClients

ACME, BOLT = "acme", "bolt"


class MovingClock:
    """A second later each time."""

    def __init__(self) -> None:
        self._seconds = count()

    def __call__(self) -> datetime:
        return datetime(2025, 10, 1, tzinfo=UTC) + timedelta(seconds=next(self._seconds))


@contextmanager
def embedded(url: str) -> Iterator[SqlClients]:
    """With two clients, acme and bolt."""
    database = Database(url)
    clients = SqlClients(database, MovingClock())
    clients.put_clients([Client(ACME, "Acme Law"), Client(BOLT, "Bolt & Co", stream=2, service_level=2)])
    try:
        yield clients
    finally:
        clients.close()
        database.close()


def lead(lead_id: str, *posts: Post, headline: str = "Judge") -> Lead:
    jobs = (Position("Judge", "Court", "Long hours", "2011"),)
    return Lead(lead_id, f"https://{lead_id}", "Ada Quill", headline, "About", "Porto", "Law", jobs, ("law",), posts)


def post(number: int, text: str = "Said so") -> Post:
    return Post(f"https://x.test/p/{number}", text)


def scored(lead_id: str, score: float = 50.0) -> Outcome:
    breakdown = {"seniority": {"points": 5.0, "max": 10.0, "evidence": 'the "boss"'}}
    return Outcome(lead_id, Kind.SCORED, score=score, breakdown=breakdown, assessment="Fits", excluded_by="seniority")


def posts_scored(lead_id: str, posts: Sequence[Post], score: float = 50.0) -> Outcome:
    breakdown = {each.url: {"total": score, "attributes": {}, "is_repost": False} for each in posts}
    best = {"url": posts[0].url, "text": posts[0].text, "score": score, "is_repost": False}
    return Outcome(lead_id, Kind.SCORED, score=score, breakdown=breakdown, best_post=best, posts=len(posts))


def harvested(lead_id: str, *posts: Post, input_hash: str | None = "never") -> Outcome:
    facts = {each.url: {"text": each.text, "posted_at": each.posted_at, "is_repost": False} for each in posts}
    return Outcome(lead_id, Kind.HARVESTED, posts=len(posts), breakdown=facts, input_hash=input_hash)
