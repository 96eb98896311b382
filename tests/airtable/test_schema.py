"""Our tables as code, and how they are matched to what a base has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.airtable.resolved import Resolved, WritableField, read_document, resolve
from tallybook.airtable.schema import COMPUTED_TYPES, Kind, Owner, TableSchema, folded
from tallybook.airtable.seen import ClientBase, OperatorBase, SeenField, SeenTable, seen_tables
from tallybook.airtable.tables import (
    CLIENT_RUN_RESULTS,
    CLIENT_TABLES,
    CLIENTS,
    JOB_TRACKING,
    LEADS,
    OPERATOR_TABLES,
    STATUS_OPTIONS,
)
from tallybook.airtable.values import row_of
from tallybook.domain.errors import BadInput
from tallybook.domain.fields import FIELDS, Sort
from tallybook.testing.airtable_fields import TYPES

BASE = OperatorBase("appLookAlike00001")
ALL = (*OPERATOR_TABLES, *CLIENT_TABLES)


def table(schema: TableSchema, *fields: SeenField, name: str = "") -> SeenTable:
    return SeenTable(f"tbl{schema.key}", name or schema.name, fields)


def as_wanted(schema: TableSchema) -> SeenTable:
    """A base that has all of it."""
    leads_to = {each.key: f"tbl{each.key}" for each in ALL}
    return table(
        schema,
        *(
            SeenField(
                f"fld{column.key}", column.name, column.kind.types[0], column.options, leads_to.get(column.link, "")
            )
            for column in schema.columns
        ),
    )


COMPLETE = tuple(as_wanted(schema) for schema in OPERATOR_TABLES)


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.key)
def test_keys_and_names_are_each_of_one_column(schema: TableSchema) -> None:
    assert len(schema.by_key) == len(schema.columns)
    names = [folded(name) for column in schema.columns for name in (column.name, *column.also)]
    assert len(set(names)) == len(names)
    assert schema.columns[0].needed


def test_every_figure_of_the_field_table_has_its_column_of_the_same_name() -> None:
    for field in FIELDS:
        for schema, name in ((JOB_TRACKING, field.job_column), (CLIENT_RUN_RESULTS, field.client_column)):
            if name is not None:
                assert schema.by_key[field.name].name == name
                assert schema.by_key[field.name].owner is Owner.OURS


def test_kinds_fit_what_the_fields_hold() -> None:
    kinds = {
        Sort.COUNT: {Kind.NUMBER},
        Sort.MONEY: {Kind.MONEY},
        Sort.TIME: {Kind.TIME},
        Sort.NOTE: {Kind.LONG_TEXT},
        Sort.ERROR: {Kind.LONG_TEXT},
        Sort.TEXT: {Kind.TEXT},
        Sort.COMPUTED: {Kind.SHARE, Kind.MINUTES, Kind.NUMBER},
    }
    for field in FIELDS:
        column = CLIENT_RUN_RESULTS.by_key.get(field.name) or JOB_TRACKING.by_key.get(field.name)
        if column is not None and field.sort in kinds:
            assert column.kind in kinds[field.sort], field.name


def test_statuses_are_spelled_as_the_mirror_shows_them() -> None:
    assert set(STATUS_OPTIONS) == {"Running", "Completed", "Completed_with_errors", "Failed", "Canceled", "Timed_out"}


def test_all_that_airtable_computes_is_known_and_nothing_we_want_is_of_such_a_type() -> None:
    """F11"""
    assert {"formula", "rollup", "count", "autoNumber", "createdTime", "lastModifiedTime", "button"} <= COMPUTED_TYPES
    wanted = {name for kind in Kind for name in kind.types}
    assert not wanted & COMPUTED_TYPES
    assert wanted - {"phoneNumber"} <= TYPES


def test_names_match_whatever_their_case_and_then_those_of_older_bases() -> None:
    seen = table(
        JOB_TRACKING,
        SeenField("fld1", "RUN id", "singleLineText"),
        SeenField("fld2", "Token Usage", "number"),
        SeenField("fld3", "Error Details", "multilineText"),
        name="job  tracking",
    )
    found = resolve(BASE, [seen]).table(JOB_TRACKING)
    assert {key: field.id for key, field in found.fields.items()} == {
        "run_id": "fld1",
        "total_tokens": "fld2",
        "error": "fld3",
    }
    assert "stream" in {column.key for column in found.missing}


def test_a_name_of_ours_goes_before_one_of_older_bases() -> None:
    both = [SeenField("fld1", "AI Tokens Used", "number"), SeenField("fld2", "Total Tokens", "number")]
    assert resolve(BASE, [table(JOB_TRACKING, *both)]).table(JOB_TRACKING).fields["total_tokens"].id == "fld2"


def test_the_link_is_the_one_that_leads_to_the_runs() -> None:
    other = SeenField("fld1", "Job", "multipleRecordLinks", linked_to="tblElsewhere")
    ours = SeenField("fld2", "Job Tracking", "multipleRecordLinks", linked_to="tbljob_tracking")
    found = resolve(BASE, [table(JOB_TRACKING), table(CLIENT_RUN_RESULTS, other, ours)])
    assert found.table(CLIENT_RUN_RESULTS).fields["job"].id == "fld2"
    assert not resolve(BASE, [table(CLIENT_RUN_RESULTS, other, ours)]).table(CLIENT_RUN_RESULTS).fields


def test_a_base_without_the_table_is_told_to_be_another() -> None:
    """F17"""
    with pytest.raises(BadInput, match="has no table Leads; is it the right base"):
        resolve(ClientBase("appLookAlike00002", "acme"), COMPLETE).table(LEADS)
    with pytest.raises(BadInput, match="no table Job Tracking"):
        resolve(BASE, [as_wanted(each) for each in CLIENT_TABLES]).table(JOB_TRACKING)


def test_a_writable_field_is_made_by_a_resolved_table_only() -> None:
    """F11"""
    with pytest.raises(TypeError):
        WritableField(JOB_TRACKING.columns[0], SeenField("fld1", "Run ID", "formula"), "tbl1", object())
    run_id = resolve(BASE, COMPLETE).table(JOB_TRACKING).key
    assert {run_id, resolve(BASE, COMPLETE).table(JOB_TRACKING).key} == {run_id}
    assert run_id != run_id.id
    assert (run_id.id, repr(run_id)) == ("fldrun_id", "<WritableField Run ID fldrun_id>")


@given(st.sampled_from(JOB_TRACKING.columns), st.sampled_from(sorted(COMPUTED_TYPES)))
def test_a_computed_field_can_never_be_written_whatever_column_it_is(column: object, kind: str) -> None:
    """F11"""
    fields = [
        SeenField(f"fld{each.key}", each.name, kind if each == column else each.kind.types[0], each.options)
        for each in JOB_TRACKING.columns
    ]
    found = resolve(BASE, [table(JOB_TRACKING, *fields)]).table(JOB_TRACKING)
    assert not any(field.seen.computed for field in found.writable.values())
    assert "notes" not in found.writable
    computed = next(each.key for each in JOB_TRACKING.columns if each == column)
    assert computed == "notes" or f"computes it ({kind})" in found.left_out[computed]


def test_what_people_own_is_read_and_never_written() -> None:
    found = resolve(BASE, COMPLETE).table(JOB_TRACKING)
    assert found.fields["notes"].name == "Notes"
    with pytest.raises(BadInput, match="belongs to people"):
        row_of(found, {"notes": "mine"})
    assert not resolve(BASE, COMPLETE).table(CLIENTS).writable


def test_a_table_whose_key_cannot_be_written_says_why() -> None:
    formula = table(JOB_TRACKING, SeenField("fld1", "Run ID", "formula"))
    with pytest.raises(BadInput, match=r"Job Tracking\.Run ID cannot be the key of rows: Airtable computes it"):
        _ = resolve(BASE, [formula]).table(JOB_TRACKING).key
    with pytest.raises(BadInput, match="it is missing"):
        _ = resolve(BASE, [table(JOB_TRACKING)]).table(JOB_TRACKING).key


def test_a_wrong_type_is_left_out_and_told_which_would_do() -> None:
    seen = table(JOB_TRACKING, SeenField("fld1", "Stream", "checkbox"))
    found = resolve(BASE, [seen]).table(JOB_TRACKING)
    assert found.left_out == {"stream": "it is of type checkbox; number needs one of: number, currency"}


def test_renamed_fields_and_tables_are_known_by_their_ids() -> None:
    old = resolve(BASE, COMPLETE)
    renamed = SeenTable(
        COMPLETE[0].id,
        "Runs",
        tuple(SeenField(each.id, f"{each.name} (old)", each.type, each.options) for each in COMPLETE[0].fields),
    )
    found = resolve(BASE, [renamed], old).table(JOB_TRACKING)
    assert found.name == "Runs"
    assert {key: field.id for key, field in found.fields.items()} == {
        key: field.id for key, field in old.table(JOB_TRACKING).fields.items()
    }


def test_a_field_made_anew_under_the_old_name_is_found_by_it() -> None:
    old = resolve(BASE, COMPLETE)
    anew = SeenTable(
        COMPLETE[0].id,
        "Job Tracking",
        tuple(SeenField(f"{each.id}2", each.name, each.type, each.options) for each in COMPLETE[0].fields),
    )
    assert resolve(BASE, [anew], old).table(JOB_TRACKING).fields["stream"].id == "fldstream2"
    moved = SeenTable("tblAnew", "Job Tracking", COMPLETE[0].fields)
    assert resolve(BASE, [moved], old).table(JOB_TRACKING).id == "tblAnew"


def test_what_is_kept_is_read_again_as_it_was() -> None:
    old = resolve(BASE, COMPLETE)
    again = read_document(BASE, old.document)
    assert again is not None
    assert again.fingerprint == old.fingerprint
    assert again.table(JOB_TRACKING).writable.keys() == old.table(JOB_TRACKING).writable.keys()


def test_what_is_kept_of_another_base_or_not_understood_is_not_used() -> None:
    """F17"""
    document = resolve(BASE, COMPLETE).document
    assert read_document(OperatorBase("appLookAlike00009"), document) is None
    unread: list[dict[str, object]] = [{}, {"base": BASE.id, "tables": 5}, {"base": BASE.id, "tables": {"clients": []}}]
    assert all(read_document(BASE, each) is None for each in unread)
    later: dict[str, object] = {
        "id": "tbl1",
        "name": "Clients",
        "fields": {"later": ["fld1", "Later", "number", [], ""]},
    }
    found = read_document(BASE, {"base": BASE.id, "tables": {"clients": later, "later": later}})
    assert found is not None
    assert not found.table(CLIENTS).fields


def test_the_fingerprint_changes_with_what_we_use_and_with_nothing_else() -> None:
    def of(seen: SeenTable) -> str:
        return resolve(BASE, [seen]).fingerprint

    first = SeenField("fld1", "Run ID", "singleLineText")
    status = SeenField("fld2", "Status", "singleSelect", ("Running",))
    known = of(table(JOB_TRACKING, first, status))
    assert known == of(table(JOB_TRACKING, status, SeenField("fld9", "Mood", "number"), first))
    assert known != of(table(JOB_TRACKING, first))
    assert known != of(table(JOB_TRACKING, first, SeenField("fld2", "State", "singleSelect", ("Running",))))
    assert known != of(table(JOB_TRACKING, first, SeenField("fld2", "Status", "singleSelect", ("Running", "Failed"))))
    assert known != of(table(JOB_TRACKING, first, SeenField("fld2", "Status", "formula")))


def test_what_is_no_schema_is_not_taken_for_one() -> None:
    with pytest.raises((KeyError, TypeError)):
        seen_tables({"tables": [{"id": "tbl1"}]})
    assert isinstance(resolve(BASE, seen_tables({"tables": []})), Resolved)
