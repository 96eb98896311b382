"""A wrong setting is refused in one line: what is wrong, where it was set, what to do."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tallybook.domain.errors import BadSetting
from tallybook.settings import load

NO_FLAGS: Mapping[str, object] = {}
NOTHING: Mapping[str, str] = {}


def refusal(folder: Path, environ: Mapping[str, str] = NOTHING, flags: Mapping[str, object] = NO_FLAGS) -> str:
    with pytest.raises(BadSetting) as refused:
        load(flags, environ=environ, folder=folder)
    assert str(refused.value).isprintable()
    return str(refused.value)


# The whole line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[engine]\nchunk_size = 51",
            "engine.chunk_size must be a whole number from 1 to 50, not 51: change or remove it in tallybook.toml:2",
        ),
        (
            "[engine]\n\nconcurency = 1",
            "there is no setting engine.concurency in tallybook.toml:3: did you mean engine.concurrency?",
        ),
        (
            "[zzzzzzzz]",
            "there is no setting zzzzzzzz in tallybook.toml:1: remove it; `tallybook config show` lists every setting",
        ),
        (
            "[airtable]\ntoken = 12345",
            "airtable.token must be text in quotes: change or remove it in tallybook.toml:2",
        ),
        (
            "[[schedule]]\nstream = 1",
            "schedule.1.cron is missing: add it in tallybook.toml:1",
        ),
        (
            "[server]\nport = ",
            "tallybook.toml is not valid TOML: Invalid value (at end of document); mend it there",
        ),
    ],
)
def test_the_line_for_a_file(tmp_path: Path, text: str, line: str) -> None:
    (tmp_path / "tallybook.toml").write_text(text)
    assert refusal(tmp_path) == line


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        (
            "TALLYBOOK_SCORER__MODEL",
            "",
            "scorer.model must be keywords, scripted, google:NAME, openai:NAME or anthropic:NAME, not empty: "
            "change or unset TALLYBOOK_SCORER__MODEL",
        ),
        (
            "TALLYBOOK_ENGINE_CONCURRENCY",
            "1",
            "there is no setting TALLYBOOK_ENGINE_CONCURRENCY in the environment: "
            "did you mean TALLYBOOK_ENGINE__CONCURRENCY?",
        ),
        (
            "TALLYBOOK_APIFY__TOKEN",
            "two words",
            "apify.token must be printable ASCII without spaces: change or unset TALLYBOOK_APIFY__TOKEN",
        ),
    ],
)
def test_the_line_for_a_variable(tmp_path: Path, name: str, value: str, line: str) -> None:
    assert refusal(tmp_path, {name: value}) == line


def test_the_line_for_a_flag(tmp_path: Path) -> None:
    assert refusal(tmp_path, flags={"server.port": 70_000}) == (
        "server.port must be a whole number from 0 to 65535, not 70000: change or leave out its flag"
    )
    assert refusal(tmp_path, flags={"server.prt": 1}) == (
        "there is no setting server.prt in the flags: did you mean server.port?"
    )


# What is said about each


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[engine]\nchunk_size = true", "not True"),
        ("[engine]\nchunk_size = 5.0", "not '5.0'"),
        ("[engine]\nchunk_size = [1]", "not a list"),
        ("[engine]\nchunk_size = 1979-05-27", "not 1979-05-27"),
        ("[engine]\nchunk_size = 0x" + "f" * 9000, "not so large a number"),
        ("[sever]\nport = 1", "did you mean server?"),
        ("database_url = 'x'", "did you mean database.url?"),
        ("server = 1", "server must be a table of settings, not a value"),
        ("[schedule]\ncron = 'x'", "schedule must be a list of [[schedule]] tables"),
        ("schedule = [1]", "schedule.1 must be a table of settings"),
        ("[[schedule]]\ncorn = ''", "no setting schedule.1.corn in tallybook.toml:2: did you mean schedule.1.cron?"),
        ("[[schedule]]\ncron = 6", "schedule.1.cron must be five fields such as '0 6 * * mon-fri', not 6"),
        ("[[schedule]]\ncron = '0 6 * *'", "must be five fields such as '0 6 * * mon-fri', not '0 6 * *'"),
        ("[[schedule]]\ncron = '0 24 * * *'", "schedule.1.cron has '24' for the hour, which must be within 0-23"),
        ("[[schedule]]\ncron = '5-1 0 * * *'", "has '5-1' for the minute"),
        ("[[schedule]]\ncron = '0 0 * * */0'", "has '*/0' for the weekday"),
        ("[[schedule]]\ncron = '0 0 * jan/2 *'", "has 'jan/2' for the month"),
        ("[[schedule]]\ncron = '0 0 ? * *'", "has '?' for the day"),
        ("[[schedule]]\ncron = '0 0 * * *'\noperations = ['x']", "must be a list of: lead_scoring, post_harvesting"),
        ("prices = 1", "prices must be a table of models"),
        ("[prices.gpt]\ninput = 1\noutput = 1", "a model in prices must be keywords, scripted, google:NAME"),
        ("[prices.'openai:x']\ninput = 1", "prices.openai:x.output is missing: add it in tallybook.toml"),
        ("[prices.'openai:x']\ninput = -1\noutput = 1", "prices.openai:x.input must be an amount in US dollars"),
        ("[budget]\nrun_usd = nan", "not 'nan'"),
        ("[budget]\nrun_usd = 1000000001", "not 1000000001"),
        ("[budget]\nrun_usd = 1e10", "not '1e10'"),
        ("[mail]\nto = ['a@b', 'you']", "mail.to must be a mail address such as tallybook@example.org, not 'you'"),
        ("a=" + "[" * 5000, "tallybook.toml is not valid TOML"),
        ("a=" + "9" * 5000, "tallybook.toml is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tallybook.toml").write_text(text)
    assert said in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TALLYBOOK_SCORER__MODEL", "gemini:x", "not 'gemini:x': change or unset TALLYBOOK_SCORER__MODEL"),
        ("TALLYBOOK_SCORER__MODEL", "x" * 90, "not '" + "x" * 59 + "…'"),
        ("TALLYBOOK_SERVER__PORT", "http", "server.port must be a whole number from 0 to 65535, not 'http'"),
        ("TALLYBOOK_DEBUG__STREAM", "1", "there is no setting TALLYBOOK_DEBUG__STREAM in the environment: did you"),
        ("TALLYBOOK_SERVER__PORT_FILE", "x", "did you mean TALLYBOOK_SERVER__PORT?"),
        ("TALLYBOOK_SERVER__PORT ", "1", "did you mean TALLYBOOK_SERVER__PORT?"),
        ("TALLYBOOK_Q", "1", "there is no setting TALLYBOOK_Q in the environment"),
        ("TALLYBOOK_\n", "1", r"there is no setting 'TALLYBOOK_\n' in the environment"),
        ("TALLYBOOK_CONFIG", " ", "the file of settings must not be empty: change or unset TALLYBOOK_CONFIG"),
        ("TALLYBOOK_RUN_ID__TIMEZONE", "Berlin", "must be a timezone such as Europe/Berlin, not 'Berlin'"),
        ("TALLYBOOK_RUN_ID__FORMAT", "bypass", "run_id.format must be timestamp or structured, not 'bypass'"),
        ("TALLYBOOK_SCORER__BASE_URL", "http://u:planted@h", "scorer.base_url must be http://HOST or https://HOST"),
        ("TALLYBOOK_SCORER__BASE_URL", "http://h?key=planted", "scorer.base_url must be http://HOST"),
        ("TALLYBOOK_SCORER__BASE_URL", "http://h:planted", "scorer.base_url must be http://HOST"),
        ("TALLYBOOK_DATABASE__URL", "sqlite:///:memory:", "database.url must be sqlite:///FILE or postgresql://"),
        ("TALLYBOOK_DATABASE__URL", "postgresql://u:planted@h:port/db", "database.url must be sqlite:///FILE"),
        ("TALLYBOOK_DATABASE__URL", "postgresql://u:p@:planted@h/db", "with @ in a password as %40: change or unset"),
        ("TALLYBOOK_MAIL__URL", "smtp://u:planted@", "mail.url must be smtp://USER:PASSWORD@HOST:PORT"),
        ("TALLYBOOK_ALERTS__URLS", "planted", "alerts.urls must be Apprise URLs (SCHEME://…)"),
        ("DEBUG_STREAM", "one", "debug.stream must be a whole number from 0 to 1000000000, not 'one'"),
    ],
)
def test_a_wrong_variable_is_refused(tmp_path: Path, name: str, value: str, said: str) -> None:
    line = refusal(tmp_path, {name: value})
    assert said in line
    assert "planted" not in line


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("gone", "the file that TALLYBOOK_APIFY__TOKEN_FILE names cannot be read (No such file or directory)"),
        ("", "cannot be read (Is a directory): mend or unset it"),
        ("a\0", "the file that TALLYBOOK_APIFY__TOKEN_FILE names can have no such name"),
        ("binary", "the file that TALLYBOOK_APIFY__TOKEN_FILE names is not UTF-8 text"),
        ("blank", "apify.token must not be empty: change or unset TALLYBOOK_APIFY__TOKEN_FILE"),
    ],
)
def test_the_file_of_a_secret_must_hold_it(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "blank").write_text("\n")
    assert said in refusal(tmp_path, {"TALLYBOOK_APIFY__TOKEN_FILE": path})


def test_a_secret_is_given_once(tmp_path: Path) -> None:
    twice = {"TALLYBOOK_APIFY__TOKEN": "planted", "TALLYBOOK_APIFY__TOKEN_FILE": "token"}
    line = "TALLYBOOK_APIFY__TOKEN and TALLYBOOK_APIFY__TOKEN_FILE are both set: unset one of them"
    assert refusal(tmp_path, twice) == line


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tallybook.toml").mkdir()
    assert refusal(tmp_path) == "tallybook.toml cannot be read: Is a directory; make it readable"
    (tmp_path / "latin").write_bytes(b"[mail]\nfrom = '\xe4@x'")
    assert refusal(tmp_path, {"TALLYBOOK_CONFIG": "latin"}) == "latin is not UTF-8: save it as UTF-8"
