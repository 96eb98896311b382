"""`/metrics`: what Prometheus is told. Totals come from the books when it asks, so they survive restarts.

Every label has a bounded set of values: no run, client or lead is ever one.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tallybook import __version__
from tallybook.app import App
from tallybook.domain.alert import AlertKind
from tallybook.domain.outcome import FailReason, Kind
from tallybook.domain.run import OperationName, Status
from tallybook.domain.tally import LOST, PICO_PER_USD
from tallybook.ledger.tables import TALLY
from tallybook.ledger.totals import Standing, Sums, Totals
from tallybook.web.counted import Counts
from tallybook.web.guard import Reader, refuse_bound
from tallybook.web.house import TheHouse
from tallybook.web.problems import documented

if TYPE_CHECKING:
    from prometheus_client import Metric

router = APIRouter(tags=["metrics"])
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPERATIONS = [each.value for each in OperationName]
PROVIDERS = ("google", "openai", "anthropic", "scripted", "apify")
RESULTS = ("ok", LOST, "not_made", "succeeded", *(each.value for each in FailReason))
OTHER = "other"


@router.get(
    "/metrics", summary="For Prometheus", response_class=Response,
    responses=documented() | {200: {"description": "Prometheus' text format", "content": {"text/plain": {}}}},
)  # fmt: skip
async def metrics(request: Request, access: Reader, house: TheHouse) -> Response:
    """What everything came to, and how it stands. Send the token as `authorization` of the scrape."""
    refuse_bound(access, "what is measured")
    state = request.app.state
    totals: Totals | None = getattr(state, "totals", None)
    if totals is None or totals.database is not house.ledger.database:
        totals = state.totals = Totals(house.ledger.database)
    return Response(await run_in_threadpool(_told, house.app, totals, state.counts), media_type=MEDIA_TYPE)


def _told(app: App, totals: Totals, counts: Counts) -> bytes:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collected([*_of_the_books(app, totals), *_of_http(counts)]))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collected:
    """What was read before: whoever collects would not know what to do about an error."""

    def __init__(self, families: "Sequence[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterator[Metric]":
        return iter(self._families)


# -- families ----------------------------------------------------------------------------------------------------------

Values = Mapping[tuple[str, ...], float]


def _gauge(name: str, about: str, labels: Sequence[str], values: Values) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"tallybook_{name}", about, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _counter(name: str, about: str, labels: Sequence[str], values: Values) -> "Metric":
    """*name* without `_total`."""
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"tallybook_{name}", about, labels=labels)
    for label, value in values.items():
        family.add_metric(label, value)
    return family


def _by(values: Mapping[str, float]) -> Values:
    return {(name,): value for name, value in values.items()}


# -- of the books ------------------------------------------------------------------------------------------------------


def _of_the_books(app: App, totals: Totals) -> "Iterator[Metric]":
    begun, now = time.monotonic(), app.ledger.clock()
    yield from _of_sums(totals.sums(now))
    yield from _of_standing(totals.standing(now, [each.name for each in app.followers]))
    spooled = app.alarms.spooled()
    calls = {"waiting": sum(each.waiting for each in spooled), "broken": sum(each.broken for each in spooled)}
    yield _gauge("spooled_calls", "Tracking calls outside the books, of this server's folder", ["state"], _by(calls))
    yield _gauge("build_info", "Which Tallybook answers", ["version"], {(__version__,): 1})
    yield _gauge("books_read_seconds", "How long it took to read all this", [], {(): time.monotonic() - begun})


def _of_sums(sums: Sums) -> "Iterator[Metric]":
    figures = {
        operation: dict(zip(TALLY, sums.operations.get(operation, (0,) * len(TALLY)), strict=True))
        for operation in OPERATIONS
    }

    def of(*names: str, scale: float = 1) -> Values:
        many = len(names) > 1
        return {
            (operation, *([name.removesuffix("_tokens")] if many else [])): each[name] / scale
            if scale != 1
            else each[name]
            for operation, each in figures.items()
            for name in names
        }

    labels = ["operation"]
    yield _counter("leads_found", "Leads on worklists", labels, of("found"))
    yield _counter("outcomes", "What became of them", [*labels, "kind"], of(*(each.value for each in Kind)))
    yield _counter("posts", "Posts harvested or examined", labels, of("posts"))
    tokens = of("input_tokens", "output_tokens")
    yield _counter("tokens", "Tokens of calls; the cached ones are among the input", [*labels, "kind"], tokens)
    yield _counter("cached_tokens", "Input tokens from the provider's cache", labels, of("cached_tokens"))
    yield _counter("cost_usd", "Cost of calls in US dollars", labels, of("cost_pico_usd", scale=PICO_PER_USD))
    yield _counter("calls_unmeasured", "Calls of unknown usage, maybe billed", labels, of("unmeasured"))
    yield _counter("calls_unpriced", "Calls whose price nobody knows", labels, of("unpriced"))
    yield _counter("calls", "Settled calls at providers", ["provider", "operation", "result"], _calls(sums))


def _calls(sums: Sums) -> Values:
    """What reporters wrote that is no word of ours is `other`."""
    found: dict[tuple[str, ...], float] = {}
    for (provider, operation, result), count in sums.calls.items():
        named = _known(provider, PROVIDERS), _known(operation, OPERATIONS), _known(result, RESULTS)
        found[named] = found.get(named, 0) + count
    return found


def _known(word: str, words: Sequence[str]) -> str:
    return word if word in words else OTHER


def _of_standing(found: Standing) -> "Iterator[Metric]":
    ended = {each.value: found.runs[each.value] for each in Status if each.terminal}
    opened = {each.value: found.runs[each.value] for each in Status if not each.terminal}
    yield _counter("runs_ended", "Runs that have ended", ["status"], _by(ended))
    yield _gauge("runs", "Runs that are open", ["status"], _by(opened))
    yield _gauge(
        "client_runs", "Client runs that are open; the queued ones are the queue", ["status"], _by(found.client_runs)
    )
    yield _gauge("oldest_open_run_age_seconds", "Since when the oldest open run is", [], {(): found.oldest_open_s})
    alerts = {each.value: found.alerts.get(each.value, 0) for each in AlertKind}
    yield _gauge("alerts_open", "Alerts of which nobody has taken notice", ["kind"], _by(alerts))
    yield _gauge("inbox_deliveries", "Webhook deliveries that are not applied", ["state"], _by(found.inbox))
    yield _counter("missed_runs", "Due times of schedules at which no run began", [], {(): found.missed})
    looked_at = found.looked_at.timestamp() if found.looked_at is not None else 0
    about = "Up to when every schedule is accounted for; 0 without one. When it stands still, no server keeps them"
    yield _gauge("schedules_kept_until_timestamp_seconds", about, [], {(): looked_at})
    followers = found.followers.items()
    lag, owed = ({name: each.lag_s for name, each in followers}, {name: each.owed for name, each in followers})
    trouble = {name: int(each.in_trouble) for name, each in followers}
    yield _gauge("follower_lag_seconds", "Age of the oldest ended run it was not told of", ["follower"], _by(lag))
    yield _gauge("follower_owed_rows", "Runs and client runs it is to be told of", ["follower"], _by(owed))
    yield _gauge("follower_in_trouble", "1: nothing can be told to it", ["follower"], _by(trouble))


# -- of this process ---------------------------------------------------------------------------------------------------


def _of_http(counts: Counts) -> "Iterator[Metric]":
    from prometheus_client.core import HistogramMetricFamily

    requests = {tuple(key): float(count) for key, count in counts.requests.items()}
    about = "Requests this process answered, since it started"
    yield _counter("http_requests", about, ["route", "method", "status"], requests)
    about = "Until an answer began"
    family = HistogramMetricFamily("tallybook_http_request_duration_seconds", about, labels=["route"])
    for route, each in list(counts.durations.items()):
        family.add_metric([route], buckets=each.cumulated(), sum_value=each.sum_s)
    yield family
