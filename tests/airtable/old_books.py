"""A base as the old system left it: every form of run ids, rows that are there twice, capitals of all kinds."""

from collections.abc import Callable, Mapping
from typing import Any

from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_fields import Column
from tallybook.testing.airtable_owner import OpenBase

MINUTES = "DATETIME_DIFF({End Time}, {Start Time}, 'minutes')"
Row = Mapping[str, Any]


def tables() -> dict[str, list[Column]]:
    return {"Job Tracking": _jobs(), "Client Run Results": _clients()}


def _jobs() -> list[Column]:
    return [
        fields.text("Run ID"),
        fields.select("Status", "Running"),
        fields.select("Job Type"),
        fields.number("Stream"),
        fields.select("Triggered By"),
        fields.date_time("Start Time"),
        fields.date_time("End Time"),
        fields.formula("Duration", MINUTES, fields.number("")),
        fields.number("Total Clients"),
        fields.number("Successful Clients"),
        fields.formula("Success Rate", "{Total Clients} * 2", fields.percent("")),
        fields.number("Total Leads"),
        fields.number("Prompt Tokens"),
        fields.number("Completion Tokens"),
        fields.formula("Total Tokens", "{Prompt Tokens} + {Completion Tokens}", fields.number("")),
        fields.currency("Estimated Cost", 4),
        fields.long_text("Error Details"),
        fields.long_text("System notes"),
        fields.long_text("Notes"),
        fields.number("Head Count"),
    ]


def _clients() -> list[Column]:
    return [
        fields.text("Run ID"),
        fields.link("Job", "Job Tracking"),
        fields.text("Client ID"),
        fields.text("Client Name"),
        fields.select("Status", "Running"),
        fields.date_time("Start Time"),
        fields.date_time("End Time"),
        fields.formula("Duration", MINUTES, fields.number("")),
        fields.number("Profiles Examined for Scoring"),
        fields.text("Posts Examined for Scoring"),
        fields.number("Total Posts Harvested"),
        fields.number("AI Tokens Used"),
        fields.long_text("Error Details"),
        fields.long_text("System Notes"),
        fields.long_text("Notes"),
    ]


OPEN = {"Start Time": "2025-09-24T00:12:34.000Z"}
CLOSED = {**OPEN, "End Time": "2025-09-24T00:42:34.000Z"}

JOBS: tuple[Row, ...] = (
    {"Run ID": "250924-001234", "Status": "running", **OPEN, "Total Clients": 2, "Prompt Tokens": 500, "Stream": 1},
    {"Run ID": "250924-001234-Ada-Ada", "Status": "COMPLETED", **CLOSED, "Total Clients": 0, "Prompt Tokens": 900,
     "Completion Tokens": 100, "Estimated Cost": 0.5, "Job Type": "post-scoring", "Triggered By": "scheduled",
     "System notes": "Started\nDone", "Notes": "Ask Ada about this"},
    {"Run ID": "SR-250924-001-T3304-S1", "Status": "Completed with Errors", **CLOSED, "Error Details": "one broke"},
    {"Run ID": "SR-250924-001-S1", "Status": "Partial", **CLOSED, "Head Count": 3},
    {"Run ID": "job_post_scoring_stream1_20250929094802", "Status": "Success", **CLOSED},
    {"Run ID": "job_post_scoring_bypass_1758715200123", "Status": "Failed", "Start Time": "2025-09-24T12:00:00.000Z"},
    {"Run ID": "smart_resume_1758715200123_n3rke", "Status": "JOB_TIMEOUT_KILLED", **CLOSED},
    {"Run ID": "post_batch_standalone_1758715200123", "Status": "Cancelled", **CLOSED},
    {"Run ID": "251001-080000", "Status": "Running", "Start Time": "2025-10-01T08:00:00.000Z"},
    {"Run ID": "251002-080000", "Status": "mostly fine", "Start Time": "2025-10-02T08:00:00.000Z"},
    {"Run ID": "the run of Tuesday", "Status": "Completed"},
    {"Status": "Completed"},
)  # fmt: skip
CLIENTS: tuple[Row, ...] = (
    {"Run ID": "250924-001234-Ada", "Client ID": "Ada", "Client Name": "Ada Ltd", "Status": "STARTED", **OPEN,
     "Profiles Examined for Scoring": 40, "Notes": "Paid in full"},
    {"Run ID": "250924-001234-Ada-Ada", "Client ID": "Ada", "Status": "Completed", **CLOSED,
     "Profiles Examined for Scoring": 0, "AI Tokens Used": 1000, "Posts Examined for Scoring": "12",
     "System Notes": "40 profiles"},
    {"Run ID": "250924-001234-Guy-Wilson", "Status": "No Leads To Score", **CLOSED},
    {"Run ID": "SR-250924-001-T3304-S1-CAda", "Status": "completed", **CLOSED, "Total Posts Harvested": 0},
    {"Run ID": "SR-250924-001-S1-Guy-Wilson", "Status": "CLIENT_TIMEOUT_KILLED", **CLOSED},
    {"Run ID": "smart_resume_1758715200123_n3rke-Ada-Ada", "Client ID": "Ada", "Status": "failed", **CLOSED,
     "Error Details": "no credit"},
    {"Run ID": "251002-080000-Ada", "Client ID": "Ada", "Status": "Completed",
     "Start Time": "2025-10-02T08:00:00.000Z", "End Time": "2025-10-02T09:00:00.000Z"},
    {"Run ID": "251003-080000-Ada", "Client ID": "Ada", "Status": "Skipped",
     "Start Time": "2025-10-03T08:00:00.000Z", "End Time": "2025-10-03T09:00:00.000Z"},
    {"Run ID": "251001-080000", "Client ID": "Ada", "Status": "Running", "Start Time": "2025-10-01T08:00:00.000Z",
     "Posts Examined for Scoring": "a dozen"},
    {"Run ID": "251001-080000", "Status": "Completed"},
    {"Run ID": "whenever-Ada", "Client ID": "Ada", "Status": "Completed"},
    {"Run ID": "251001-080000-Guy-Wilson", "Status": "???"},
)  # fmt: skip


def fill(base: OpenBase, then: Callable[[], object] = lambda: None) -> None:
    """*then*: is called after each row, so that none is as old as another."""
    for name, rows in (("Job Tracking", JOBS), ("Client Run Results", CLIENTS)):
        for row in rows:
            base.table(name).add(row)
            then()
