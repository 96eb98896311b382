"""Usage, clients, and why a lead came out as it did."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from tallybook.app import App
from tallybook.domain.lead import Lead
from tallybook.domain.tally import PriceList
from tallybook.ledger import read
from tallybook.ledger.ledger import Ledger
from tests.ledger.scenes import ODD_IDS, USED, called, recorded, scored, working
from tests.web.scenes import V1, furnished, of, problem, worked


def usage(api: httpx.Client, **params: Any) -> Any:
    return api.get(f"{V1}/usage", params=params).raise_for_status().json()


def test_usage_is_summed_from_the_calls_by_whatever_is_asked(api: httpx.Client, books: Ledger) -> None:
    worked(books, "acme", "other")
    worked(books, "acme")
    told = usage(api)
    assert [(each["client_id"], each["calls"]) for each in told["items"]] == [("acme", 2), ("other", 1)]
    assert (told["total"]["calls"], told["total"]["cost_usd"]) == (3, "0.0369")
    day = f"{read.list_runs(books.database)[0].created_at:%Y-%m-%d}"
    (line,) = usage(api, by="day,model,operation,day", client="acme")["items"]
    assert line == {
        "day": day,
        "model": "gemini",
        "operation": "lead_scoring",
        "calls": 2,
        "unmeasured_calls": 0,
        "unpriced_calls": 0,
        "input_tokens": 2 * (USED.input_tokens or 0),
        "cached_tokens": 2 * (USED.cached_tokens or 0),
        "output_tokens": 2 * (USED.output_tokens or 0),
        "total_tokens": 2200,
        "cost_usd": "0.0246",
        "open_calls": 0,
        "priced_by": [],
    }


def test_usage_says_by_which_prices_it_was_reckoned(api: httpx.Client, books: Ledger) -> None:
    """Line by line, and page by page."""
    for client_id, prices in (("a", None), ("b", ("settings", "1/1/2")), ("c", ("genai-prices", "0.0.31"))):
        key = working(books, ["lead"], client_id)
        used = replace(USED, prices=PriceList(*prices) if prices else None)
        called(books, key, f"call of {client_id}", used)
        called(books, key, f"another of {client_id}", replace(USED, prices=PriceList("settings", "1/1/2")))

    def told(**params: Any) -> list[Any]:
        return [each["priced_by"] for each in usage(api, **params)["items"]]

    own, known = "settings 1/1/2", "genai-prices 0.0.31"
    assert told() == told(by="client,operation") == [[own], [own], [known, own]]
    assert told(limit=1) == [[own]]
    cursor = usage(api, limit=2)["next_cursor"]
    assert told(limit=2, cursor=cursor) == [[known, own]]
    assert told(since="2099-01-01") == []


def test_usage_is_read_page_by_page_and_the_total_is_that_of_all(api: httpx.Client, books: Ledger) -> None:
    worked(books, *ODD_IDS)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = usage(api, by="client,operation", limit=3, **cursor)
        seen += [each["client_id"] for each in page["items"]]
        assert page["total"]["calls"] == len(ODD_IDS)
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == sorted(ODD_IDS)
    problem(api.get(f"{V1}/usage", params={"by": "operation", **cursor}), 422)


def test_usage_begins_where_it_is_asked_to(api: httpx.Client, books: Ledger) -> None:
    worked(books, "acme")
    assert usage(api, since="2020-01-01")["items"]
    later = usage(api, since="2099-01-01")
    assert (later["items"], later["total"]["calls"]) == ([], 0)


@pytest.mark.parametrize("by", ["", "colour", "client,", "client, day", "Client"])
def test_usage_is_grouped_by_known_words(by: str, api: httpx.Client) -> None:
    problem(api.get(f"{V1}/usage", params={"by": by}), 422)


# Clients


def test_clients_are_listed_by_their_ids(api: httpx.Client, app: App) -> None:
    furnished(app, *ODD_IDS, stream=3, level=2)
    app.clients.pause("-", True)
    first = api.get(f"{V1}/clients", params={"limit": 4}).json()
    rest = api.get(f"{V1}/clients", params={"cursor": first["next_cursor"]}).json()
    found = first["items"] + rest["items"]
    assert [each["client_id"] for each in found] == sorted(ODD_IDS)
    assert rest["next_cursor"] is None
    assert found[sorted(ODD_IDS).index("-")] == {
        "client_id": "-",
        "client_name": "-",
        "stream": 3,
        "service_level": 2,
        "status": "active",
        "paused_here": True,
        "active": False,
        "timezone": None,
        "daily_target": None,
        "source": "file",
    }


@pytest.mark.parametrize("client_id", ODD_IDS)
def test_a_client_is_shown_with_what_it_is_judged_by(client_id: str, api: httpx.Client, app: App) -> None:
    """F16"""
    furnished(app, client_id, "zzz")
    shown = api.get(of("clients", client_id)).raise_for_status().json()
    assert (shown["client_id"], shown["lead_attributes"], shown["post_attributes"]) == (client_id, 3, 1)
    problem(api.get(of("clients", "nobody")), 404)


# Why


@pytest.mark.parametrize("lead_id", [each for each in ODD_IDS if each != "x" * 200] + ["people.test/in/ada", "..."])
def test_every_outcome_of_a_lead_is_told(lead_id: str, api: httpx.Client, app: App) -> None:
    """F16"""
    furnished(app, "acme")
    app.clients.put_leads("acme", [Lead(lead_id, profile_url="https://people.test/in/ada", full_name="Ada")])
    key = working(app.ledger, [lead_id])
    recorded(app.ledger, key, *scored(lead_id, assessment="Good"))
    told = api.get(of("clients", "acme", "leads", lead_id, "why")).raise_for_status().json()
    assert (told["client_id"], told["lead_id"], told["lead"]["full_name"]) == ("acme", lead_id, "Ada")
    (outcome,) = told["outcomes"]
    assert (outcome["run_id"], outcome["operation"], outcome["kind"]) == (key.run_id, "lead_scoring", "scored")
    assert (outcome["score"], outcome["assessment"], outcome["saved"], outcome["late"]) == (50.0, "Good", True, False)


def test_a_lead_is_found_by_its_profile_url_too(api: httpx.Client, app: App) -> None:
    furnished(app, "acme")
    app.clients.put_leads("acme", [Lead("people.test/in/ada")])
    told = api.get(of("clients", "acme", "leads", "https://www.People.test/in/Ada/?x=1", "why")).raise_for_status()
    assert (told.json()["lead_id"], told.json()["outcomes"]) == ("people.test/in/ada", [])


def test_a_lead_that_is_gone_is_still_in_the_books(api: httpx.Client, app: App) -> None:
    furnished(app, "acme")
    recorded(app.ledger, working(app.ledger, ["gone"]), *scored("gone"))
    told = api.get(of("clients", "acme", "leads", "gone", "why")).raise_for_status().json()
    assert (told["lead"], len(told["outcomes"])) == (None, 1)
    problem(api.get(of("clients", "acme", "leads", "never", "why")), 404)
    problem(api.get(of("clients", "nobody", "leads", "gone", "why")), 404)
    problem(api.get(f"{V1}/clients/acme/leads/%00/why"), 404)
    problem(api.get(f"{V1}/clients/acme/leads/%FF/why"), 422)
