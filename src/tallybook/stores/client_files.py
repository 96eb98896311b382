"""Client files: CSV or JSON, by our column names or those of an Airtable export."""

from collections.abc import Collection, Iterable, Mapping

from tallybook.domain.client import (
    Client,
    ClientStatus,
    read_client_id,
    read_client_status,
    read_service_level,
    read_timezone,
)
from tallybook.domain.errors import BadInput
from tallybook.stores.cells import Row, blank, folded, number_of, text_of
from tallybook.stores.tabular import BadRow, Imported, Wanted, checked, decoded, each_made, rows_of

HIGHEST_STREAM = 999_999
HIGHEST_TARGET = 1_000_000

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "client_id": (folded("client_id"), "id"),
    "client_name": (folded("client_name"), "name"),
    "stream": (folded("stream"), folded("processing_stream")),
    "service_level": (folded("service_level"),),
    "status": (folded("status"),),
    "timezone": (folded("timezone"),),
    "daily_target": (folded("daily_target"),),
}
_KNOWN = {column for columns in _COLUMNS.values() for column in columns}


def _known(names: Collection[str]) -> int:
    there = set(names)
    return 0 if there.isdisjoint(_COLUMNS["client_id"]) else len(there & _KNOWN)


WANTED = Wanted(
    "the columns client_id, client_name, stream, service_level and status (client_id is needed; timezone and"
    " daily_target may be there)",
    _known,
)


def read_clients(data: bytes) -> Imported[Client]:
    """The clients of a file.

    A column that is not there has its default: the name is the id, stream 1, service level 1, active. A stream,
    service level or status left blank makes a bad row: nobody is worked for by default. An id that comes again is bad
    too. Raises ImportRefused when nothing in the file can be used.
    """
    return checked(_once_each(each_made(rows_of(decoded(data), WANTED), _numbered)), WANTED)


def _once_each(read: Iterable[tuple[int, Client] | BadRow]) -> Imported[Client]:
    clients: dict[str, tuple[int, Client]] = {}
    bad = []
    for each in read:
        if isinstance(each, BadRow):
            bad.append(each)
            continue
        line, client = each
        first, _ = clients.setdefault(client.client_id, each)
        if first != line:
            bad.append(BadRow(line, f"the client id {client.client_id!r} was used in line {first} already"))
    return Imported([client for _, client in clients.values()], bad)


def _numbered(row: Row) -> tuple[int, Client]:
    return row.line, client_in(row)


def client_in(row: Row) -> Client:
    """Raises BadInput."""
    client_id = read_client_id(row.text(_COLUMNS["client_id"], "client_id"))
    stream, service_level, status = (_given(row, ours) for ours in ("stream", "service_level", "status"))
    timezone = row.text(_COLUMNS["timezone"], "timezone")
    return Client(
        client_id=client_id,
        name=row.text(_COLUMNS["client_name"], "client_name") or client_id,
        stream=1 if stream is None else read_stream(stream),
        service_level=1 if service_level is None else read_service_level(service_level),
        status=ClientStatus.ACTIVE if status is None else read_client_status(status),
        timezone=read_timezone(timezone) if timezone else None,
        daily_target=_daily_target(row),
    )


def _daily_target(row: Row) -> int | None:
    """None: as many as the settings say. Raises BadInput."""
    told = row.value(_COLUMNS["daily_target"])
    return None if blank(told) else _whole(told, "daily_target", HIGHEST_TARGET)


def _given(row: Row, ours: str) -> str | None:
    """What the row says; None when the file has no such column. Raises BadInput when it is blank."""
    columns = _COLUMNS[ours]
    if not any(column in row.cells for column in columns):
        return None
    value = row.value(columns)
    if blank(value):
        raise BadInput(f"{ours} is empty")
    return text_of(value, ours)


def read_stream(text: object) -> int:
    """A whole number. Raises BadInput."""
    return _whole(text, "stream", HIGHEST_STREAM)


def _whole(text: object, named: str, most: int) -> int:
    number = number_of(text, named)
    if not number.is_integer() or not 0 <= number <= most:
        raise BadInput(f"{named} must be a whole number from 0 to {most:,}, got {text!r}")
    return int(number)
