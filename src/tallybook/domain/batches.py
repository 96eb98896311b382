"""Many things, a few at a time."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def batched(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """*things* in their order, at most *size* at a time."""
    for first in range(0, len(things), size):
        yield things[first : first + size]
