"""`tallybook client budget`."""

from pathlib import Path

import pytest

from tallybook.app import open_app
from tallybook.domain.budget import Budgets, Ceiling
from tallybook.domain.tally import Money
from tests.cli.conftest import Cli
from tests.ledger.scenes import working
from tests.ledger.spending import settled, tokens, used, wanting

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def acme(home: Path, cli: Cli) -> Path:
    (home / "clients.csv").write_text("client_id\nacme\no'hara {x}\n", encoding="utf-8")
    cli.good("client", "import", "clients.csv")
    return home


def settings(home: Path, text: str) -> None:
    (home / "tallybook.toml").write_text(f"[budget]\n{text}\n", encoding="utf-8")


def test_without_a_budget_there_is_nothing_to_show(cli: Cli, acme: Path) -> None:
    said = cli.good("client", "budget", "o'hara {x}")
    assert not said.out
    assert """`tallybook client budget 'o'"'"'hara {x}' --usd 5` sets one""" in said.err
    assert cli.good("client", "budget", "acme", "--json").json == {"client_id": "acme", "budgets": []}
    assert "budget           none" in cli.good("client", "show", "acme").out


def test_a_budget_is_set_shown_and_taken_away(cli: Cli, acme: Path) -> None:
    settings(acme, "client_tokens_per_day = 500_000\nclient_usd_per_month = 30")
    said = cli.good("client", "budget", "acme", "--per", "month", "--usd", "12.50", "--tokens", "9000")
    heading, *rows = (line.split("  ") for line in said.out.splitlines())
    assert heading[0] == "PER"
    assert [[cell.strip() for cell in row if cell][:6] for row in rows] == [
        ["day", "settings", "500,000 tokens", "0", "0", "500,000"],
        ["month", "client", "9,000 tokens", "0", "0", "9,000"],
        ["month", "client", "$12.50", "$0.00", "$0.00", "$12.50"],
    ]
    assert cli.good("client", "show", "acme").out.splitlines()[-1].split(maxsplit=1)[1] == (
        "day: 500,000 tokens; month: 9,000 tokens or $12.50 (its own)"
    )
    found = cli.good("client", "budget", "acme", "--per", "month", "--off", "--json").json["budgets"]
    assert [(each["per"], each["from"], each["limit_usd"]) for each in found] == [
        ("day", "settings", None),
        ("month", "settings", "30"),
    ]
    again = cli.good("client", "budget", "acme", "--per", "month", "--off")
    assert again.err == "acme had no budget of its own for the month.\n"


def test_what_is_used_of_a_budget_is_shown(cli: Cli, acme: Path) -> None:
    settings(acme, "client_tokens_per_day = 100\nclient_usd_per_day = 0.5")
    app = open_app()
    assert app.budgets == Budgets(day=Ceiling(100, Money.usd("0.5")))
    key = working(app.ledger, ["a"])
    for call_id in ("c1", "c2"):
        wanting(app.ledger, key, call_id, tokens(30, usd="0.25"), app.budgets)
    settled(app.ledger, "c1", used(20, usd="0.125"))
    app.close()
    (found,) = cli.good("client", "budget", "acme", "--json").json["budgets"]
    assert found.pop("turns_at").endswith("T00:00:00.000000Z")
    assert found == {
        "per": "day",
        "from": "settings",
        "limit_tokens": 100,
        "spent_tokens": 20,
        "set_aside_tokens": 30,
        "left_tokens": 50,
        "limit_usd": "0.5",
        "spent_usd": "0.125",
        "set_aside_usd": "0.25",
        "left_usd": "0.125",
    }


def test_nothing_may_be_spent_where_the_budget_is_nothing(cli: Cli, acme: Path) -> None:
    (found,) = cli.good("client", "budget", "acme", "--tokens", "0", "--json").json["budgets"]
    assert (found["limit_tokens"], found["left_tokens"], found["limit_usd"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--per", "week"], "--per is day or month, got 'week'"),
        (["--per", "run", "--tokens", "5"], "--per is day or month, got 'run'"),
        (["--tokens", "-1"], "'--tokens': must be greater than or equal to 0"),
        (["--tokens", "many"], "'--tokens': must be a valid integer"),
        (["--usd", "-1"], "--usd must be an amount in US dollars"),
        (["--usd", "cheap"], "such as 2.50, not 'cheap'"),
        (["--usd", "1000001"], "--usd is at most 1,000,000, got 1000001"),
        (["--off", "--tokens", "5"], "--off takes a budget away"),
        (["--off", "--usd", "5"], "--off takes a budget away"),
    ],
)
def test_a_budget_that_is_none_is_one_line(cli: Cli, acme: Path, words: list[str], expected: str) -> None:
    said = cli("client", "budget", "acme", *words)
    assert said.code == 2
    assert expected in said.error
    assert cli.good("client", "budget", "acme", "--json").json["budgets"] == []


def test_a_client_that_does_not_exist_has_no_budget(cli: Cli, acme: Path) -> None:
    said = cli("client", "budget", "nobody", "--tokens", "5")
    assert said.code == 1
    assert said.error.endswith("; `tallybook client list` names them all")
