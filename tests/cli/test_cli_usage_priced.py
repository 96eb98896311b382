"""`tallybook usage` says by which price lists its costs were reckoned."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from tallybook.domain.tally import PriceList
from tests.cli.conftest import Cli
from tests.cli.past import PRICED, Past, past
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")
OWN, KNOWN = PriceList("settings", "1/1/2"), PriceList("genai-prices", "0.0.31")


@pytest.fixture
def office(home: Path) -> Office:
    """Three priced runs: by the settings, by a list that is known, and one as it was billed."""
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        for day, prices in (("22", OWN), ("23", KNOWN), ("24", None)):
            past(house, Past(f"2611{day}-080000", usage=replace(PRICED, prices=prices)))
    return office


def test_usage_names_the_price_lists_once(office: Office, cli: Cli) -> None:
    assert "Priced by genai-prices 0.0.31 and settings 1/1/2." in cli.good("usage").err
    assert "Priced by" not in cli.good("usage", "--since", "2026-11-24").err


def test_programs_are_told_line_by_line(office: Office, cli: Cli) -> None:
    items = cli.good("usage", "--by", "day", "--json").json["items"]
    assert [each["priced_by"] for each in items] == [["settings 1/1/2"], ["genai-prices 0.0.31"], []]
    rows = list(csv.DictReader(io.StringIO(cli.good("usage", "--csv").out)))
    assert [each["priced_by"] for each in rows] == ["genai-prices 0.0.31; settings 1/1/2"] * 2
