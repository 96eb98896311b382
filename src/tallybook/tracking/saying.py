"""What a verb says, read and checked: small, plain data that can be written now or kept for later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from tallybook.domain.fields import BY_NAME, Field, Value

REFUSED_FOR = "refused"
"""What a line that was set aside has beside the saying: why."""
Plain = str | int | float | bool | Mapping[str, object] | None
Answer = str | bool
"""What a verb gives: an id or a label, or whether it did something."""


@dataclass(frozen=True, slots=True)
class Saying:
    """*run*: a run id or a label, as the caller wrote it. *fields*: field name -> value as the ledger keeps it.

    *facts*: what only this verb says, as JSON data. *site*: where it was called. *key*: its own for ever. *at*: when,
    as UTC text, if it could not be written at once.
    """

    verb: str
    run: str
    client: str | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)
    facts: Mapping[str, Plain] = field(default_factory=dict)
    site: str = ""
    at: str = ""
    key: str = ""

    @property
    def said(self) -> dict[Field, Value]:
        return {BY_NAME[name]: value for name, value in self.fields.items()}

    @property
    def reason(self) -> str:
        """Why what it speaks of had to be created."""
        return f"{self.verb} at {self.site}"

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if value}

    @classmethod
    def of_json(cls, data: object) -> Self:
        """Raises ValueError for what is no saying. Why it was once refused is passed over."""
        if not isinstance(data, dict) or not {"verb", "run", "at", "key"} <= data.keys():
            raise ValueError("it is no saying")
        try:
            found = cls(**{name: value for name, value in data.items() if name != REFUSED_FOR})
        except TypeError as error:
            raise ValueError(str(error)) from None
        if not set(found.fields) <= BY_NAME.keys() or not isinstance(found.facts, dict):
            raise ValueError("it has unknown fields")
        return found
