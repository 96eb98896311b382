"""Short ways to bring the books of a server into a state, and to listen to it."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import sqlalchemy as sa

from benchmarks.house import RUBRIC, made_up_leads
from tallybook.app import App
from tallybook.database import Database, Tx
from tallybook.domain.client import Client
from tallybook.domain.lead import Lead
from tallybook.domain.runid import RunId
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts
from tallybook.ledger.write.starts import Request
from tests.ledger.scenes import asked, begun, called, closed, failed, frozen, planned, recorded, scored
from tests.web.calling import ALERT, DRIVEN, LEAD, RUN

V1 = "/api/v1"
READ_WITHIN_S = 20.0


def of(*parts: str) -> str:
    """A path below the API's root, its parts percent-encoded."""
    return "/".join([V1, *(quote(each, safe="") for each in parts)])


def furnished(app: App, *client_ids: str, leads: int = 3, stream: int = 1, level: int = 1) -> None:
    """Clients with leads and a rubric."""
    app.clients.put_clients([Client(each, each.title(), stream=stream, service_level=level) for each in client_ids])
    for client_id in client_ids:
        app.clients.put_rubric(client_id, RUBRIC)
        app.clients.put_leads(client_id, list(made_up_leads(leads)))


def worked(books: Ledger, *client_ids: str, stream: int | None = 1, by: str = "Ada") -> str:
    """A run that has ended: each client with a score, a failure and a call of its own."""
    run_id = planned(books, *client_ids, start=asked(stream=stream, by=by, queue_behind=True))
    for client_id in client_ids:
        key = frozen(books, begun(books, run_id, client_id), [f"lead of {client_id}", "lead"])
        recorded(books, key, *scored(f"lead of {client_id}"), *failed("lead"))
        called(books, key, f"{run_id} {client_id}")
        closed(books, key)
    return run_id


def told_of(app: App, *client_ids: str, run_id: str = "261123-120000") -> str:
    """A run that another program reports, with an error, claims and notes on it and on each client."""
    with closing(app.tracking(strict=True)) as book:
        book.create_job(run_id=run_id, job_type="post_scoring", stream=1, triggered_by="cron", system_notes="On all")
        book.update_job(run_id, error="An error of all", items_processed=7)
        for client_id in client_ids:
            book.create_client_run(run_id, client_id, client_name=f"{client_id} Ltd", system_notes=f"On {client_id}")
            book.update_client_run(run_id, client_id, posts_processed=42, error=f"An error of {client_id}")
    return run_id


def everything(app: App) -> None:
    """What every route of `calling` finds something in: the clients, a run that is reported, one of ours that waits."""
    furnished(app, "acme", "other")
    app.clients.put_leads("acme", [Lead(LEAD)])
    told_of(app, "acme", "other", run_id=RUN)
    books = app.ledger
    style = starts.RunIdStyle()
    books.do(lambda tx: starts.start(_at(tx, DRIVEN), starts.Start(Request(stream=1), style=style)))
    books.do(starts.plan, DRIVEN, app.clients.of_stream(1, ()))
    alerted(books, ALERT)


def alerted(books: Ledger, alert_id: str, client_id: str | None = "acme", text: str = "Something is wrong") -> None:
    """An alert that is open."""
    statement = (
        "INSERT INTO @alerts (alert_id, kind, fingerprint, client_id, text, raised_at) VALUES (?, 'spool', ?, ?, ?, ?)"
    )
    books.do(lambda tx: tx.execute(statement, (alert_id, alert_id, client_id, text, tx.stamp)))


def _at(tx: Tx, run_id: str) -> Tx:
    """A transaction of the second that *run_id* names, which so is the id of what is started in it."""
    tx.now = RunId.parse(run_id).at
    return tx


def rows_of_all_tables(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is kept."""
    with database.reading() as connection:
        names = sorted(sa.inspect(connection).get_table_names(schema=database.schema))
        selects = {name: sa.select(sa.text("*")).select_from(sa.table(name, schema=database.schema)) for name in names}
        return {name: sorted(map(tuple, connection.execute(each)), key=repr) for name, each in selects.items()}


# -- event streams -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """One of a stream: `id` None where it has none."""

    kind: str
    data: Any
    event_id: int | None = None

    @property
    def text(self) -> Any:
        return self.data.get("text")


@contextmanager
def listening(api: httpx.Client, run_id: str, **sent: Any) -> Iterator[Iterator[Message]]:
    """The messages of a run's stream, as they come."""
    with api.stream("GET", of("runs", run_id, "events"), timeout=READ_WITHIN_S, **sent) as response:
        if response.status_code != 200:
            response.read()
            response.raise_for_status()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield messages(response.iter_lines())


def messages(lines: Iterator[str]) -> Iterator[Message]:
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            event_id = int(fields["id"]) if "id" in fields else None
            yield Message(fields["event"], json.loads(fields["data"]), event_id)
            fields = {}
        else:
            fields = {}


def heard(api: httpx.Client, run_id: str, **sent: Any) -> list[Message]:
    """All messages until the stream ends by itself."""
    with listening(api, run_id, **sent) as stream:
        return list(stream)


def problem(response: httpx.Response, status: int) -> Any:
    """The body of an error; it is one, and as it should be (F18)."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["title"]
    return body
