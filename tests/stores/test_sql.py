"""The embedded store as the operator uses it: imports, listings, pauses; and many threads at once."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.database import SCHEMA, Database
from tallybook.domain.client import Client, ClientStatus, Source
from tallybook.domain.errors import NotFound, StoreUnavailable
from tallybook.domain.lead import Lead, Position, Post, posts_hash
from tallybook.domain.outcome import Outcome, SkipReason
from tallybook.domain.rubric import Attribute, Category, Rubric
from tallybook.domain.run import OperationName
from tallybook.stores.client_files import read_clients
from tallybook.stores.lead_files import read_leads
from tallybook.stores.putting import Changes
from tallybook.stores.rubric_files import read_rubric, rubric_of_rows
from tallybook.stores.sql import SqlClients
from tests.books import make_tables
from tests.stores.embedded import ACME, BOLT, embedded, lead, post, posts_scored, scored

DATA = Path(__file__).parent.parent / "unit" / "stores" / "data"


@pytest.fixture
def clients(database_url: str) -> Iterator[SqlClients]:
    with embedded(database_url) as clients:
        yield clients


# clients


def test_the_active_clients_of_a_stream_come_in_id_order(clients: SqlClients) -> None:
    clients.put_clients([Client("Z", "Z"), Client("a", "A"), Client("p", "P", status=ClientStatus.PAUSED)])
    assert [client.client_id for client in clients.of_stream(1, [])] == ["Z", "a", ACME]
    assert [client.client_id for client in clients.of_stream(None, [])] == ["Z", "a", ACME, BOLT]
    assert [client.client_id for client in clients.of_stream(None, [BOLT, ACME, "p"])] == [ACME, BOLT]
    assert [client.client_id for client in clients.of_stream(2, [BOLT, ACME])] == [BOLT]
    assert clients.of_stream(7, []) == []


@pytest.mark.parametrize("client_id", ["nobody", "acme' OR '1'='1", "", "a\x00", "\ud800"])
def test_a_client_that_does_not_exist_is_named(clients: SqlClients, client_id: str) -> None:
    for ask in (clients.get, clients.store, lambda each: clients.of_stream(None, [ACME, each])):
        with pytest.raises(NotFound, match="there is no client") as caught:
            ask(client_id)
        assert caught.value.client_id == client_id


def test_clients_are_listed_page_by_page_paused_ones_too(clients: SqlClients) -> None:
    clients.put_clients([Client("p", "P", status=ClientStatus.PAUSED)])
    assert [client.client_id for client in clients.list(limit=2)] == [ACME, BOLT]
    assert [client.client_id for client in clients.list(after=BOLT, limit=2)] == ["p"]


def test_a_pause_by_hand_outlives_every_import(clients: SqlClients) -> None:
    clients.pause(ACME, True)
    assert clients.put_clients([Client(ACME, "Acme Law")]) == Changes(unchanged=1)
    assert clients.put_clients([Client(ACME, "Acme Lawyers", timezone="Europe/Lisbon")]) == Changes(changed=1)
    held = clients.get(ACME)
    assert (held.paused_here, held.active, held.status) == (True, False, ClientStatus.ACTIVE)
    assert (held.name, held.timezone) == ("Acme Lawyers", "Europe/Lisbon")
    clients.pause(ACME, False)
    assert clients.get(ACME).active


def test_pausing_a_client_that_does_not_exist_is_refused(clients: SqlClients) -> None:
    with pytest.raises(NotFound):
        clients.pause("nobody", True)


def test_a_client_told_twice_in_one_import_is_one(clients: SqlClients) -> None:
    assert clients.put_clients([Client("c", "One"), Client("c", "Two", source=Source.AIRTABLE)]) == Changes(new=1)
    assert clients.get("c") == Client("c", "Two", source=Source.AIRTABLE)


# what comes in


def test_importing_the_same_files_twice_changes_nothing(clients: SqlClients) -> None:
    told = read_clients((DATA / "clients_airtable.csv").read_bytes()).rows
    assert clients.put_clients(told) == Changes(new=3)
    assert clients.put_clients(told) == Changes(unchanged=3)
    for name in ("connections.csv", "linkedhelper.csv", "leads.jsonl", "posts.json"):
        clients.put_leads("acme-law", read_leads((DATA / name).read_bytes()).rows)
    before = clients.leads("acme-law")
    for name in ("linkedhelper.csv", "leads.jsonl", "posts.json"):
        leads = read_leads((DATA / name).read_bytes()).rows
        assert clients.put_leads("acme-law", leads) == Changes(unchanged=len(leads))
    assert clients.leads("acme-law") == before
    rubric = rubric_of_rows(read_rubric((DATA / "rubric.json").read_bytes()).rows)
    assert clients.put_rubric("acme-law", rubric)
    assert not clients.put_rubric("acme-law", rubric)


def test_an_import_tells_what_was_new_changed_and_unchanged(clients: SqlClients) -> None:
    clients.put_leads(ACME, [lead("a"), lead("b"), lead("c", post(1))])
    told = [lead("a"), lead("b", headline="Chief"), lead("c", post(2)), lead("d")]
    assert clients.put_leads(ACME, told) == Changes(new=1, changed=2, unchanged=1)


def test_posts_merge_by_url_and_are_never_dropped(clients: SqlClients) -> None:
    clients.put_leads(ACME, [lead("a", post(1), post(2))])
    clients.store(ACME).save(OperationName.POST_SCORING, [posts_scored("a", [post(1)])])
    clients.put_leads(ACME, [lead("a", post(1, "Corrected"), post(3))])
    posts = clients.lead(ACME, "a").lead.posts
    assert posts == (replace(post(1, "Corrected"), scored=True), post(2), post(3))
    (candidate,) = clients.store(ACME).candidates(OperationName.POST_SCORING, None, 9)
    assert candidate.input_hash == posts_hash(posts[1:])


def test_what_a_file_leaves_empty_keeps_its_value(clients: SqlClients) -> None:
    clients.put_leads(ACME, [lead("a")])
    assert clients.put_leads(ACME, [Lead("a", posts=(post(1),))]) == Changes(changed=1)
    assert clients.lead(ACME, "a").lead == lead("a", post(1))


def test_a_lead_told_twice_in_one_import_is_one(clients: SqlClients) -> None:
    told = [lead("a", post(1)), lead("a", post(2), post(2, "Again"), headline="Chief")]
    assert clients.put_leads(ACME, told) == Changes(new=1)
    held = clients.lead(ACME, "a").lead
    assert (held.headline, held.posts) == ("Chief", (post(1), post(2, "Again")))
    assert clients.put_leads(ACME, told) == Changes(unchanged=1)


def test_an_import_of_more_than_one_transaction_is_whole(clients: SqlClients) -> None:
    told = [lead(f"{number:04}", post(number)) for number in range(1_203)]
    assert clients.put_leads(ACME, told) == Changes(new=1_203)
    assert clients.put_leads(ACME, told) == Changes(unchanged=1_203)
    assert len(clients.store(ACME).candidates(OperationName.POST_SCORING, None, 2_000)) == 1_203
    assert len(clients.leads(ACME, limit=2_000)) == 1_203


def test_leads_of_a_client_that_does_not_exist_are_refused(clients: SqlClients) -> None:
    with pytest.raises(NotFound):
        clients.put_leads("nobody", [lead("a")])


def test_a_post_url_may_be_longer_than_an_index_holds(clients: SqlClients) -> None:
    long = Post("https://x.test/" + "".join(chr(0x4E00 + number % 5_000) for number in range(9_000)), "Said so")
    clients.put_leads(ACME, [lead("a", long)])
    clients.store(ACME).save(OperationName.POST_SCORING, [posts_scored("a", [long])])
    assert clients.lead(ACME, "a").lead.posts == (replace(long, scored=True),)


def test_another_profile_url_is_another_input_of_a_harvest(clients: SqlClients) -> None:
    """F28: so that a lead that was given up is tried again when its URL is corrected."""
    store, harvesting = clients.store(ACME), OperationName.POST_HARVESTING
    clients.put_leads(ACME, [lead("a")])
    (first,) = store.candidates(harvesting, None, 1)
    clients.put_leads(ACME, [replace(lead("a"), profile_url="https://people.test/in/other", headline="Other")])
    (second,) = store.candidates(harvesting, None, 1)
    assert first.input_hash.partition(" ")[0] == second.input_hash.partition(" ")[0] == "never"
    assert first != second
    store.save(harvesting, [Outcome.skipped("a", SkipReason.NO_POSTS, input_hash=second.input_hash)])
    assert store.candidates(harvesting, None, 1)[0].input_hash[:4].isdecimal(), "when that was"


TEXT = st.text(max_size=30)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT, TEXT, TEXT)
def test_any_text_at_all_can_be_put_and_is_the_same_the_second_time(
    clients: SqlClients, about: str, title: str, url: str, text: str
) -> None:
    told = Lead("a", about=about, positions=(Position(title),), skills=(text,), posts=(Post(url, text, title),))
    clients.put_leads(ACME, [told])
    assert clients.put_leads(ACME, [told]) == Changes(unchanged=1)
    rubric = Rubric((Attribute("a", title, Category.POSITIVE, 1.0, phrases=(text,)),))
    clients.put_rubric(ACME, rubric)
    assert clients.store(ACME).rubric() == rubric


# listings


def test_leads_are_listed_page_by_page_in_id_order(clients: SqlClients) -> None:
    clients.put_leads(ACME, [lead("b", post(1)), lead("a"), lead("c")])
    clients.store(ACME).save(OperationName.LEAD_SCORING, [scored("a", 12.5)])
    first, second = clients.leads(ACME, limit=2)
    assert (first.lead.lead_id, first.score, second.lead.posts) == ("a", 12.5, (post(1),))
    assert [each.lead.lead_id for each in clients.leads(ACME, after="b")] == ["c"]


def test_a_page_may_begin_after_any_text(clients: SqlClients) -> None:
    clients.put_leads(ACME, [lead("a")])
    for after in ("\x00", "\ud800", "'", '"'):
        clients.leads(ACME, after=after)
        clients.list(after=after)


@pytest.mark.parametrize("lead_id", ["gone", "a\x00", "\ud800", "' OR 1=1 --"])
def test_a_lead_that_does_not_exist_is_named(clients: SqlClients, lead_id: str) -> None:
    clients.put_leads(ACME, [lead("a")])
    asked: tuple[Callable[[], object], ...] = (
        lambda: clients.lead(ACME, lead_id),
        lambda: clients.exclude(ACME, lead_id, True),
    )
    for ask in asked:
        with pytest.raises(NotFound, match="no lead"):
            ask()


# how it is kept


def test_ids_sort_by_code_point_in_postgresql_whatever_its_locale(postgres_url: str) -> None:
    make_tables(postgres_url)
    database = Database(postgres_url)
    asked = (
        "SELECT table_name, column_name, collation_name FROM information_schema.columns WHERE table_schema = :schema"
    )
    with database.reading() as connection:
        found = connection.execute(sa.text(asked), {"schema": SCHEMA}).all()
    database.close()
    ids = {(table, column): collation for table, column, collation in found if column in ("client_id", "lead_id")}
    assert set(ids.values()) == {"C"}
    assert {("leads", "lead_id"), ("posts", "client_id"), ("outcomes", "lead_id")} <= ids.keys()


@pytest.mark.parametrize("index", ["ix_leads_to_score", "ix_leads_with_new_posts"])
def test_the_due_leads_are_listed_without_reading_a_profile(tmp_path: Path, index: str) -> None:
    """F22"""
    path = tmp_path / "tallybook.db"
    make_tables(f"sqlite:///{path}")
    with embedded(f"sqlite:///{path}") as clients:
        asked: list[str] = []
        store = clients.store(ACME)
        with store._connections.reading() as tx:
            tx._cursor.connection.set_trace_callback(asked.append)
        for operation in (OperationName.LEAD_SCORING, OperationName.POST_SCORING):
            store.candidates(operation, "a", 10)
        connection = sqlite3.connect(path)
        plans = [str(connection.execute(f"EXPLAIN QUERY PLAN {each}").fetchall()) for each in asked if "SELECT" in each]
        connection.close()
    assert any(f"USING COVERING INDEX {index} (client_id=? AND lead_id>?)" in plan for plan in plans)


# many at once


def at_once(*work: Callable[[], object]) -> None:
    """Runs each in a thread of its own and raises what any of them raised."""
    ready = threading.Barrier(len(work))

    def run(each: Callable[[], object]) -> None:
        ready.wait()
        each()

    with ThreadPoolExecutor(len(work)) as pool:
        for done in [pool.submit(run, each) for each in work]:
            done.result()


def test_threads_that_import_and_save_the_same_leads_lose_nothing(clients: SqlClients) -> None:
    names = [f"{number:03}" for number in range(60)]
    store = clients.store(ACME)
    clients.put_leads(ACME, [lead(name, post(0)) for name in names])

    def put(number: int) -> None:
        clients.put_leads(ACME, [lead(name, post(number)) for name in reversed(names)])

    def save() -> None:
        for _ in range(3):
            store.save(OperationName.LEAD_SCORING, [scored(name) for name in reversed(names)])
            store.save(OperationName.POST_SCORING, [posts_scored(name, [post(0)]) for name in names])

    at_once(*(lambda number=number: put(number) for number in (1, 2, 3)), save, save)
    for held in clients.leads(ACME):
        assert held.lead.posts == (replace(post(0), scored=True), post(1), post(2), post(3))
        assert (held.score, held.post_score) == (50.0, 50.0)
    hashes = {each.input_hash for each in store.candidates(OperationName.POST_SCORING, None, 100)}
    assert hashes == {posts_hash((post(1), post(2), post(3)))}


def test_threads_that_read_while_another_writes_see_whole_leads(clients: SqlClients) -> None:
    store = clients.store(ACME)
    names = [f"{number:03}" for number in range(50)]

    def put() -> None:
        clients.put_leads(ACME, [lead(name, post(1), post(2)) for name in names])

    def read() -> None:
        for _ in range(20):
            for held in store.load(names):
                assert held in (lead(held.lead_id), lead(held.lead_id, post(1), post(2)))

    at_once(put, read, read, read)


def test_a_store_may_be_used_again_after_close(clients: SqlClients) -> None:
    store = clients.store(ACME)
    clients.close()
    clients.put_leads(ACME, [lead("a")])
    assert len(store.load(["a"])) == 1


def test_a_broken_connection_is_replaced(postgres_url: str) -> None:
    make_tables(postgres_url)
    with embedded(postgres_url) as clients:
        store = clients.store(ACME)
        clients.put_leads(ACME, [lead("a")])
        end_other_sessions(postgres_url)
        with suppress(StoreUnavailable):
            store.load(["a"])
        store.save(OperationName.LEAD_SCORING, [scored("a")])
        end_other_sessions(postgres_url)
        with suppress(StoreUnavailable):
            store.save(OperationName.LEAD_SCORING, [scored("a")])
        assert clients.lead(ACME, "a").score == 50.0


def end_other_sessions(url: str) -> None:
    database = Database(url)
    with database.writing() as tx:
        tx.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    database.close()
