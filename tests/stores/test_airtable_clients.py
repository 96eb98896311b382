"""Clients of the operator's base: read when a run asks for whom it is to work. Bad rows are told, not worked for."""

import pytest

from tallybook.airtable.errors import Misconfigured
from tallybook.airtable.seen import OperatorBase
from tallybook.domain.client import Client, ClientStatus, Source
from tallybook.domain.errors import ImportRefused, NotFound, StoreUnavailable
from tallybook.stores.airtable_clients import AirtableClients
from tallybook.stores.putting import Changes
from tallybook.stores.sql import SqlStore
from tallybook.testing import airtable_fields as fields
from tallybook.testing.airtable_faults import AirtableFault
from tests.stores.embedded import scored
from tests.stores.tenancy import ACME, BASES, BOLT, LEAD_SCORING, Tenancy, client_row


def names(house: Tenancy, stream: int | None = None) -> list[str]:
    return [each.client_id for each in house.clients.of_stream(stream, [])]


def edit(house: Tenancy, client_id: str, **cells: object) -> None:
    (record_id,) = house.table.where("Client ID", client_id)
    house.table.edit(record_id, cells)


def test_clients_are_read_with_all_that_stands_there(any_house: Tenancy) -> None:
    house = any_house
    base_id = "appCarol000000000"
    house.table.add(client_row("carol", base_id, Timezone="Europe/Lisbon", **{"Processing Stream": 3}))
    found = {each.client_id: each for each in house.clients.of_stream(None, [])}
    assert found["carol"] == Client("carol", "Carol", 3, 2, timezone="Europe/Lisbon", source=Source.AIRTABLE)
    assert house.local.in_airtable() == {**BASES, "carol": base_id}
    assert names(house, 3) == ["carol"]


def test_the_table_is_read_once_for_each_run_a_hundred_rows_to_a_call(house: Tenancy) -> None:
    house.table.add_many(client_row(f"client-{number}", f"app{number:014}") for number in range(248))
    house.server.log.clear()
    assert len(names(house)) == 250
    assert house.server.log.by_kind(house.operator.id) == {"list": 3}
    house.clients.get(ACME)
    house.clients.store(ACME)
    assert len(house.server.calls) == 3
    house.minutes_pass(25 * 60)
    house.clients.of_stream(1, [ACME])
    assert house.server.log.by_kind(house.operator.id) == {"list": 6, "schema": 1}


def test_what_changes_in_the_table_holds_for_the_next_run(house: Tenancy) -> None:
    edit(house, ACME, Status="Paused")
    edit(house, BOLT, **{"Processing Stream": 2, "Client Name": "Bolt & Daughters"})
    assert names(house) == [BOLT]
    assert (house.local.get(BOLT).stream, house.local.get(BOLT).name) == (2, "Bolt & Daughters")
    edit(house, ACME, Status="Active")
    assert names(house) == [ACME, BOLT]


def test_a_stream_may_be_text(house: Tenancy) -> None:
    house.table.retype_field("Processing Stream", fields.text("Processing Stream"))
    edit(house, BOLT, **{"Processing Stream": "2"})
    assert (names(house, 1), names(house, 2)) == ([ACME], [BOLT])


def test_who_has_vanished_is_paused_and_who_comes_back_is_not(house: Tenancy, caplog: pytest.LogCaptureFixture) -> None:
    (record_id,) = house.table.where("Client ID", BOLT)
    house.table.delete(record_id)
    assert names(house) == names(house) == [ACME]
    assert [each for each in caplog.messages if "paused" in each] == [
        "client bolt has no good row in Clients in Airtable any more; it is paused"
    ]
    assert house.local.get(BOLT).status is ClientStatus.PAUSED
    house.table.add(client_row(BOLT, BASES[BOLT]))
    assert names(house) == [ACME, BOLT]


def test_a_pause_here_and_a_target_here_stay(house: Tenancy) -> None:
    house.local.pause(ACME, True)
    with house.local.connections.writing() as tx:
        tx.execute("UPDATE @clients SET daily_target = 7 WHERE client_id = ?", (BOLT,))
    assert names(house) == [BOLT]
    assert house.local.get(BOLT).daily_target == 7


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no base": ({"Airtable Base ID": None}, "no id of an Airtable base"),
    "nonsense": ({"Airtable Base ID": "tblNoBase"}, "no id of an Airtable base"),
    "the operator's": ({"Airtable Base ID": "appOperator000001"}, "is the operator's own base"),
    "of another": ({"Airtable Base ID": BASES[ACME]}, "is the base of client 'acme'"),
    "twice": ({"Client ID": ACME, "Airtable Base ID": "appOther000000000"}, "is that of an earlier row"),
    "status": ({"Status": "Churned"}, "status must be active or paused"),
    "no status": ({"Status": None}, "status is empty"),
    "level": ({"Service Level": "high"}, "service_level must begin"),
    "stream": ({"Processing Stream": -1}, "stream must be a whole number"),
    "timezone": ({"Timezone": "Mars"}, "is no timezone"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_row_that_cannot_be_used_is_told_and_never_worked_for(
    house: Tenancy, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F17, F32: least of all for what stands in another client's base."""
    cells, why = BAD[case]
    edit(house, BOLT, **cells)
    house.table.add_many([{}, {"Client Name": "Nobody"}])
    assert names(house) == names(house) == [ACME]
    assert house.local.in_airtable()[BOLT] == BASES[BOLT]
    told = [each for each in caplog.messages if "row 2 of Clients in Airtable is left out: " in each]
    assert len(told) == 1, "once, as long as nothing changes"
    assert why in told[0]
    (again, nobody) = house.clients.import_all().read.bad
    assert (again.line, nobody.line, nobody.reason) == (2, 4, "a client id must not be empty")


def test_clients_of_files_are_not_taken_over_unless_that_is_asked_for(house: Tenancy) -> None:
    house.local.put_clients([Client("dora", "Dora of a file", status=ClientStatus.PAUSED)])
    house.table.add(client_row("dora", "appDora0000000000"))
    assert names(house) == [ACME, BOLT]
    assert house.local.get("dora").name == "Dora of a file"
    assert isinstance(house.clients.store("dora"), SqlStore)
    assert house.clients.import_all().changes == Changes(changed=1, unchanged=2)
    assert names(house) == [ACME, BOLT, "dora"]
    assert house.clients.import_all().changes == Changes(unchanged=3)


def test_nothing_is_asked_while_no_client_comes_from_there(house: Tenancy) -> None:
    house.local.put_clients([Client(ACME, "Acme"), Client(BOLT, "Bolt")])
    assert names(house) == [ACME, BOLT]
    with pytest.raises(NotFound):
        house.clients.get("nobody")
    assert not house.server.calls


def test_a_client_that_is_new_in_the_table_is_known_when_asked_for(house: Tenancy) -> None:
    house.table.add(client_row("carol", "appCarol000000000"))
    assert house.clients.get("carol").name == "Carol"
    for ask in (house.clients.get, house.clients.store):
        with pytest.raises(NotFound, match="nobody"):
            ask("nobody")


def test_fields_renamed_are_known_by_their_ids_and_one_deleted_has_its_default(house: Tenancy) -> None:
    """F09"""
    house.table.rename_field("Client ID", "Wer")
    house.table.delete_field("Timezone")
    house.table.rename_field("Service Level", "How much")
    edit_by = house.table.where("Wer", ACME)
    house.table.edit(edit_by[0], {"Client Name": "Acme & Sons"})
    assert names(house) == [ACME, BOLT]
    assert house.local.get(ACME).name == "Acme & Sons"


def test_an_airtable_that_does_not_answer_is_an_unanswered_store(house: Tenancy) -> None:
    house.server.faults.then(*[AirtableFault.SERVER_ERROR] * 3)
    with pytest.raises(StoreUnavailable):
        names(house)
    assert names(house) == [ACME, BOLT]


def test_what_somebody_has_to_mend_is_said_in_its_own_words(house: Tenancy) -> None:
    other = house.server.add_base("Other", {"Clients": [fields.text("Client ID")], "Runs": [fields.text("Run ID")]})
    clients = AirtableClients(house.local, house.door, OperatorBase(other.id))
    with pytest.raises(Misconfigured, match=r"Clients in base .* has no field Airtable Base ID"):
        clients.import_all()
    other.delete_table("Clients")
    with pytest.raises(Misconfigured, match=r"no table Clients.*airtable.master_base_id"):
        clients.import_all()
    house.server.delete_base(house.operator.id)
    with pytest.raises(Misconfigured, match="check the id of the base"):
        names(house)


@pytest.mark.parametrize("rows", [[], [{"Client ID": "bad"}]])
def test_a_table_without_one_good_row_is_refused_whole(house: Tenancy, rows: list[dict[str, str]]) -> None:
    house.table.clear()
    house.table.add_many(rows)
    before = house.local.list()
    with pytest.raises(ImportRefused, match="for it is empty" if not rows else "row 1: bad: "):
        house.clients.import_all()
    assert house.local.list() == before


def test_clients_are_read_page_by_page_however_many_there_are(house: Tenancy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallybook.stores.sql.SqlClients.list.__defaults__", (None, 1))
    assert names(house) == [ACME, BOLT]


def test_a_store_is_bound_to_the_base_of_its_own_record(house: Tenancy) -> None:
    """F17, F32: an outcome that names a lead of another client finds nobody."""
    house.leads(BOLT).add({"LinkedIn Profile URL": "https://b"})
    house.ids(store=house.store(BOLT))
    house.saved(scored("b"))
    assert house.local.lead(BOLT, "b").score is None
    assert {call.base_id for call in house.server.calls} == {BASES[BOLT]}
    assert house.ids(LEAD_SCORING) == []
