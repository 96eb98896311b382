"""Ids in a path: any printable text, `/` and `:` too.

A route of this kind is matched before anything is percent-decoded. So `a%2Fb` is one id with a slash in it, and what is
literal in the path is ours: `/runs/x:complete` completes the run `x`, whatever the method; a run or client whose own id
ends with the name of a verb is written `x%3Acomplete`.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from tallybook.domain.client import LONGEST_ID

VERBS = ("complete", "cancel", "pause", "resume")
_ENDINGS = tuple(f":{verb}" for verb in VERBS)


class VerbatimRoute(APIRoute):
    """For `APIRouter(route_class=VerbatimRoute)`: its path parameters are what stood between two slashes, decoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        params = self.params_in(raw_path(scope)) if scope["type"] == "http" else None
        if params is None:
            return Match.NONE, {}
        match = Match.FULL if scope["method"] in (self.methods or ()) else Match.PARTIAL
        return match, {"endpoint": self.endpoint, "path_params": params, "route": self}

    def params_in(self, path: str) -> dict[str, str] | None:
        """The parameters that *path*, percent-encoded as it came, has for this route; None: it is another's."""
        if path.count("/") != self.path.count("/"):  # most routes, at a fraction of the price
            return None
        if path.endswith(_ENDINGS) and not self.path.endswith(path[path.rindex(":") :]):
            return None
        found = self.path_regex.match(path)
        return {name: _decoded(value) for name, value in found.groupdict().items()} if found else None


def raw_path(scope: Scope) -> str:
    """As it came, percent-encoded."""
    return (scope.get("raw_path") or b"").decode("ascii", "replace")


def _decoded(value: str) -> str:
    """What is no UTF-8 becomes lone surrogates, which no id may hold."""
    return unquote(value, errors="surrogateescape")


# -- what they look like -----------------------------------------------------------------------------------------------

_LONG_MONTH = "(0[13578]|1[02])(0[1-9]|[12][0-9]|3[01])"
_SHORT_MONTH = "(0[469]|11)(0[1-9]|[12][0-9]|30)"
_FEBRUARY = "02(0[1-9]|1[0-9]|2[0-8])"
_DAY = f"([0-9]{{2}}({_LONG_MONTH}|{_SHORT_MONTH}|{_FEBRUARY})|([02468][048]|[13579][26])0229)"
_SECOND = "([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
_NUMBER = "(00[1-9]|0[1-9][0-9]|[1-9][0-9]{2})"
RUN_ID_PATTERN = f"^({_DAY}-{_SECOND}|SR-{_DAY}-{_NUMBER})$"
"""Of the ids that are minted. Others are read too: docs/run-ids.md."""
CLIENT_ID_FORMAT = "client-id"
"""Stands in a schema for `client_id_schema`, which is long."""


def client_id_schema() -> dict[str, object]:
    """Any printable text that is not blank, as `read_client_id` reads it."""
    signs = "".join(f"{chr(first)}-{chr(last)}" for first, last in _printable_ranges())
    return {
        "title": "ClientId",
        "type": "string",
        "description": "Any printable text that is not blank",
        "minLength": 1,
        "maxLength": LONGEST_ID,
        "pattern": f"^ *[{signs}][ {signs}]*$",
        "examples": ["acme-law"],
    }


def _printable_ranges() -> Iterator[tuple[int, int]]:
    """Without the space."""
    for printable, run in groupby(range(ord(" ") + 1, sys.maxunicode + 1), lambda code: chr(code).isprintable()):
        codes = list(run)
        if printable:
            yield codes[0], codes[-1]


RunIdInPath = Annotated[
    str,
    Path(
        description="A run id, a display form or the label of a client run; all reach the same run",
        examples=["261125-020000"],
        json_schema_extra={"pattern": RUN_ID_PATTERN},
    ),
]
ClientIdInPath = Annotated[
    str,
    Path(
        description="Any printable text, percent-encoded; a `/` in it as `%2F`, a `:` as `%3A`",
        examples=["acme-law"],
        json_schema_extra={"format": CLIENT_ID_FORMAT},
    ),
]
