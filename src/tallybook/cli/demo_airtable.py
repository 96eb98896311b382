"""`tallybook demo --airtable`: clients and leads come from a look-alike of Airtable, results and books go there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tallybook.cli import output
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App
    from tallybook.testing.airtable_owner import OpenBase
    from tallybook.testing.airtable_server import AirtableServer

TOKEN = "anything"
BEST = 3
JOBS = ("Run ID", "Status", "Total Leads", "Successful Leads", "Failed Leads", "Skipped Leads")
RESULTS = ("Run ID", "Status", "Profiles Successfully Scored", "Posts Successfully Scored", "Leads Processed")


class DemoAirtable:
    """The look-alike of one demo, and what stands in it. *settings*: how an app reaches it."""

    def __init__(self, server: "AirtableServer", operator: "OpenBase") -> None:
        self._server = server
        self._operator = operator

    @property
    def settings(self) -> dict[str, object]:
        return {
            "airtable.endpoint_url": self._server.url,
            "airtable.token": TOKEN,
            "airtable.master_base_id": self._operator.id,
        }

    def bring_in(self, app: "App") -> None:
        """The clients, and the tables of the mirror. Their leads come with the run."""
        from tallybook.followers.mirror_care import set_up
        from tallybook.ledger.following import FollowerBook
        from tallybook.stores.airtable_clients import AirtableClients

        visited, mirror = app.visited, app.mirror
        assert isinstance(visited, AirtableClients), "the demo has configured it"
        assert mirror is not None, "the demo has configured it"
        done = visited.import_all()
        set_up(mirror, FollowerBook(app.ledger, mirror.name))
        names = ", ".join(each.name for each in done.read.clients)
        output.note(f"{words.count(len(done.read.clients), 'client')} in Airtable ({names})")

    def tell(self, app: "App") -> None:
        """What stands there now, held against the books."""
        from tallybook.followers.mirror_check import Check
        from tallybook.ledger.following import FollowerBook

        output.say("In Airtable:")
        self._show("Job Tracking", JOBS)
        self._show("Client Run Results", RESULTS)
        for base in self._server.bases:
            if base.id != self._operator.id:
                _show_leads(base)
        calls = len(self._server.log.all)
        mirror = app.mirror
        assert mirror is not None, "the demo has configured it"
        found = Check(mirror, FollowerBook(app.ledger, mirror.name)).run()
        differences = words.count(len(found.differences), "difference") if found.differences else "no difference"
        output.say()
        output.say(f"{words.count(calls, 'request')} to Airtable; {differences} between its rows and the books.")

    def _show(self, table: str, columns: Sequence[str]) -> None:
        output.say()
        output.say(table)
        rows = [[row.get(name, "") for name in columns] for row in self._operator.table(table).rows]
        output.table(rows, columns, right=range(2, len(columns)))


def _show_leads(base: "OpenBase") -> None:
    leads = base.table("Leads").rows
    scored = sorted((row for row in leads if "AI Score" in row), key=lambda row: -row["AI Score"])
    output.say()
    output.say(f"{base.name}, Leads: {len(scored)} of {len(leads)} have an AI Score; the best are")
    output.table([_lead(row) for row in scored[:BEST]])


def _lead(row: dict[str, Any]) -> Sequence[object]:
    return f"  {row['AI Score']:g}", row.get("Full Name", ""), output.cut(str(row.get("Headline", "")), 60)


@contextmanager
def look_alike() -> Iterator[DemoAirtable]:
    """Serves while the block lasts."""
    from tallybook.testing.airtable_demo import add_demo
    from tallybook.testing.airtable_server import TEAM, AirtableServer

    with AirtableServer(limits=TEAM) as server:
        yield DemoAirtable(server, add_demo(server))
