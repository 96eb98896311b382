"""Counts what this process answers: by the template of the route, never by what was asked for."""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallybook.domain.concern import concern
from tallybook.web.paths import raw_path
from tallybook.web.quick import QuickRoute

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
OTHER = "other"
NO_ROUTE = "none"
PARAMS = {"run": "run_id", "client": "client_id"}

Key = tuple[str, str, str]
"""Route, method, class of the status."""


@dataclass(slots=True)
class Durations:
    """How many took how long, up to each of BOUNDS_S and beyond."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def cumulated(self) -> list[tuple[str, float]]:
        """As Prometheus has it: so many took that long at most."""
        found, total = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self.counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found


class Counts:
    """Of one server, since it started. Written by its event loop alone."""

    def __init__(self) -> None:
        self.requests: Counter[Key] = Counter()
        self.durations: dict[str, Durations] = {}

    def add(self, route: str, method: str, status: int, seconds: float) -> None:
        self.requests[route, method if method in METHODS else OTHER, f"{status // 100}xx"] += 1
        self.durations.setdefault(route, Durations()).add(seconds)


class _Concern(Mapping[str, str]):
    """What a request concerns: as its path says, once it is known which route it takes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def _named(self) -> dict[str, str]:
        params = self._scope.get("path_params") or {}
        return {name: str(params[param]) for name, param in PARAMS.items() if param in params}

    def __getitem__(self, name: str) -> str:
        return self._named()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named())

    def __len__(self) -> int:
        return len(self._named())


class Counted:
    """Stands around everything else. A stream counts once it begins, whenever it ends."""

    def __init__(self, app: ASGIApp, counts: Counts, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._counts = counts
        self._routes = routes
        self._quick: list[QuickRoute] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        concern(_Concern(scope))
        begun, answered = time.perf_counter(), False

        async def send_counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._add(scope, message["status"], time.perf_counter() - begun)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except BaseException:
            if not answered:  # whoever stands around us answers, and says nothing of it
                self._add(scope, 500, time.perf_counter() - begun)
            raise

    def _add(self, scope: Scope, status: int, seconds: float) -> None:
        self._counts.add(self._route_of(scope), scope["method"], status, seconds)

    def _route_of(self, scope: Scope) -> str:
        """Its template. Quick routes are reached by a shortcut that leaves no trace in the scope."""
        route = scope.get("route")
        if route is None and "path_params" in scope:
            if self._quick is None:
                self._quick = [each for each in self._routes if isinstance(each, QuickRoute)]
            path = raw_path(scope)
            found = (each for each in self._quick if scope["method"] in (each.methods or ()))
            route = next((each for each in found if each.params_in(path) is not None), None)
        return str(getattr(route, "path", NO_ROUTE))
