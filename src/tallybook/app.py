"""Wiring: the only room that knows concrete names. What is made here is handed to the rooms below as ports."""

import importlib.util
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from tallybook import migrations
from tallybook.database import Database
from tallybook.domain import signing
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput, BadSetting
from tallybook.domain.external import Tag
from tallybook.domain.ports import Operation, Scorer
from tallybook.domain.run import OperationName
from tallybook.domain.runid import Form
from tallybook.domain.schedule import Schedule
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write.secrets import signing_secret
from tallybook.ledger.write.starts import RunIdStyle
from tallybook.settings import Settings, load
from tallybook.stores.sql import SqlClients

if TYPE_CHECKING:
    from tallybook.airtable.client import AirtableDoor
    from tallybook.domain.alert import Alarms
    from tallybook.domain.following import Follower
    from tallybook.domain.ports import Harvester
    from tallybook.engine.engine import Engine
    from tallybook.engine.runner import Limits
    from tallybook.followers.airtable_mirror import AirtableMirror
    from tallybook.harvesters.apify import CallBack
    from tallybook.stores.airtable_clients import AirtableClients
    from tallybook.tracking import JobTracking

APIFY_WEBHOOK = "/webhooks/apify"
SPOOL = "tallybook-spool"


def _keywords(_settings: Settings) -> Scorer:
    from tallybook.scorers.keywords import KeywordScorer

    return KeywordScorer()


def _scripted(settings: Settings) -> Scorer:
    from tallybook.scorers.scripted import ScriptedScorer

    script = settings.scripted
    return ScriptedScorer(
        latency_ms=script.latency_ms,
        fail_every=script.fail_every,
        truncate_every=script.truncate_every,
        tokens_per_call=script.tokens_per_call,
    )


def _lead_scoring(scorer: Scorer) -> Operation:
    from tallybook.operations.lead_scoring import LeadScoring

    return LeadScoring(scorer)


def _post_scoring(scorer: Scorer) -> Operation:
    from tallybook.operations.post_scoring import PostScoring

    return PostScoring(scorer)


def _model(settings: Settings) -> Scorer:
    """A paid model. Raises BadSetting for one that cannot be asked as things stand."""
    from tallybook.scorers.attempts import Patience
    from tallybook.scorers.model import ModelScorer, Named
    from tallybook.scorers.prices import Rate

    asked = settings.scorer
    provider, _, model = asked.model.partition(":")
    if importlib.util.find_spec("pydantic_ai") is None:
        raise BadSetting(f"scorer.model {asked.model} needs an extra that is not installed: pip install '{EXTRA}'")
    if asked.api_key is None and not (provider == "google" and any(name in os.environ for name in VERTEX)):
        vertex = f", or for Vertex {VERTEX[0]}" if provider == "google" else ""
        raise BadSetting(f"scorer.model {asked.model} needs a key: set TALLYBOOK_SCORER__API_KEY{vertex}")
    own = {each.model: Rate(each.input, each.output, each.cached) for each in settings.prices}
    key = asked.api_key.reveal() if asked.api_key else ""
    named = Named(provider, model, key, asked.base_url, own)
    return ModelScorer(named, Patience(asked.tries, float(asked.request_timeout_s), float(asked.deadline_s)))


EXTRA = "tallybook[llm]"
VERTEX = ("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS")
SCORERS: Mapping[str, Callable[[Settings], Scorer]] = {
    "keywords": _keywords,
    "scripted": _scripted,
    "google": _model,
    "openai": _model,
    "anthropic": _model,
}
"""By what stands before the colon of `scorer.model`."""
OPERATIONS: Mapping[OperationName, Callable[[Scorer], Operation]] = {
    OperationName.LEAD_SCORING: _lead_scoring,
    OperationName.POST_SCORING: _post_scoring,
}


def _apify(settings: Settings, call_back: "CallBack | None") -> "Harvester | None":
    """None: it is not configured. Raises BadSetting for half a configuration, and where its extra is missing."""
    asked = settings.apify
    if asked.token is None and asked.actor_id is None:
        return None
    if asked.token is None or asked.actor_id is None:
        raise BadSetting("harvesting posts needs both: set TALLYBOOK_APIFY__TOKEN and TALLYBOOK_APIFY__ACTOR_ID")
    if importlib.util.find_spec("apify_client") is None:
        raise BadSetting("harvesting posts needs an extra that is not installed: pip install 'tallybook[apify]'")
    from tallybook.harvesters.apify import Actor, ApifyHarvester

    actor = Actor(asked.actor_id, asked.profiles_field, asked.posts_field)
    return ApifyHarvester(asked.token.reveal(), asked.api_url, actor, call_back)


@dataclass(frozen=True, slots=True)
class Schema:
    """Versions of the tables: those that are there (None: none are), and those this Tallybook was written for."""

    current: str | None
    needed: str


class App:
    """Everything one process holds, made when first asked for. Close it at the end.

    Raises BadSetting, LedgerUnavailable, SchemaMismatch.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def bare_database(self) -> Database:
        """The configured database as it is, whatever tables it has or lacks."""
        return Database(self.settings.database.url.reveal())

    @cached_property
    def database(self) -> Database:
        """The configured database, with all tables. A new one is made."""
        migrations.ensure(self.bare_database)
        return self.bare_database

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.database)

    @cached_property
    def clients(self) -> SqlClients:
        return SqlClients(self.database)

    @cached_property
    def visited(self) -> "SqlClients | AirtableClients":
        """The clients as a run finds them: those that are kept in Airtable are read there. Raises BadSetting,
        also where there are such and Airtable is not configured: their leads would be worked on and nobody there told.
        """
        asked = self.settings.airtable
        if asked.master_base_id is None or self.airtable is None:
            if kept := sorted(self.clients.in_airtable()):
                missing = "airtable.token" if asked.token is None else "airtable.master_base_id"
                raise BadSetting(f"client {kept[0]} is kept in Airtable: set {missing}, or import it from a file")
            return self.clients
        from tallybook.airtable.seen import OperatorBase
        from tallybook.stores.airtable_clients import AirtableClients

        return AirtableClients(self.clients, self.airtable, OperatorBase(asked.master_base_id))

    @cached_property
    def run_id_style(self) -> RunIdStyle:
        return RunIdStyle(self.settings.run_id.format is Form.STRUCTURED, self.settings.run_id.timezone)

    @property
    def budgets(self) -> Budgets:
        """What holds for every run, and for every client that has no budget of its own."""
        budget = self.settings.budget
        return Budgets(
            day=Ceiling(budget.client_tokens_per_day, budget.client_usd_per_day),
            month=Ceiling(budget.client_tokens_per_month, budget.client_usd_per_month),
            run=Ceiling(budget.run_tokens, budget.run_usd),
            in_flight_s=2.0 * self.settings.scorer.request_timeout_s,
        )

    @cached_property
    def scorer(self) -> Scorer:
        return SCORERS[self.settings.scorer.model.partition(":")[0]](self.settings)

    @cached_property
    def operations(self) -> Mapping[OperationName, Operation]:
        return self.operations_with(self.scorer)

    def operations_with(self, scorer: Scorer) -> Mapping[OperationName, Operation]:
        """Every operation there is; of those that need an account elsewhere, the ones that have it."""
        found = {name: make(scorer) for name, make in OPERATIONS.items()}
        return {**found, OperationName.POST_HARVESTING: self.harvesting} if self.harvesting else found

    @cached_property
    def harvesting(self) -> Operation | None:
        """None: nobody is configured who fetches posts. Raises BadSetting."""
        harvester = _apify(self.settings, self._call_back)
        if harvester is None:
            return None
        from tallybook.operations.post_harvesting import Pace, PostHarvesting

        asked = self.settings.harvesting
        recheck_after, run_timeout = timedelta(days=asked.recheck_days), timedelta(seconds=asked.run_timeout_s)
        pace = Pace(
            asked.batch,
            asked.posts_per_lead,
            asked.daily_target,
            recheck_after,
            run_timeout,
            asked.runs_at_once,
            asked.usd_per_lead,
        )
        return PostHarvesting(harvester, pace)

    @property
    def _call_back(self) -> "CallBack | None":
        """None: nobody outside knows how to reach us."""
        url = self.settings.server.public_url
        if url is None:
            return None
        from tallybook.harvesters.apify import CallBack

        return CallBack(f"{url}{APIFY_WEBHOOK}", self._sign)

    def _sign(self, tag: Tag) -> str:
        return signing.sign(self.signing_secrets[0], tag.run_id, tag.client_id, tag.call_id, tag.expires_at)

    @cached_property
    def signing_secrets(self) -> Sequence[bytes]:
        """What the tokens of external runs are signed with; the same for all processes of one database."""
        return [self.ledger.do(signing_secret, secrets.token_hex(32)).encode()]

    @property
    def apify_tasks(self) -> Mapping[str, ClientId]:
        """Actor task -> the client it works for."""
        return dict(self.settings.apify.tasks)

    @cached_property
    def airtable(self) -> "AirtableDoor | None":
        """None: no token is configured. Raises BadSetting where its extra is missing."""
        asked = self.settings.airtable
        if asked.token is None:
            return None
        if importlib.util.find_spec("pyairtable") is None:
            raise BadSetting("Airtable needs an extra that is not installed: pip install 'tallybook[airtable]'")
        from tallybook.airtable.client import AirtableDoor
        from tallybook.airtable.lanes import LanesInProcess
        from tallybook.airtable.pacing import Pace
        from tallybook.airtable.shared_lanes import LanesInDatabase

        token, sqlite = asked.token.reveal(), self.bare_database.sqlite
        lanes = LanesInProcess(time.monotonic) if sqlite else LanesInDatabase(self.database)
        return AirtableDoor(token, asked.endpoint_url, Pace(lanes, token))

    @cached_property
    def mirror(self) -> "AirtableMirror | None":
        """None: no base of the operator's is configured. Raises BadSetting."""
        asked = self.settings.airtable
        if asked.master_base_id is None or self.airtable is None:
            return None
        from tallybook.airtable.seen import OperatorBase
        from tallybook.followers.airtable_mirror import AirtableMirror
        from tallybook.followers.mirror_window import Window

        window = Window(timedelta(days=asked.keep_days), asked.records_per_base)
        return AirtableMirror(self.airtable, OperatorBase(asked.master_base_id), window)

    @property
    def followers(self) -> "Sequence[Follower]":
        """Who is told of runs. Raises BadSetting."""
        from tallybook.followers.mailing import mailing

        return [*(each for each in (self.mirror,) if each is not None), *mailing(self.settings)]

    @property
    def alarms(self) -> "Alarms":
        """What somebody is to know at once, and through what. Raises BadSetting."""
        from tallybook.followers.alert_channels import channels_of
        from tallybook.settings.alarms import alarms_of
        from tallybook.tracking.spooled import spooled_in

        asked, followers = self.settings.alerts, [each.name for each in self.followers]
        return alarms_of(asked, channels_of, self.budgets, followers, partial(spooled_in, self.spool_folder))

    @property
    def limits(self) -> "Limits":
        from tallybook.engine.runner import Limits

        engine, scorer = self.settings.engine, self.settings.scorer
        return Limits(
            concurrency=engine.concurrency,
            calls_at_once=engine.calls_at_once,
            client_calls_at_once=engine.client_calls_at_once,
            requests_per_minute=scorer.requests_per_minute,
            client_requests_per_minute=scorer.client_requests_per_minute,
            chunk_size=engine.chunk_size,
            client_timeout_s=engine.client_timeout_s,
            run_timeout_s=engine.run_timeout_s,
            look_outside_every=timedelta(seconds=self.settings.harvesting.look_every_s),
            budgets=self.budgets,
        )

    @property
    def schedules(self) -> Sequence[Schedule]:
        """Each once, in the order of the settings."""
        made = (
            Schedule(each.cron, each.stream, each.timezone, each.operations or tuple(OperationName), each.limit)
            for each in self.settings.schedule
        )
        return list({each.schedule_id: each for each in made}.values())

    def engine(self, *, keeps_schedules: bool = False) -> "Engine":
        """A launched engine; whoever asks closes it. *keeps_schedules*: it starts runs when due, and alerts."""
        from tallybook.engine.engine import Engine
        from tallybook.engine.schedule import Timetable

        timetable = Timetable(self.schedules, self.run_id_style, self.alarms) if keeps_schedules else None
        return Engine(self.ledger, self.visited, self.operations, self.limits, timetable, followers=self.followers)

    @property
    def webhook_secrets(self) -> Sequence[str]:
        """What x-webhook-secret may say: two while callers change over."""
        server = self.settings.server
        return [each.reveal() for each in (server.webhook_secret, server.old_webhook_secret) if each is not None]

    def tracking(self, *, strict: bool = False) -> "JobTracking":
        """The verbs, on the configured database, which may be away just now."""
        from tallybook.tracking import JobTracking

        return JobTracking(lambda: self.ledger, strict=strict, spool_folder=self.spool_folder, style=self.run_id_style)

    @property
    def spool_folder(self) -> Path:
        """Where verbs wait that could not be written: beside the SQLite file, or in the working folder."""
        path = self.bare_database.path
        return (path.parent if path else Path.cwd()) / SPOOL

    @property
    def schema(self) -> Schema:
        """Which tables the database has, and which this Tallybook needs. Raises LedgerUnavailable."""
        return Schema(migrations.current(self.bare_database), migrations.head())

    def upgrade(self) -> None:
        """Bring the tables to the version this Tallybook needs. Raises SchemaMismatch when they are newer."""
        schema = self.schema
        if schema.current is not None and schema.current >= schema.needed:
            migrations.ensure(self.bare_database)
            return
        migrations.upgrade(self.bare_database)

    def downgrade(self, to: str) -> None:
        """Take the tables back to version *to*; `base` removes them with all that is in them. Raises BadInput."""
        schema = self.schema
        versions = [f"{number:04d}" for number in range(1, int(schema.current or 0))]
        if to not in ("base", *versions):
            known = ", ".join(("base", *versions))
            raise BadInput(f"the database has version {schema.current or 'none'}; it goes back to: {known}; got {to!r}")
        migrations.downgrade(self.bare_database, to)

    def close(self) -> None:
        for name in ("clients", "ledger", "bare_database"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()
        for name in ("database", "visited"):
            self.__dict__.pop(name, None)


def open_app(flags: Mapping[str, object] | None = None) -> App:
    """The app of this process: flags, environment, the tallybook.toml of the working folder. Raises BadSetting."""
    return App(load(flags or {}, environ=os.environ, folder=Path.cwd()))


def job_tracking(
    *, strict: bool = False, url: str | None = None, token: str | None = None, spool_folder: Path | None = None
) -> "JobTracking":
    """What `tallybook.JobTracking()` gives: the configured database's book, or with *url* and *token* that of a server.

    *spool_folder*: where verbs wait while that server is away; one for each token. Raises BadSetting.
    """
    if url is None and token is None and spool_folder is None:
        return open_app().tracking(strict=strict)
    from tallybook.tracking import JobTracking
    from tallybook.tracking.credentials import folder_name
    from tallybook.tracking.remote import ServerDoor

    door = ServerDoor(url, token)
    return JobTracking(door, strict=strict, spool_folder=spool_folder or Path.cwd() / SPOOL / folder_name(door.url))
