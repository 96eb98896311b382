"""Short ways to bring books into a state that is worth a mail."""

from tallybook.domain.client import Client
from tallybook.domain.telling import Standing
from tallybook.ledger.following import FollowerBook
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts
from tests.ledger import scenes


def ended(ledger: Ledger, *names: str, failed: int = 1, leads: int = 10) -> str:
    """A run over clients of these names, that has ended; the first has failures."""
    run_id = ledger.do(starts.start, scenes.asked(*(f"c{number}" for number in range(len(names))))).run_id
    ledger.do(starts.plan, run_id, [Client(f"c{number}", name) for number, name in enumerate(names)])
    for number in range(len(names)):
        due = [f"lead {each}" for each in range(leads)]
        key = scenes.frozen(ledger, scenes.begun(ledger, run_id, f"c{number}"), due)
        scenes.called(ledger, key, f"call {run_id} {number}")
        bad = 0 if number else failed
        scenes.recorded(ledger, key, *scenes.scored(*due[bad:]), *scenes.failed(*due[:bad]))
        scenes.closed(ledger, key)
    return run_id


def standing(book: FollowerBook, run_id: str) -> Standing:
    return book.tellings(run_id)[0].standing
