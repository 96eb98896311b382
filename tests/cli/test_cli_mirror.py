"""`tallybook mirror`: set up, told, held against the books, mended; against the look-alike of Airtable."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tallybook.testing.airtable_demo import CLIENTS, OPERATOR_ID
from tallybook.testing.airtable_faults import AirtableFault
from tallybook.testing.airtable_owner import OpenBase
from tallybook.testing.airtable_server import AirtableServer
from tests.cli.conftest import Cli, Said
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")


@dataclass
class Mirrored:
    """An office with a base, and what is said there."""

    office: Office
    server: AirtableServer
    base: OpenBase

    def __call__(self, *args: str) -> Any:
        env = {
            "TALLYBOOK_AIRTABLE__ENDPOINT_URL": self.server.url,
            "TALLYBOOK_AIRTABLE__TOKEN": "pat.secret-of-airtable",
            "TALLYBOOK_AIRTABLE__MASTER_BASE_ID": OPERATOR_ID,
        }
        return self.office(*args, **env)

    def said(self, *args: str, code: int = 0) -> str:
        done = self(*args)
        assert done.returncode == code, done
        assert "secret-of-airtable" not in done.stdout + done.stderr
        return str(done.stdout)

    def facts(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.said(*args, "--json", code=code))


@pytest.fixture
def mirrored(home: Path) -> Iterator[Mirrored]:
    with AirtableServer() as server:
        base = server.add_base("Operator", {"Clients": CLIENTS}, base_id=OPERATOR_ID)
        yield Mirrored(Office(home).furnish(clients=2, leads=5), server, base)


def test_a_run_is_in_airtable_when_its_command_ends(mirrored: Mirrored) -> None:
    made = mirrored.facts("mirror", "setup")
    assert made["created"][:2] == ["Job Tracking", "Client Run Results"]
    assert mirrored.said("mirror", "setup").startswith("Everything the mirror needs is there.")
    run = json.loads(mirrored.said("run", "start", "lead_scoring", "--json"))
    (job,) = mirrored.base.table("Job Tracking").rows
    assert (job["Run ID"], job["Status"], job["Total Clients"]) == (run["run_id"], "Completed", 2)
    assert len(mirrored.base.table("Client Run Results")) == 2
    assert mirrored.said("mirror", "verify") == "No difference in 3 rows.\n"
    status = mirrored.facts("mirror", "status")
    assert (status["told"], status["owed"], status["trouble"]) == (3, 0, None)


def test_a_difference_is_named_mended_and_the_exit_codes_say_so(mirrored: Mirrored) -> None:
    mirrored.said("mirror", "setup")
    mirrored.said("run", "start", "lead_scoring")
    table = mirrored.base.table("Job Tracking")
    run_id = table.rows[0]["Run ID"]
    table.edit(table.ids[0], {"Total Leads": 999})
    said = mirrored.said("mirror", "verify", code=5)
    assert f"Job Tracking {run_id}: Total Leads is 999, but the books say 10" in said
    (difference,) = mirrored.facts("mirror", "verify", code=5)["differences"]
    assert (difference["column"], difference["books"], difference["airtable"]) == ("Total Leads", 10, 999)
    assert mirrored.said("mirror", "repair").startswith("1 difference found and written anew.")
    assert table.rows[0]["Total Leads"] == 10
    mirrored.said("mirror", "verify")


def test_what_people_deleted_or_copied_is_said_and_kept_until_asked(mirrored: Mirrored) -> None:
    mirrored.said("mirror", "setup")
    mirrored.said("run", "start", "lead_scoring")
    results, jobs = mirrored.base.table("Client Run Results"), mirrored.base.table("Job Tracking")
    results.delete(results.ids[0])
    copy = jobs.duplicate(jobs.ids[0])
    said = mirrored.said("mirror", "verify")
    assert "1 row deleted by people; `tallybook mirror repair --recreate` makes them again" in said
    assert f"once more ({copy})" in said
    facts = mirrored.facts("mirror", "repair", "--recreate", "--remove-copies")
    assert (facts["gone"], facts["copies"], facts["differences"]) == ([], [], [])
    assert (len(results), len(jobs)) == (2, 1)


def test_runs_of_before_are_told_by_a_rebuild(mirrored: Mirrored) -> None:
    assert mirrored.office("run", "start", "lead_scoring").returncode == 0
    mirrored.office("run", "start", "lead_scoring")
    mirrored.said("mirror", "setup")
    assert mirrored.facts("mirror", "rebuild") == {"runs": 2}
    assert len(mirrored.base.table("Job Tracking")) == 2
    mirrored.said("mirror", "verify")


def test_a_used_up_month_holds_up_no_run_and_says_since_when_it_waits(mirrored: Mirrored) -> None:
    mirrored.said("mirror", "setup")
    mirrored.server.faults.rule(AirtableFault.MONTHLY_LIMIT, lambda asked: asked.what == "upsert", times=1)
    mirrored.said("run", "start", "lead_scoring")
    status = mirrored.said("mirror", "status")
    assert "rows owed" in status
    assert "Waits since" in status
    facts = mirrored.facts("mirror", "status")
    assert (facts["owed"], facts["trouble"]["kind"]) == (3, "MonthUsedUp")
    assert mirrored.facts("mirror", "sync") == {"runs": 1, "owed": 0}
    assert mirrored.facts("mirror", "status")["trouble"] is None
    mirrored.said("mirror", "verify")


def test_notes_of_people_are_shown_with_the_run(mirrored: Mirrored) -> None:
    mirrored.said("mirror", "setup")
    run_id = json.loads(mirrored.said("run", "start", "lead_scoring", "--json"))["run_id"]
    jobs, results = mirrored.base.table("Job Tracking"), mirrored.base.table("Client Run Results")
    jobs.edit(jobs.ids[0], {"Notes": "told the boss"})
    results.edit(results.where("Client ID", "client-0001")[0], {"Notes": "paid\nin full"})
    mirrored.said("mirror", "verify")
    said = mirrored.said("run", "show", run_id)
    assert "Notes in Airtable: told the boss" in said
    assert "Notes in Airtable, client-0001: paid in full" in said


def test_without_settings_it_says_what_to_set(cli: Cli) -> None:
    said: Said = cli("mirror", "setup")
    assert said.code == 1
    assert said.error == (
        "there is no mirror yet: set TALLYBOOK_AIRTABLE__TOKEN and TALLYBOOK_AIRTABLE__MASTER_BASE_ID,"
        " then run `tallybook mirror setup`"
    )


def test_before_set_up_nothing_breaks_and_it_says_so(mirrored: Mirrored) -> None:
    assert mirrored.said("mirror", "status") == "The mirror is not set up yet: `tallybook mirror setup`\n"
    mirrored.said("run", "start", "lead_scoring")
    assert "tallybook mirror setup" in mirrored.facts("mirror", "status")["trouble"]["text"]


def test_doctor_looks_at_the_base_and_at_what_is_owed(mirrored: Mirrored) -> None:
    """F10"""
    said = mirrored.facts("doctor")
    checks = {each["check"]: each for each in said["checks"]}
    assert checks["airtable"]["level"] == "ok"
    assert "lacks" in checks["airtable_schema"]["said"]
    assert checks["mirror"]["mend"] == "tallybook mirror setup makes what is missing."
    mirrored.said("mirror", "setup")
    mirrored.said("run", "start", "lead_scoring")
    checks = {each["check"]: each["level"] for each in mirrored.facts("doctor")["checks"]}
    names = ("airtable", "airtable_schema", "airtable_doubles", "airtable_room", "mirror")
    assert [checks[name] for name in names] == ["ok"] * 5


def test_doctor_names_drift_doubles_and_troubles(mirrored: Mirrored) -> None:
    mirrored.said("mirror", "setup")
    mirrored.said("run", "start", "lead_scoring")
    jobs = mirrored.base.table("Job Tracking")
    jobs.rename_field("Total Leads", "How many")
    jobs.duplicate(jobs.ids[0])
    said = mirrored.facts("doctor")
    checks = {each["check"]: each for each in said["checks"]}
    assert "was renamed to How many" in checks["airtable_drift"]["said"]
    doubles = [each["said"] for each in said["checks"] if each["check"] == "airtable_doubles"]
    assert f"Job Tracking has 1 run more than once, such as ['{jobs.rows[0]['Run ID']}']" in doubles
    mirrored.server.delete_base(OPERATOR_ID)
    checks = {each["check"]: each for each in mirrored.facts("doctor", code=1)["checks"]}
    assert "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND" in checks["airtable"]["said"]


def test_doctor_says_what_is_missing_of_half_a_configuration(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALLYBOOK_AIRTABLE__TOKEN", "anything")
    said = cli("doctor", "--json")
    found = next(each for each in said.json["checks"] if each["check"] == "airtable")
    assert (found["level"], found["mend"]) == ("wrong", "Set TALLYBOOK_AIRTABLE__MASTER_BASE_ID as well, or neither.")
