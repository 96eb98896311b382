"""No command shows a secret (F35): one is planted in every setting that holds one, and looked for everywhere."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallybook.cli import NOUNS
from tallybook.cli.nouns import command_of
from tallybook.settings.sections import SETTINGS, Setting
from tests.cli.conftest import Cli
from tests.cli.inside import inside

PLANTED = "pl4nted-s3cret"
VALUES = {
    "mail.url": f"smtp://user:{PLANTED}@mail.example.org:587",
    "alerts.urls": f"ntfy://user:{PLANTED}@ntfy.example.org/topic",
}
SECRETS = [setting for setting in SETTINGS.values() if setting.spec.secret and setting.key != "database.url"]
WITH_ARGUMENTS = [
    ("client", "import", "clients.csv"),
    ("client", "show", "acme-law"),
    ("client", "pause", "acme-law"),
    ("lead", "import", "acme-law", "acme-law-leads.csv"),
    ("lead", "list", "acme-law"),
    ("lead", "why", "acme-law", "linkedin.test/in/thea-thin"),
    ("rubric", "show", "acme-law"),
    ("runid", "parse", "250101-101010"),
    ("db", "upgrade"),
    ("db", "backup", "copy.db"),
    ("config", "show", "--origin"),
    ("doctor",),
    ("audit",),
    ("usage",),
    ("run", "list"),
    ("run", "show", "nothing"),
    ("report", "nothing"),
    ("init",),
]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    for setting in SECRETS:
        monkeypatch.setenv(setting.variable, VALUES.get(setting.key, PLANTED))


def commands() -> Iterator[list[str]]:
    yield []
    for noun in NOUNS:
        yield [noun]
        yield from ([noun, verb] for verb in getattr(command_of(noun), "commands", {}))


def test_there_are_secrets_to_plant() -> None:
    assert len(SECRETS) >= 6


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_no_help_shows_a_secret(words: list[str], cli: Cli) -> None:
    said = cli(*words, "--help")
    assert PLANTED not in said.out + said.err


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("words", WITH_ARGUMENTS, ids=" ".join)
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["plain", "json"])
def test_no_command_shows_a_secret(words: tuple[str, ...], as_json: list[str], cli: Cli, demo_home: Path) -> None:
    said = cli(*words, *as_json)
    assert PLANTED not in said.out + said.err


WRONG = [f"{PLANTED}\n", f"\x1b[31m{PLANTED}", f"sntp://{PLANTED}", f"{PLANTED} {PLANTED}", f"{PLANTED}@:0"]


@pytest.mark.parametrize("setting", SECRETS, ids=lambda setting: setting.key)
@pytest.mark.parametrize("value", WRONG, ids=range(len(WRONG)))
def test_no_error_about_a_wrong_secret_shows_it(setting: Setting, value: str, cli: Cli, home: Path) -> None:
    (home / "tallybook.toml").write_text(f"[{setting.section}]\n{setting.word} = {json.dumps(value)}\n")
    for words in (("config", "show"), ("doctor",), ("client", "list")):
        said = cli(*words)
        assert PLANTED not in said.out + said.err


@pytest.mark.parametrize(
    "words", [("client", "list"), ("doctor",), ("config", "show"), ("db", "backup", "x"), ("init",)]
)
def test_no_command_shows_the_password_of_the_database(words: tuple[str, ...], home: Path) -> None:
    url = f"postgresql://user:{PLANTED}@127.0.0.1:1/books"
    said = inside(*words, cwd=home, TALLYBOOK_DATABASE__URL=url)
    assert PLANTED not in said.stdout + said.stderr


def test_the_demo_shows_no_secret_and_writes_none(home: Path) -> None:
    said = inside("demo", cwd=home, **{setting.variable: VALUES.get(setting.key, PLANTED) for setting in SECRETS})
    assert said.returncode == 0
    assert PLANTED not in said.stdout + said.stderr
    assert not [path for path in home.rglob("*") if path.is_file() and PLANTED.encode() in path.read_bytes()]


def test_a_secret_in_a_settings_file_others_may_read_is_found(cli: Cli, home: Path) -> None:
    path = home / "tallybook.toml"
    path.write_text(f'[scorer]\napi_key = "{PLANTED}"\n')
    path.chmod(0o644)
    said = cli("doctor", "--json")
    assert said.code == 1
    (found,) = [each for each in said.json["checks"] if each["check"] == "secrets"]
    assert found["mend"] == f"chmod 600 {path}"
    assert PLANTED not in said.out
    path.chmod(0o600)
    assert not [each for each in cli("doctor", "--json").json["checks"] if each["check"] == "secrets"]


def test_a_crash_of_the_database_shows_no_secret(cli: Cli, demo_home: Path, planted: None) -> None:
    with sqlite3.connect(demo_home / "tallybook.db") as books:
        books.execute("DROP TABLE clients")
    said = cli("client", "list")
    assert said.code == 1
    assert PLANTED not in said.error
