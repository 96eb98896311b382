"""Settings: what is in force and where it comes from, and what people see and write.

test_settings_refused.py has what is refused, test_settings_any_input.py what holds for any input.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, fields
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tallybook.domain.errors import BadSetting
from tallybook.domain.run import OperationName
from tallybook.domain.runid import Form
from tallybook.domain.tally import Money
from tallybook.settings import (
    MASK,
    TEMPLATE,
    Engine,
    Loaded,
    Price,
    Schedule,
    Secret,
    Server,
    Settings,
    Source,
    load,
    load_with_origins,
    shown,
)
from tallybook.settings.sections import SETTINGS, settings_of

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"
NOTHING: Mapping[str, str] = {}
SCHEDULES = """
alerts = { urls = ["ntfy://h/t"] }
[[schedule]]
cron = "0 6 * * Mon-Fri"
stream = 1
timezone = "Australia/Brisbane"
operations = ["post_scoring", "lead-scoring"]
limit = 5
[[schedule]]
cron = "*/15  0-5,22 1 jan *"
[prices]
"google:gemini-2.5-flash" = { input = 0.000_000_000_001, cached = 3, output = 2.5 }
[prices."openai:gpt-5"]
input = 1
output = 1e1
"""


def loaded_from(folder: Path, text: str, environ: Mapping[str, str] = NOTHING) -> Loaded:
    (folder / "tallybook.toml").write_text(text, encoding="utf-8")
    return load_with_origins(environ=environ, folder=folder)


# What is in force


def test_without_anything_said_the_defaults_are_in_force(tmp_path: Path) -> None:
    loaded = load_with_origins(environ={}, folder=tmp_path)
    settings = loaded.settings
    assert (settings, loaded.file) == (Settings(), None)
    assert settings.database.url.reveal() == "sqlite:///tallybook.db"
    assert (settings.engine.concurrency, settings.engine.calls_at_once, settings.engine.chunk_size) == (4, 16, 5)
    assert (settings.engine.run_timeout_s, settings.engine.client_timeout_s) == (10_800, 1_800)
    assert (settings.scorer.model, settings.scripted.tokens_per_call) == ("keywords", 500)
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 8080)
    assert (settings.run_id.format, settings.run_id.timezone) == (Form.TIMESTAMP, ZoneInfo("UTC"))


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    (tmp_path / "tallybook.toml").write_text("[engine]\nconcurrency = 1\nchunk_size = 2\ncalls_at_once = 3\n")
    environ = {"TALLYBOOK_ENGINE__CONCURRENCY": "10", "TALLYBOOK_ENGINE__CHUNK_SIZE": "20"}
    loaded = load_with_origins({"engine.concurrency": 100, "engine.chunk_size": None}, environ=environ, folder=tmp_path)
    assert loaded.settings.engine == Engine(concurrency=100, chunk_size=20, calls_at_once=3)
    assert str(loaded.origins["engine.concurrency"]) == "flag"
    assert str(loaded.origins["engine.chunk_size"]) == "TALLYBOOK_ENGINE__CHUNK_SIZE"
    assert str(loaded.origins["engine.calls_at_once"]) == "tallybook.toml:4"
    assert loaded.origins["engine.run_timeout_s"].source is Source.DEFAULT
    assert loaded.file == tmp_path / "tallybook.toml"


def test_a_wrong_value_that_something_stronger_overrides_does_no_harm(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, "[server]\nport = 'x'\n", {"TALLYBOOK_SERVER__PORT": "1"})
    assert loaded.settings.server == Server(port=1)


def test_text_is_read_as_what_the_setting_is(tmp_path: Path) -> None:
    environ = {
        "TALLYBOOK_SCORER__MODEL": " google:gemini-2.5-flash\n",
        "TALLYBOOK_SCORER__BASE_URL": "http://127.0.0.1:9000/v1/",
        "TALLYBOOK_MAIL__FROM": "Tallybook <tallybook@example.org>",
        "TALLYBOOK_MAIL__TO": "a@example.org, b@example.org",
        "TALLYBOOK_MAIL__URL": "smtps://u:p%40ss@mail.example.org:465",
        "TALLYBOOK_ALERTS__URLS": "mailto://x?to=a,b ntfy://h/t,slack://t",
        "TALLYBOOK_RUN_ID__FORMAT": "structured",
        "TALLYBOOK_RUN_ID__TIMEZONE": "Europe/Berlin",
        "TALLYBOOK_BUDGET__RUN_USD": "2.50",
        "DEBUG_STREAM": "7",
        "DEBUG_CLIENT": "",
        "PATH": "/bin",
    }
    settings = load(environ=environ, folder=tmp_path)
    assert (settings.scorer.model, settings.scorer.base_url) == ("google:gemini-2.5-flash", "http://127.0.0.1:9000/v1")
    assert settings.mail.from_ == "Tallybook <tallybook@example.org>"
    assert settings.mail.to == ("a@example.org", "b@example.org")
    assert settings.mail.url == Secret("smtps://u:p%40ss@mail.example.org:465")
    assert [url.reveal() for url in settings.alerts.urls] == ["mailto://x?to=a,b", "ntfy://h/t", "slack://t"]
    assert (settings.run_id.format, settings.run_id.timezone) == (Form.STRUCTURED, ZoneInfo("Europe/Berlin"))
    assert settings.budget.run_usd == Money.usd("2.5")
    assert (settings.debug.stream, settings.debug.client) == (7, None)


def test_schedules_and_prices_are_read_from_the_file(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, SCHEDULES)
    every_morning = Schedule(
        cron="0 6 * * Mon-Fri",
        stream=1,
        timezone=ZoneInfo("Australia/Brisbane"),
        operations=(OperationName.POST_SCORING, OperationName.LEAD_SCORING),
        limit=5,
    )
    assert loaded.settings.schedule == (every_morning, Schedule(cron="*/15 0-5,22 1 jan *"))
    assert loaded.settings.prices == (
        Price(model="google:gemini-2.5-flash", input=Money(1), cached=Money.usd(3), output=Money.usd("2.5")),
        Price(model="openai:gpt-5", input=Money.usd(1), output=Money.usd(10)),
    )
    names = ("alerts.urls", "schedule.1", "schedule.2", "prices.google:gemini-2.5-flash", "prices.openai:gpt-5")
    assert [str(loaded.origins[name]).partition(":")[2] for name in names] == ["2", "3", "9", "12", "13"]


def test_operations_can_be_one_text(tmp_path: Path) -> None:
    text = "[[schedule]]\ncron = '0 6 * * *'\noperations = 'lead_scoring, post_scoring lead_scoring'"
    assert loaded_from(tmp_path, text).settings.schedule[0].operations == ("lead_scoring", "post_scoring")


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_another_file_can_be_named_and_must_then_be_there(tmp_path: Path, way: str) -> None:
    def loaded(name: str) -> Loaded:
        flags = {"config": Path(name) if way == "flag" else None}
        return load_with_origins(flags, environ={"TALLYBOOK_CONFIG": "x" if way == "flag" else name}, folder=tmp_path)

    (tmp_path / "other.toml").write_bytes(b"\xef\xbb\xbf[server]\r\nport = 1\r\n")
    assert str(loaded("other.toml").origins["server.port"]) == "other.toml:2"
    assert loaded(str(tmp_path / "other.toml")).settings.server.port == 1
    with pytest.raises(BadSetting, match=r"there is no file of settings gone\.toml: make it, or change or"):
        loaded("gone.toml")


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ('[debug]\nissue = """\\\n  port = 2"""\n[server]\nport = 1\n', "tallybook.toml"),
        ("server.port = 1\n", "tallybook.toml"),
        ("[ server ] # here\n# port = 2\n'port'=1\n", "tallybook.toml:3"),
        ("[mail]\nto = [\n'a@b'\n]\n[server]\nport = 1\n", "tallybook.toml:6"),
    ],
)
def test_a_line_is_named_only_if_it_is_sure(tmp_path: Path, text: str, origin: str) -> None:
    loaded = loaded_from(tmp_path, text)
    assert (loaded.settings.server.port, str(loaded.origins["server.port"])) == (1, origin)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().server.port = 1  # type: ignore[misc]  # which is the point


# Secrets


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("patABC\n")
    loaded = load_with_origins(environ={"TALLYBOOK_AIRTABLE__TOKEN_FILE": "token"}, folder=tmp_path)
    assert loaded.settings.airtable.token == Secret("patABC")
    assert str(loaded.origins["airtable.token"]) == "TALLYBOOK_AIRTABLE__TOKEN_FILE"


def test_a_secret_shows_only_to_who_asks() -> None:
    secret = Secret("planted")
    assert secret.reveal() == "planted"
    assert "planted" not in f"{secret} {secret!r} {secret!s} {[secret]} {asdict(Server(webhook_secret=secret))}"
    assert secret != "planted"
    assert len({secret, Secret("planted"), Secret("other")}) == 2


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql://u:planted@h:5432/db?sslmode=require", f"postgresql://u:{MASK}@h:5432/db?sslmode=require"),
        ("postgresql://u:p/:?planted@h/db", f"postgresql://u:{MASK}@h/db"),
        ("postgres://h/db?password=planted", MASK),
        ("postgresql+psycopg://u@[::1]/db", "postgresql+psycopg://u@[::1]/db"),
        ("postgresql:///db", "postgresql:///db"),
        ("sqlite:////var/books@home.db", "sqlite:////var/books@home.db"),
    ],
)
def test_the_database_is_shown_without_its_password(tmp_path: Path, url: str, seen: str) -> None:
    loaded = load_with_origins(environ={"TALLYBOOK_DATABASE__URL": url}, folder=tmp_path)
    assert loaded.settings.database.url.reveal() == url
    assert shown(loaded)[0] == ("database.url", seen, "TALLYBOOK_DATABASE__URL")


# What people see and write


def test_config_show_has_every_setting_with_its_origin_and_no_secret(tmp_path: Path) -> None:
    text = "[mail]\nto = ['a@b', 'c@d']\n[[schedule]]\ncron = '0 6 * * *'\n[prices.'openai:x']\ninput = 1\noutput = 2\n"
    rows = {row.key: row[1:] for row in shown(loaded_from(tmp_path, text, {"TALLYBOOK_APIFY__TOKEN": "planted"}))}
    assert list(rows) == [*SETTINGS, "schedule.1", "prices.openai:x"]
    assert rows["apify.token"] == (MASK, "TALLYBOOK_APIFY__TOKEN")
    assert rows["airtable.token"] == rows["alerts.urls"] == (None, "default")
    assert rows["run_id.format"] == ("timestamp", "default")
    assert rows["mail.to"] == ("a@b, c@d", "tallybook.toml:2")
    assert rows["schedule.1"] == ("cron=0 6 * * *, timezone=UTC", "tallybook.toml:3")
    assert rows["prices.openai:x"] == ("input=1, output=2", "tallybook.toml")


@pytest.mark.parametrize("text", [TEMPLATE, re.sub(r"(?m)^#(?=\w)", "", TEMPLATE)], ids=["as it is", "uncommented"])
def test_the_template_is_the_defaults_with_and_without_its_comment_signs(tmp_path: Path, text: str) -> None:
    assert loaded_from(tmp_path, text).settings == Settings()


def test_the_template_has_every_setting_and_its_examples_are_good(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, re.sub(r"(?m)^#(?=\w)|^# Example: ", "", TEMPLATE))
    assert {origin.source for origin in loaded.origins.values()} == {Source.FILE}
    assert not [row for row in shown(loaded) if row.value is None]
    assert (len(loaded.settings.schedule), len(loaded.settings.prices)) == (1, 1)


def test_the_documentation_has_every_setting_as_it_is() -> None:
    docs = DOCS.read_text(encoding="utf-8")
    entries = [each for kind in (Schedule, Price) for each in settings_of(kind, "")]
    for setting in [*SETTINGS.values(), *entries]:
        name = setting.variable if setting.key in SETTINGS else setting.word
        default = "" if setting.required or setting.default in (None, ()) else f"`{setting.default}`"
        assert f"| `{name}` | {default} | {setting.spec.about} |" in docs


def test_no_two_settings_share_a_variable() -> None:
    assert len({setting.variable for setting in SETTINGS.values()}) == len(SETTINGS)
    sections = {setting.section for setting in SETTINGS.values()} | {"schedule", "prices"}
    assert {each.name for each in fields(Settings)} == sections


def test_settings_are_imported_within_150_ms() -> None:
    program = (
        "import sys, time; started = time.perf_counter(); import tallybook.settings;"
        "print(time.perf_counter() - started, *{'pydantic', 'sqlalchemy', 'croniter'} & {*sys.modules})"
    )
    runs = [subprocess.check_output([sys.executable, "-c", program], text=True).split() for _ in range(5)]
    assert [heavy for _, *heavy in runs] == [[]] * 5
    assert min(float(seconds) for seconds, *_ in runs) < 0.15
