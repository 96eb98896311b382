"""What docs/api.md says to type is answered, and what it names is there."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import httpx

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.lead import Lead
from tests.web.calling import routes
from tests.web.conftest import headers_of
from tests.web.scenes import furnished, told_of
from tests.web.serving import SECRET, MakeToken

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    return [shlex.split(found) for found in re.findall(r"^(?:0 2 \* \* \* )?(curl .*)$", TEXT, re.MULTILINE)]


def values(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


def test_every_example_for_curl_works_in_their_order(base_url: str, app: App, make_token: MakeToken) -> None:
    furnished(app, "acme-law")
    app.clients.put_leads("acme-law", [Lead("people.test/in/ada-example")])
    told_of(app, "acme-law", run_id="261125-020000")
    known = {"$TALLYBOOK": base_url, "http://127.0.0.1:8080": base_url, "$SECRET": SECRET}
    asked = commands()
    assert len(asked) == 7
    for words in asked:
        for name, value in known.items():
            words = [word.replace(name, value) for word in words]  # noqa: PLW2901 -- as a shell does
        [url] = [word for word in words if word.startswith(base_url)]
        headers = dict(each.split(": ", 1) for each in values(words, "-H") if each != "$AUTH")
        body = [*values(words, "--json"), *values(words, "-d"), None][0]
        token = headers_of(make_token()) if "$AUTH" in words else {}
        sent = {"Content-Type": "application/json"} if body else {}
        follow = {"follow": "false"} if url.endswith("/events") else None
        method = [*values(words, "-X"), "GET"][0]
        answer = httpx.request(method, url, content=body, params=follow, headers={**sent, **headers, **token})
        if url.endswith("client-by-client"):
            assert answer.status_code == 409, "the run that was started above is in its way"
            continue
        assert answer.is_success, (words, answer.text)


def test_it_names_no_route_and_no_scope_that_is_not_there() -> None:
    known = {route.path for route in routes()}
    named = set(re.findall(r"`(?:(?:GET|POST) )?(/[a-z][^` ?]*)`", TEXT)) - {"/api/v1"}
    assert named <= known | {"/docs", "/openapi.json"}
    assert set(re.findall(r"^\| `(\S+)` \| ", TEXT, re.MULTILINE)) >= {str(each) for each in Scope}
