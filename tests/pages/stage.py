"""What the pages are looked at with: the demo's clients, nights of runs, the last with failures, one that waits."""

import random
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from tallybook.app import App
from tallybook.database import Database, utc_now
from tallybook.domain.alert import AlertKind, Condition
from tallybook.domain.client import Client
from tallybook.domain.delivery import Delivery, News
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason, Versions
from tallybook.domain.run import OperationName, Stop
from tallybook.domain.tally import Money, PriceList, Usage
from tallybook.ledger.keys import OperationKey
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import alerts, endings, inbox, starts, stops
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.settings import load
from tallybook.testing.demo_data import demo_clients
from tests.ledger.scenes import (
    LEAD_SCORING,
    POST_SCORING,
    Clock,
    asked,
    begun,
    called,
    client_of,
    frozen,
    planned,
    recorded,
)

SETTINGS = """
[run_id]
timezone = "Europe/Berlin"

[scorer]
model = "scripted"

[scripted]
latency_ms = {latency_ms}
fail_every = 7
truncate_every = 11

[engine]
calls_at_once = 2

[budget]
client_tokens_per_day = 2_000_000
client_usd_per_month = 40

[[schedule]]
stream = 1
cron = "0 3 * * *"
timezone = "Europe/Berlin"

[[schedule]]
cron = "30 18 * * fri"
operations = ["post_scoring"]
limit = 200
"""
DAYS = 14
LEADS = 24
WAITING = ("larkspur-clinic", "mill-lane-dental")
"""Clients of the second stream."""
_SAID = ("logistics", "law", "clinic", "hiring", "growth")


def staged_app(folder: Path, *, latency_ms: int = 40) -> App:
    """An app with settings of its own on new books, without any run."""
    (folder / "tallybook.toml").write_text(SETTINGS.format(latency_ms=latency_ms))
    app = App(load({"database.url": f"sqlite:///{folder}/tallybook.db"}, environ={}, folder=folder))
    demo = demo_clients()
    others = [Client(each, each.replace("-", " ").title(), stream=2) for each in WAITING]
    app.clients.put_clients([*(each.client for each in demo), *others])
    for waiting in WAITING:
        app.clients.put_rubric(waiting, demo[0].rubric)
    for each in demo:
        app.clients.put_rubric(each.client.client_id, each.rubric)
        app.clients.put_leads(each.client.client_id, list(each.leads))
    return app


def furnish(app: App, days: int = DAYS) -> str:
    """So many nights of runs, and what else the pages show; gives the id of the newest run, which has failures."""
    runs = history(app.database, days)
    run_id = runs[-1]
    ledger = app.ledger
    _wait(app.database)
    _deliver(ledger)
    ledger.do(alerts.note, _conditions(run_id), (), ())
    return run_id


def history(database: Database, days: int = DAYS) -> Sequence[str]:
    """A run a night, of the demo's three clients, with what calls cost; the newest last."""
    clock, rng = Clock(), random.Random(7)
    found = []
    with closing(_books(database, clock)) as books:
        for day in range(days, -1, -1):
            clock.now = _night(day)
            found.append(_run(books, clock, rng, trouble=0.25 if day == 0 else 0.03 * (day % 4)))
    return found


def _books(database: Database, clock: Clock) -> Ledger:
    """The same books, by another clock."""
    return Ledger(Database(f"sqlite:///{database.path}"), clock)


def _night(day: int) -> datetime:
    return (utc_now() - timedelta(days=day)).replace(hour=0, minute=30, second=0, microsecond=0)


def _run(books: Ledger, clock: Clock, rng: random.Random, *, trouble: float) -> str:
    people = {each.client.client_id: [lead.lead_id for lead in each.leads] for each in demo_clients()}
    run_id = books.do(starts.start, asked(operations=tuple(OperationName), by="the schedule 0 3 * * *")).run_id
    books.do(starts.plan, run_id, [each.client for each in demo_clients()])
    for client_id, everybody in people.items():
        clock.pass_by(seconds=rng.randint(1, 9))
        client = begun(books, run_id, client_id)
        for operation in (LEAD_SCORING, POST_SCORING):
            leads = [everybody[0], *rng.sample(everybody[1:], rng.randint(LEADS // 2, LEADS))]
            key = frozen(books, client, leads, operation)
            _work(books, clock, rng, key=key, leads=leads, trouble=trouble)
            books.do(endings.close_operation, key)
        books.do(endings.close_client, client)
    return run_id


def _work(
    books: Ledger, clock: Clock, rng: random.Random, *, key: OperationKey, leads: Sequence[str], trouble: float
) -> None:
    for number, some in enumerate(leads[at : at + 5] for at in range(0, len(leads), 5)):
        clock.pass_by(seconds=rng.randint(3, 14))
        cost = Usage(rng.randint(2400, 4200), 800, rng.randint(300, 800), Money.usd("0.0061"), PriceList("ours", "1"))
        called(books, key, f"{key.run_id} {key.client_id} {key.operation} {number}", cost)
        recorded(books, key, *(_outcome(rng, each, trouble) for each in some))


def _outcome(rng: random.Random, lead: str, trouble: float) -> Outcome:
    luck = rng.random()
    if luck < trouble:
        reasons = (
            FailReason.OUTPUT_TRUNCATED,
            FailReason.OUTPUT_TRUNCATED,
            FailReason.SAFETY_BLOCK,
            FailReason.TIMEOUT,
        )
        return Outcome.failed(lead, rng.choice(reasons))
    if luck > 0.94:
        return Outcome.skipped(lead, SkipReason.INSUFFICIENT_PROFILE)
    score, word = round(rng.uniform(20, 95), 2), rng.choice(_SAID)
    breakdown = {"fit": {"points": round(score * 0.6), "bound": 60, "evidence": word}}
    versions = Versions(rubric="r1", prompt="p1", formula=1, model="gemini")
    assessment = f"Writes about {word} and decides on purchases."
    return Outcome(lead, Kind.SCORED, score=score, assessment=assessment, breakdown=breakdown, versions=versions)


def known_lead() -> str:
    """One of acme-law of which every run has an outcome."""
    return demo_clients()[0].leads[0].lead_id


# -- what needs somebody -----------------------------------------------------------------------------------------------


def _wait(database: Database) -> None:
    """A run that was paused in the middle, of a stream of its own."""
    clock = Clock(utc_now() - timedelta(hours=2))
    start = asked(operations=(LEAD_SCORING,), stream=2, by="token 1a2b3c4d", queue_behind=True)
    leads = [f"people.test/in/waiting-{number}" for number in range(20)]
    with closing(_books(database, clock)) as books:
        run_id = planned(books, *WAITING, start=start)
        key = frozen(books, begun(books, run_id, WAITING[0]), leads)
        clock.pass_by(seconds=40)
        recorded(books, key, *(Outcome(each, Kind.SCORED, score=50.0) for each in leads[:12]))
        books.do(stops.stop_run, run_id, Stop.PAUSE, "paused by token 1a2b3c4d")
        books.do(stops.stop_client, client_of(key), Stop.PAUSE, "paused by token 1a2b3c4d")


def _deliver(ledger: Ledger) -> None:
    """One of a run that nobody knows, one that says nothing."""
    for number, news in enumerate((News.OVER, News.OTHER)):
        delivery = Delivery(
            "apify",
            f"dispatch-{number}",
            "{}",
            {},
            "ACTOR.RUN.SUCCEEDED",
            news,
            f"apifyrun{number}",
            None,
            None,
            "task9",
        )
        ledger.do(inbox.keep, delivery, RunIdStyle())
        ledger.do(inbox.apply, "apify", delivery.delivery_id, None)


def _conditions(run_id: str) -> Sequence[Condition]:
    text = f"Run {run_id} of stream 1 ended with errors: see `tallybook run explain {run_id}`"
    return [
        Condition(AlertKind.RUN_WITH_ERRORS, run_id, text, run_id=run_id),
        Condition(
            AlertKind.ORPHANS, "inbox", "A delivery of a run that nobody knows; `tallybook webhook list` shows it"
        ),
    ]
