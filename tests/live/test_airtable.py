"""Airtable itself, with a real token, in an empty base that is thrown away after: `./dev test -m live tests/live`.

TALLYBOOK_LIVE_AIRTABLE: `TOKEN BASE_ID`; the token may read and write records and the schema. Costs some 40 requests.
"""

import os
import time
from datetime import timedelta

import pytest
from pyairtable import Api

from benchmarks.house import House
from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.lanes import LanesInProcess
from tallybook.airtable.pacing import Pace
from tallybook.airtable.seen import OperatorBase
from tallybook.followers import mirror_care
from tallybook.followers.airtable_mirror import NAME, AirtableMirror
from tallybook.followers.mirror_check import Check
from tallybook.followers.mirror_window import Window
from tallybook.ledger.following import FollowerBook
from tests.airtable.told import SAID, what_it_says, what_several_matches_say
from tests.ledger import scenes

pytestmark = pytest.mark.live
VARIABLE = "TALLYBOOK_LIVE_AIRTABLE"


@pytest.fixture
def asked() -> tuple[str, OperatorBase]:
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} is not set")
    token, _, base_id = os.environ[VARIABLE].partition(" ")
    return token, OperatorBase(base_id)


def test_it_says_what_the_look_alike_says(asked: tuple[str, OperatorBase]) -> None:
    token, base = asked
    assert what_it_says(Api(token), base) == dict(SAID)
    assert what_several_matches_say(Api(token), base)[0] == 422


def test_a_run_is_mirrored_and_verified(asked: tuple[str, OperatorBase], sqlite_house: House) -> None:
    token, base = asked
    door = AirtableDoor(token, "https://api.airtable.com", Pace(LanesInProcess(time.monotonic), token))
    mirror = AirtableMirror(door, base, Window(timedelta(days=365), 50_000))
    book = FollowerBook(sqlite_house.ledger, NAME)
    mirror_care.set_up(mirror, book)
    key = scenes.working(sqlite_house.ledger, ("a", "b"), 'say "hi" {to} O\'Hara 🙂')
    scenes.recorded(sqlite_house.ledger, key, *scenes.scored("a"), *scenes.failed("b"))
    scenes.closed(sqlite_house.ledger, key)
    assert mirror.tell([key.run_id], book) is None
    assert not Check(mirror, book).run().differences
