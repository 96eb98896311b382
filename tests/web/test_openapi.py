"""The API's description: complete, resolvable, true of who is let in, and readable without anything from elsewhere."""

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from tallybook.domain.client import LONGEST_ID, read_client_id
from tallybook.domain.errors import BadInput
from tallybook.domain.runid import RunId
from tallybook.web.docs_page import LONGEST_OPEN, docs_page, example_of
from tallybook.web.guard import scope_of, takes_secret
from tallybook.web.openapi import LINKS
from tallybook.web.paths import RUN_ID_PATTERN, client_id_schema
from tests.ledger.scenes import ODD_IDS
from tests.web.calling import method_of, routes

CLIENT_ID = client_id_schema()
EVERY_GUARDED = {"401", "403", "422", "429", "503"}


@pytest.fixture
def document(api: httpx.Client) -> Any:
    return api.get("/openapi.json").raise_for_status().json()


def operations(document: Any) -> dict[str, Any]:
    return {each["operationId"]: each for path in document["paths"].values() for each in path.values()}


def parts(value: Any) -> Iterator[Any]:
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(each)


def test_every_route_is_described_with_what_it_takes_and_answers(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    for route in routes():
        operation = document["paths"][route.path_format][method_of(route).lower()]
        assert operation["operationId"] == route.name
        assert operation["summary"]
        assert operation["tags"]
        assert [status for status in operation["responses"] if status < "300"]
        for status, answer in operation["responses"].items():
            assert answer["description"]
            assert status in ("304", "200") or answer.get("content"), (route.name, status)
    assert len(operations(document)) == len(routes()), "no two have one name"


def test_who_is_let_in_is_said_and_so_is_what_the_others_are_told(document: Any) -> None:
    for route in routes():
        operation, scope = operations(document)[route.name], scope_of(route)
        if scope is None:
            assert "security" not in operation
            continue
        assert {name for each in operation["security"] for name in each} == (
            {"token", "webhookSecret"} if takes_secret(route) else {"token"}
        )
        assert operation["description"].endswith(f"Needs the scope `{scope}`.")
        assert set(operation["responses"]) >= EVERY_GUARDED
        for status in EVERY_GUARDED:
            content = operation["responses"][status]["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert set(document["components"]["securitySchemes"]) == {"token", "webhookSecret"}


def test_every_reference_leads_somewhere(document: Any) -> None:
    named = {each["$ref"] for each in parts(document) if isinstance(each, dict) and isinstance(each.get("$ref"), str)}
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert named <= known
    assert "client-id" not in json.dumps(document), "it stands for a reference"


def test_answers_lead_to_what_can_be_asked_next(document: Any) -> None:
    found = operations(document)
    for source, status, target, parameters in LINKS:
        link = found[source]["responses"][status]["links"][target]
        assert link == {"operationId": target, "parameters": dict(parameters)}
        assert target in found


def test_nobody_is_asked_to_send_null_where_it_can_be_left_out(document: Any) -> None:
    for operation in operations(document).values():
        for parameter in operation.get("parameters", ()):
            assert "null" not in json.dumps(parameter["schema"].get("type", parameter["schema"])), parameter["name"]


def test_the_description_is_not_sent_again_while_it_is_the_same(api: httpx.Client) -> None:
    etag = api.get("/openapi.json").headers["etag"]
    assert api.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


# Ids


@pytest.mark.parametrize(
    "client_id", [*ODD_IDS, " a", "a ", "Ünïcödé", "𝒳", "", " ", "\n", "a\tb", "\u00a0", "x" * 201]
)
def test_client_ids_are_described_as_they_are_read(client_id: str) -> None:
    fits = bool(re.search(str(CLIENT_ID["pattern"]), client_id)) and 1 <= len(client_id) <= LONGEST_ID
    try:
        read_client_id(client_id)
    except BadInput:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("month", range(1, 13))
def test_run_ids_are_described_as_they_are_read(month: int) -> None:
    for year in ("23", "24", "00"):
        for day in range(34):
            for text in (f"{year}{month:02}{day:02}-235959", f"SR-{year}{month:02}{day:02}-{day:03}"):
                try:
                    read = bool(RunId.parse(text))
                except BadInput:
                    read = False
                assert bool(re.search(RUN_ID_PATTERN, text)) is read, text


# The page


class Tags(HTMLParser):
    """The tags of a page, and the ids and links in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        named = dict(attrs)
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.links |= {value for name in ("href", "src") if (value := named.get(name))}


def test_the_page_shows_every_route_and_every_object(api: httpx.Client, document: Any) -> None:
    page = api.get("/docs").raise_for_status()
    assert page.headers["content-type"].startswith("text/html")
    tags = Tags(page.text)
    assert {each["operationId"] for each in operations(document).values()} <= tags.ids
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= tags.ids
    text = page.text.replace("<wbr>", "")
    for path in document["paths"]:
        assert path in text


def test_the_page_needs_nothing_but_itself(api: httpx.Client) -> None:
    page = api.get("/docs")
    tags = Tags(page.text)
    assert not set(tags.tags) & {"script", "link", "img", "iframe", "object", "form"}
    assert {each[0] for each in tags.links} == {"#"}
    assert {each.removeprefix("#") for each in tags.links} <= tags.ids, "every link leads somewhere on the page"
    css = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(css.encode()).digest()).decode()
    assert page.headers["content-security-policy"] == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page.text
    assert re.findall(r"\bwidth: *[0-9]+px", page.text) == [], "it is as wide as its reader"


def test_the_page_folds_long_examples_and_scrolls_in_one_direction_only(api: httpx.Client) -> None:
    text = api.get("/docs").text
    folded = re.findall(r"<details><summary>Example \(([0-9]+) lines\)</summary><pre>", text)
    assert min(map(int, folded)) > LONGEST_OPEN
    open_ones = re.findall(r"(?<!</summary>)<pre>([^<]*)</pre>", text)
    assert max(each.count("\n") + 1 for each in open_ones) <= LONGEST_OPEN
    assert "overflow-x" not in text
    assert "white-space: pre-wrap" in text


def test_what_stands_in_the_description_is_text_and_not_markup() -> None:
    odd = "<b>&\"'`<i>`"
    operation = {"operationId": odd, "summary": odd, "description": odd, "tags": [odd], "responses": {}}
    page = docs_page(
        {
            "info": {"title": odd, "version": odd, "description": odd},
            "paths": {f"/{odd}": {"get": {**operation, "parameters": [{"name": odd, "in": "query"}]}}},
            "components": {"schemas": {"Odd": {"description": odd, "properties": {odd: {"type": odd}}}}},
        }
    )
    assert "<b>" not in page
    assert "<i>" not in page


@pytest.mark.parametrize(
    ("schema", "example"),
    [
        ({"$ref": "#/components/schemas/Odd"}, {"a": 7, "b": ["…"]}),
        ({"enum": ["x", "y"]}, "x"),
        ({"const": True}, True),
        ({"default": None}, None),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, 0.5),
        ({"type": "boolean"}, False),
        ({"type": "integer", "minimum": 1}, 1),
        ({}, None),
    ],
)
def test_an_example_is_made_where_none_is_given(schema: dict[str, Any], example: object) -> None:
    odd = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "examples": [7]},
            "b": {"type": "array", "items": {"type": "string"}},
        },
    }
    assert example_of({"components": {"schemas": {"Odd": odd}}}, schema) == example


def test_an_object_within_itself_has_an_end() -> None:
    nested = {"type": "object", "properties": {"more": {"$ref": "#/components/schemas/Nested"}}}
    listed = {"type": "array", "items": {"$ref": "#/components/schemas/Listed"}}
    document = {"components": {"schemas": {"Nested": nested, "Listed": listed}}}
    for name in ("Nested", "Listed"):
        assert len(json.dumps(example_of(document, {"$ref": f"#/components/schemas/{name}"}))) < 200
