"""Looks at the books for what somebody should know at once, and tells it, by a thread of its own (F20, F34).

Over all processes one at a time does so: whoever holds the lock, which dies with its process. What was being told when
a process died may have been told; it is not told again, and an event says so.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tallybook.database import Database, read_stamp, stamp
from tallybook.domain.alert import Alarms, Alert, Channel, Sent
from tallybook.engine.runner import outlive
from tallybook.engine.telling import alone
from tallybook.ledger import alert_news, alerting, telling
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import alerts, events
from tallybook.ledger.write.alerts import FOLLOWER, Owed

log = logging.getLogger(__name__)
LOOK_EVERY_S = 30.0
OVERLAP = timedelta(minutes=2)
"""Runs that changed so long before the last look are looked at again: clocks differ, and commits take their time."""
AGAIN_AFTER = timedelta(seconds=30)
LATEST_AGAIN = timedelta(hours=1)
MOST_IN_ONE = 20
"""Alerts of one message; of the others it says how many there are."""
CLOSE_S = 2.0


class Alarm:
    """Runs until closed. Without a channel alerts are raised all the same, for lists and pages."""

    def __init__(self, ledger: Ledger, alarms: Alarms) -> None:
        self._ledger = ledger
        self._alarms = alarms
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tallybook-alerts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """What is being told goes on for a moment."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while not self._closed.is_set():
            outlive(self._look, "looking for what to alert to")
            self._closed.wait(LOOK_EVERY_S)

    def _look(self) -> None:
        self.look()

    def look(self) -> bool:
        """Raise what is new, end what is over, tell what is due. False: another process does so just now."""
        with alone(self._ledger.database, FOLLOWER) as is_alone:
            if is_alone:
                self._note(self._ledger.clock())
                self._tell(self._ledger.clock())
            return is_alone

    # -- what is so

    def _note(self, now: datetime) -> None:
        database, alarms = self._ledger.database, self._alarms
        states = alerting.states(database, alarms, now, alerting.open_alerts(database))
        since = read_stamp(telling.state_of(database, FOLLOWER).get("told_until"))
        if since is None:  # what was before anybody looked is no news
            self._ledger.do(alerts.look_from, now)
            since = now
        news = alert_news.news(database, alarms, since - OVERLAP, now)
        new = self._ledger.do(alerts.note, states, news.conditions, news.over)
        until = news.until if news.more and news.until is not None else now
        self._ledger.do(alerts.look_from, until + OVERLAP if news.more else until)
        self._ledger.do(alerts.forget_old)
        if new:
            log.info("%d new alerts", new)

    # -- what is told

    def _tell(self, now: datetime) -> None:
        alarms = self._alarms
        kept = self._owed()
        open_ones = {each.alert_id: each for each in alerting.open_alerts(self._ledger.database) if each.open}
        held = alarms.quiet_hours is not None and alarms.quiet_hours.hold(now)
        due = [] if held else self._due(open_ones, {each for owed in kept.values() for each in owed.alerts}, now)
        for channel in alarms.channels:
            owed = self._settled(channel, kept.get(channel.key, Owed()))
            told = [open_ones[each] for each in owed.alerts if each in open_ones] + list(due)
            if told and not held:
                self._tell_one(channel, replace(owed, alerts=tuple(each.alert_id for each in told)), told, now)
            elif not told and owed.alerts:  # over before it could be told
                self._ledger.do(alerts.owe, channel.key, None)

    def _due(self, open_ones: Mapping[str, Alert], owed: set[str], now: datetime) -> Sequence[Alert]:
        """What is to be told anew, once others had the time to join: but what is about the same as was told of late."""
        quiet = alerting.told_about_since(self._ledger.database, now - self._alarms.quiet_for)
        new = [
            each
            for each in open_ones.values()
            if each.told_at is None and each.alert_id not in owed and each.about not in quiet
        ]
        first = min((each.raised_at for each in new), default=now)
        return new if now - first >= self._alarms.together else []

    def _settled(self, channel: Channel, owed: Owed) -> Owed:
        """Nothing of it, where whoever told it last died meanwhile."""
        if not owed.sending:
            return owed
        text = f"Alerts were being told to {channel.name} when the process died; they are not told again"
        self._ledger.do(alerts.took, channel.key, owed.alerts)
        self._ledger.do(events.append, "alerts_maybe_told", text)
        return Owed()

    def _tell_one(self, channel: Channel, owed: Owed, told: Sequence[Alert], now: datetime) -> None:
        if owed.next_at is not None and stamp(now) < owed.next_at:
            self._ledger.do(alerts.owe, channel.key, owed)  # with what is new
            return
        self._ledger.do(alerts.owe, channel.key, replace(owed, sending=True))
        sent = channel.send(*message_of(told))
        if sent.error is None:
            self._ledger.do(alerts.took, channel.key, owed.alerts)
            return
        log.warning("%s did not take %d alerts: %s", sent.channel, len(told), sent.error)
        again_at = now + min(LATEST_AGAIN, AGAIN_AFTER * 2**owed.tries)
        since = owed.since or stamp(now)
        self._ledger.do(alerts.owe, channel.key, Owed(owed.alerts, owed.tries + 1, stamp(again_at), since, sent.error))

    def _owed(self) -> Mapping[str, Owed]:
        """Channels that nobody has any more are owed nothing."""
        kept = {each.key: each.owed for each in owed_by_channel(self._ledger.database)}
        known = {each.key for each in self._alarms.channels}
        for key in kept.keys() - known:
            self._ledger.do(alerts.owe, key, None)
        return {key: owed for key, owed in kept.items() if key in known}


def message_of(told: Sequence[Alert]) -> tuple[str, str]:
    """Title and text: a line for each alert, oldest first."""
    first = told[:MOST_IN_ONE]
    lines = [f"- {each.text}" for each in first]
    if len(told) > len(first):
        lines.append(f"- and {len(told) - len(first):,} more: `tallybook alert list`")
    kinds = dict.fromkeys(each.kind.replace("_", " ") for each in told)
    return f"Tallybook: {', '.join(kinds)}", "\n".join(lines)


@dataclass(frozen=True, slots=True)
class OwedTo:
    """What the channel with this *key* is owed, and how it goes."""

    key: str
    owed: Owed


def owed_by_channel(database: Database) -> Sequence[OwedTo]:
    """As the books have it."""
    kept = telling.state_of(database, FOLLOWER)
    return [
        OwedTo(name.removeprefix("channel "), Owed.read(value))
        for name, value in kept.items()
        if name.startswith("channel ")
    ]


def try_channels(channels: Sequence[Channel]) -> Sequence[Sent]:
    """Send a harmless one to each, and say what came back."""
    return [each.send("Tallybook: a test", "This is a test. Nothing is wrong.") for each in channels]
