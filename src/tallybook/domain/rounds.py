"""Rounds: the same leads asked about again and again, each time with other chunk mates (F25)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Self

from tallybook.domain.lead import Lead
from tallybook.domain.ports import Item


@dataclass(frozen=True, slots=True)
class Round:
    """Every lead asked about once, in chunks of *size*; 1 is each alone. *shuffled*: chunk mates are drawn, else they
    are neighbours, as in a run.
    """

    size: int
    chunks: tuple[tuple[Item, ...], ...]
    shuffled: bool = False

    @classmethod
    def of(cls, items: Sequence[Item], size: int, *, shuffled: bool = False) -> Self:
        size = min(size, len(items))
        firsts = range(0, len(items), size)
        return cls(size, tuple(tuple(items[first : first + size]) for first in firsts), shuffled)


def plan(leads: Sequence[Lead], *, chunk_size: int, rounds: int, draw: random.Random) -> list[Round]:
    """Each lead alone; chunks as a run makes them; then shuffled ones, of *chunk_size* leads, of twice and of half as
    many, in turn. At least one lead and two rounds; what *draw* gives decides who is asked about with whom.
    """
    items = [Item(lead.lead_id, lead) for lead in leads]
    shared = max(2, chunk_size)
    sizes = islice(cycle((shared, 2 * shared, max(2, shared // 2))), rounds - 2)
    shuffled = [Round.of(draw.sample(items, len(items)), size, shuffled=True) for size in sizes]
    return [Round.of(items, 1), Round.of(items, chunk_size), *shuffled]
