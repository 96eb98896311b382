"""A command as from a process of its own, in this one: starting Python and importing is most of what a child costs.

It gets its own environment, working folder and streams, and logs as whoever has configured no logging. What it prints
is caught where it leaves the process. What is left to test from outside is what only a process has: signals, pipes,
terminals, and how it starts and ends.
"""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from tallybook.cli import main
from tests.cli.console import environment

STREAMS = {"stdout": 1, "stderr": 2}


def inside(*args: str, cwd: Path, read_as: str = "utf-8", **env: str) -> subprocess.CompletedProcess[str]:
    """What `console` gives."""
    with TemporaryFile() as out, TemporaryFile() as err:
        with _place(cwd, environment(**env)), _leads_to(out, "stdout", read_as), _leads_to(err, "stderr", read_as):
            code = main(args)
        return subprocess.CompletedProcess(args, code, _all_of(out, read_as), _all_of(err, read_as))


@contextlib.contextmanager
def _place(cwd: Path, environ: Mapping[str, str]) -> Iterator[None]:
    with _in_its_own(environ), contextlib.chdir(cwd), _unconfigured_logging(), _nothing_to_read():
        yield


@contextlib.contextmanager
def _in_its_own(environ: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    _replace(environ)
    try:
        yield
    finally:
        _replace(before)


def _replace(environ: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)


@contextlib.contextmanager
def _unconfigured_logging() -> Iterator[None]:
    """Warnings go to stderr then."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = handlers


@contextlib.contextmanager
def _leads_to(file: IO[bytes], name: str, encoding: str) -> Iterator[None]:
    """The stream of that name, and its descriptor with whatever is written to that."""
    stream, number = getattr(sys, name), STREAMS[name]
    kept = os.dup(number)
    os.dup2(file.fileno(), number)
    setattr(sys, name, open(number, "w", encoding=encoding, closefd=False))  # noqa: SIM115 -- a descriptor
    try:
        yield
    finally:
        getattr(sys, name).flush()
        setattr(sys, name, stream)
        os.dup2(kept, number)
        os.close(kept)


@contextlib.contextmanager
def _nothing_to_read() -> Iterator[None]:
    stdin = sys.stdin
    with Path(os.devnull).open() as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = stdin


def _all_of(file: IO[bytes], encoding: str) -> str:
    file.seek(0)
    return file.read().decode(encoding)
