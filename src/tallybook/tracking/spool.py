"""What could not be written, on disk: JSON Lines, one file per process, in the order in which it was said.

A file belongs to whoever holds its lock (flock: a dead process holds none). What is broken goes to `FILE.bad`, what is
refused to `FILE.refused`. Why a file waits is noted beside it.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tallybook.tracking import held
from tallybook.tracking.held import Held
from tallybook.tracking.saying import REFUSED_FOR, Saying

ENDING = ".jsonl"
BAD, REFUSED = ".bad", ".refused"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One line of the spool. *saying* None: it cannot be read."""

    raw: bytes
    saying: Saying | None


class SpoolFile:
    """One file, under our lock. Not for two threads at once."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._done = 0
        self.held = held.read_held(path.with_suffix(held.ENDING))
        with path.open("rb") as file:
            self.waiting = sum(1 for _ in file)

    @classmethod
    def take(cls, path: Path, *, new: bool = False) -> "SpoolFile | None":
        """The file; None when its process lives, or somebody else has taken it. Raises OSError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | (os.O_CREAT if new else 0), 0o600)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):  # it lives; or somebody has just emptied and removed it
            pass
        os.close(descriptor)
        return None

    def append(self, line: bytes) -> None:
        """Durable when this returns. Raises OSError, and then the file is as it was."""
        end = os.fstat(self._descriptor).st_size
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(f"{self.path} took only a part of a line")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, end)
            raise
        self.waiting += 1

    def first(self, most: int) -> list[Waiting]:
        """The lines at the front, in order."""
        with self.path.open("rb") as file:
            file.seek(self._done)
            lines = [file.readline() for _ in range(min(most, self.waiting))]
        return [_read(line) for line in lines]

    def lines(self) -> Iterator[Waiting]:
        """All that wait, in order, for as long as none of them is done."""
        with self.path.open("rb") as file:
            file.seek(self._done)
            for _ in range(self.waiting):
                yield _read(file.readline())

    def done(self, lines: Sequence[Waiting]) -> None:
        """They are in the books, or set aside. A file without any left is removed."""
        self._done += sum(len(line.raw) for line in lines)
        self.waiting -= len(lines)
        if self.waiting <= 0:
            self.path.with_suffix(held.ENDING).unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)
            self.close()

    def hold(self, why: Held) -> None:
        """Note why it waits; once, if it goes on waiting for the same reason. Raises OSError."""
        if replace(why, at=self.held.at) != self.held:
            self.held = why
            held.write_held(self.path.with_suffix(held.ENDING), why)

    def set_aside(self, line: Waiting) -> Path:
        """Keep what is broken for a human, out of the way. Raises OSError."""
        return self._kept_in(BAD, line.raw.rstrip(b"\n"))

    def set_refused(self, line: Waiting, why: str) -> Path:
        """Keep what was refused, and why, in a form that can be replayed. Raises OSError."""
        return self._kept_in(REFUSED, json.dumps({**json.loads(line.raw), REFUSED_FOR: why}).encode())

    def _kept_in(self, ending: str, line: bytes) -> Path:
        path = self.path.with_suffix(ENDING + ending)
        with path.open("ab") as file:
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _make_durable(path.parent)
        return path

    def close(self) -> None:
        """Let go of it; what it still holds is for the next process."""
        os.close(self._descriptor)


def _read(raw: bytes) -> Waiting:
    try:
        return Waiting(raw, Saying.of_json(json.loads(raw)))
    except (ValueError, RecursionError):
        return Waiting(raw, None)


class Spool:
    """The spool folder as one process sees it. Not for two threads at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: list[SpoolFile] = []
        self._own: SpoolFile | None = None

    @property
    def waiting(self) -> int:
        return sum(each.waiting for each in self._files)

    def append(self, saying: Saying) -> None:
        """Keep it, durably, behind everything that waits. Raises OSError."""
        line = json.dumps(saying.as_json(), separators=(",", ":")).encode() + b"\n"
        if self._own is None:
            self._own = self._make_own()
            self._files.append(self._own)
        self._own.append(line)

    def _make_own(self) -> SpoolFile:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{os.getpid()}-{uuid.uuid4().hex[:12]}{ENDING}"
        file = SpoolFile.take(path, new=True)
        if file is None:
            raise OSError(f"{path} was taken away at once")
        _make_durable(self.folder)
        return file

    def adopt(self) -> int:
        """Take over what dead processes left, oldest first; gives how many lines that are. Raises OSError."""
        ours = {each.path for each in self._files}
        found = [SpoolFile.take(path) for path in files_in(self.folder, ENDING) if path not in ours]
        taken = [each for each in found if each is not None]
        for each in taken:
            if not each.waiting:
                each.done([])
        left = [each for each in taken if each.waiting]
        self._files = [*left, *self._files]
        return sum(each.waiting for each in left)

    @property
    def front(self) -> SpoolFile | None:
        """The file to read next; None when nothing waits."""
        return next((each for each in self._files if each.waiting), None)

    def first(self, most: int) -> tuple[SpoolFile, list[Waiting]] | None:
        """The file to read next and its first lines; None when nothing waits."""
        front = self.front
        return None if front is None else (front, front.first(most))

    def lines(self) -> Iterator[tuple[SpoolFile, Waiting]]:
        """All that wait now, in order, for as long as none of them is done."""
        return ((each, line) for each in list(self._files) for line in each.lines())

    def done(self, file: SpoolFile, lines: Sequence[Waiting]) -> None:
        file.done(lines)
        if not file.waiting:
            self._files.remove(file)
            self._own = None if file is self._own else self._own

    def close(self) -> None:
        for each in self._files:
            each.close()
        self._files, self._own = [], None


def files_in(folder: Path, ending: str) -> list[Path]:
    """Oldest first. A folder that is not there holds nothing."""
    found = {path: _changed_at(path) for path in folder.glob(f"*{ending}")}
    return sorted(found, key=lambda path: (found[path], path))


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def lines_in(folder: Path, ending: str) -> int:
    """How many lines all files with *ending* hold, of whatever process."""
    return sum(1 for path in files_in(folder, ending) for _ in _lines_of(path))


def refused_in(folder: Path) -> list[str]:
    """Why lines were refused that are kept in *folder*, oldest file first."""
    return [_why_of(line) for path in files_in(folder, ENDING + REFUSED) for line in _lines_of(path)]


def _why_of(line: bytes) -> str:
    try:
        return str(json.loads(line)[REFUSED_FOR])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "it does not say why"


def folders_in(top: Path) -> list[Path]:
    """*top*, where what is for the ledger waits, and below it a folder for each server."""
    return [top, *sorted(each for each in top.glob("*") if each.is_dir())]


def _lines_of(path: Path) -> Iterator[bytes]:
    """None where its process has just emptied and removed it."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        yield from file


def _make_durable(folder: Path) -> None:
    """A file is there after a power cut only when its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
