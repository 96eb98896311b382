"""What Airtable says when it refuses something: asked of the look-alike in every test run, and by hand of itself."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests
from pyairtable import Api

from tallybook.airtable.errors import refusal_in
from tallybook.airtable.seen import OperatorBase
from tallybook.airtable.tables import JOB_TRACKING

NOBODY = "rec" + "A" * 14
FIELDS = [
    {"name": "Run ID", "type": "singleLineText"},
    {"name": "Stream", "type": "number", "options": {"precision": 0}},
    {"name": "Status", "type": "singleSelect", "options": {"choices": [{"name": "Running"}]}},
]
SAID: Mapping[str, tuple[int, str]] = {
    "an unknown field": (422, "UNKNOWN_FIELD_NAME"),
    "a value of another kind": (422, "INVALID_VALUE_FOR_COLUMN"),
    "an unknown option": (422, "INVALID_MULTIPLE_CHOICE_OPTIONS"),
    "a row that is not there": (422, "ROW_DOES_NOT_EXIST"),
    "a formula that is none": (422, "INVALID_FILTER_BY_FORMULA"),
    "a formula field over the API": (422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE"),
    "a table that is not there": (403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"),
    "an unknown place": (404, "NOT_FOUND"),
}


def what_it_says(api: Api, base: OperatorBase) -> dict[str, tuple[int, str]]:
    """Makes a table of its own in the base, with two rows of one key, and does in it what is refused."""
    made = api.request("POST", api.build_url("meta", "bases", base.id, "tables"), json=_table(api, base))
    rows, fields = (
        api.build_url(base.id, made["id"]),
        api.build_url("meta", "bases", base.id, "tables", made["id"], "fields"),
    )
    row = api.request("POST", rows, json={"records": [{"fields": {"Run ID": "one"}}]})["records"][0]["id"]

    def change(record_id: str, cells: Mapping[str, Any]) -> Callable[[], Any]:
        return lambda: api.request("PATCH", rows, json={"records": [{"id": record_id, "fields": dict(cells)}]})

    formula = {"name": "Twice", "type": "formula", "options": {"formula": "1 + 1"}}
    asked: Mapping[str, Callable[[], Any]] = {
        "an unknown field": change(row, {"No Such Field": "x"}),
        "a value of another kind": change(row, {"Stream": "many"}),
        "an unknown option": change(row, {"Status": "No Such Option"}),
        "a row that is not there": change(NOBODY, {"Run ID": "x"}),
        "a formula that is none": lambda: api.request("GET", rows, params={"filterByFormula": "NO_SUCH({Run ID})"}),
        "a formula field over the API": lambda: api.request("POST", fields, json=formula),
        "a table that is not there": lambda: api.request("GET", api.build_url(base.id, "tbl" + "A" * 14)),
        "an unknown place": lambda: api.request("GET", api.build_url("meta", "no-such-place")),
    }
    return {name: _said(ask) for name, ask in asked.items()}


def what_several_matches_say(api: Api, base: OperatorBase) -> tuple[int, str]:
    """Of an upsert whose key stands in two rows."""
    made = api.request("POST", api.build_url("meta", "bases", base.id, "tables"), json=_table(api, base))
    rows = api.build_url(base.id, made["id"])
    api.request("POST", rows, json={"records": [{"fields": {"Run ID": "one"}}, {"fields": {"Run ID": "one"}}]})
    wanted: dict[str, Any] = {
        "performUpsert": {"fieldsToMergeOn": ["Run ID"]},
        "records": [{"fields": {"Run ID": "one", "Stream": 1}}],
    }
    return _said(lambda: api.request("PATCH", rows, json=wanted))


def _table(api: Api, base: OperatorBase) -> dict[str, Any]:
    there = api.request("GET", api.build_url("meta", "bases", base.id, "tables"))["tables"]
    return {"name": f"{JOB_TRACKING.name} {len(there) + 1}", "fields": FIELDS}


def _said(ask: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(requests.HTTPError) as caught:
        ask()
    response = caught.value.response
    assert response is not None
    refusal = refusal_in(response)
    return refusal.status, refusal.kind
