"""What has gone wrong on the way into the books (F34): counted here, shown by `doctor` and on the page."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TrackingStatus:
    """*spooled*: lines that wait, of all processes; *set_aside*: lines that cannot be written, or were refused when
    their turn came. Counts of this process: *refused* by verb, *lost*: what neither the ledger nor the disk took,
    *denied*: how often a server did not let us in (what was said waits). *refused_ever*, *auto_created*: text -> how
    often, from the books; None while they cannot be read.
    """

    spooled: int = 0
    set_aside: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    lost: int = 0
    denied: int = 0
    last_error: str | None = None
    refused_ever: Mapping[str, int] | None = None
    auto_created: Mapping[str, int] | None = None

    @property
    def well(self) -> bool:
        return not (self.spooled or self.set_aside or self.refused or self.lost or self.denied or self.refused_ever)


class Health:
    """The counts of one process. Safe from any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._lost = 0
        self._denied = 0
        self._last_error: str | None = None

    def after_fork(self) -> None:
        """In the child: somebody may have held the lock."""
        self._lock = threading.Lock()

    def refused(self, verb: str, error: Exception) -> None:
        with self._lock:
            self._refused[verb] += 1
            self._last_error = str(error)

    def lost(self, error: Exception) -> None:
        with self._lock:
            self._lost += 1
            self._last_error = str(error)

    def denied(self) -> None:
        with self._lock:
            self._denied += 1

    def trouble(self, error: Exception) -> None:
        with self._lock:
            self._last_error = str(error)

    def status(self, **more: int | Mapping[str, int] | None) -> TrackingStatus:
        with self._lock:
            return TrackingStatus(
                refused=dict(self._refused),
                lost=self._lost,
                denied=self._denied,
                last_error=self._last_error,
                **more,  # type: ignore[arg-type]  # the other fields
            )
