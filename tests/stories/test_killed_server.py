"""The server killed while it harvests and scores: after the restart everything ends right."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import combinations
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tallybook.domain.run import OperationName
from tallybook.engine import trigger
from tallybook.ledger.server_tables import external_runs
from tallybook.ledger.tables import calls
from tallybook.testing.apify_server import ApifyServer
from tests.children import unmeasured
from tests.stories.acting import asked, until
from tests.stories.harvesting import Street, cost, free_port, furnish, settings_for
from tests.web.serving import SECRET, app_on

CLIENTS, LEADS = ("acme", "beta", "gamma"), 12


@contextmanager
def server(settings: Mapping[str, object], folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`tallybook serve` in a process of its own, ready."""
    told = {f"TALLYBOOK_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "tallybook.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **told}, cwd=folder, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _ready(port), "a server that is ready")
        yield process
    finally:
        process.kill()
        process.wait()


def _started(apify: ApifyServer, runs: int) -> bool:
    return len(apify.runs) >= runs


def _ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_a_server_killed_while_it_harvests_and_scores_ends_right_and_pays_for_nothing_twice(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F02, F30"""
    unmeasured(monkeypatch)
    with ApifyServer(token="a-token", latency_s=0.3, retry_base_s=0.05) as apify:
        port = free_port()
        told = settings_for(apify, port, scorer__model="scripted", scripted__latency_ms=20, harvesting__batch=4)
        settings = {**told, "database__url": database_url, "server__webhook_secret": SECRET}
        app = app_on(database_url)
        street = Street(app, apify, httpx.Client())
        furnish(app, *CLIENTS, leads=LEADS)
        run_id = trigger.start(app.ledger, app.clients, asked(operations=tuple(OperationName))).run_id
        for starts in (1, 4):
            with server(settings, tmp_path, port) as process:
                until(partial(_started, apify, starts), "the starts at Apify")
                time.sleep(0.05 * starts)
                process.send_signal(signal.SIGKILL)
        with server(settings, tmp_path, port) as process:
            run = street.ended(run_id)
            until(lambda: cost(street.run(run_id)) == apify.billed_usd, "the bills")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        run = street.checked(run_id)
        assert run.status.good
        assert run.tally.unmeasured == _lost(street)
        by_name = dict.fromkeys(OperationName, 0)
        for client in run.clients:
            for each in client.operations:
                by_name[each.operation] += each.tally.found
                assert each.tally.pending == 0
        assert by_name[OperationName.LEAD_SCORING] == by_name[OperationName.POST_HARVESTING] == len(CLIENTS) * LEADS
        for client_id in CLIENTS:
            assert street.posts(client_id) == street.truth(client_id)
        _nothing_recorded_was_paid_twice(street)
        app.close()


def _lost(street: Street) -> int:
    """Calls that died with their process: nobody can know whether they were answered."""
    lost = sa.select(sa.func.count()).where(calls.c.result == "lost")
    with street.app.database.reading() as connection:
        return int(connection.execute(lost).scalar_one())


def _nothing_recorded_was_paid_twice(street: Street) -> None:
    """Where two runs at Apify fetched the same profile, the books knew nothing of the first when the second began."""
    columns = (external_runs.c.external_id, external_runs.c.started_at)
    with street.app.database.reading() as connection:
        recorded = {row[0]: row[1] for row in connection.execute(sa.select(*columns))}
    for first, second in combinations(street.apify.runs, 2):
        if set(first.profiles) & set(second.profiles):
            began = f"{second.started_at:%Y-%m-%dT%H:%M:%S.%fZ}"
            assert recorded.get(first.id, "9") > began, (first.id, second.id)
