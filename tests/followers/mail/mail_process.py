"""A process that mails a report, and that can be killed at each point of it."""

from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from tallybook.database import Database
from tallybook.domain.telling import Part, Standing, Told
from tallybook.engine.telling import alone
from tallybook.followers.report_mail import NAME
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tests.children import until_hung_up
from tests.followers.mail.postbox import follower_at


class Halting(FollowerBook):
    """The books; *at* a point it says so, and stays there for ever."""

    def __init__(self, ledger: Ledger, at: str, line: Connection) -> None:
        super().__init__(ledger, NAME)
        self._at = at
        self._line = line

    def _reached(self, point: str) -> None:
        if point == self._at:
            self._line.send(point)
            until_hung_up(self._line)

    def attempt(self, part: Part, ref: str, was: Standing) -> bool:
        self._reached("before it is noted")
        noted = super().attempt(part, ref, was)
        self._reached("noted")
        return noted

    def told(self, parts: Sequence[Told]) -> None:
        self._reached("taken")
        super().told(parts)
        self._reached("told")


def mail(line: Connection, url: str, port: int, run_id: str, at: str) -> None:
    """Tell it of the run, under the lock as an engine would."""
    ledger = Ledger(Database(url))
    with alone(ledger.database, NAME, 20.0) as is_alone:
        assert is_alone
        follower_at(port).tell([run_id], Halting(ledger, at, line))
    line.send("done")
    until_hung_up(line)
    ledger.close()


def crowd(line: Connection, url: str, port: int, run_ids: Sequence[str], times: int) -> None:
    """Tell it of these runs again and again, beside others that do the same."""
    ledger = Ledger(Database(url))
    line.send("ready")
    line.recv()
    tell: Callable[[], object] = lambda: follower_at(port).tell(run_ids, FollowerBook(ledger, NAME))  # noqa: E731
    for _ in range(times):
        with alone(ledger.database, NAME, 20.0) as is_alone:
            assert is_alone
            tell()
    line.send("done")
    until_hung_up(line)
    ledger.close()
