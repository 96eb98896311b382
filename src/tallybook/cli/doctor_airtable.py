"""What doctor checks about Airtable: the token, the base and what it lacks, doubled rows, room, the mirror."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.cli.finding import Finding, Findings, notice, ok, wrong
from tallybook.domain.errors import BadSetting
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.airtable.resolved import Resolved
    from tallybook.airtable.seen import OperatorBase, SeenTable
    from tallybook.app import App
    from tallybook.followers.airtable_mirror import AirtableMirror
    from tallybook.followers.mirror_care import HowItIs

MOST_LISTED = 2_000
"""Rows whose keys are looked through for doubles; of more, `mirror verify` is asked."""
NAMED = 3


def airtable(app: "App") -> Findings:
    """Nothing is written. Where nobody is configured, nobody is asked."""
    from tallybook.airtable.errors import AirtableError

    try:
        mirror = app.mirror
    except BadSetting as error:
        yield wrong("airtable", str(error), "Until then no process can work.")
        return
    if mirror is None:
        yield _unconfigured(app)
        return
    try:
        yield from _asked(app, mirror)
    except AirtableError as error:
        yield wrong("airtable", str(error), "No run waits for it: what is owed is told once that is mended.")
    yield from _from_the_books(app, mirror)


def _unconfigured(app: "App") -> Finding:
    asked = app.settings.airtable
    if asked.token is None and asked.master_base_id is None:
        return ok("airtable", "Airtable is not used")
    missing = "TOKEN" if asked.token is None else "MASTER_BASE_ID"
    said = "Airtable is half configured, and not used"
    return wrong("airtable", said, f"Set TALLYBOOK_AIRTABLE__{missing} as well, or neither.")


# -- asked of Airtable -------------------------------------------------------------------------------------------------


def _asked(app: "App", mirror: "AirtableMirror") -> Findings:
    from tallybook.airtable.resolved import resolve
    from tallybook.followers.mirror_schema import MirrorSchema
    from tallybook.ledger.following import FollowerBook

    user = mirror.door.whoami()
    tables = mirror.door.tables(mirror.base)
    yield ok("airtable", f"Airtable knows the token (user {user}), and lets it see base {mirror.base.id}")
    known = MirrorSchema(mirror.door, mirror.base, FollowerBook(app.ledger, mirror.name)).known
    found = resolve(mirror.base, tables, known)
    yield from _schema(found, tables)
    if known is not None:
        yield from _drift(known, tables)
    yield from _doubles(mirror, found)


def _schema(found: "Resolved[OperatorBase]", tables: "tuple[SeenTable, ...]") -> Findings:
    from tallybook.airtable.setting_up import missing

    plan = missing(found, tables)
    if plan.create:
        said = f"The base lacks {words.count(len(plan.create), 'table or field', 'tables or fields')} of the mirror"
        yield notice("airtable_schema", said, "tallybook mirror setup makes them.")
    for sentence in plan.by_hand:
        yield notice("airtable_schema", sentence)
    if not plan.create and not plan.by_hand:
        yield ok("airtable_schema", "The base has every table, field and option of the mirror")


def _drift(known: "Resolved[OperatorBase]", tables: "tuple[SeenTable, ...]") -> Findings:
    from tallybook.airtable.drift import diff

    for each in diff(known, tables):
        yield notice("airtable_drift", each.text)


def _doubles(mirror: "AirtableMirror", found: "Resolved[OperatorBase]") -> Findings:
    from itertools import islice

    for key in ("job_tracking", "client_run_results"):
        table = found.tables.get(key)
        if table is None:
            continue
        column = table.schema.columns[0].key
        rows = islice(mirror.door.records(table, [column]), MOST_LISTED)
        keys = Counter(str(record.cells.get(table.fields[column].id, "")) for record in rows)
        several = sorted(name for name, number in keys.items() if name and number > 1)
        if several:
            said = f"{table.name} has {words.count(len(several), 'run')} more than once, such as {several[:NAMED]}"
            yield notice("airtable_doubles", said, "tallybook mirror verify names them; mirror repair --remove-copies.")
        elif keys.total() < MOST_LISTED:
            yield ok("airtable_doubles", f"{table.name} has no run twice")


# -- asked of the books ------------------------------------------------------------------------------------------------


def _from_the_books(app: "App", mirror: "AirtableMirror") -> Findings:
    from tallybook.followers.mirror_care import how_it_is
    from tallybook.ledger.following import FollowerBook

    how = how_it_is(mirror, FollowerBook(app.ledger, mirror.name))
    if not how.set_up:
        yield notice("mirror", "Runs are not mirrored yet", "tallybook mirror setup makes what is missing.")
        return
    yield _lag(how)
    if how.crowded:
        said = f"The base has {how.used:,} of the {how.most:,} records that it may hold"
        yield notice("airtable_room", said, "Delete what nobody needs; airtable.records_per_base says what is allowed.")
    else:
        yield ok("airtable_room", f"The base has room: {how.used:,} of {how.most:,} records")
    for part, why in how.parked:
        name = f"{part.client_id} of run {part.run_id}" if part.client_id else f"Run {part.run_id}"
        yield notice("mirror_parked", f"{name} was not taken: {why}", "tallybook mirror repair tries again.")


def _lag(how: "HowItIs") -> Finding:
    owed = words.count(how.owed, "row")
    if how.trouble is not None:
        since, until = words.instant(how.trouble.since), words.instant(how.trouble.until)
        return wrong("mirror", f"{owed} owed since {since}: {how.trouble.text}", f"It is tried again at {until}.")
    if how.owed:
        return notice("mirror", f"{owed} not told yet", "`tallybook serve` tells them, or tallybook mirror sync.")
    return ok("mirror", f"The mirror has all of {words.count(how.told, 'row')}")


def client_bases(app: "App") -> Findings:
    """What runs have found in the bases of clients, and somebody has to mend there."""
    from tallybook.stores.tables import airtable_bases

    statement = sa.select(airtable_bases.c.client_id, airtable_bases.c.notice).order_by(airtable_bases.c.client_id)
    with app.bare_database.reading() as connection:
        found = [(row[0], row[1]) for row in connection.execute(statement)]
    for client_id, told in found:
        for line in (told or "").splitlines():
            yield notice("client_base", f"The base of {client_id}: {line}")
    well = sum(not told for _, told in found)
    if well:
        yield ok("client_base", f"{words.count(well, 'base')} of clients without anything to mend")


CHECKS: tuple[Callable[["App"], Findings], ...] = (airtable, client_bases)
