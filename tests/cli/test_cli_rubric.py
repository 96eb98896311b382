"""`tallybook rubric`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")

RUBRIC = {
    "attributes": [
        {"id": "boss", "heading": "Runs a company", "category": "positive", "max_points": 20, "min_to_qualify": 5},
        {"id": "rival", "heading": "Is a rival", "category": "negative", "penalty": 15, "disqualifying": True},
    ],
    "post_attributes": [
        {"id": "news", "heading": "Has news", "category": "positive", "max_points": 10, "scale": "fixed", "bonus": True,
         "active": False},
    ],
}  # fmt: skip


@pytest.fixture
def rubric(home: Path, cli: Cli) -> Path:
    (home / "clients.csv").write_text("client_id\nacme\n")
    cli.good("client", "import", "clients.csv")
    path = home / "rubric.json"
    path.write_text(json.dumps(RUBRIC))
    return path


def test_a_rubric_is_imported_and_shown(cli: Cli, rubric: Path) -> None:
    assert cli.good("rubric", "import", "acme", "rubric.json").out == "acme judges leads by 2 attributes, posts by 1\n"
    assert cli.good("rubric", "show", "acme").out.splitlines() == [
        "FOR   ID     HEADING         POINTS  AT LEAST  REMARKS",
        "lead  boss   Runs a company     +20         5",
        "lead  rival  Is a rival         -15            disqualifying",
        "post  news   Has news           +10            all or nothing, bonus, switched off",
    ]


def test_importing_twice_changes_nothing(cli: Cli, rubric: Path) -> None:
    cli.good("rubric", "import", "acme", "rubric.json")
    assert cli.good("rubric", "import", "acme", "rubric.json").out.endswith("; it was the same before\n")
    said = cli.good("rubric", "import", "acme", "rubric.json", "--json").json
    assert said == {
        "client_id": "acme", "file": "rubric.json", "changed": False, "attributes": 2, "post_attributes": 1, "bad": [],
    }  # fmt: skip


def test_what_show_prints_as_json_can_be_imported(cli: Cli, rubric: Path) -> None:
    cli.good("rubric", "import", "acme", "rubric.json")
    shown = cli.good("rubric", "show", "acme", "--json")
    assert shown.json["attributes"][1]["penalty"] == 15
    (rubric.parent / "again.json").write_text(shown.out)
    assert cli.good("rubric", "import", "acme", "again.json", "--json").json["changed"] is False


def test_a_client_without_a_rubric_is_told_how_to_get_one(cli: Cli, rubric: Path) -> None:
    said = cli.good("rubric", "show", "acme")
    assert (said.out, said.err) == ("", "acme has no rubric yet: `tallybook rubric import acme FILE` gives one.\n")
    assert cli.good("rubric", "show", "acme", "--json").json["version"] is None


def test_bad_attributes_are_listed_and_good_ones_kept(cli: Cli, rubric: Path) -> None:
    text = "for,id,heading,category,max_points\nlead,a,A,positive,5\nlead,b,B,sideways,5\n"
    (rubric.parent / "r.csv").write_text(text)
    said = cli("rubric", "import", "acme", "r.csv")
    assert said.code == 0
    assert said.out == "acme judges leads by 1 attribute, posts by 0\n"
    assert said.err.splitlines()[1] == "  line 3: category must be positive or negative, got 'sideways'"


def test_a_file_that_is_no_rubric_changes_nothing(cli: Cli, rubric: Path) -> None:
    cli.good("rubric", "import", "acme", "rubric.json")
    said = cli("rubric", "import", "acme", "clients.csv")
    assert said.code == 1
    assert said.error.startswith("clients.csv: no header was recognised; the file should have attributes")
    assert len(cli.good("rubric", "show", "acme", "--json").json["attributes"]) == 2


def test_a_rubric_for_nobody_is_refused(cli: Cli, rubric: Path) -> None:
    assert "there is no client 'nobody'" in cli("rubric", "import", "nobody", "rubric.json").error
