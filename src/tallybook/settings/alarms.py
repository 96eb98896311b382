"""What is alerted to and who is told, as the settings have it."""

from collections.abc import Callable, Sequence
from datetime import time, timedelta

from tallybook.domain.alert import Alarms, Channel, QuietHours, Spooled
from tallybook.domain.budget import Budgets
from tallybook.settings.sections import Alerts


def alarms_of(
    asked: Alerts,
    channels_of: Callable[[Sequence[str]], Sequence[Channel]],
    budgets: Budgets,
    followers: Sequence[str],
    spooled: Callable[[], Sequence[Spooled]],
) -> Alarms:
    return Alarms(
        channels_of([each.reveal() for each in asked.urls]),
        quiet_for=timedelta(hours=asked.quiet_h),
        quiet_hours=_quiet_hours(asked),
        stuck_after=timedelta(minutes=asked.stuck_after_min),
        errors_percent=asked.errors_percent,
        budgets=budgets,
        followers=followers,
        spooled=spooled,
    )


def _quiet_hours(asked: Alerts) -> QuietHours | None:
    if asked.quiet_hours is None:
        return None
    begins, _, ends = asked.quiet_hours.partition("-")
    return QuietHours(time.fromisoformat(begins), time.fromisoformat(ends), asked.timezone)
