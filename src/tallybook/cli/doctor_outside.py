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
APPLIED_WITHIN = timedelta(minutes=1)
LEAST_SECRET = 16


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


def left_lying(app: "App") -> Findings:
    """Deliveries that were kept, and are not applied although that was tried."""
    late = stamp(utc_now() - APPLIED_WITHIN)
    statement = (
        sa.select(sa.func.count(), sa.func.max(inbox.c.state_reason))
        .where(inbox.c.state == State.RECEIVED)
        .where(inbox.c.received_at < late)
    )
    with app.bare_database.reading() as connection:
        number, reason = connection.execute(statement).one()
    if number:
        said = f"{words.count(number, 'delivery', 'deliveries')} kept and not applied: {reason or 'nobody has tried'}"
        mend = "Start `tallybook serve` or `tallybook worker`; tallybook webhook list --state received shows them."
        yield wrong("deliveries", said, mend)
    else:
        yield ok("deliveries", "Every delivery that came in is applied")


def guessable(app: "App") -> Findings:
    """Whoever guesses the secret may start runs and say what posts a client's leads have."""
    if any(len(secret) < LEAST_SECRET for secret in app.webhook_secrets):
        said = f"A webhook secret of under {LEAST_SECRET} characters can be guessed"
        yield notice("webhook_secret", said, "Make a long one (`openssl rand -hex 32`) and tell whoever calls with it.")


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


CHECKS: tuple[Callable[["App"], Findings], ...] = (harvester, guessable, orphans, left_lying, overdue)
