"""What each route of the API does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tallybook.testing.apify_faults import Asked
from tallybook.testing.apify_platform import Platform
from tallybook.testing.apify_posts import Posts, items_of
from tallybook.testing.apify_runs import Ending, Run, Status, new_id
from tallybook.testing.apify_wire import (
    USER,
    actor_form,
    actor_id_of,
    data,
    input_of,
    items_page,
    number_of,
    run_form,
    runs_page,
    webhooks_of,
)
from tallybook.testing.lookalike_http import Exchange, Refused, Reply

ACTOR = "look-alike~posts"
"""Whichever is asked for, this is the one that others start."""
LONGEST_WAIT_S = 60
_ROUTES = (
    ("POST", "start", re.compile(r"/v2/act(?:or)?s/([^/]+)/runs")),
    ("POST", "start_task", re.compile(r"/v2/actor-tasks/([^/]+)/runs")),
    ("GET", "actor", re.compile(r"/v2/act(?:or)?s/([^/]+)")),
    ("GET", "runs", re.compile(r"/v2/actor-runs()")),
    ("GET", "run", re.compile(r"/v2/actor-runs/([^/]+)")),
    ("POST", "abort", re.compile(r"/v2/actor-runs/([^/]+)/abort")),
    ("POST", "resurrect", re.compile(r"/v2/actor-runs/([^/]+)/resurrect")),
    ("GET", "items", re.compile(r"/v2/datasets/([^/]+)/items")),
    ("GET", "me", re.compile(r"/v2/users/(me)")),
)


@dataclass(frozen=True, slots=True)
class Fields:
    """How the actor's input calls its profiles, and the most posts of each."""

    profiles: str = "targetUrls"
    most_posts: str = "maxPosts"


class Api:
    """*actor_id*: the only actor there is, None: whichever is asked for. *tasks*: the inputs of its tasks."""

    def __init__(
        self,
        platform: Platform,
        posts: Posts,
        *,
        fields: Fields,
        actor_id: str | None,
        tasks: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._platform = platform
        self._posts = posts
        self._fields = fields
        self._actor_id = actor_id
        self._tasks = tasks
        self._does: Mapping[str, Callable[[Asked, Exchange], Reply]] = {
            "start": self._start,
            "start_task": self._start_task,
            "run": self._run,
            "abort": self._abort,
            "resurrect": self._resurrect,
            "runs": self._runs,
            "items": self._items,
            "actor": self._actor,
            "me": self._me,
        }

    def asked_by(self, exchange: Exchange, number: int) -> Asked:
        for method, what, route in _ROUTES:
            found = route.fullmatch(exchange.route)
            if found and method == exchange.method:
                subject = unquote(found[1])
                return Asked(number, method, exchange.route, what, subject, self._profiles(exchange, what, subject))
        return Asked(number, exchange.method, exchange.route)

    def answer(self, asked: Asked, exchange: Exchange) -> Reply:
        """Raises Refused."""
        if asked.what not in self._does:
            raise Refused(404, "page-not-found", f"there is no {asked.method} {asked.route} here")
        try:
            return self._does[asked.what](asked, exchange)
        except LookupError:
            raise Refused(404, "record-not-found", f"there is no {asked.subject} here") from None

    def new_run(self, actor: str, profiles: tuple[str, ...], most_posts: int, **facts: Any) -> Run:
        """Not yet started."""
        return Run(
            id=new_id(),
            actor_id=actor_id_of(actor),
            profiles=profiles,
            to_find=items_of(profiles, self._posts, most_posts),
            started_at=self._platform.now(),
            dataset_id=f"ds{new_id()[2:]}",
            **facts,
        )

    def _run(self, asked: Asked, exchange: Exchange) -> Reply:
        wait_s = min(number_of(exchange.query, "waitForFinish"), LONGEST_WAIT_S)
        return data(run_form(self._platform.runs.wait_until_over(asked.subject, wait_s)))

    def _abort(self, asked: Asked, _exchange: Exchange) -> Reply:
        return data(run_form(self._platform.end(asked.subject, Ending(Status.ABORTED))))

    def _runs(self, _asked: Asked, exchange: Exchange) -> Reply:
        return runs_page(self._platform.runs.all, exchange.query)

    def _items(self, asked: Asked, exchange: Exchange) -> Reply:
        return items_page(self._platform.runs.of_dataset(asked.subject).items, exchange.query)

    def _actor(self, asked: Asked, _exchange: Exchange) -> Reply:
        return data(actor_form(self._known(asked.subject), self._platform.now()))

    def _me(self, _asked: Asked, _exchange: Exchange) -> Reply:
        return data(USER)

    def _start(self, asked: Asked, exchange: Exchange) -> Reply:
        return self._started(self._known(asked.subject), exchange, input_of(exchange))

    def _start_task(self, asked: Asked, exchange: Exchange) -> Reply:
        return self._started(
            self._actor_id or ACTOR, exchange, self._input_of_task(asked.subject, exchange), asked.subject
        )

    def _input_of_task(self, task_id: str, exchange: Exchange) -> Mapping[str, Any]:
        """A start may replace parts of it. Raises LookupError, Refused."""
        return {**self._tasks[task_id], **input_of(exchange)}

    def _started(self, actor: str, exchange: Exchange, told: Mapping[str, Any], task_id: str | None = None) -> Reply:
        run = self.new_run(
            actor,
            self._wanted_profiles(told),
            self._wanted_posts(told),
            timeout_s=number_of(exchange.query, "timeout"),
            input_bytes=len(exchange.body),
            webhooks=webhooks_of(exchange.query.get("webhooks", "")),
            task_id=task_id,
        )
        self._platform.start(run)
        return data(run_form(run), 201)

    def _resurrect(self, asked: Asked, _exchange: Exchange) -> Reply:
        run = self._platform.resurrect(asked.subject)
        if run is None:
            raise Refused(400, "run-not-finished", "only a run that is over can be resurrected")
        return data(run_form(run))

    def _known(self, actor: str) -> str:
        """Raises LookupError."""
        if self._actor_id is not None and actor not in (self._actor_id.replace("/", "~"), actor_id_of(self._actor_id)):
            raise LookupError(actor)
        return actor

    def _wanted_profiles(self, told: Mapping[str, Any]) -> tuple[str, ...]:
        urls = told.get(self._fields.profiles)
        if not isinstance(urls, list) or not all(isinstance(url, str) for url in urls):
            raise Refused(400, "invalid-input", f"Input is not valid: {self._fields.profiles} must be a list of URLs")
        return tuple(urls)

    def _wanted_posts(self, told: Mapping[str, Any]) -> int:
        most = told.get(self._fields.most_posts, 10)
        if not isinstance(most, int) or most < 0:
            raise Refused(400, "invalid-input", f"Input is not valid: {self._fields.most_posts} must be a number")
        return most

    def _profiles(self, exchange: Exchange, what: str, subject: str) -> tuple[str, ...]:
        """Those that a request is about, as far as that can be told."""
        try:
            if what == "start":
                return self._wanted_profiles(input_of(exchange))
            if what == "start_task":
                return self._wanted_profiles(self._input_of_task(subject, exchange))
            runs = self._platform.runs
            return (runs.of_dataset(subject) if what == "items" else runs.of(subject)).profiles
        except (Refused, LookupError):
            return ()
