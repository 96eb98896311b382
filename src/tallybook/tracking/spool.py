"""What could not be written, on disk: JSON Lines, one file per process, in the order in which it was said.

A file belongs to whoever holds its lock (flock: a dead process holds none). What is broken goes to `FILE.bad`.
"""

import fcntl
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tallybook.tracking.saying import Saying

ENDING = ".jsonl"
BAD = ".bad"


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

    def done(self, lines: Sequence[Waiting]) -> None:
        """They are in the books, or set aside. A file without any left is removed."""
        self._done += sum(len(line.raw) for line in lines)
        self.waiting -= len(lines)
        if self.waiting <= 0:
            self.path.unlink(missing_ok=True)
            self.close()

    def set_aside(self, line: Waiting) -> Path:
        """Keep it for a human, out of the way. Raises OSError."""
        bad = self.path.with_suffix(ENDING + BAD)
        with bad.open("ab") as file:
            file.write(line.raw.rstrip(b"\n") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return bad

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

    def first(self, most: int) -> tuple[SpoolFile, list[Waiting]] | None:
        """The file to read next and its first lines; None when nothing waits."""
        for each in self._files:
            if each.waiting:
                return each, each.first(most)
        return None

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
    return sum(map(_lines_of, files_in(folder, ending)))


def _lines_of(path: Path) -> int:
    try:
        with path.open("rb") as file:
            return sum(1 for _ in file)
    except FileNotFoundError:
        return 0


def _make_durable(folder: Path) -> None:
    """A file is there after a power cut only when its folder was written too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
