"""What doctor checks about alerts: who is told, what could not be told, what is open, what goes wrong how often."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from tallybook.cli.alert import channels_of
from tallybook.cli.finding import Finding, Findings, notice, ok, wrong
from tallybook.database import read_stamp, utc_now
from tallybook.domain.errors import BadSetting
from tallybook.report import words

if TYPE_CHECKING:
    from tallybook.app import App

MOST_NAMED = 5
COUNTED_FOR = timedelta(days=7)


def channels(app: "App") -> Findings:
    """Who is told, and what they did not take."""
    from tallybook.engine.alarm import owed_by_channel

    try:
        known = {each.key: each for each in channels_of(app)}
    except BadSetting as error:
        yield wrong("alerts", str(error), "Until then no server can start.")
        return
    if not known:
        yield ok("alerts", "Alerts are told to nobody: TALLYBOOK_ALERTS__URLS says to whom")
        return
    failing = [each for each in owed_by_channel(app.bare_database) if each.key in known and each.owed.error is not None]
    for each in failing:
        since, again = (words.instant(read_stamp(at)) for at in (each.owed.since, each.owed.next_at))
        owed = words.count(len(each.owed.alerts), "alert")
        said = f"{known[each.key].name} has not taken {owed} since {since}: {each.owed.error}"
        yield wrong("alerts", said, f"It is tried again at {again}; tallybook alert test tries it now.")
    if not failing:
        yield ok("alerts", f"Alerts are told through {words.count(len(known), 'channel')}")


def open_ones(app: "App") -> Findings:
    """Those that nobody has taken notice of."""
    from tallybook.ledger.alerting import Wanted, list_alerts

    found = list_alerts(app.bare_database, Wanted(), limit=MOST_NAMED + 1)
    for each in found[:MOST_NAMED]:
        yield notice("alert", each.text, f"tallybook alert ack {each.alert_id} takes notice of it.")
    if len(found) > MOST_NAMED:
        yield notice("alert", "There are more alerts", "tallybook alert list shows them all.")
    if not found:
        yield ok("alert", "No alert is open")


def errors(app: "App") -> Findings:
    """What went wrong of late, counted by its fingerprint (F24)."""
    from tallybook.ledger.troubles import Trouble, troubles

    def told(each: Trouble) -> Finding:
        times = words.count(each.count, "time")
        last = words.instant(each.last_at)
        said = f"{each.kind.replace('_', ' ')} {each.fingerprint}: {times}, last at {last}: {each.text}"
        return notice("errors", said)

    found = troubles(app.bare_database, utc_now() - COUNTED_FOR, MOST_NAMED)
    yield from map(told, found)
    if not found:
        yield ok("errors", f"No error was noted in the last {COUNTED_FOR.days} days")


CHECKS: tuple[Callable[["App"], Findings], ...] = (channels, open_ones, errors)
