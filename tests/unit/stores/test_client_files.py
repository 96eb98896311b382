"""What becomes of client files: our own, and exports of an Airtable base."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.client import Client, ClientStatus
from tallybook.domain.errors import ImportRefused
from tallybook.stores.client_files import read_clients
from tallybook.stores.tabular import BadRow

DATA = Path(__file__).parent / "data"


def test_an_airtable_export_is_read_and_its_bad_rows_are_named() -> None:
    read = read_clients((DATA / "clients_airtable.csv").read_bytes())
    assert read.rows == [
        Client("acme-law", "Acme Law", 1, 2, ClientStatus.ACTIVE, "Europe/Lisbon"),
        Client('o"brien', 'O\'Brien "and" Sons', 2, 1, ClientStatus.PAUSED),
        Client("nameless", "nameless", 4, 3, ClientStatus.ACTIVE),
    ]
    assert read.bad == [
        BadRow(4, "service_level is empty"),
        BadRow(5, "status must be active or paused, got 'Prospect'"),
        BadRow(6, "stream is empty"),
        BadRow(7, "the client id 'acme-law' was used in line 2 already"),
        BadRow(9, "a client id must not be empty"),
        BadRow(10, "'Moon/Crater' is no timezone; use a name such as Europe/Berlin"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "client_id,client_name,stream,service_level,status\nacme,Acme,2,2-Both,Active\n",
        'CLIENT ID;Client_Name;stream;Service Level;STATUS\nacme;Acme;2.0;"2";"ACTIVE"\n',
        '[{"client_id": "acme", "client_name": "Acme", "stream": 2, "service_level": 2, "status": "active"}]',
        '{"clients": [{"id": "acme", "name": "Acme", "stream": "2", "service_level": "2", "status": " Active "}]}',
        '{"client_id": "acme", "client_name": "Acme", "stream": 2.0, "service_level": 2, "status": "active"}',
    ],
)
def test_clients_come_as_csv_and_as_json(text: str) -> None:
    assert read_clients(text.encode()).rows == [Client("acme", "Acme", 2, 2)]


def test_columns_that_are_not_there_have_their_defaults() -> None:
    assert read_clients(b"client_id\nacme\n").rows == [Client("acme", "acme", 1, 1, ClientStatus.ACTIVE)]


@pytest.mark.parametrize("stream", ["one", "1.5", "-1", "1000000", "nan", "inf"])
def test_a_stream_is_a_whole_number(stream: str) -> None:
    read = read_clients(f"client_id,stream\nacme,1\nother,{stream}\n".encode())
    assert [client.client_id for client in read.rows] == ["acme"]
    assert read.bad[0].line == 3
    assert read.bad[0].reason.startswith("stream must be")


@pytest.mark.parametrize("value", [None, True, [], {}, "", "  ", "a\u200b"])
def test_a_client_id_that_is_no_printable_text_is_bad_and_never_crashes(value: object) -> None:
    """F39"""
    read = read_clients(json.dumps([{"client_id": "acme"}, {"client_id": value}]).encode())
    assert [client.client_id for client in read.rows] == ["acme"]
    assert len(read.bad) == 1


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x01\x02", b"name,town\nAda,Porto\n", b"{", b'{"client_id": "ac', b"client_id\n"]
)
def test_a_file_that_is_none_is_refused_and_told_what_was_looked_for(data: bytes) -> None:
    with pytest.raises(ImportRefused, match=r"client_id|broken JSON"):
        read_clients(data)


@pytest.mark.parametrize("client_id", ["it's", 'say "so"', "{a}", "back\\slash", "🦉", "مرحبا", "a,b", "; drop"])
def test_awkward_ids_are_kept_as_they_are(client_id: str) -> None:
    """F16"""
    quoted = client_id.replace('"', '""')
    assert read_clients(f'client_id,client_name\n"{quoted}",x\n'.encode()).rows[0].client_id == client_id


@given(st.binary(max_size=300))
def test_garbage_is_refused_and_never_crashes(data: bytes) -> None:
    for begun in (data, b"client_id,stream,service_level,status,timezone\n" + data, b'[{"client_id": ' + data):
        try:
            read = read_clients(begun)
        except ImportRefused:
            continue
        assert all(client.client_id.isprintable() for client in read.rows)
