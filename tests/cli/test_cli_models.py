"""Paid models from the command line, asked at the look-alike provider."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tallybook.testing.model_server import Fault, ModelServer
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")

KEY = "sk-planted-77aa"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(retry_after_s=0.01) as server:
        yield server


def model(server: ModelServer, name: str = "google:gemini-2.5-flash", **more: str) -> dict[str, str]:
    return {
        "TALLYBOOK_SCORER__MODEL": name,
        "TALLYBOOK_SCORER__API_KEY": KEY,
        "TALLYBOOK_SCORER__BASE_URL": server.url,
        **more,
    }


def facts(said: "subprocess.CompletedProcess[str]") -> Any:
    return json.loads(said.stdout)


def test_a_run_by_a_model_costs_about_what_the_dry_run_said(home: Path, server: ModelServer) -> None:
    office = Office(home).furnish(clients=2, leads=20)
    told = facts(office("run", "start", "--dry-run", "--json", **model(server)))["estimate"]
    assert (told["calls"], told["unpriced_calls"]) == (8, 0)
    assert server.log == ()
    run = facts(office("run", "start", "--json", **model(server)))
    assert run["totals"]["scored"] == 40
    assert run["totals"]["total_tokens"] == server.bill.input_tokens + server.bill.output_tokens
    assert 0.7 < run["totals"]["total_tokens"] / told["total_tokens"] < 1.1
    (line,) = office.json("usage", "--by", "model")["items"]
    assert (line["model"], line["calls"], line["cost_usd"]) == ("google:gemini-2.5-flash", 8, run["totals"]["cost_usd"])


def test_the_dry_run_names_calls_tokens_and_money(home: Path, server: ModelServer) -> None:
    office = Office(home).furnish(clients=1, leads=10)
    said = office("run", "start", "--dry-run", **model(server)).stdout
    assert "10 leads due; about 2 calls, " in said
    assert "tokens, $0.0" in said.splitlines()[-1]
    unpriced = office("run", "start", "--dry-run", **model(server, "google:of-tomorrow")).stdout
    assert unpriced.splitlines()[-1].startswith("google:of-tomorrow has no known price: give it one under [prices]")


def test_a_refused_key_says_what_to_mend_and_the_run_goes_on_with_another(home: Path, server: ModelServer) -> None:
    office = Office(home).furnish(clients=1, leads=20)
    server.rule(Fault.BAD_KEY, lambda question: True, times=4)
    refused = office("run", "start", **model(server))
    assert refused.returncode == 8
    assert "scorer.api_key" in refused.stdout + refused.stderr
    assert KEY not in refused.stdout + refused.stderr
    run_id = office.newest()
    assert run_id is not None
    explained = office("run", "explain", run_id).stdout
    assert "scorer.api_key" in explained
    mended = facts(office("run", "resume", run_id, "--json", **model(server)))
    assert (mended["totals"]["scored"], mended["totals"]["failed"], mended["totals"]["pending"]) == (15, 5, 0)


def test_an_own_price_is_what_counts(home: Path, server: ModelServer) -> None:
    (home / "tallybook.toml").write_text('[prices]\n"google:of-tomorrow" = { input = 1, output = 1 }\n')
    office = Office(home).furnish(clients=1, leads=5)
    run = facts(office("run", "start", "--json", **model(server, "google:of-tomorrow")))
    assert float(run["totals"]["cost_usd"]) == pytest.approx(run["totals"]["total_tokens"] / 1e6)
    assert run["totals"]["unpriced_calls"] == 0


def test_an_unpriced_model_under_a_budget_of_dollars_is_refused_before_there_is_a_run(
    home: Path, server: ModelServer
) -> None:
    office = Office(home).furnish(clients=1, leads=5)
    dollars = model(server, "google:of-tomorrow", TALLYBOOK_BUDGET__CLIENT_USD_PER_DAY="5")
    refused = office("run", "start", **dollars)
    assert (refused.returncode, office.newest()) == (1, None)
    assert refused.stderr.startswith("tallybook: google:of-tomorrow has no known price")
    tokens = {**dollars, "TALLYBOOK_BUDGET__CLIENT_TOKENS_PER_DAY": "100000"}
    assert office("run", "start", **tokens).returncode == 0


def test_a_budget_pauses_the_client_says_when_it_goes_on_and_exits_8(home: Path, server: ModelServer) -> None:
    office = Office(home).furnish(clients=1, leads=50)
    paused = office("run", "start", **model(server, TALLYBOOK_BUDGET__CLIENT_TOKENS_PER_DAY="5000"))
    assert paused.returncode == 8
    assert "goes on by itself" in paused.stdout + paused.stderr
    run_id = office.newest()
    assert run_id is not None
    assert office.audited()
    assert "budget" in office("run", "explain", run_id).stdout
