"""An alert as the JSON that people script against."""

from tallybook.domain.alert import Alert
from tallybook.report.facts import Facts, moment


def alert_facts(alert: Alert) -> Facts:
    return {
        "alert_id": alert.alert_id,
        "kind": alert.kind,
        "run_id": alert.run_id,
        "client_id": alert.client_id,
        "text": alert.text,
        "raised_at": moment(alert.raised_at),
        "told_at": moment(alert.told_at),
        "acknowledged_at": moment(alert.acknowledged_at),
        "cleared_at": moment(alert.cleared_at),
    }
