"""The schema over the API: what there is, and making more of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from tallybook.testing.airtable_computed import is_valid
from tallybook.testing.airtable_fields import BY_LINK, COMPUTED, NEEDED, NO_PRIMARY, TYPES, Column, Field
from tallybook.testing.airtable_formula import field_spans
from tallybook.testing.airtable_tables import Base, Table
from tallybook.testing.airtable_wire import invalid
from tallybook.testing.lookalike_http import Refused


def bases_form(bases: Iterable[Base]) -> dict[str, Any]:
    return {"bases": [{"id": base.id, "name": base.name, "permissionLevel": "create"} for base in bases]}


def schema_form(base: Base) -> dict[str, Any]:
    return {"tables": [table_form(table) for table in base.tables.values()]}


def table_form(table: Table) -> dict[str, Any]:
    described = {"description": table.description} if table.description else {}
    return {
        "id": table.id,
        "name": table.name,
        **described,
        "primaryFieldId": table.primary.id,
        "fields": [field_form(table, field) for field in table.fields.values()],
        "views": [{"id": table.view_id, "name": "Grid view", "type": "grid"}],
    }


def field_form(table: Table, field: Field) -> dict[str, Any]:
    options = _options(table, field)
    return {
        "type": field.type,
        **({"options": options} if options else {}),
        "id": field.id,
        "name": field.name,
        **({"description": field.description} if field.description else {}),
    }


def _options(table: Table, field: Field) -> dict[str, Any]:
    options = {name: value for name, value in field.options.items() if name != "aggregate"}
    if field.type in BY_LINK:
        return {**options, "isValid": is_valid(table, field)}
    if field.type != "formula":
        return options
    ids = [name for _, _, name in field_spans(options["formula"])]
    return {**options, "isValid": is_valid(table, field), "referencedFieldIds": list(dict.fromkeys(ids))}


def create_table(base: Base, told: Mapping[str, Any]) -> Table:
    """Raises Refused."""
    name = _table_name(base, told)
    wanted = told.get("fields")
    if not isinstance(wanted, list) or not wanted:
        raise Refused(422, "INVALID_TABLE", "A table needs at least one field")
    columns = [_column(each, name) for each in wanted]
    if len({column.name.lower() for column in columns}) < len(columns):
        raise _duplicate_field()
    if columns[0].type in NO_PRIMARY:
        raise _bad_options(f"{name}.{columns[0].name}: a {columns[0].type} field cannot be the primary field")
    try:
        return base.add_table(name, columns, str(told.get("description") or ""))
    except LookupError:
        raise _bad_options(f"{name}: a link leads to no table of this base") from None


def update_table(base: Base, table: Table, told: Mapping[str, Any]) -> Table:
    """Its name and description. Raises Refused."""
    name = _table_name(base, told, table) if "name" in told else table.name
    table.name = name
    table.description = str(told.get("description", table.description))
    return table


def create_field(base: Base, table: Table, told: Mapping[str, Any]) -> Field:
    """Raises Refused."""
    column = _column(told, table.name)
    _check_name(table, column.name)
    try:
        return base.add_field(table, column)
    except LookupError:
        raise _bad_options(f"{table.name}.{column.name}: the link leads to no table of this base") from None


def update_field(table: Table, field: Field, told: Mapping[str, Any]) -> Field:
    """Its name and description. Raises Refused."""
    if "name" in told:
        _check_name(table, told["name"], field)
        field.name = told["name"]
    field.description = str(told.get("description", field.description))
    table.touch()
    return field


def _table_name(base: Base, told: Mapping[str, Any], renamed: Table | None = None) -> str:
    name = told.get("name")
    if not isinstance(name, str) or not name.strip():
        raise invalid("Invalid request: a table needs a name")
    if any(other is not renamed and other.name.lower() == name.lower() for other in base.tables.values()):
        raise Refused(422, "DUPLICATE_TABLE_NAME", f"Cannot create more than one table named {name} in a base")
    return name


def _check_name(table: Table, name: object, renamed: Field | None = None) -> None:
    taken = {field.name.lower() for field in table.fields.values() if field is not renamed}
    if not isinstance(name, str) or not name.strip() or name.lower() in taken:
        raise _duplicate_field()


def _column(told: object, table_name: str) -> Column:
    if not isinstance(told, dict):
        raise invalid("Invalid request: a field must be an object")
    name, kind, options = told.get("name"), told.get("type"), told.get("options") or {}
    if not isinstance(name, str) or not name.strip():
        raise _duplicate_field()
    where = f"{table_name}.{name}"
    if kind in COMPUTED:
        message = f"Invalid options for {where}: Creating {kind} fields is not supported at this time"
        raise Refused(422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE", message)
    if not isinstance(kind, str) or kind not in TYPES:
        raise invalid(f"Invalid request: {where} cannot be of type {kind!r} here")
    _check_options(where, kind, options)
    return Column(name, kind, options, str(told.get("description") or ""))


def _check_options(where: str, kind: str, options: object) -> None:
    if not isinstance(options, dict):
        raise _bad_options(f"{where}: no object")
    missing = [option for option in NEEDED.get(kind, ()) if option not in options]
    if missing:
        raise _bad_options(f"{where}: missing {', '.join(missing)}")
    choices = options.get("choices", [])
    if not isinstance(choices, list) or not all(isinstance(_name_in(one), str) for one in choices):
        raise _bad_options(f"{where}: choices must be an array of objects with a name")
    names = [str(_name_in(one)).strip().lower() for one in choices]
    if not all(names) or len(set(names)) < len(names):
        raise _bad_options(f"{where}: each of the choices must have a name of its own")
    if not str(options.get("linkedTableId", "tbl")).startswith("tbl"):
        raise _bad_options(f"{where}: linkedTableId must be the id of a table")
    foreign = sorted(options.keys() & {"recordLinkFieldId", "fieldIdInLinkedTable", "isReversed", "inverseLinkFieldId"})
    if foreign:
        raise _bad_options(f"{where}: {', '.join(foreign)} cannot be given")


def _name_in(told: object) -> object:
    return told.get("name") if isinstance(told, dict) else None


def _bad_options(what: str) -> Refused:
    return Refused(422, "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", f"Invalid options for {what}")


def _duplicate_field() -> Refused:
    return Refused(422, "DUPLICATE_OR_EMPTY_FIELD_NAME", "A field of that name is there already, or the name is empty")
