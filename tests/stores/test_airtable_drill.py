"""People and Tallybook at work in one base, in random order, and Airtable in trouble: in the end both hold the same."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.lead import lead_id_of_url
from tallybook.domain.outcome import LeadId
from tallybook.testing.airtable_faults import AirtableFault
from tests.books import SqliteBooks
from tests.stores.embedded import lead, scored
from tests.stores.tenancy import ACME, LEAD_SCORING, Tenancy, tenancy

STEPS = 60
TROUBLES = (AirtableFault.SERVER_ERROR, AirtableFault.LOST_ANSWER, AirtableFault.RESET, AirtableFault.UNAVAILABLE)


class Drill:
    def __init__(self, house: Tenancy, seed: int) -> None:
        self.house = house
        self._chance = random.Random(seed)
        self._owed: list[LeadId] = []
        self._fields = 0

    def run(self) -> None:
        people: list[Callable[[], None]] = [self.add, self.add, self.edit, self.say, self.say, self.delete]
        people += [self.duplicate, self.move, self.rename]
        for _ in range(STEPS):
            self._chance.choice([*people, *[self.work] * 4, *[self.trouble] * 2])()
            self.house.minutes_pass(self._chance.choice([0.1, 2, 2, 700]))

    def settle(self) -> None:
        """A day later, and until no trouble is left in store."""
        for hours in (25, 25, *[0.1] * 20):
            self.house.minutes_pass(hours * 60)
            self.work()

    # -- what happens

    def add(self) -> None:
        for name in self._chance.sample(range(40), self._chance.randrange(1, 15)):
            self.house.add(lead(f"p-{name}"))
            self.house.clock.sleep(0.01)  # no two are of the same age

    def edit(self) -> None:
        self._change({"Headline": f"Chief {self._chance.random()}"})

    def say(self) -> None:
        self._change({"Scoring Status": self._chance.choice(["To Be Scored", "Excluded", "Scored"])})

    def move(self) -> None:
        self._change({"LinkedIn Profile URL": self._chance.choice(["https://p-3", "https://p-new", "nobody", None])})

    def delete(self) -> None:
        if ids := self.house.leads().ids:
            self.house.leads().delete(*self._chance.sample(ids, min(len(ids), 3)))

    def duplicate(self) -> None:
        if ids := self.house.leads().ids:
            self.house.leads().duplicate(self._chance.choice(ids))

    def rename(self) -> None:
        self._fields += 1
        (name,) = [each for each in self.house.leads().types if each.startswith("AI Profile Assessment")]
        self.house.leads().rename_field(name, f"AI Profile Assessment {self._fields}")

    def trouble(self) -> None:
        self.house.server.faults.then(*[AirtableFault.OK] * self._chance.randrange(4), self._chance.choice(TROUBLES))

    def work(self) -> None:
        """As a run does: what is owed first, then what is due."""
        store = self.house.store()
        with suppress(StoreUnavailable):
            store.save(LEAD_SCORING, [scored(each) for each in self._owed])
            self._owed = [each.lead_id for each in store.candidates(LEAD_SCORING, None, 1_000)]
            store.save(LEAD_SCORING, [scored(each) for each in self._owed])
            self._owed = []

    def _change(self, cells: dict[str, str | None]) -> None:
        if ids := self.house.leads().ids:
            self.house.leads().edit(self._chance.choice(ids), cells)


@pytest.mark.parametrize("seed", range(4))
def test_in_the_end_the_copy_and_the_base_hold_the_same(seed: int, sqlite_books: SqliteBooks, tmp_path: Path) -> None:
    """F09, F28"""
    with tenancy(sqlite_books.copied_to(tmp_path)) as house:
        drill = Drill(house, seed)
        drill.run()
        drill.settle()
        assert_the_same(house)


def assert_the_same(house: Tenancy) -> None:
    rows: dict[LeadId, dict[str, Any]] = {}
    for row in house.leads().rows:  # in the order of their creation: the oldest counts
        if "nobody" not in row.get("LinkedIn Profile URL", "nobody"):
            rows.setdefault(lead_id_of_url(row["LinkedIn Profile URL"]), row)
    held = {each.lead.lead_id: each for each in house.local.leads(ACME)}
    assert held.keys() == rows.keys()
    for lead_id, row in rows.items():
        assert held[lead_id].lead.headline == row.get("Headline", ""), lead_id
        assert held[lead_id].excluded_by_hand is (row["Scoring Status"] == "Excluded"), lead_id
        if row["Scoring Status"] != "Excluded":
            assert (row["Scoring Status"], row["AI Score"], held[lead_id].score) == ("Scored", 50, 50.0), lead_id
    assert house.ids() == []
