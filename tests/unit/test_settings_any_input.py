"""Whatever is said to settings, they are settings or one line, and no secret shows."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from croniter import croniter  # type: ignore[import-untyped]  # what DBOS reads cron lines with
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tallybook.domain.errors import BadSetting
from tallybook.settings import Loaded, Price, Schedule, load_with_origins, shown
from tallybook.settings.cron import cron
from tallybook.settings.sections import SETTINGS, settings_of

KEYS = sorted(SETTINGS)
SECRETS = sorted(key for key, setting in SETTINGS.items() if setting.spec.secret)
HEADERS = {"schedule": "[[schedule]]", "prices": "[prices.'openai:x']"}
WORDS_IN_FILES = sorted(
    [
        *KEYS,
        *(each.key for kind, name in ((Schedule, "schedule"), (Price, "prices")) for each in settings_of(kind, name)),
    ]
)
AWKWARD = [
    *("", " ", "0", "-1", "8080", "4.5", "1e3", "1e999999999", "٣", "true", "nan", "9" * 5000),
    *(
        "UTC",
        "Europe",
        "Europe/Berlin",
        "../x",
        "/etc/localtime",
        "a\0b",
        "\udcff",
        "openai:",
        "openai:x",
        "structured",
    ),
    *("http://[", "http://h:99999", "http://h", "sqlite:///", "sqlite:///x", "postgresql://h:x/y", "smtp://h:0"),
    *("app" + "a" * 14, "a@b", "a@b,", "x://y, z://", "0 6 * * *", "lead_scoring"),
]
TEXTS = st.text() | st.sampled_from(AWKWARD)
CRON_WORDS = st.from_regex(
    r"[0-9*,/-]{1,5}|\*/[0-9]{1,2}|[0-9]{1,2}-[0-9]{1,2}/[0-9]|(mon|SUN|jan|Dec)(-(fri|sat|feb))?", fullmatch=True
)

untimed = settings(deadline=None)  # they read files


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """One folder for all examples of a property."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def outcome(flags: Mapping[str, object], environ: Mapping[str, str], folder: Path) -> Loaded | BadSetting:
    try:
        return load_with_origins(flags, environ=environ, folder=folder)
    except BadSetting as refused:
        return refused


def lines(met: Loaded | BadSetting) -> list[str]:
    """All that people get to see of it."""
    return [str(met)] if isinstance(met, BadSetting) else [" ".join(map(str, row)) for row in shown(met)]


@untimed
@given(key=st.sampled_from(KEYS), value=TEXTS)
def test_any_text_in_the_environment_is_a_setting_or_refused(scratch: Path, key: str, value: str) -> None:
    (scratch / "tallybook.toml").unlink(missing_ok=True)
    assert all(map(str.isprintable, lines(outcome({}, {SETTINGS[key].variable: value}, scratch))))


@untimed
@given(key=st.sampled_from(WORDS_IN_FILES), value=TEXTS)
def test_any_text_in_the_file_is_a_setting_or_refused(scratch: Path, key: str, value: str) -> None:
    section, _, word = key.partition(".")
    text = json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
    (scratch / "tallybook.toml").write_text(f"{HEADERS.get(section, f'[{section}]')}\n{word} = {text}\n")
    assert all(map(str.isprintable, lines(outcome({}, {}, scratch))))


@untimed
@given(content=st.binary() | st.text("[]{}='\"#.,\n schedulepricsv0123456789_-+enaif", max_size=80).map(str.encode))
@example(content=b"a = 1e99999999999999999999")
def test_any_file_is_settings_or_refused(scratch: Path, content: bytes) -> None:
    (scratch / "tallybook.toml").write_bytes(content)
    assert all(map(str.isprintable, lines(outcome({}, {}, scratch))))


@untimed
@given(name=st.text(), value=TEXTS)
def test_any_variable_of_our_prefix_is_a_setting_or_refused(scratch: Path, name: str, value: str) -> None:
    (scratch / "tallybook.toml").unlink(missing_ok=True)
    assert all(map(str.isprintable, lines(outcome({}, {f"TALLYBOOK_{name}": value}, scratch))))


@untimed
@given(
    key=st.sampled_from(KEYS),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.lists(TEXTS, max_size=3) | st.binary(),
)
@example(key="budget.run_usd", value=10**5000)
def test_a_flag_of_any_type_is_a_setting_or_refused(scratch: Path, key: str, value: object) -> None:
    (scratch / "tallybook.toml").unlink(missing_ok=True)
    assert all(map(str.isprintable, lines(outcome({key: value}, {}, scratch))))


@untimed
@given(key=st.sampled_from(SECRETS), before=TEXTS, after=TEXTS, way=st.sampled_from(["variable", "flag", "file"]))
@example(key="database.url", before="", after="", way="variable")
@example(key="mail.url", before="smtp://u:", after="@h:587", way="file")
@example(key="mail.url", before="http://u:", after="@h:99999", way="flag")
@example(key="alerts.urls", before="ntfy://", after="", way="flag")
def test_no_secret_is_ever_shown(scratch: Path, key: str, before: str, after: str, way: str) -> None:
    (scratch / "tallybook.toml").unlink(missing_ok=True)
    value = f"{before}planted{after}"
    if key == "database.url":
        value = f"postgresql://user:{value}@host/name"
    (scratch / "secret").write_text(value, encoding="utf-8", errors="surrogatepass")
    variable = SETTINGS[key].variable
    environ = {"variable": {variable: value}, "file": {f"{variable}_FILE": "secret"}}.get(way, {})
    met = outcome({key: value} if way == "flag" else {}, environ, scratch)
    inside = asdict(met.settings) if isinstance(met, Loaded) else (met.args, met.__cause__, met.__context__)
    assert "planted" not in f"{lines(met)} {met!r} {met!s} {inside!r}"


@pytest.mark.parametrize("rest", [b"", b"\xff", b"x ="], ids=["good", "not UTF-8", "not TOML"])
def test_a_file_with_a_secret_is_refused_without_it(scratch: Path, rest: bytes) -> None:
    (scratch / "tallybook.toml").write_bytes(b"[apify]\ntoken = 'planted'\n" + rest)
    met = outcome({}, {}, scratch)
    assert isinstance(met, BadSetting) == bool(rest)
    assert "planted" not in f"{lines(met)} {met!r} {met.__context__ if isinstance(met, BadSetting) else None!r}"


@untimed
@given(words=st.lists(CRON_WORDS, min_size=5, max_size=5))
def test_every_cron_line_that_is_accepted_can_be_scheduled(words: list[str]) -> None:
    try:
        line = cron(" ".join(words))
    except ValueError:
        return
    assert croniter.is_valid(line, second_at_beginning=True)
