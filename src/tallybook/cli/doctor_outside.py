"""What doctor checks about the world outside: who harvests, who calls back, what nobody could make sense of."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tallybook.cli.finding import Findings, notice, ok, wrong
from tallybook.database import stamp, utc_now
from tallybook.domain.delivery import State
from tallybook.domain.errors import BadSetting
from tallybook.domain.external import ExternalState
from tallybook.ledger.server_tables import external_runs, inbox
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App

OVERDUE_AFTER = timedelta(minutes=10)


def harvester(app: "App") -> Findings:
    try:
        found = app.harvesting
    except BadSetting as error:
        yield wrong("harvester", str(error), "Until then no process can work.")
        return
    if found is None:
        yield ok("harvester", "No harvester: posts are not fetched, only scored")
    elif app.settings.server.public_url is None:
        every = app.settings.harvesting.look_every_s
        said = f"Apify cannot call back: its runs are asked about every {every} s"
        yield notice(
            "harvester", said, "Set TALLYBOOK_SERVER__PUBLIC_URL to the address that leads to `tallybook serve`."
        )
    else:
        yield ok("harvester", f"Apify fetches posts, and calls back at {app.settings.server.public_url}")


def orphans(app: "App") -> Findings:
    """Deliveries that were authentic and could not be applied."""
    statement = sa.select(sa.func.count()).where(inbox.c.state == State.ORPHAN)
    with app.bare_database.reading() as connection:
        number = connection.execute(statement).scalar_one()
    if number:
        said = f"{words.count(number, 'delivery', 'deliveries')} of runs that nobody knows"
        mend = "tallybook webhook list --state orphan shows them; webhook replay ID --client CLIENT says whose one is."
        yield notice("orphans", said, mend)
    else:
        yield ok("orphans", "No orphans in the inbox")


def overdue(app: "App") -> Findings:
    """External runs whose time is over and that nobody looks after."""
    late = stamp(utc_now() - OVERDUE_AFTER)
    statement = sa.select(external_runs.c.external_id).where(external_runs.c.state != ExternalState.ENDED).limit(1)
    with app.bare_database.reading() as connection:
        found = connection.execute(statement.where(external_runs.c.look_at < late)).scalar()
    if found is None:
        yield ok("external_runs", "Every run outside is looked after")
        return
    said = f"Nobody has asked about run {found} at the harvester for over {OVERDUE_AFTER.seconds // 60} minutes"
    yield wrong("external_runs", said, "Start `tallybook serve` or `tallybook worker`, with the harvester configured.")


CHECKS: tuple[Callable[["App"], Findings], ...] = (harvester, orphans, overdue)
