"""Child processes of the tests: how to start them quickly, and without measuring what need not be measured."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Self

import pytest

TOP = Path(__file__).parents[1]
PATIENCE_S = 60.0
MEASURED = "COVERAGE_PROCESS_CONFIG"
IMPORTED = ("__main__", "dbos", "psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "alembic")
OURS = ("tests.ledger.process", "tests.stories.worker", "tallybook.migrations.versions")


def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started from here on is not measured, which takes half as long again as running it. What it executes is
    covered by tests in this process.
    """
    monkeypatch.delenv(MEASURED, raising=False)


class Child:
    """A process in which *main*(line, *arguments) runs, *line* being its end of a pipe to us. It is not measured.

    It is forked off a server that has imported everything, because that takes longer than most of them live. For the
    system it is a process like any other: with an id, locks and files of its own, and killed like any other.
    """

    def __init__(self, main: Callable[..., None], *arguments: object) -> None:
        self._line, theirs = _server().Pipe()
        self._process = _server().Process(target=main, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def hears(self, what: object) -> None:
        self._line.send(what)

    def says(self) -> Any:
        """What it says next. Raises EOFError when it has ended instead."""
        assert self._line.poll(PATIENCE_S), "it says nothing"
        return self._line.recv()

    def kill(self) -> None:
        """As nobody can refuse; returns when it is dead."""
        self._process.kill()
        self.ends()

    def ends(self) -> int:
        """Nobody talks to it any more; gives its exit code, which is negative if a signal ended it."""
        self._line.close()
        self._process.join(PATIENCE_S)
        code = self._process.exitcode
        assert code is not None, "it does not end"
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()


@cache
def _server() -> ForkServerContext:
    """Of this test process; it ends with it."""
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IMPORTED, *OURS])
    with chdir(TOP), _nothing_measured():
        forkserver.ensure_running()
    return context


@contextmanager
def _nothing_measured() -> Iterator[None]:
    kept = os.environ.pop(MEASURED, None)
    try:
        yield
    finally:
        if kept is not None:
            os.environ[MEASURED] = kept


def until_hung_up(line: Connection) -> None:
    """In a child: wait until nobody talks to it any more."""
    try:
        line.recv()
    except EOFError:
        return
