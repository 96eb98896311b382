"""`tallybook audit`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.past import PAST, past
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def office(home: Path) -> Office:
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        past(house, *PAST)
    return office


def test_good_books_have_no_difference(office: Office, cli: Cli) -> None:
    assert cli.good("audit").out == "No difference in 4 operation runs.\n"
    assert cli.good("audit", PAST[0].run_id).out == "No difference in 2 operation runs.\n"
    assert cli.good("audit", "--json").json == {"checked": 4, "differences": []}


def test_a_tampered_row_is_named_and_the_exit_code_is_5(office: Office, cli: Cli) -> None:
    with office.house() as house, house.database.writing() as tx:
        tx.execute(
            "UPDATE @operation_runs SET scored = 9 WHERE run_id = ? AND client_id = 'client-0001'", [PAST[0].run_id]
        )
    where = f"{PAST[0].run_id}/client-0001/lead_scoring"
    said = cli("audit")
    assert said.code == 5
    assert said.out == f"{where}: scored is 9, but the rows say 10\n1 difference in 4 operation runs.\n"
    facts = cli("audit", f"{PAST[0].run_id}-client-0001", "--json")
    assert facts.code == 5
    assert facts.json == {
        "checked": 2,
        "differences": [{"where": where, "field": "scored", "stored": 9, "recomputed": 10}],
    }
    assert cli("audit", PAST[1].run_id).code == 0


def test_an_unknown_run_is_no_clean_bill(office: Office, cli: Cli) -> None:
    assert cli("audit", "261101-010101").code == 1
