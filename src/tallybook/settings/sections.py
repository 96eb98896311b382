"""Every setting, in its section: type, default, reader, and what it is for.

This is the only list of settings: the environment's variables, the template of tallybook.toml and `config show` follow
from it, and docs/settings.md is tested against it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from tallybook.domain.run import OperationName
from tallybook.domain.runid import Form
from tallybook.domain.tally import Money
from tallybook.settings import readers
from tallybook.settings.cron import cron
from tallybook.settings.readers import Reader, whole
from tallybook.settings.secret import Secret

DATABASE = readers.database_url("sqlite:///tallybook.db")
UTC = ZoneInfo("UTC")
DAY_S, WEEK_S = 86_400, 604_800
MOST_TOKENS = 10**15


@dataclass(frozen=True, slots=True)
class Spec:
    """How a setting is read and what it is for. *example* stands in the template where there is no default."""

    read: Reader[Any]
    about: str
    example: object = None
    secret: bool = False
    key: str | None = None  # in the file, where Python has another name for it


_BEFORE_ANY_BILL = Money.usd("0.05")
_TIMEOUT = whole(1, WEEK_S)
_TOKENS = whole(0, MOST_TOKENS)
_PORT = whole(0, 65_535)
_DIGEST = readers.matching("off|daily|weekly", "off, daily or weekly")
_EACH = readers.matching("all|unwell", "all, or unwell: those that did not complete well")
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_QUIET_HOURS = readers.matching(f"{_CLOCK}-{_CLOCK}", "two times of a day such as 22:00-07:00")


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    url: Annotated[
        Secret,
        Spec(readers.database_url, "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME", secret=True),
    ] = DATABASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    concurrency: Annotated[int, Spec(whole(1, 1_000), "clients at once, per process")] = 4
    calls_at_once: Annotated[int, Spec(whole(1, 1_000), "model calls at once, per process")] = 16
    client_calls_at_once: Annotated[
        int | None, Spec(whole(1, 1_000), "of them, of one client; without it no limit of its own", 8)
    ] = None
    chunk_size: Annotated[int, Spec(whole(1, 50), "leads in one model call, 1 to 50")] = 5
    run_timeout_s: Annotated[int, Spec(_TIMEOUT, "seconds a run may work; waiting does not count")] = 10_800
    client_timeout_s: Annotated[int, Spec(_TIMEOUT, "seconds one client of a run may work")] = 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    model: Annotated[
        str, Spec(readers.model, "who scores: keywords, scripted, google:NAME, openai:NAME or anthropic:NAME")
    ] = "keywords"
    api_key: Annotated[
        Secret | None, Spec(readers.secret, "the provider's key; not for Vertex", "your-key", secret=True)
    ] = None
    base_url: Annotated[
        str | None, Spec(readers.http_url, "another address of the provider", "http://127.0.0.1:9000/v1")
    ] = None
    requests_per_minute: Annotated[
        int | None, Spec(whole(1, 1_000_000), "model calls a minute, per process; without it no limit", 60)
    ] = None
    client_requests_per_minute: Annotated[
        int | None, Spec(whole(1, 1_000_000), "of them, for one client; without it no limit of its own", 20)
    ] = None
    tries: Annotated[int, Spec(whole(1, 20), "how often a question is put when the provider fails")] = 4
    request_timeout_s: Annotated[int, Spec(whole(1, 3_600), "seconds one model call may take")] = 60
    deadline_s: Annotated[
        int, Spec(whole(1, 86_400), "seconds one question may take, all tries and waits together")
    ] = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    latency_ms: Annotated[int, Spec(whole(0, 600_000), "milliseconds each answer takes")] = 0
    fail_every: Annotated[int, Spec(whole(0, 10**9), "about one lead in N fails; 0 is none")] = 0
    truncate_every: Annotated[int, Spec(whole(0, 10**9), "about one lead in N has its answer cut; 0 is none")] = 0
    tokens_per_call: Annotated[int, Spec(whole(0, 10**9), "tokens of each call, four fifths of them input")] = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Airtable:
    token: Annotated[Secret | None, Spec(readers.secret, "personal access token", "your-token", secret=True)] = None
    master_base_id: Annotated[
        str | None, Spec(readers.base_id, "the operator's base: clients and the mirror", "appXXXXXXXXXXXXXX")
    ] = None
    endpoint_url: Annotated[str, Spec(readers.http_url, "address of the API")] = "https://api.airtable.com"
    keep_days: Annotated[int, Spec(whole(1, 36_500), "days for which the mirror holds a run")] = 365
    records_per_base: Annotated[int, Spec(whole(100, 10**7), "records a base may hold by your plan, all tables")] = (
        50_000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Apify:
    token: Annotated[Secret | None, Spec(readers.secret, "API token", "your-token", secret=True)] = None
    api_url: Annotated[str, Spec(readers.http_url, "address of the API")] = "https://api.apify.com"
    actor_id: Annotated[str | None, Spec(readers.actor_id, "the actor that fetches posts", "user/actor")] = None
    profiles_field: Annotated[str, Spec(readers.text, "how the actor's input calls the list of profiles")] = (
        "targetUrls"
    )
    posts_field: Annotated[str, Spec(readers.text, "how it calls the most posts of each")] = "maxPosts"
    tasks: Annotated[
        tuple[tuple[str, str], ...],
        Spec(readers.pairs, "actor tasks of your own and the client each works for", ["TASK_ID=acme-law"]),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvesting:
    batch: Annotated[int, Spec(whole(1, 100), "profiles in one run of the actor")] = 50
    posts_per_lead: Annotated[int, Spec(whole(1, 1_000), "most posts of a profile")] = 10
    daily_target: Annotated[
        int | None, Spec(whole(0, 10**6), "most leads of a client in a day; a client may have its own", 100)
    ] = None
    recheck_days: Annotated[int, Spec(whole(0, 3_650), "days after which a profile is looked at again")] = 7
    run_timeout_s: Annotated[int, Spec(_TIMEOUT, "seconds a run of the actor may take")] = 3_600
    look_every_s: Annotated[
        int, Spec(whole(1, 3_600), "seconds after which a run that has not called back is asked about")
    ] = 60
    runs_at_once: Annotated[int, Spec(whole(1, 1_000), "most runs of the actor for one client at the same time")] = 10
    usd_per_lead: Annotated[
        Money, Spec(readers.usd, "set aside from a budget for each lead, until there is a bill to go by", 0.05)
    ] = _BEFORE_ANY_BILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    url: Annotated[
        Secret | None,
        Spec(readers.smtp_url, "the mail server", "smtp://user:password@mail.example.org:587", secret=True),
    ] = None
    from_: Annotated[
        str | None, Spec(readers.address, "who the report is from", "Tallybook <tallybook@example.org>", key="from")
    ] = None
    to: Annotated[tuple[str, ...], Spec(readers.addresses, "who gets the report", ["you@example.org"])] = ()
    digest: Annotated[str, Spec(_DIGEST, "all runs of a day or a week in one mail: off, daily or weekly")] = "off"
    digest_hour: Annotated[
        int, Spec(whole(0, 23), "when it is sent, by the clocks of run_id.timezone; weekly: on Mondays")
    ] = 7
    each: Annotated[
        str | None,
        Spec(_EACH, "runs with a mail of their own: all, or unwell; without it all, but with a digest unwell", "all"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    urls: Annotated[
        tuple[Secret, ...],
        Spec(readers.alert_urls, "where alerts go, as Apprise URLs", ["ntfy://ntfy.example.org/topic"], secret=True),
    ] = ()
    quiet_h: Annotated[int, Spec(whole(0, 168), "hours in which the same thing is not told again")] = 6
    quiet_hours: Annotated[
        str | None, Spec(_QUIET_HOURS, "every day nothing is told then, but afterwards what is still so", "22:00-07:00")
    ] = None
    timezone: Annotated[ZoneInfo, Spec(readers.timezone, "whose clocks the quiet hours mean")] = UTC
    stuck_after_min: Annotated[
        int, Spec(whole(5, 10_080), "minutes of silence after which an open run counts as stuck")
    ] = 60
    errors_percent: Annotated[
        int, Spec(whole(1, 101), "of a run's leads failed, from which on it is worth an alert; 101: never")
    ] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    format: Annotated[
        str, Spec(readers.matching("auto|text|json", "auto, text or json"), "text, json, or auto: text on a terminal")
    ] = "auto"
    level: Annotated[
        str,
        Spec(
            readers.matching("debug|info|warning|error", "debug, info, warning or error"),
            "what is worth a line: debug, info, warning or error",
        ),
    ] = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    host: Annotated[str, Spec(readers.host, "address to listen on")] = "127.0.0.1"
    port: Annotated[int, Spec(_PORT, "port to listen on; 0 takes a free one")] = 8080
    webhook_secret: Annotated[
        Secret | None, Spec(readers.secret, "what x-webhook-secret must say", "your-secret", secret=True)
    ] = None
    old_webhook_secret: Annotated[
        Secret | None,
        Spec(readers.secret, "a second one that is also good, while callers change over", "old-secret", secret=True),
    ] = None
    public_url: Annotated[
        str | None, Spec(readers.http_url, "how others reach this server", "https://tallybook.example.org")
    ] = None
    grace_s: Annotated[int, Spec(whole(0, 3_600), "seconds for what is in flight when the server is told to stop")] = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunIds:
    format: Annotated[Form, Spec(readers.run_id_form, "timestamp or structured")] = Form.TIMESTAMP
    timezone: Annotated[ZoneInfo, Spec(readers.timezone, "whose clocks a run id shows")] = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Debug:
    stream: Annotated[
        int | None, Spec(whole(0, 10**9), "stream of a run that names none; in the environment DEBUG_STREAM", 1)
    ] = None
    client: Annotated[
        str | None, Spec(readers.text, "client of a run that names none; in the environment DEBUG_CLIENT", "acme-law")
    ] = None
    issue: Annotated[
        str | None, Spec(readers.text, "issue in a structured run id; in the environment DEBUG_ISSUE", "BATCH")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    run_tokens: Annotated[int | None, Spec(_TOKENS, "most tokens of one run", 2_000_000)] = None
    run_usd: Annotated[Money | None, Spec(readers.usd, "most US dollars of one run", 5)] = None
    client_tokens_per_day: Annotated[int | None, Spec(_TOKENS, "most tokens of a client in a day", 500_000)] = None
    client_usd_per_day: Annotated[Money | None, Spec(readers.usd, "most US dollars of a client in a day", 1.5)] = None
    client_tokens_per_month: Annotated[int | None, Spec(_TOKENS, "most tokens of a client in a month", 9_000_000)] = (
        None
    )
    client_usd_per_month: Annotated[Money | None, Spec(readers.usd, "most US dollars of a client in a month", 30)] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """An entry of [[schedule]]: when a run starts by itself. No stream: all of them. No operations: all that apply."""

    cron: Annotated[str, Spec(cron, "minute, hour, day, month, weekday", "0 6 * * mon-fri")]
    stream: Annotated[int | None, Spec(whole(0, 10**9), "which stream; without it all of them", 1)] = None
    timezone: Annotated[ZoneInfo, Spec(readers.timezone, "whose clocks the cron line means")] = UTC
    operations: Annotated[
        tuple[OperationName, ...], Spec(readers.operations, "what to do; without it all that apply", ["lead_scoring"])
    ] = ()
    limit: Annotated[int | None, Spec(whole(1, 10**9), "most leads per client and operation", 500)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """An entry of [prices]: US dollars per million tokens. *cached* None: as much as other input."""

    model: str
    input: Annotated[Money, Spec(readers.usd, "US dollars per million input tokens", 0.3)]
    cached: Annotated[Money | None, Spec(readers.usd, "of them, those from the provider's cache", 0.03)] = None
    output: Annotated[Money, Spec(readers.usd, "US dollars per million output tokens", 2.5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, checked. `load` makes it; `Settings()` is the defaults."""

    database: Database = field(default_factory=Database)
    engine: Engine = field(default_factory=Engine)
    scorer: Scorer = field(default_factory=Scorer)
    scripted: Scripted = field(default_factory=Scripted)
    airtable: Airtable = field(default_factory=Airtable)
    apify: Apify = field(default_factory=Apify)
    harvesting: Harvesting = field(default_factory=Harvesting)
    mail: Mail = field(default_factory=Mail)
    alerts: Alerts = field(default_factory=Alerts)
    log: Log = field(default_factory=Log)
    server: Server = field(default_factory=Server)
    run_id: RunIds = field(default_factory=RunIds)
    debug: Debug = field(default_factory=Debug)
    budget: Budget = field(default_factory=Budget)
    schedule: tuple[Schedule, ...] = ()
    prices: tuple[Price, ...] = ()


# What follows from the list


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting by its *key* (`server.port`). *name* is its attribute; *default* MISSING: it must be given."""

    key: str
    name: str
    spec: Spec
    default: object

    @property
    def section(self) -> str:
        return self.key.partition(".")[0]

    @property
    def word(self) -> str:
        """Its name within its section."""
        return self.key.rpartition(".")[2]

    @property
    def variable(self) -> str:
        """The environment's name for it."""
        if self.section == "debug":
            return self.key.replace(".", "_").upper()
        return f"TALLYBOOK_{self.key.replace('.', '__').upper()}"

    @property
    def required(self) -> bool:
        return self.default is MISSING


def settings_of(section: type[Any], prefix: str) -> Iterator[Setting]:
    """The settings of the dataclass *section*, their keys under *prefix*."""
    for each in fields(section):
        for spec in getattr(each.type, "__metadata__", ()):
            yield Setting(f"{prefix}.{spec.key or each.name}", each.name, spec, each.default)


SECTIONS: Mapping[str, type[Any]] = {
    each.name: each.type for each in fields(Settings) if isinstance(each.type, type) and is_dataclass(each.type)
}
SETTINGS: Mapping[str, Setting] = {
    setting.key: setting for name, section in SECTIONS.items() for setting in settings_of(section, name)
}
