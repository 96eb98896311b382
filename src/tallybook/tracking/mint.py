"""Run ids while the ledger is away. The ledger mints all others."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from tallybook.domain.errors import RunIdsExhausted
from tallybook.domain.runid import timestamp_id

LONGEST_AHEAD_S = 60
_LAST = "last-run-id"


class SpareMint:
    """Ids of the clock's second, or the next free one. Not for two threads at once.

    No two processes with the same spool folder get the same; processes on two machines, both cut off in the same
    second, may. So may a process that is cut off in the second in which the ledger gave an id to another.
    """

    def __init__(self, folder: Path, zone: tzinfo) -> None:
        self._folder = folder
        self._zone = zone
        self._given: set[str] = set()

    def given(self, run_id: str) -> None:
        """The ledger gave this one out, to us."""
        self._given.add(run_id)

    def make(self, now: datetime) -> str:
        """Raises RunIdsExhausted when the next free second is over a minute ahead."""
        with _folder_lock(self._folder) as descriptor:
            first_s = max(int(now.timestamp()), _read(descriptor) + 1)
            for second in range(first_s, int(now.timestamp()) + LONGEST_AHEAD_S + 1):
                run_id = timestamp_id(datetime.fromtimestamp(second, UTC), self._zone)
                if run_id not in self._given:
                    self._given.add(run_id)
                    _write(descriptor, second)
                    return run_id
        ahead = timedelta(seconds=LONGEST_AHEAD_S)
        raise RunIdsExhausted(f"every second up to {now + ahead:%H:%M:%S} is taken as a run id; wait a minute")


@contextmanager
def _folder_lock(folder: Path) -> Iterator[int | None]:
    """A descriptor under lock; None where the folder cannot be written: then ids are unique in this process only."""
    descriptor: int | None = None
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / _LAST, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _read(descriptor: int | None) -> int:
    text = os.pread(descriptor, 20, 0) if descriptor is not None else b""
    return int(text) if text.strip().isdigit() else 0


def _write(descriptor: int | None, second: int) -> None:
    if descriptor is not None:
        os.pwrite(descriptor, b"%d" % second, 0)
