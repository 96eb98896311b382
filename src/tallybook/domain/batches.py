"""Many things, some at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(things: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """All of *things*, in their order, up to *size* at a time; no more are asked for before those were taken."""
    iterator = iter(things)
    while some := list(islice(iterator, size)):
        yield some
