"""Runs made up for the report to tell."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tallybook.domain.run import ClientRun, JobType, OperationName, OperationRun, Run, Status, Trigger
from tallybook.domain.tally import Tally

BEGAN = datetime(2026, 11, 23, 8, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=72)


def operation(
    tally: Tally,
    status: Status = Status.COMPLETED,
    name: OperationName = OperationName.LEAD_SCORING,
    *,
    reasons: Mapping[str, int] | None = None,
    finish_reason: str | None = None,
) -> OperationRun:
    return OperationRun(name, status, tally, finish_reason, reasons=reasons or {})


def client(client_id: str, *operations: OperationRun, status: Status = Status.COMPLETED, **more: object) -> ClientRun:
    facts = {"client_name": client_id.title(), "label": f"261123-080000-{client_id}", **more}
    return ClientRun(client_id, status=status, operations=operations, **facts)  # type: ignore[arg-type]  # passed on


def run(*clients: ClientRun, status: Status = Status.COMPLETED, **more: object) -> Run:
    tally = sum((each.tally for each in clients), Tally())
    facts = {"started_at": BEGAN, "ended_at": ENDED if status.terminal else None, "created_at": BEGAN, **more}
    return Run(
        "261123-080000",
        JobType.SMART_RESUME,
        status,
        Trigger.CRON,
        tally,
        clients=clients,
        **facts,  # type: ignore[arg-type]  # passed on
    )
