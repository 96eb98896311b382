"""Text that never shows itself."""

MASK = "********"


class Secret:
    """A secret: `str`, `repr`, formats and everything that contains it show *shown*; `reveal()` gives the text.

    No dataclass, so that `dataclasses.asdict` does not take it apart.
    """

    __slots__ = ("_shown", "_text")

    def __init__(self, text: str, shown: str = MASK) -> None:
        self._text = text
        self._shown = shown

    def reveal(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Secret({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)
