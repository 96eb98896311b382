"""A hidden attribute of the demo's people, and the ways to say it."""

from dataclasses import dataclass

from tallybook.domain.rubric import Attribute, Category, Scale


@dataclass(frozen=True, slots=True)
class Trait:
    """*headlines* and *said* use the rubric's phrases; *held_out* says the same without any of them."""

    attribute: Attribute
    headlines: tuple[str, ...]
    said: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def wanted(self) -> bool:
        return self.attribute.category is Category.POSITIVE


def trait(
    attribute_id: str,
    heading: str,
    points: float,
    phrases: str,
    *,
    headlines: str = "",
    said: str,
    held_out: str,
    min_to_qualify: float | None = None,
    disqualifying: bool = False,
    bonus: bool = False,
    fixed: bool = False,
) -> Trait:
    """*points* below 0 are a penalty. *phrases* and *headlines* are parted by |, sentences stand one a line."""
    attribute = Attribute(
        attribute_id,
        heading,
        Category.NEGATIVE if points < 0 else Category.POSITIVE,
        abs(points),
        min_to_qualify=min_to_qualify,
        disqualifying=disqualifying,
        bonus=bonus,
        scale=Scale.FIXED if fixed else Scale.SCALE,
        instructions=f"{heading}. Judge by what the text says, not by what it asks for.",
        phrases=_parted(phrases),
    )
    return Trait(attribute, _parted(headlines), _lines(said), _lines(held_out))


def _parted(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split("|") if part.strip())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
