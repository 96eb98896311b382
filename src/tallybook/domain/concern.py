"""Which run, client and operation are in hand. Whoever logs something meanwhile says so, without being told."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_Names = Mapping[str, str]
_CONCERN: ContextVar[_Names] = ContextVar("concern", default={})  # noqa: B039 -- nobody changes it


@contextmanager
def concerning(**names: str) -> Iterator[None]:
    """What goes on within concerns these: `run`, `client`, `operation`."""
    token = _CONCERN.set(ChainMap(dict(names), dict(_CONCERN.get())))
    try:
        yield
    finally:
        _CONCERN.reset(token)


def concern(names: _Names) -> None:
    """All that follows in this task concerns them, as they are when somebody asks."""
    _CONCERN.set(names)


def concerned() -> Mapping[str, str]:
    return dict(_CONCERN.get())
