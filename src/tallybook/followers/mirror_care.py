"""What people have done with the mirror: set up, told at once, mended, told anew, asked how it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tallybook.airtable.batches import write_in_tens
from tallybook.airtable.resolved import Resolved, resolve
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.setting_up import CreateField, CreateTable, missing
from tallybook.airtable.tables import CLIENT_RUN_RESULTS, JOB_TRACKING
from tallybook.domain.batches import batched
from tallybook.domain.following import FollowerState
from tallybook.domain.telling import Part, Standing, Telling
from tallybook.followers.airtable_mirror import AirtableMirror, Trouble, trouble_in
from tallybook.followers.mirror_check import Checked, Copy
from tallybook.followers.mirror_rows import Table
from tallybook.followers.mirror_schema import MirrorSchema, Notice
from tallybook.followers.mirror_window import WARN_AT

RUNS_TOGETHER = 25
Progress = Callable[[int], None]


def _quiet(_: int) -> None: ...


# -- set-up ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetUpDone:
    """*created*: tables and fields. *by_hand*: what people have to do, in sentences. *left_out*: `Table.Column` of ours
    that is there and yet not written, and why.
    """

    created: tuple[str, ...]
    by_hand: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def set_up(mirror: AirtableMirror, book: FollowerState) -> SetUpDone:
    """Make what is missing in the base, and take what is there for ours. Twice is as once. Raises AirtableError."""
    created: list[str] = []
    schema = MirrorSchema(mirror.door, mirror.base, book)
    while True:
        tables = mirror.door.tables(mirror.base)
        plan = missing(resolve(mirror.base, tables, schema.known), tables)
        new = list(_create(mirror, plan.create, created))
        if not new:
            break
        created += new
    resolved = schema.set_up(tables)
    _ = book.changed()  # runs are told from now on
    by_hand = tuple(each for each in plan.by_hand if not each.startswith("there is no table"))
    return SetUpDone(tuple(created), by_hand, tuple(_left_out(resolved)))


def _create(mirror: AirtableMirror, plan: Sequence[CreateTable | CreateField], before: Sequence[str]) -> Iterator[str]:
    """What was made before and is still missing cannot be made."""
    for each in plan:
        name = each.name if isinstance(each, CreateTable) else f"{each.table_name}.{each.field['name']}"
        if name in before:
            continue
        if isinstance(each, CreateTable):
            mirror.door.create_table(mirror.base, each)
        else:
            mirror.door.create_field(mirror.base, each)
        yield name


def _left_out(base: Resolved[OperatorBase]) -> Iterator[tuple[str, str]]:
    for schema in (JOB_TRACKING, CLIENT_RUN_RESULTS):
        table = base.table(schema)
        for key, why in table.left_out.items():
            yield f"{table.name}.{table.fields[key].name}", why


# -- telling -----------------------------------------------------------------------------------------------------------


def sync(mirror: AirtableMirror, book: FollowerState, progress: Progress = _quiet) -> int:
    """Tell now what has changed; gives of how many runs. Raises AirtableError when the rest could not be told."""
    now, told, after = book.now(), 0, None
    while page := book.changed(after):
        mirror.flush([each.run_id for each in page], book)
        told += len(page)
        progress(told)
        after = next((each for each in reversed(page) if each.ended), None)
        if after is None:
            break
    book.told_until(now)
    return told


def rebuild(mirror: AirtableMirror, book: FollowerState, progress: Progress = _quiet) -> int:
    """Tell every run of the window anew; gives how many that were. Raises AirtableError."""
    told, after = 0, ""
    while page := book.made_since(book.now() - mirror.window.keep, after):
        for some in batched(page, RUNS_TOGETHER):
            for run_id in some:
                book.owe_again(run_id)
            mirror.flush(some, book)
            told += len(some)
            progress(told)
        after = page[-1]
    return told


def repair(
    mirror: AirtableMirror, book: FollowerState, found: Checked, *, recreate: bool = False, remove_copies: bool = False
) -> None:
    """Mend what a check *found*. *recreate*: rows that people deleted as well. *remove_copies*: further rows of one key
    are deleted, but for those beside which people wrote. Raises AirtableError.
    """
    wrong = {each.part for each in found.differences}
    adrift = {part: record.id for part, record in found.adrift.items()}
    refs = {part: adrift.get(part) or _telling(book, part).ref for part in wrong}
    refs |= {part: _telling(book, part).ref for part, _ in found.parked}
    if recreate:
        refs |= dict.fromkeys(found.gone, None)
    elif found.fresh:
        book.stands(dict.fromkeys(found.fresh, "deleted in Airtable"), Standing.GONE)
    if refs:
        book.adopt(refs)
    if remove_copies:
        _remove(mirror, book, [each for each in found.copies if each.notes is None])
    for some in batched(sorted({part.run_id for part in refs}), RUNS_TOGETHER):
        mirror.flush(some, book)


def _telling(book: FollowerState, part: Part) -> Telling:
    return next(each for each in book.tellings(part.run_id) if each.part == part)


def _remove(mirror: AirtableMirror, book: FollowerState, copies: Sequence[Copy]) -> None:
    base = MirrorSchema(mirror.door, mirror.base, book).resolved()
    for table in (base.table(JOB_TRACKING), base.table(CLIENT_RUN_RESULTS)):
        here = [each.record_id for each in copies if each.table == table.name]
        written = write_in_tens(dict.fromkeys(here, ()), partial(_delete, mirror, table))
        if written.stopped is not None:
            raise written.stopped


def _delete(mirror: AirtableMirror, table: Table, rows: Mapping[str, object]) -> None:
    mirror.door.delete(table, list(rows))


# -- how it is ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HowItIs:
    """*owed*: rows that are behind; *since*: when the oldest of ended runs changed. *trouble*: why, where that is so.

    *used*, *most*: records in the base, and how many it may hold. *set_up*: were our tables ever found there?
    """

    set_up: bool
    told: int
    owed: int
    since: datetime | None
    parked: Sequence[tuple[Part, str]]
    gone: int
    retired: int
    used: int
    most: int
    trouble: Trouble | None
    notices: Sequence[Notice]

    @property
    def crowded(self) -> bool:
        return self.used >= WARN_AT * self.most


MOST_PARKED_SHOWN = 20


def how_it_is(mirror: AirtableMirror, book: FollowerState) -> HowItIs:
    """From the books alone: Airtable is not asked."""
    schema = MirrorSchema(mirror.door, mirror.base, book)
    counts = book.counts()
    known = schema.known
    behind = list(_behind(book)) if known else []
    return HowItIs(
        set_up=known is not None,
        told=counts.get(Standing.TOLD, 0),
        owed=sum(number for number, _ in behind),
        since=min((at for _, at in behind if at is not None), default=None),
        parked=book.parked(MOST_PARKED_SHOWN),
        gone=counts.get(Standing.GONE, 0),
        retired=counts.get(Standing.RETIRED, 0),
        used=mirror.window.used(book),
        most=mirror.window.most_records,
        trouble=trouble_in(book),
        notices=schema.notices(),
    )


def _behind(book: FollowerState) -> Iterator[tuple[int, datetime | None]]:
    """Of every run with untold rows, how many, and when it changed."""
    after = None
    while page := book.changed(after):
        tellings = book.tellings_of([each.run_id for each in page])
        for each in page:
            number = sum(one.behind for one in tellings[each.run_id])
            if number:
                yield number, each.changed_at
        after = next((each for each in reversed(page) if each.ended), None)
        if after is None:
            return
