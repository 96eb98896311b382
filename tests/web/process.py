"""The server as a process of its own, to be killed."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.console import SCRIPT, environment


class ServerProcess:
    """`tallybook serve --books-only` on the database of *folder*."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = [SCRIPT, "serve", "--books-only", "--port", str(port)]
        self._process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        assert line.startswith("Serving on "), line
        self.address = line.split()[2]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        self._process.send_signal(how)
        code = self._process.wait(60)
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code


@contextmanager
def server_process(folder: Path, port: int = 0) -> Iterator[ServerProcess]:
    server = ServerProcess(folder, port)
    try:
        yield server
    finally:
        server.stop()
