"""Runs as they are read over HTTP: lists, one run, its clients; by any of its names, and once only."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.errors import LedgerUnavailable
from tallybook.domain.run import Stop
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tallybook.ledger.write import starts, stops
from tallybook.report.facts import moment, run_facts
from tests.ledger.scenes import ODD_IDS, asked, begun, planned, recorded, scored, working
from tests.web.scenes import V1, furnished, of, problem, told_of, worked
from tests.web.serving import MakeToken


def pages(api: httpx.Client, path: str, **asked: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list."""
    found = []
    cursor: dict[str, Any] = {}
    while True:
        page = api.get(path, params={**asked, **cursor}).raise_for_status().json()
        found.append(page["items"])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


# Lists


def test_runs_are_listed_newest_first_without_their_clients(api: httpx.Client, books: Ledger) -> None:
    runs = [worked(books, "acme"), worked(books, "acme", "other", stream=2), worked(books, "acme", stream=3)]
    (page,) = pages(api, f"{V1}/runs")
    assert [each["run_id"] for each in page] == runs[::-1]
    whole = run_facts(read.run(books.database, runs[1]))
    assert page[1] == {name: value for name, value in whole.items() if name != "clients"}


def test_runs_are_found_by_what_is_asked_for(api: httpx.Client, books: Ledger) -> None:
    first, second = worked(books, "acme"), planned(books, "other", start=asked("other", stream=2))
    books.do(stops.stop_run, second, Stop.PAUSE, "enough")

    def found(**params: Any) -> list[Any]:
        return [each["run_id"] for page in pages(api, f"{V1}/runs", **params) for each in page]

    assert found(stream=2) == found(status="paused") == found(client="other") == [second]
    assert found(status=["paused", "completed_with_errors"]) == [second, first]
    assert found(since="2020-01-01") == found(since="2020-01-01T00:00:00+01:00") == [second, first]
    assert found(since="9999-01-01T00:00:00Z") == found(since="9999-12-31T23:59:59-14:00") == []
    assert found(stream=2, client="acme") == []


def test_a_paused_run_says_when_it_goes_on_by_itself(api: httpx.Client, books: Ledger, make_token: MakeToken) -> None:
    """The list and the run alike: as a whole, or with the first of its clients; a tenant is told of its own."""
    soon, later = (datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours) for hours in (1, 2))
    whole = planned(books, "third", start=asked("third"))
    books.do(stops.stop_run, whole, Stop.PAUSE, "provider_quota", wake_at=soon)
    by_clients = planned(books, "acme", "other", start=asked(queue_behind=True))
    for name, at in (("other", soon), ("acme", later)):
        key = begun(books, by_clients, name)
        books.do(stops.stop_client, key, Stop.PAUSE, "budget_exhausted", wake_at=at)
    by_hand = planned(books, "fourth", start=asked("fourth", queue_behind=True))
    books.do(stops.stop_run, by_hand, Stop.PAUSE, "paused by Ada")

    def told(run_id: str, **params: Any) -> list[Any]:
        run = api.get(of("runs", run_id), **params).raise_for_status().json()
        (page,) = pages(api, f"{V1}/runs", **params)
        [listed] = [each for each in page if each["run_id"] == run_id]
        assert listed["wake_at"] == run["wake_at"]
        return [run["status"], run["wake_at"], *(each["wake_at"] for each in run["clients"])]

    assert told(whole) == ["paused", moment(soon), None]
    assert told(by_clients) == ["paused", moment(soon), moment(later), moment(soon)]
    assert told(by_hand) == ["paused", None, None]
    api.headers["Authorization"] = f"Bearer {make_token(Scope.RUNS_READ, client_id='acme')}"
    assert told(by_clients) == ["paused", moment(later), moment(later)]


def test_a_list_is_read_page_by_page_while_more_comes_in(api: httpx.Client, books: Ledger) -> None:
    started = [books.do(starts.start, asked(queue_behind=True)).run_id for _ in range(5)]
    first = api.get(f"{V1}/runs", params={"limit": 2}).json()
    books.do(starts.start, asked(queue_behind=True))
    rest = pages(api, f"{V1}/runs", limit=2, cursor=first["next_cursor"])
    seen = [each["run_id"] for page in (first["items"], *rest) for each in page]
    assert seen == started[::-1]


BAD = ["nonsense", "e30", urlsafe_b64encode(b'["clients", "a"]').decode().rstrip("="), "W10", "W" * 1999]


@pytest.mark.parametrize("cursor", BAD)
def test_a_cursor_that_no_list_gave_is_refused(cursor: str, api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    for path in (f"{V1}/runs", of("runs", run_id, "clients"), f"{V1}/usage"):
        assert "cursor" in problem(api.get(path, params={"cursor": cursor}), 422)["detail"]


def test_a_cursor_belongs_to_its_list(api: httpx.Client, books: Ledger) -> None:
    one, other = worked(books, "a", "b"), worked(books, "a", "b")
    cursor = api.get(of("runs", one, "clients"), params={"limit": 1}).json()["next_cursor"]
    problem(api.get(of("runs", other, "clients"), params={"cursor": cursor}), 422)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"limit": 0}, "query.limit"),
        ({"limit": 1001}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"stream": "x"}, "query.stream"),
        ({"status": "odd"}, "query.status.0"),
        ({"since": "yesterday"}, "query.since"),
        ({"since": "2026-02-30"}, "query.since"),
        ({"since": "20261123"}, "query.since"),
        ({"colour": "red"}, "'colour' is no field; known fields: limit, cursor, stream, status, client, since"),
        ({"cursor": "not base64!"}, "query.cursor"),
    ],
)
def test_what_makes_no_sense_is_refused_with_where_and_why(said: dict[str, str], why: str, api: httpx.Client) -> None:
    assert why in problem(api.get(f"{V1}/runs", params=said), 422)["detail"]


# One run


def test_a_run_is_read_with_claims_errors_and_notes(api: httpx.Client, app: App) -> None:
    run_id = told_of(app, "acme", "other")
    run = api.get(of("runs", run_id)).raise_for_status().json()
    facts = run_facts(read.run(app.database, run_id))
    assert run.items() >= {name: value for name, value in facts.items() if name != "clients"}.items()
    assert (run["error"], run["reported"]) == ("An error of all", {"items_processed": 7})
    assert [line[20:] for line in run["system_notes"]] == ["On all", "An error of all"]
    assert [each["client_id"] for each in run["clients"]] == ["acme", "other"]
    assert run["clients"][0]["reported"] == {"posts_processed": 42}
    acme = api.get(of("runs", run_id, "clients", "acme")).raise_for_status().json()
    assert acme.items() >= run["clients"][0].items()
    assert (acme["run_id"], acme["error"]) == (run_id, "An error of acme")
    assert [line[20:] for line in acme["system_notes"]] == ["On acme", "An error of acme"]


def test_a_run_is_the_same_by_its_id_its_label_and_its_display_form(api: httpx.Client, books: Ledger) -> None:
    """F05"""
    run_id = worked(books, "acme", "a/b")
    known = api.get(of("runs", run_id)).json()
    for name in (f"{run_id}-acme", f"{run_id}-a/b", f"{run_id}-nobody"):
        assert api.get(of("runs", name)).json() == known
        assert len(api.get(of("runs", name, "clients")).json()["items"]) == 2
        assert api.get(of("runs", name, "clients", "a/b")).json()["label"] == f"{run_id}-a/b"


@pytest.mark.parametrize("client_id", [*ODD_IDS, "x:complete", "a%2Fb", "...", "why", "é?&#;"])
def test_a_client_is_found_by_whatever_it_is_called(client_id: str, api: httpx.Client, books: Ledger) -> None:
    """F16"""
    run_id = worked(books, client_id, "other")
    assert api.get(of("runs", run_id, "clients", client_id)).raise_for_status().json()["client_id"] == client_id
    label = api.get(of("runs", f"{run_id}-{client_id}")).raise_for_status().json()
    assert label["run_id"] == run_id
    assert api.get(f"{V1}/runs", params={"client": client_id}).json()["items"][0]["run_id"] == run_id


def test_what_is_not_there_is_not_found_and_what_is_no_run_id_is_refused(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    problem(api.get(of("runs", "261123-000000")), 404)
    problem(api.get(of("runs", run_id, "clients", "nobody")), 404)
    problem(api.get(f"{V1}/nothing"), 404)
    problem(api.get(f"{V1}/runs/"), 404)
    for bad in ("nonsense", "261199-000000", "a\0b", "\ud7ff" * 300):
        assert "is no run id" in problem(api.get(of("runs", bad)), 422)["detail"]
    problem(api.get(f"{V1}/runs/%FF%FE"), 422)


def test_client_runs_are_listed_in_the_order_in_which_they_are_visited(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "c", "a", "b", "d")
    found = pages(api, of("runs", run_id, "clients"), limit=2)
    assert [[each["client_id"] for each in page] for page in found] == [["c", "a"], ["b", "d"]]
    assert found[0] + found[1] == api.get(of("runs", run_id)).json()["clients"]


# Once only


def test_what_has_not_changed_is_not_sent_again(api: httpx.Client, books: Ledger) -> None:
    run_id = worked(books, "acme")
    for path in ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/clients", f"/runs/{run_id}/clients/acme", "/usage"):
        first = api.get(f"{V1}{path}").raise_for_status()
        etag = first.headers["etag"]
        for said in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            again = api.get(f"{V1}{path}", headers={"If-None-Match": said})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert api.get(f"{V1}{path}", headers={"If-None-Match": '"other"'}).json() == first.json()
        assert first.headers["cache-control"] == "private, no-cache"
    etag = api.get(f"{V1}/runs").headers["etag"]
    worked(books, "acme", stream=2)
    assert api.get(f"{V1}/runs", headers={"If-None-Match": etag}).status_code == 200


def test_numbers_and_text_that_json_has_no_word_for_do_not_break_an_answer(api: httpx.Client, app: App) -> None:
    furnished(app, "acme")
    odd = {"a": float("nan"), "b": [float("inf"), "\ud800"], "c": (1.5,)}
    recorded(app.ledger, working(app.ledger, ["ada"]), *scored("ada", breakdown=odd))
    (outcome,) = api.get(of("clients", "acme", "leads", "ada", "why")).raise_for_status().json()["outcomes"]
    assert outcome["breakdown"] == {"a": None, "b": [None, "\ufffd"], "c": [1.5]}


def test_without_its_database_the_api_says_so_and_when_to_come_back(api: httpx.Client, app: App) -> None:
    api.get(f"{V1}/runs").raise_for_status()
    path = app.database.path
    assert path is not None
    app.database.close()
    path.rename(path.with_suffix(".away"))
    path.mkdir()
    answered = api.get(f"{V1}/runs")
    assert problem(answered, 503)["detail"].startswith("the database")
    assert answered.headers["retry-after"] == "5"
    assert LedgerUnavailable.__name__ == answered.json()["code"]
    path.rmdir()
    path.with_suffix(".away").rename(path)
