"""`tallybook usage`."""

import csv
import io
from pathlib import Path

import pytest

from tallybook.domain.tally import Usage
from tests.cli.conftest import Cli
from tests.cli.past import PRICED, Past, past
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def office(home: Path) -> Office:
    """A priced run on the 22nd; one on the 23rd of which the usage is not known, one without a price."""
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        past(house, Past("261122-080000", usage=PRICED))
        past(house, Past("261123-080000", usage=Usage()), Past("261123-090000", usage=Usage(10, 0, 5)))
    return office


def test_usage_is_summed_from_the_calls(office: Office, cli: Cli) -> None:
    facts = cli.good("usage", "--json").json
    assert [each["client_id"] for each in facts["items"]] == ["client-0000", "client-0001"]
    assert facts["total"] == {
        "calls": 6, "unmeasured_calls": 2, "unpriced_calls": 2, "input_tokens": 2020, "cached_tokens": 200,
        "output_tokens": 410, "total_tokens": 2430, "cost_usd": "0.0246",
    }  # fmt: skip


def test_usage_can_be_split_and_begin_on_a_day(office: Office, cli: Cli) -> None:
    facts = cli.good("usage", "--by", "day, model,day", "--since", "2026-11-23", "--json").json
    assert [(each["day"], each["model"], each["calls"]) for each in facts["items"]] == [
        ("2026-11-23", "google:gemini", 4)
    ]
    assert cli.good("usage", "--by", "operation", "--json").json["items"][0]["operation"] == "lead_scoring"


def test_unknown_usage_is_said_and_never_0(office: Office, cli: Cli) -> None:
    said = cli.good("usage")
    assert "$0.0123+" in said.out
    assert "2 calls without a known price" in said.err
    assert "2 calls of unknown usage, maybe billed." in said.err
    assert "total" in said.out


def test_csv_for_a_spreadsheet(office: Office, cli: Cli) -> None:
    rows = list(csv.DictReader(io.StringIO(cli.good("usage", "--by", "client,day", "--csv").out)))
    assert len(rows) == 4
    assert rows[0]["client_id"] == "client-0000"
    assert rows[0]["cost_usd"] == "0.0123"


def test_no_calls_are_no_error(home: Path, cli: Cli) -> None:
    assert "No paid call was made" in cli.good("usage").err
    assert cli.good("usage", "--json").json["items"] == []


@pytest.mark.parametrize(
    "words",
    [["--by", "colour"], ["--by", ""], ["--since", "yesterday"], ["--since", "9999999999d"], ["--csv", "--json"]],
)
def test_a_wrong_word_is_refused(home: Path, cli: Cli, words: list[str]) -> None:
    assert cli("usage", *words).code == 2


def test_days_back_count_from_now(office: Office, cli: Cli) -> None:
    assert cli.good("usage", "--since", "36500d", "--json").json["total"]["calls"] == 6
