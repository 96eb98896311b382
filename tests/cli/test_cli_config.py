"""`tallybook config`."""

from pathlib import Path

import pytest

from tallybook.settings.sections import SETTINGS
from tests.cli.conftest import Cli


def test_every_setting_is_shown_with_its_origin(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "tallybook.toml").write_text("[engine]\nchunk_size = 7\n")
    monkeypatch.setenv("TALLYBOOK_SERVER__PORT", "81")
    said = cli.good("config", "show", "--origin").out
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
    assert set(SETTINGS) < set(lines)
    assert lines["engine.chunk_size"] == ["7", "tallybook.toml:2"]
    assert lines["server.port"] == ["81", "TALLYBOOK_SERVER__PORT"]
    assert lines["airtable.token"] == ["not", "set", "default"]
    assert "tallybook.toml:2" not in cli.good("config", "show").out


def test_the_same_as_json(cli: Cli, home: Path) -> None:
    said = cli.good("config", "show", "--json").json
    assert said["file"] is None
    assert said["settings"][0] == {"key": "database.url", "value": "sqlite:///tallybook.db", "origin": "default"}
    assert not list(home.iterdir())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[engine]\nchunk_size = 51", "engine.chunk_size must be a whole number from 1 to 50, not 51"),
        ("[engin]\n", "did you mean engine"),
        ("[[[", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_one_line(text: str, expected: str, cli: Cli, home: Path) -> None:
    (home / "tallybook.toml").write_text(text)
    said = cli("config", "show")
    assert said.code == 1
    assert expected in said.error
