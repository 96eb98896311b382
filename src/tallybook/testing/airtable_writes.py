"""Writing records: all of a request is checked before any of it is done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tallybook.testing.airtable_cells import accepted
from tallybook.testing.airtable_fields import LINK, SELECTS, Field
from tallybook.testing.airtable_limits import Gate
from tallybook.testing.airtable_listing import form_of, known
from tallybook.testing.airtable_tables import Base, Record, Table, key_of
from tallybook.testing.airtable_wire import (
    MOST_PER_WRITE,
    NotFound,
    computed_field,
    invalid,
    texts_of,
    unknown_record,
)
from tallybook.testing.lookalike_http import Refused

MOST_MERGED_ON = 3
MERGED_ON = {"number", "singleLineText", "multilineText", "date", *SELECTS}
"""So the API's reference has it; a URL or a mail address is not among them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to become of a record; None: it is to be made."""

    record: Record | None
    cells: Sequence[tuple[Field, Any]]


def records_in(told: Mapping[str, Any]) -> int:
    """How many records a body is about."""
    records = told.get("records")
    return len(records) if isinstance(records, list) else int("fields" in told)


class Writes:
    """For one thread at a time. All raise Refused, and then have done nothing."""

    def __init__(self, gate: Gate, now: Callable[[], datetime]) -> None:
        self._gate = gate
        self._now = now

    def create(self, base: Base, table: Table, told: Mapping[str, Any]) -> dict[str, Any]:
        """Several, or one when the body has *fields* of its own."""
        one = "records" not in told
        wanted = [told] if one else _records(told, "created")
        done = self._commit(base, table, [_draft(base, table, None, each, told) for each in wanted])
        said = self._said(base, table, told, done)
        return said[0] if one else {"records": said}

    def update(self, base: Base, table: Table, told: Mapping[str, Any], *, clears: bool) -> dict[str, Any]:
        if "performUpsert" in told:
            return self._upsert(base, table, told, clears=clears)
        drafts = [_draft(base, table, _named(table, each), each, told) for each in _records(told, "updated")]
        return {"records": self._said(base, table, told, self._commit(base, table, drafts, clears=clears))}

    def update_one(
        self, base: Base, table: Table, record_id: str, told: Mapping[str, Any], *, clears: bool
    ) -> dict[str, Any]:
        draft = _draft(base, table, found(table, record_id), told, told)
        return self._said(base, table, told, self._commit(base, table, [draft], clears=clears))[0]

    def delete(self, base: Base, table: Table, told: Mapping[str, Any]) -> dict[str, Any]:
        ids = texts_of(told.get("records"), "records")
        _check_number(len(ids), "deleted")
        records = [_named(table, {"id": record_id}) for record_id in dict.fromkeys(ids)]
        return {"records": [_deleted(base, table, record) for record in records]}

    def delete_one(self, base: Base, table: Table, record_id: str) -> dict[str, Any]:
        return _deleted(base, table, found(table, record_id))

    def _upsert(self, base: Base, table: Table, told: Mapping[str, Any], *, clears: bool) -> dict[str, Any]:
        merged_on = _merged_on(table, told["performUpsert"])
        drafts = [_merged(base, table, each, told, merged_on) for each in _records(told, "updated")]
        _check_keys(drafts, merged_on)
        done = self._commit(base, table, drafts, clears=clears)
        made = [record.id for record, draft in zip(done, drafts, strict=True) if draft.record is None]
        return {
            "records": self._said(base, table, told, done),
            "updatedRecords": [record.id for record in done if record.id not in made],
            "createdRecords": made,
        }

    def _commit(self, base: Base, table: Table, drafts: Sequence[Draft], *, clears: bool = False) -> list[Record]:
        self._gate.check_room(base.records, sum(draft.record is None for draft in drafts))
        return [done(base, table, draft, self._now(), clears=clears) for draft in drafts]

    def _said(self, base: Base, table: Table, told: Mapping[str, Any], done: Sequence[Record]) -> list[dict[str, Any]]:
        form = form_of(base, table, None, told, self._now())
        return [form(record) for record in done]


def done(base: Base, table: Table, draft: Draft, now: datetime, *, clears: bool = False) -> Record:
    """*clears*: cells that the draft does not name are emptied."""
    record = draft.record or table.new_record(now)
    record.modified_at = now
    named = {field.id for field, _ in draft.cells}
    for field_id in [*record.cells] if clears else []:
        if field_id not in named:
            base.set_cell(table, record, table.fields[field_id], None)
    for field, value in draft.cells:
        base.set_cell(table, record, field, value)
    return record


def found(table: Table, record_id: str) -> Record:
    """Raises Refused: of a single record it says no more than that it is not found."""
    record = table.records.get(record_id)
    if record is None:
        raise NotFound
    return record


# -- what is asked -----------------------------------------------------------------------------------------------------


def _records(told: Mapping[str, Any], verb: str) -> list[Mapping[str, Any]]:
    records = told.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise Refused(422, "INVALID_RECORDS", "The records must be an array of objects")
    _check_number(len(records), verb)
    return records


def _check_number(number: int, verb: str) -> None:
    if number > MOST_PER_WRITE:
        message = f"A maximum of 10 records can be {verb} per request but you have provided {number}."
        raise Refused(422, "INVALID_RECORDS", message)
    if not number:
        raise Refused(422, "INVALID_RECORDS", "There must be at least one record")


def _named(table: Table, wanted: Mapping[str, Any]) -> Record:
    record = table.records.get(str(wanted.get("id")))
    if record is None:
        raise unknown_record(str(wanted.get("id")))
    return record


def _draft(
    base: Base, table: Table, record: Record | None, wanted: Mapping[str, Any], told: Mapping[str, Any]
) -> Draft:
    fields = wanted.get("fields")
    if not isinstance(fields, dict):
        message = 'Could not find field "fields" in the request body'
        raise Refused(422, "INVALID_REQUEST_MISSING_FIELDS", message)
    typecast = told.get("typecast") is True
    return Draft(record, [checked(base, table, name, value, typecast=typecast) for name, value in fields.items()])


def checked(base: Base, table: Table, name: str, value: object, *, typecast: bool) -> tuple[Field, Any]:
    """Raises Refused."""
    field = known(table, name)
    taken = accepted(field, value, typecast=typecast)
    if field.type == LINK:
        base.check_links(field, taken)
    return field, taken


def _deleted(base: Base, table: Table, record: Record) -> dict[str, Any]:
    base.remove_record(table, record)
    return {"id": record.id, "deleted": True}


# -- upsert ------------------------------------------------------------------------------------------------------------


def _merged_on(table: Table, perform: object) -> Sequence[Field]:
    names = texts_of(perform.get("fieldsToMergeOn") if isinstance(perform, dict) else None, "fieldsToMergeOn")
    if not 1 <= len(names) <= MOST_MERGED_ON:
        raise invalid(f"Invalid request: fieldsToMergeOn takes 1 to {MOST_MERGED_ON} fields, not {len(names)}")
    fields = [known(table, name) for name in names]
    for field in fields:
        if field.computed:
            raise computed_field(field.name)
        if field.type not in MERGED_ON:
            raise invalid(f'Invalid request: field "{field.name}" cannot be merged on')
    return fields


def _merged(
    base: Base, table: Table, wanted: Mapping[str, Any], told: Mapping[str, Any], merged_on: Sequence[Field]
) -> Draft:
    if "id" in wanted:
        return _draft(base, table, _named(table, wanted), wanted, told)
    draft = _draft(base, table, None, wanted, told)
    matches = _matching(table, _key(draft, merged_on))
    if len(matches) > 1:
        ids = ", ".join(record.id for record in matches)
        raise invalid(f"Cannot upsert: several records match on {_names(merged_on)}: {ids}")
    return Draft(matches[0], draft.cells) if matches else draft


def _key(draft: Draft, merged_on: Sequence[Field]) -> Sequence[tuple[Field, Any]]:
    cells = {field.id: (field, value) for field, value in draft.cells}
    if not all(field.id in cells for field in merged_on):
        raise invalid(f"Invalid request: each record must have {_names(merged_on)}, or an id")
    return [cells[field.id] for field in merged_on]


def _matching(table: Table, key: Sequence[tuple[Field, Any]]) -> list[Record]:
    (first, value), *_ = key
    near = table.holding(first.id, value) if value is not None else list(table.records.values())
    return [record for record in near if all(record.cells.get(field.id) == wanted for field, wanted in key)]


def _check_keys(drafts: Sequence[Draft], merged_on: Sequence[Field]) -> None:
    """What becomes of two records with one key in one request is not documented: nobody shall rely on it."""
    keys = [
        tuple(key_of(value) for _, value in _key(draft, merged_on)) if draft.record is None else draft.record.id
        for draft in drafts
    ]
    if len(set(keys)) < len(keys):
        raise invalid(f"Cannot upsert: several records of the request match on {_names(merged_on)}")


def _names(fields: Sequence[Field]) -> str:
    return ", ".join(f'"{field.name}"' for field in fields)
