"""What becomes of a base while Tallybook looks away is seen before anything is written, and told with the cure."""

from collections.abc import Callable

import pytest

from tallybook.airtable.client import AirtableDoor
from tallybook.airtable.drift import Change, Drift, diff
from tallybook.airtable.resolved import resolve
from tallybook.airtable.tables import CLIENT_RUN_RESULTS
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_owner import OpenBase, OpenTable
from tests.airtable.premises import Found

Do = Callable[[OpenTable], None]


def seen(door: AirtableDoor, found: Found) -> tuple[Drift, ...]:
    return diff(found.resolved, door.tables(found.resolved.base))


def test_nothing_has_happened(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    """And what happens to fields we do not use is nothing."""
    table = base.table("Job Tracking")
    table.rename_field("Head Count", "Heads")
    table.delete_field("Heads")
    table.add_field(fields.number("Mood"))
    table.add_option("Status", "Odd")
    base.add_table("Holidays", [fields.text("Name")])
    assert seen(door, found) == ()


CHANGES: list[tuple[Do, Change, str, str]] = [
    (lambda table: table.rename_field("Stream", "Lane"), Change.RENAMED, "stream", "renamed to Lane; nothing to do"),
    (lambda table: table.delete_field("Stream"), Change.DELETED, "stream", "left out of what is written; restore it"),
    (lambda table: table.delete_field("Notes"), Change.DELETED, "notes", "is not read any more; restore it"),
    (
        lambda table: table.retype_field("Stream", fields.formula("Stream", "1")),
        Change.COMPUTED,
        "stream",
        "has become computed (formula) and is not written any more; change it back to number",
    ),
    (
        lambda table: table.retype_field("Notes", fields.formula("Notes", "1")),
        Change.COMPUTED,
        "notes",
        "not written any more; nothing to do",
    ),
    (
        lambda table: table.retype_field("Stream", fields.checkbox("Stream")),
        Change.RETYPED,
        "stream",
        "changed from number to checkbox and is left out",
    ),
    (
        lambda table: table.retype_field("Stream", fields.currency("Stream")),
        Change.RETYPED,
        "stream",
        "changed from number to currency; nothing to do",
    ),
    (
        lambda table: table.retype_field("Duration", fields.number("Duration")),
        Change.RETYPED,
        "duration",
        "changed from formula to number; nothing to do",
    ),
    (
        lambda table: table.retype_field("Triggered By", fields.select("Triggered By", "Cron", "api", "Else")),
        Change.OPTION_GONE,
        "triggered_by",
        "lost its option Manual",
    ),
    (lambda table: table.rename("Jobs"), Change.RENAMED, "", "renamed to Jobs; nothing to do"),
]


@pytest.mark.parametrize("changed", CHANGES, ids=lambda changed: changed[3])
def test_a_change_is_told_once_with_what_it_means_and_the_cure(
    door: AirtableDoor, base: OpenBase, found: Found, changed: tuple[Do, Change, str, str]
) -> None:
    """F09, F10"""
    do, change, column, text = changed
    do(base.table("Job Tracking"))
    (drift,) = seen(door, found)
    assert (drift.change, drift.table, drift.column) == (change, "job_tracking", column)
    assert text in drift.text
    assert "\n" not in drift.text
    assert drift.harmless == (change is Change.RENAMED)


def test_a_field_renamed_and_retyped_is_told_as_both(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    base.table("Job Tracking").rename_field("Stream", "Lane")
    base.table("Job Tracking").retype_field("Lane", fields.text("Lane"))
    assert [drift.change for drift in seen(door, found)] == [Change.RENAMED, Change.RETYPED]


def test_a_table_that_was_deleted_is_told(door: AirtableDoor, base: OpenBase, found: Found) -> None:
    base.delete_table("Clients")
    (drift,) = seen(door, found)
    assert (drift.change, drift.table) == (Change.DELETED, "clients")
    assert "restore it from Airtable's trash" in drift.text


def test_a_link_that_was_led_to_another_table_is_told_and_not_written(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    results = base.table("Client Run Results")
    results.retype_field("Job", fields.link("Job", "Clients"))
    (drift,) = seen(door, found)
    assert (drift.change, drift.column, drift.harmless) == (Change.RETYPED, "job", False)
    assert "leads to another table than before and is left out" in drift.text
    again = resolve(found.resolved.base, door.tables(found.resolved.base), found.resolved)
    assert "job" not in again.table(CLIENT_RUN_RESULTS).fields


def test_a_table_that_took_the_name_of_a_deleted_one_does_not_stand_for_both(
    door: AirtableDoor, base: OpenBase, found: Found
) -> None:
    base.delete_table("Job Tracking")
    base.table("Client Run Results").rename("Job Tracking")
    again = resolve(found.resolved.base, door.tables(found.resolved.base), found.resolved)
    assert "job_tracking" not in again.tables
    assert again.table(CLIENT_RUN_RESULTS).name == "Job Tracking"
