"""The PostgreSQL that the other tests stand on."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.postgres import Server, copy_of, installations, running, wheel_installation

TOP = Path(__file__).parents[2]

SERVE_AND_DIE = """
import os, signal
from tests.postgres import running
with running() as server:
    print(server.pid, server.folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("_time", ["first", "second"])
def test_each_test_gets_a_fresh_database(postgres_url: str, _time: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE leads (id integer)")
        connection.execute("INSERT INTO leads VALUES (1)")
        assert connection.execute("SELECT count(*) FROM leads").fetchone() == (1,)


def test_a_database_is_dropped_even_while_someone_is_connected(postgres: Server) -> None:
    with postgres.fresh_database() as url:
        left_open = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    left_open.close()


def test_the_server_listens_on_the_loopback_only(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
        assert connection.execute("SHOW unix_socket_directories").fetchone() == ("",)


def test_a_test_that_asks_for_a_database_url_runs_on_both_kinds(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    expected = {"sqlite": f"sqlite:///{tmp_path}/tallybook.db", "postgresql": "postgresql://tallybook@127.0.0.1:"}
    assert database_url.startswith(expected[request.node.callspec.params["database_url"]])


@pytest.mark.parametrize("binaries", installations(), ids=str)
def test_every_installation_serves_and_leaves_nothing_behind(binaries: Path) -> None:
    with running(binaries) as server, psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert server.folder.stat().st_uid != 0
    assert not server.folder.exists()
    assert not is_alive(server.pid)


def test_a_server_starts_from_a_folder_that_is_closed_to_its_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    [wheel] = wheel_installation()
    with running(copy_of(wheel.parent, tmp_path) / "bin") as server:
        assert is_alive(server.pid)


def test_a_server_does_not_outlive_a_test_process_that_was_killed() -> None:
    killed = subprocess.run((sys.executable, "-c", SERVE_AND_DIE), cwd=TOP, capture_output=True, text=True, check=False)
    pid, folder = killed.stdout.split()
    assert killed.returncode == -signal.SIGKILL
    assert ends_within(int(pid), timeout_s=10.0)
    shutil.rmtree(folder)


def ends_within(pid: int, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
