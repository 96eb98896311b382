"""Pages as a browser would ask for them, without one: sessions, forms, and what is in a page."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
from fastapi.routing import APIRoute

from tallybook.web import pages
from tallybook.web.pages.assets import STYLE
from tests.web.calling import CLIENT, DRIVEN, LEAD, RUN

SAMPLE = {"run_id": RUN, "other": DRIVEN, "client_id": CLIENT, "lead_id": LEAD, "name": STYLE.name}
"""What stands in the paths of the pages, where `scenes.everything` is in the books."""


@dataclass
class Visitor:
    """Somebody who is signed in. *csrf*: what their forms say."""

    http: httpx.Client
    csrf: str

    def get(self, path: str, **more: object) -> httpx.Response:
        return self.http.get(path, **more)  # type: ignore[arg-type]  # as httpx has it

    def post(self, path: str, **said: str) -> httpx.Response:
        return self.http.post(path, data={"csrf": self.csrf, **said})


def sign_in(http: httpx.Client, token: str) -> Visitor:
    answer = http.post("/sign-in", data={"token": token, "next": "/runs"})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/runs"), answer.text
    return Visitor(http, csrf_in(http.get("/runs").text))


def csrf_in(html: str) -> str:
    found = re.search('name="csrf" value="([0-9a-f]{64})"', html)
    assert found, html
    return found[1]


def routes() -> list[APIRoute]:
    """Every page and every form, the pages first."""
    found = [each for each in pages.router.routes if isinstance(each, APIRoute)]
    return sorted(found, key=lambda each: each.methods != {"GET"})


def guarded() -> list[APIRoute]:
    return [each for each in routes() if each.path not in pages.PUBLIC]


def shown() -> list[APIRoute]:
    """What is a page to look at: no stream, no file."""
    return [each for each in guarded() if each.methods == {"GET"} and not each.path.endswith(("live", ".csv"))]


def path_of(route: APIRoute, **ids: str) -> str:
    named = {**dict.fromkeys(("source", "delivery_id", "alert_id", "token_id"), "none"), **SAMPLE, **ids}
    return route.path_format.format(**{name: quote(value, safe="") for name, value in named.items()})


# -- what is in a page -------------------------------------------------------------------------------------------------


@dataclass
class Seen(HTMLParser):
    """The elements of a page, and its words."""

    tags: list[tuple[str, Mapping[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]

    def addresses(self) -> Iterator[str]:
        for _, attrs in self.tags:
            yield from (value for name in ("href", "src", "action") if (value := attrs.get(name)))


def seen(answer: httpx.Response) -> Seen:
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.headers
    found = Seen()
    found.feed(answer.text)
    return found
