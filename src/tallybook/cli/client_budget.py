"""What `tallybook client budget` does: a client's budgets, shown and set."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

import typer

from tallybook.cli import output
from tallybook.domain.budget import Ceiling, Per
from tallybook.domain.tally import Money
from tallybook.ledger import budgets
from tallybook.ledger.budgets import Standing
from tallybook.ledger.write.budgets import MOST_USD, clear_budget, set_budget
from tallybook.report import words
from tallybook.report.facts import moment
from tallybook.settings import readers

if TYPE_CHECKING:
    from tallybook.app import App

HEADINGS = ("PER", "FROM", "LIMIT", "USED", "SET ASIDE", "LEFT", "TURNS")


@dataclass(frozen=True, slots=True)
class Asked:
    """The options as they were given."""

    per: str
    tokens: int | None
    usd: str | None
    off: bool

    @property
    def window(self) -> Per:
        """Raises typer.BadParameter."""
        if self.per not in (Per.DAY, Per.MONTH):
            raise typer.BadParameter(f"--per is day or month, got {self.per!r}")
        return Per(self.per)

    @property
    def ceiling(self) -> Ceiling:
        """Empty when none was given. Raises typer.BadParameter."""
        if self.off and (self.tokens is not None or self.usd is not None):
            raise typer.BadParameter("--off takes a budget away; give it without --tokens and --usd")
        return Ceiling(self.tokens, None if self.usd is None else _money(self.usd))


def _money(text: str) -> Money:
    try:
        amount = readers.usd(text)
    except ValueError as error:
        raise typer.BadParameter(f"--usd {error}") from None
    if amount > Money.usd(MOST_USD):
        raise typer.BadParameter(f"--usd is at most {MOST_USD:,}, got {text}")
    return amount


def change_and_show(app: "App", client_id: str, asked: Asked, *, as_json: bool) -> None:
    """Raises NotFound, typer.BadParameter."""
    window, ceiling = asked.window, asked.ceiling
    app.clients.get(client_id)
    if ceiling:
        app.ledger.do(set_budget, client_id, window, ceiling)
    elif asked.off and not app.ledger.do(clear_budget, client_id, window):
        output.note(f"{client_id} had no budget of its own for the {window}.")
    _show(client_id, standing(app, client_id), as_json=as_json)


def standing(app: "App", client_id: str) -> Sequence[Standing]:
    return budgets.of_client(app.database, client_id, app.budgets, app.ledger.clock())


def _show(client_id: str, found: Sequence[Standing], *, as_json: bool) -> None:
    if as_json:
        output.emit({"client_id": client_id, "budgets": [_in_json(each) for each in found]})
    elif found:
        output.table([row for each in found for row in _rows(each)], HEADINGS, right=(2, 3, 4, 5))
    else:
        output.note(
            f"No budget holds for {client_id}. `tallybook client budget {quote(client_id)} --usd 5` sets one for the"
            " day; those under [budget] are for all clients."
        )


def in_a_line(found: Sequence[Standing]) -> str:
    """`day: 500,000 tokens or $1.50; month: $30.00 (its own)`."""
    return "; ".join(map(_limits, found)) or "none"


def _limits(each: Standing) -> str:
    limits = [] if each.ceiling.tokens is None else [f"{each.ceiling.tokens:,} tokens"]
    limits += [] if each.ceiling.cost is None else [words.usd(each.ceiling.cost)]
    return f"{each.per}: {' or '.join(limits)}{' (its own)' if each.own else ''}"


def _rows(each: Standing) -> Iterator[tuple[str, ...]]:
    """A row for each number that must not be passed."""
    of, turns, left = (each.per, _from(each)), words.instant(each.turns_at), each.left
    if each.ceiling.tokens is not None and left.tokens is not None:
        numbers = (each.ceiling.tokens, each.spent.tokens, each.set_aside.tokens, left.tokens)
        limit, *others = (f"{number:,}" for number in numbers)
        yield (*of, f"{limit} tokens", *others, turns)
    if each.ceiling.cost is not None and left.cost is not None:
        amounts = (each.ceiling.cost, Money(each.spent.pico_usd), Money(each.set_aside.pico_usd), left.cost)
        yield (*of, *map(words.usd, amounts), turns)


def _from(each: Standing) -> str:
    return "client" if each.own else "settings"


def _in_json(each: Standing) -> dict[str, Any]:
    """Limits and what is left are None where there is no limit."""
    left = each.left
    return {
        "per": each.per.value,
        "from": _from(each),
        "limit_tokens": each.ceiling.tokens,
        "spent_tokens": each.spent.tokens,
        "set_aside_tokens": each.set_aside.tokens,
        "left_tokens": left.tokens,
        "limit_usd": _usd(each.ceiling.cost),
        "spent_usd": str(Money(each.spent.pico_usd)),
        "set_aside_usd": str(Money(each.set_aside.pico_usd)),
        "left_usd": _usd(left.cost),
        "turns_at": moment(each.turns_at),
    }


def _usd(money: Money | None) -> str | None:
    return None if money is None else str(money)
