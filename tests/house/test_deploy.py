"""What stands in deploy/ speaks of commands and settings that are there."""

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tallybook.cli import NOUNS
from tallybook.settings.environment import CONFIG
from tallybook.settings.sections import SETTINGS

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path.name for path in DEPLOY.iterdir())
VARIABLES = {setting.variable for setting in SETTINGS.values()} | {CONFIG}


@pytest.mark.parametrize("name", FILES)
def test_every_variable_is_a_setting(name: str) -> None:
    named = set(re.findall(r"TALLYBOOK_[A-Z0-9_]+", (DEPLOY / name).read_text()))
    assert named
    assert named <= VARIABLES


@pytest.mark.parametrize("name", FILES)
def test_every_command_is_there(name: str) -> None:
    text = (DEPLOY / name).read_text()
    words = re.findall(r"(?:bin/tallybook|dockerCommand: tallybook|^# .*tallybook) (\w+) ?(?:create)?", text, re.M)
    words += re.findall(r'^CMD \["(\w+)"', text, re.M)
    assert set(words) & {"serve", "worker"}
    assert {word for word in words if word not in ("token", "create")} <= NOUNS.keys()


def test_the_unit_says_how_it_is_stopped() -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign, assignment]  # as its documentation says
    unit.read(DEPLOY / "tallybook.service")
    assert int(unit["Service"]["TimeoutStopSec"]) > int(SETTINGS["server.grace_s"].default)  # type: ignore[call-overload]  # an int
    assert unit["Service"]["Restart"] == "always"


def test_render_runs_the_server_and_its_workers_on_one_database() -> None:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "render.yaml").read_text())
    assert [each["type"] for each in told["services"]] == ["web", "worker"]
    assert told["services"][0]["healthCheckPath"] == "/readyz"
    for service in told["services"]:
        variables = {each.get("key"): each for each in service["envVars"]}
        assert variables["TALLYBOOK_DATABASE__URL"]["fromDatabase"]["name"] == told["databases"][0]["name"]
        assert (DEPLOY.parent / service["dockerfilePath"]).exists()
