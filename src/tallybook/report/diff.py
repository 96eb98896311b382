"""What is different between two runs: totals, reasons, and client by client."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tallybook.domain.run import ClientRun, Run
from tallybook.domain.tally import Money, Tally
from tallybook.report import words

Facts = dict[str, object]
Figures = Mapping[str, int]

SHOWN = {
    "found": "found",
    "scored": "scored",
    "harvested": "harvested",
    "skipped": "skipped",
    "failed": "failed",
    "pending": "pending",
    "posts": "posts",
    "calls": "calls",
    "unmeasured": "unmeasured calls",
    "total_tokens": "tokens",
    "cost_pico_usd": "cost",
}
"""The figures of a tally that are compared, and what they are called."""


RATE = "success rate"


@dataclass(frozen=True, slots=True)
class Change:
    """A figure that is not what it was. Money in pico-dollars, a rate in thousandths."""

    name: str
    before: int
    after: int

    @property
    def shown(self) -> tuple[str, str, str]:
        """Before, after, difference, as people read them."""
        return self._told(self.before), self._told(self.after), self._difference()

    def _told(self, value: int) -> str:
        if self.name == RATE:
            return words.percent(value / 1000)
        return words.usd(Money(value)) if self.name == "cost" else f"{value:,}"

    def _difference(self) -> str:
        gained = self.after - self.before
        return f"{'+' if gained > 0 else '−'}{self._told(abs(gained))}"


@dataclass(frozen=True, slots=True)
class ClientDiff:
    """*before*, *after*: its client runs; None in the run that did not visit it."""

    client_id: str
    before: ClientRun | None
    after: ClientRun | None
    changes: tuple[Change, ...] = ()
    reasons: tuple[Change, ...] = ()

    @property
    def any(self) -> bool:
        return self.statuses[0] != self.statuses[1] or bool(self.changes or self.reasons)

    @property
    def statuses(self) -> tuple[str | None, str | None]:
        return (self.before.status.value if self.before else None, self.after.status.value if self.after else None)


@dataclass(frozen=True, slots=True)
class Diff:
    """From run *before* to run *after*. *clients*: only those with a difference."""

    before: Run
    after: Run
    changes: tuple[Change, ...]
    reasons: tuple[Change, ...]
    clients: tuple[ClientDiff, ...]


def diff(before: Run, after: Run) -> Diff:
    clients = (_client(client_id, before, after) for client_id in _client_ids(before, after))
    return Diff(
        before,
        after,
        changes(figures(before.tally), figures(after.tally)),
        changes(words.reasons_of(before), words.reasons_of(after)),
        tuple(each for each in clients if each.any),
    )


def figures(tally: Tally) -> Figures:
    return {shown: getattr(tally, name) for name, shown in SHOWN.items()}


def rate_change(before: Tally, after: Tally) -> tuple[Change, ...]:
    """How the success rate moved, where both sides have one."""
    if before.success_rate is None or after.success_rate is None:
        return ()
    return changes({RATE: round(before.success_rate * 1000)}, {RATE: round(after.success_rate * 1000)})


def changes(before: Figures, after: Figures) -> tuple[Change, ...]:
    """What differs; a figure that one side lacks is 0 there."""
    names = [*after, *(name for name in before if name not in after)]
    both = (Change(name, before.get(name, 0), after.get(name, 0)) for name in names)
    return tuple(each for each in both if each.before != each.after)


def _client_ids(*runs: Run) -> list[str]:
    return sorted({client.client_id for run in runs for client in run.clients})


def _client(client_id: str, before: Run, after: Run) -> ClientDiff:
    old, new = _find(before, client_id), _find(after, client_id)
    return ClientDiff(
        client_id,
        old,
        new,
        changes(figures(old.tally if old else Tally()), figures(new.tally if new else Tally())),
        changes(_reasons(old), _reasons(new)),
    )


def _find(run: Run, client_id: str) -> ClientRun | None:
    return next((each for each in run.clients if each.client_id == client_id), None)


def _reasons(client: ClientRun | None) -> Figures:
    sums: dict[str, int] = {}
    for operation in client.operations if client else ():
        for reason, number in operation.reasons.items():
            sums[reason] = sums.get(reason, 0) + number
    return sums


# -- told --------------------------------------------------------------------------------------------------------------


def diff_text(found: Diff) -> str:
    """Lines for a terminal."""
    return "\n".join(_lines(found))


def _lines(found: Diff) -> Iterable[str]:
    yield f"From run {_named(found.before)}"
    yield f"  to run {_named(found.after)}"
    if not (found.changes or found.reasons or found.clients):
        yield ""
        yield "No figure is different."
        return
    yield from _section("Totals", found.changes)
    yield from _section("Reasons", found.reasons)
    for client in found.clients:
        yield from _section(_heading(client), (*client.changes, *client.reasons), even_empty=True)


def _named(run: Run) -> str:
    return f"{run.run_id}, {words.instant(run.started_at)}: {words.plain(run.status)}"


def _heading(client: ClientDiff) -> str:
    before, after = client.statuses
    if after is None:
        return f"{client.client_id}: not visited any more"
    if before is None:
        return f"{client.client_id}: new, {words.plain(after)}"
    told = words.plain(after) if before == after else f"{words.plain(before)} → {words.plain(after)}"
    return f"{client.client_id}: {told}"


def _section(heading: str, found: Iterable[Change], *, even_empty: bool = False) -> Iterable[str]:
    rows = [(each.name, *each.shown) for each in found]
    if not rows and not even_empty:
        return
    yield ""
    yield heading
    for name, before, after, difference in rows:
        yield f"  {name:<22} {before:>12} → {after:<12} {difference}"


def diff_facts(found: Diff) -> Facts:
    """As JSON data; only what differs. Money is a decimal string, as everywhere."""
    return {
        "a": found.before.run_id,
        "b": found.after.run_id,
        "status": {"a": found.before.status.value, "b": found.after.status.value},
        "totals": _changes_facts(found.changes),
        "reasons": _changes_facts(found.reasons),
        "clients": [
            {
                "client_id": each.client_id,
                "status": dict(zip("ab", each.statuses, strict=True)),
                "totals": _changes_facts(each.changes),
                "reasons": _changes_facts(each.reasons),
            }
            for each in found.clients
        ],
    }


_FACT_NAMES = {"unmeasured calls": "unmeasured_calls", "tokens": "total_tokens", "cost": "cost_usd"}


def _changes_facts(found: Iterable[Change]) -> Facts:
    return {_FACT_NAMES.get(each.name, each.name): _sides(each) for each in found}


def _sides(change: Change) -> Facts:
    if change.name == "cost":
        return {"a": str(Money(change.before)), "b": str(Money(change.after))}
    return {"a": change.before, "b": change.after}
