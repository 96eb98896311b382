"""`tallybook run list` and `run show` say when a paused run goes on by itself."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tallybook.domain.run import Stop
from tallybook.ledger.write import stops
from tallybook.report.facts import moment
from tests.cli.conftest import Cli
from tests.cli.running import Office
from tests.ledger.scenes import asked, begun, planned

pytestmark = pytest.mark.usefixtures("empty_books")


def test_programs_are_told_when_a_paused_run_goes_on_by_itself(home: Path, cli: Cli) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    with Office(home).house() as house:
        run_id = planned(house.ledger, "acme", "other", start=asked())
        house.ledger.do(stops.stop_client, begun(house.ledger, run_id, "acme"), Stop.PAUSE, "budget", wake_at=soon)
        house.ledger.do(stops.stop_client, begun(house.ledger, run_id, "other"), Stop.PAUSE, "budget")
    shown = cli.good("run", "show", run_id, "--json").json
    assert (shown["status"], shown["wake_at"]) == ("paused", moment(soon))
    assert [each["wake_at"] for each in shown["clients"]] == [moment(soon), None]
    [listed] = cli.good("run", "list", "--json").json["items"]
    assert listed["wake_at"] == shown["wake_at"]
