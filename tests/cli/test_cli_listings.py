"""Every list says where it goes on, and goes on there."""

import shlex
from pathlib import Path

import pytest

from tallybook.domain.client import Client
from tallybook.domain.delivery import Delivery, News
from tallybook.domain.lead import Lead
from tallybook.ledger.write import inbox
from tallybook.ledger.write.starts import RunIdStyle
from tests.cli.conftest import Cli
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")
LISTS = {
    "client_id": ["client", "list"],
    "lead_id": ["lead", "list", "acme's"],
    "id": ["token", "list"],
    "delivery_id": ["webhook", "list", "--state", "received"],
}


@pytest.fixture
def office(home: Path, cli: Cli) -> Office:
    """With five of everything."""
    office = Office(home)
    with office.house() as house:
        house.clients.put_clients([Client(each, each) for each in ("acme's", "b", "c", "d", "e")])
        house.clients.put_leads("acme's", [Lead(f"people.test/in/{number}") for number in range(5)])
        for number in range(5):
            told = Delivery("apify", f"dispatch-{number}", "{}", {}, "ACTOR.RUN.SUCCEEDED", News.OVER, f"x{number}")
            house.ledger.do(inbox.keep, told, RunIdStyle())
    for _ in range(5):
        cli.good("token", "create", "--scope", "runs:read")
    return office


@pytest.mark.parametrize("name", LISTS)
def test_a_list_goes_on_with_the_command_that_it_says(office: Office, cli: Cli, name: str) -> None:
    whole = [each[name] for each in cli.good(*LISTS[name], "--json").json["items"]]
    assert len(set(whole)) == 5
    words, seen = [*LISTS[name], "--limit", "2"], list[str]()
    for _ in range(3):
        seen += [each[name] for each in cli.good(*words, "--json").json["items"]]
        said = cli.good(*words)
        assert len(said.out.splitlines()) <= 3, "a heading and two lines"
        _, _, command = said.err.strip().partition("There is more: tallybook ")
        words = shlex.split(command)
    assert (seen, words) == (whole, [])
