"""`tallybook testing airtable`: the look-alike of Airtable as a command."""

import json
import re
import signal
from pathlib import Path

from pyairtable import Api

from tallybook.settings import load
from tests.cli.conftest import Cli
from tests.cli.test_cli_testing import imitating


def test_it_says_how_to_point_tallybook_at_it_and_has_the_demos_bases(home: Path) -> None:
    with imitating(home, "--json", what="airtable") as server:
        told = dict(re.findall(r"export (\w+)=(\S+)\n", server.told))
        found = load(environ=told, folder=home).airtable
        assert found.token is not None
        assert found.master_base_id is not None
        api = Api(found.token.reveal(), endpoint_url=found.endpoint_url, retry_strategy=None)
        clients = api.table(found.master_base_id, "Clients").all()
        leads = api.table(str(clients[0]["fields"]["Airtable Base ID"]), "Leads").first()
        code, out = server.ends(signal.SIGINT)
    assert found.endpoint_url == f"http://127.0.0.1:{server.port}"
    assert [one["fields"]["Client ID"] for one in clients] == ["acme-law", "brightside-coaching", "north-harbor-it"]
    assert leads is not None
    assert "Acme Law" in server.told
    assert (code, json.loads(out)) == (
        0,
        {"requests": 2, "refused": 0, "most_in_a_second": 2, "by_kind": {"list": 2}},
    )


def test_it_keeps_the_limits_of_a_plan_and_faults_befall_requests(home: Path) -> None:
    with imitating(home, "--plan", "none", "--fault", "server_error=1", what="airtable") as server:
        statuses = [server.ask("GET", "/v0/meta/whoami")[0] for _ in range(6)] + [server.ask("GET", "/nothing")[0]]
        code, out = server.ends(signal.SIGTERM)
    assert statuses == [500] * 7
    assert code == 0
    assert [line.split() for line in out.splitlines()[:2]] == [["requests", "7"], ["refused", "7"]]
    assert {line.split()[0] for line in out.splitlines()} >= {"whoami", "unknown"}


def test_a_plan_that_is_none_is_wrong_usage(cli: Cli) -> None:
    said = cli("testing", "airtable", "--plan", "golden")
    assert said.code == 2
    assert "golden" in said.error
