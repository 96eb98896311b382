"""Apify: an actor fetches the posts, in a run of its own that calls back when it is over.

Facts of Apify used here: ad-hoc webhooks are given at the start, with templates for their payload and headers; nothing
of what they say is signed or believed, the run is asked for by its id; its figure `usageTotalUsd` is what is billed.
"""

import math
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tallybook.domain.errors import BadInput, NoRoom, ProviderError, ProviderStop
from tallybook.domain.external import Found, Look, Tag, profile_id
from tallybook.domain.fields import storable
from tallybook.domain.lead import Post, lead_id_of_url
from tallybook.domain.outcome import FailReason
from tallybook.domain.run import Blocked
from tallybook.domain.tally import Money

if TYPE_CHECKING:
    from apify_client import ApifyClientAsync

SOURCE = "apify"
_NAMES = ("CREATED", "SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT", "RESURRECTED")
EVENTS = tuple(f"ACTOR.RUN.{name}" for name in _NAMES)
"""CREATED too: it brings the id of a run whose start was answered to nobody."""
TOKEN_HEADER = "x-tallybook-token"
PAYLOAD = (
    '{"eventType": {{eventType}}, "createdAt": {{createdAt}}, "eventData": {{eventData}}, "resource": {{resource}}}'
)
RESULTS: Mapping[str, str] = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "ABORTED": "aborted",
    "TIMED-OUT": "timed_out",
}
"""Statuses in which a run is over, and how the books call them."""
REQUEST_TIMEOUT = timedelta(seconds=30)

# Actors differ in how they call things; the first name that holds something usable counts. Where it holds an object,
# that is looked for inside it, under the second names.
PROFILE_NAMES = (
    "inputUrl", "input_url", "targetUrl", "target_url", "profileUrl", "profile_url", "linkedinProfileUrl", "query",
    "input", "profile", "authorProfileUrl", "author_profile_url", "authorUrl", "author_url", "author",
)  # fmt: skip
PROFILE_INSIDE = ("targetUrl", "target_url", "profileUrl", "profile_url", "linkedinUrl", "linkedin_url", "url")
POST_NAMES = ("url", "postUrl", "post_url", "linkedinUrl", "linkedin_url", "shareUrl", "share_url", "postLink", "link")
POST_INSIDE = POST_NAMES
TEXT_NAMES = ("text", "content", "commentary", "postText", "post_text", "description")
TEXT_INSIDE = ("text", "content")
TIME_NAMES = (
    "postedAt", "postedAtISO", "posted_at", "publishedAt", "published_at", "date", "timestamp", "postedAtTimestamp",
)  # fmt: skip
TIME_INSIDE = ("date", "iso", "timestamp", "postedAt", "posted_at")
REPOST_NAMES = ("isRepost", "is_repost", "reshared", "isReshare")
ERROR_NAMES = ("error", "errorMessage", "error_message")
ERROR_INSIDE = ("message", "type", "code")
PLAIN_NAME = re.compile(r"[\w.$@#-]{1,40}")
LONGEST_DETAIL = 500
YEAR_5138 = 100_000_000_000
"""As seconds since 1970: a larger number counts milliseconds."""


@dataclass(frozen=True)
class Actor:
    """Which actor is run, and how it takes its input. *more*: what it is told beside profiles and their number."""

    actor_id: str
    profiles_field: str = "targetUrls"
    most_posts_field: str = "maxPosts"
    more: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class CallBack:
    """Where a run calls back, and what makes the token that it brings."""

    url: str
    sign: Callable[[Tag], str]

    def webhook(self, tag: Tag) -> dict[str, Any]:
        headers = f'{{"{TOKEN_HEADER}": "{self.sign(tag)}"}}'
        told = {"payload_template": PAYLOAD, "headers_template": headers}
        return {"event_types": list(EVENTS), "request_url": self.url, **told}


class ApifyHarvester:
    """A `Harvester`. *call_back* None: nobody can reach us, so runs are only ever asked. Belongs to one event loop."""

    def __init__(self, token: str, api_url: str, actor: Actor, call_back: CallBack | None) -> None:
        self._token = token
        self._api_url = api_url
        self._actor = actor
        self._call_back = call_back
        self._clients: dict[int, ApifyClientAsync] = {}

    @property
    def source(self) -> str:
        return SOURCE

    @property
    def model(self) -> str:
        return self._actor.actor_id

    async def start(self, profile_urls: Sequence[str], most_posts: int, run_timeout: timedelta, tag: Tag) -> str:
        actor = self._actor
        told = {**actor.more, actor.profiles_field: list(profile_urls), actor.most_posts_field: most_posts}
        hooks: Any = [self._call_back.webhook(tag)] if self._call_back else None
        with _told_as_ours("starting the actor"):
            # Not tried again by the library: it cannot know whether the first try has started a run.
            run = (
                await self._client(0)
                .actor(actor.actor_id)
                .start(run_input=told, run_timeout=run_timeout, webhooks=hooks)
            )
        return run.id

    async def look(self, external_id: str) -> Look:
        with _told_as_ours("asking about the run"):
            run = await self._client().run(external_id).get()
        if run is None:
            raise ProviderError("Apify does not know the run", reason=FailReason.UNAVAILABLE)
        result = RESULTS.get(run.status)
        return Look(
            over=result is not None,
            result=result or "",
            cost=_cost(run.usage_total_usd),
            ended_at=run.finished_at,
            detail=storable(run.status_message or "")[:LONGEST_DETAIL],
            task=run.actor_task_id,
        )

    async def found(self, external_id: str) -> AsyncIterator[Found]:
        with _told_as_ours("reading the dataset"):
            run = await self._client().run(external_id).get()
            if run is None:
                raise ProviderError("Apify does not know the run any more", reason=FailReason.UNAVAILABLE)
            async for item in self._client().dataset(run.default_dataset_id).iterate_items():
                yield found_in(item)

    async def abort(self, external_id: str) -> None:
        with _told_as_ours("aborting the run"):
            await self._client().run(external_id).abort()

    def _client(self, retries: int = 3) -> "ApifyClientAsync":
        if retries not in self._clients:
            from apify_client import ApifyClientAsync  # of an extra, and slow to import

            self._clients[retries] = ApifyClientAsync(
                self._token,
                api_url=self._api_url,
                max_retries=retries,
                timeout_short=REQUEST_TIMEOUT,
                timeout_medium=REQUEST_TIMEOUT,
                timeout_long=2 * REQUEST_TIMEOUT,
            )
        return self._clients[retries]


# -- what it found -----------------------------------------------------------------------------------------------------


def found_in(item: object) -> Found:
    """What an item of the dataset says. Of one that is not understood, the names of its fields."""
    if not isinstance(item, Mapping):
        return Found()
    profile = _first(item, PROFILE_NAMES, PROFILE_INSIDE, _url) or _first(item, PROFILE_NAMES, PROFILE_INSIDE, _text)
    if profile is not None and (post := _post_in(item, profile)):
        return Found(profile, post)
    error = _first(item, ERROR_NAMES, ERROR_INSIDE, _text)
    if profile is not None and error is not None:
        return Found(profile, error=error)
    return Found(profile or "", fields=tuple(_fields_of(item)))


def _post_in(item: Mapping[str, Any], profile: str) -> Post | None:
    def usable(value: object) -> str | None:
        """An item about the profile itself has the profile's address where others have that of a post."""
        text = _text(value)
        return None if text is None or profile_id(text) == profile_id(profile) else text

    url = _first(item, POST_NAMES, POST_INSIDE, usable)
    if url is None:
        return None
    text = _first(item, TEXT_NAMES, TEXT_INSIDE, _text)
    is_repost = any(item.get(name) is True for name in REPOST_NAMES)
    return Post(url, text or "", _first(item, TIME_NAMES, TIME_INSIDE, _time), is_repost)


def _first(
    item: Mapping[str, Any], names: Sequence[str], inside: Sequence[str], usable: Callable[[object], str | None]
) -> str | None:
    """What is usable under the first of *names* that holds such, be it in an object under one of those *inside*."""
    for name in names:
        value = item.get(name)
        held = map(value.get, inside) if isinstance(value, Mapping) else (value,)
        told = next(filter(None, map(usable, held)), None)
        if told is not None:
            return told
    return None


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def _url(value: object) -> str | None:
    try:
        lead_id_of_url(value)
    except BadInput:
        return None
    return _text(value)


def _time(value: object) -> str | None:
    """A number counts seconds or milliseconds since 1970."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return _text(value)
    try:
        at = datetime.fromtimestamp(value / 1000 if value > YEAR_5138 else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return at.isoformat(timespec="seconds")


def _fields_of(item: Mapping[str, Any]) -> Iterator[str]:
    """How its fields are called, and those of the objects in it. What does not look like a name is not repeated."""
    for name, value in item.items():
        inside = (f"{name}.{each}" for each in value) if isinstance(value, Mapping) and value else (name,)
        yield from (each if PLAIN_NAME.fullmatch(each) else "?" for each in inside)


def _cost(usd: float | None) -> Money | None:
    return None if usd is None or not math.isfinite(usd) else Money.usd(Decimal(str(usd)))


# -- what went wrong ---------------------------------------------------------------------------------------------------


@contextmanager
def _told_as_ours(what: str) -> Iterator[None]:
    """Raises ProviderError and ProviderStop for what the library raises. None of it repeats the token."""
    from apify_client.errors import ApifyApiError, ApifyClientError
    from impit import HTTPError

    try:
        yield
    except ApifyApiError as error:
        raise _of_answer(what, error.status_code, error.type or "", str(error.message or "")) from None
    except (ValueError, LookupError) as error:  # it could not read what it was answered
        text = f"Apify gave no answer of its kind when {what}: {type(error).__name__}"
        raise ProviderError(text, reason=FailReason.UNAVAILABLE) from None
    except (ApifyClientError, HTTPError, TimeoutError, OSError) as error:
        text = f"Apify did not answer when {what}: {type(error).__name__}"
        raise ProviderError(text, reason=FailReason.UNAVAILABLE) from None


_STOPS: Mapping[int, tuple[FailReason, Blocked]] = {
    401: (FailReason.AUTH, Blocked.AUTH),
    403: (FailReason.AUTH, Blocked.AUTH),
    402: (FailReason.QUOTA, Blocked.PROVIDER_QUOTA),
    404: (FailReason.MODEL_CONFIG, Blocked.MODEL_CONFIG),
    400: (FailReason.MODEL_CONFIG, Blocked.MODEL_CONFIG),
}


_FULL = ("actor-memory-limit-exceeded", "concurrent-runs-limit-exceeded")
"""Refusals that end when other runs do."""


def _of_answer(what: str, status: int, kind: str, message: str) -> ProviderError:
    text = storable(f"Apify refused {what} ({status} {kind}): {message}")
    if kind in _FULL:
        return NoRoom(text)
    if status in _STOPS:
        reason, blocked = _STOPS[status]
        return ProviderStop(text, reason=reason, blocked_reason=blocked)
    refused = status < 500
    return ProviderError(text, reason=FailReason.QUOTA if status == 429 else FailReason.UNAVAILABLE, refused=refused)
