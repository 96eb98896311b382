"""Apify: an actor fetches the posts, in a run of its own that calls back when it is over.

Facts of Apify used here: ad-hoc webhooks are given at the start, with templates for their payload and headers; nothing
of what they say is signed or believed, the run is asked for by its id; its figure `usageTotalUsd` is what is billed.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tallybook.domain.errors import ProviderError, ProviderStop
from tallybook.domain.external import Found, Look, Tag
from tallybook.domain.lead import Post
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

# Actors differ in how they call things; the first name that holds something counts.
PROFILE_NAMES = ("inputUrl", "targetUrl", "profileUrl", "profile_url", "query", "authorProfileUrl", "author.url")
POST_NAMES = ("url", "postUrl", "post_url", "linkedinUrl", "shareUrl")
TEXT_NAMES = ("text", "content", "commentary", "postText", "description")
TIME_NAMES = ("postedAt", "postedAtISO", "posted_at", "publishedAt", "date", "timestamp")
REPOST_NAMES = ("isRepost", "is_repost", "reshared", "isReshare")
ERROR_NAMES = ("error", "errorMessage")


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
            return Look(over=True, result="lost", detail="Apify does not know the run")
        result = RESULTS.get(run.status)
        cost = None if run.usage_total_usd is None else Money.usd(Decimal(str(run.usage_total_usd)))
        return Look(result is not None, result or "", cost, run.finished_at, run.status_message or "")

    async def found(self, external_id: str) -> AsyncIterator[Found]:
        with _told_as_ours("reading the dataset"):
            run = await self._client().run(external_id).get()
            if run is None:
                return
            async for item in self._client().dataset(run.default_dataset_id).iterate_items():
                told = found_in(item)
                if told is not None:
                    yield told

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


def found_in(item: Mapping[str, Any]) -> Found | None:
    """What an item of the dataset says; None: nothing of a profile."""
    profile = _first(item, PROFILE_NAMES)
    if not isinstance(profile, str) or not profile.strip():
        return None
    url = _first(item, POST_NAMES)
    if isinstance(url, str) and url.strip():
        posted_at = _first(item, TIME_NAMES)
        return Found(
            profile,
            Post(
                url.strip(),
                str(_first(item, TEXT_NAMES) or ""),
                str(posted_at) if posted_at else None,
                _first(item, REPOST_NAMES) is True,
            ),
        )
    error = _first(item, ERROR_NAMES)
    return Found(profile, error=str(error)) if error else None


def _first(item: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((value for value in (_at(item, name) for name in names) if value is not None), None)


def _at(item: Any, path: str) -> Any:
    for name in path.split("."):
        item = item.get(name) if isinstance(item, Mapping) else None
    return item


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


def _of_answer(what: str, status: int, kind: str, message: str) -> ProviderError:
    text = f"Apify refused {what} ({status} {kind}): {message}"
    if status in _STOPS:
        reason, blocked = _STOPS[status]
        return ProviderStop(text, reason=reason, blocked_reason=blocked)
    refused = status < 500
    return ProviderError(text, reason=FailReason.QUOTA if status == 429 else FailReason.UNAVAILABLE, refused=refused)
