"""`tallybook client import --from airtable`, and runs over what it has imported; against the look-alike of Airtable."""

from collections.abc import Iterator

import pytest

from tallybook.testing.airtable_demo import OPERATOR_ID, add_demo, base_id_of
from tallybook.testing.airtable_server import AirtableServer
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirtableServer]:
    with AirtableServer() as server:
        add_demo(server)
        monkeypatch.setenv("TALLYBOOK_AIRTABLE__ENDPOINT_URL", server.url)
        monkeypatch.setenv("TALLYBOOK_AIRTABLE__TOKEN", "pat.secret-of-airtable")
        monkeypatch.setenv("TALLYBOOK_AIRTABLE__MASTER_BASE_ID", OPERATOR_ID)
        yield server


def test_clients_are_imported_and_told_as_those_of_a_file_are(cli: Cli, server: AirtableServer) -> None:
    table = server.base(OPERATOR_ID).table("Clients")
    table.add({"Client ID": "no-base", "Status": "Active", "Service Level": "1", "Processing Stream": 1})
    said = cli.good("client", "import", "--from", "airtable")
    assert said.out == "3 clients of Airtable: 3 new\n"
    assert (
        "Clients in Airtable: 1 problem; all else was taken\n  row 4: no-base: '' is no id of an Airtable" in said.err
    )
    facts = cli.good("client", "import", "--from", "Airtable", "--json").json
    assert (facts["from"], facts["new"], facts["changed"], facts["unchanged"]) == ("airtable", 0, 0, 3)
    assert [each["row"] for each in facts["bad"]] == [4]
    assert cli.good("client", "show", "acme-law", "--json").json["source"] == "airtable"


def test_who_is_paused_there_is_told_where(cli: Cli, server: AirtableServer) -> None:
    table = server.base(OPERATOR_ID).table("Clients")
    table.edit(table.ids[0], {"Status": "Paused"})
    cli.good("client", "import", "--from", "airtable")
    said = cli.good("client", "pause", str(table.rows[0]["Client ID"]), "--off")
    assert said.err == "Its row in Airtable says paused, or cannot be used: change that there.\n"


def test_more_bad_rows_than_can_be_read_are_counted(cli: Cli, server: AirtableServer) -> None:
    server.base(OPERATOR_ID).table("Clients").add_many({"Client ID": f"bad-{number}"} for number in range(25))
    assert "  … and 5 more; --json lists them all" in cli.good("client", "import", "--from", "airtable").err


def test_a_run_works_on_what_stands_in_airtable_and_writes_it_back(cli: Cli, server: AirtableServer) -> None:
    cli.good("client", "import", "--from", "airtable")
    leads = server.base(base_id_of("acme-law")).table("Leads")
    for row in leads.ids[12:]:
        leads.delete(row)
    dry = cli.good("run", "start", "lead_scoring", "--client", "acme-law", "--dry-run").out
    assert "would be asked about" in dry
    assert not leads.where("Scoring Status", "Scored")
    run = cli.good("run", "start", "lead_scoring", "--client", "acme-law", "--json").json
    assert run["totals"]["scored"] == len(leads.where("Scoring Status", "Scored")) > 0
    assert cli.good("rubric", "show", "acme-law").out
    lead_id = cli.good("lead", "list", "acme-law", "--json").json["items"][0]["lead_id"]
    cli.good("lead", "exclude", "acme-law", lead_id)
    assert len(leads.where("Scoring Status", "Excluded")) == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--from", "elsewhere"), "clients come from a FILE or from airtable, not from 'elsewhere'"),
        (("clients.csv", "--from", "airtable"), "clients come from clients.csv or from airtable, not from both"),
        ((), "name a FILE, or --from airtable"),
    ],
)
def test_what_cannot_be_meant_is_refused(cli: Cli, words: tuple[str, ...], why: str) -> None:
    said = cli("client", "import", *words)
    assert said.code == 2
    assert why in " ".join(said.err.split())


@pytest.mark.parametrize("missing", ["TOKEN", "MASTER_BASE_ID"])
def test_without_airtable_its_clients_are_not_worked_for(
    cli: Cli, server: AirtableServer, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Their leads would be scored here, and nobody there told."""
    cli.good("client", "import", "--from", "airtable")
    monkeypatch.delenv(f"TALLYBOOK_AIRTABLE__{missing}")
    calls = len(server.calls)
    for words in (("run", "start"), ("client", "import", "--from", "airtable")):
        said = cli(*words)
        assert said.code == 1
        assert said.error.startswith("client acme-law is kept in Airtable: set airtable.")
    assert len(server.calls) == calls
    cli.good("client", "list")


def test_it_is_said_what_is_missing(cli: Cli) -> None:
    said = cli("client", "import", "--from", "airtable")
    assert said.code == 1
    assert said.error == "clients come from Airtable once both are set: airtable.token and airtable.master_base_id"


def test_a_base_that_is_none_is_said_in_a_line(cli: Cli, server: AirtableServer) -> None:
    server.delete_base(OPERATOR_ID)
    said = cli("client", "import", "--from", "airtable")
    assert said.code == 1
    assert "check the id of the base" in said.error
    assert "secret-of-airtable" not in said.err


def test_doctor_names_what_has_to_be_mended_in_a_base(cli: Cli, server: AirtableServer) -> None:
    """F10"""
    cli.good("client", "import", "--from", "airtable")
    server.base(base_id_of("acme-law")).table("Leads").delete_field("AI Score")
    cli("run", "start", "lead_scoring", "--limit", "3")
    checks = cli("doctor", "--json").json["checks"]
    said = [each["said"] for each in checks if each["check"] == "client_base"]
    assert any("acme-law" in each and "AI Score" in each for each in said)
    assert "2 bases of clients without anything to mend" in said
