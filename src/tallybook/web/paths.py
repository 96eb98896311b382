"""Ids in a path: any printable text, `/` and `:` too.

A route of this kind is matched before anything is percent-decoded. So `a%2Fb` is one id with a slash in it, and what is
literal in the path is ours: `/runs/x:complete` completes the run `x`, whatever the method; a run or client whose own id
ends with the name of a verb is written `x%3Acomplete`.
"""

from typing import Annotated
from urllib.parse import unquote

from fastapi import Path
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

VERBS = ("complete", "cancel", "pause", "resume")
_ENDINGS = tuple(f":{verb}".encode() for verb in VERBS)


class VerbatimRoute(APIRoute):
    """For `APIRouter(route_class=VerbatimRoute)`: its path parameters are what stood between two slashes, decoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        raw = scope.get("raw_path") or b""
        if raw.count(b"/") != self.path.count("/"):  # most routes, at a fraction of the price
            return Match.NONE, {}
        if raw.endswith(_ENDINGS) and not self.path.endswith(raw[raw.rindex(b":") :].decode()):
            return Match.NONE, {}
        match, child = super().matches({**scope, "path": raw.decode("ascii", "replace")})
        if match is not Match.NONE:
            params = child["path_params"]
            child["path_params"] = {name: _decoded(value) for name, value in params.items()}
        return match, child


def _decoded(value: object) -> object:
    """What is no UTF-8 becomes lone surrogates, which no id may hold."""
    return unquote(value, errors="surrogateescape") if isinstance(value, str) else value


_DAY = "[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|1[0-9]|2[0-8])"
_SECOND = "([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]"
RUN_ID_PATTERN = f"^{_DAY}-{_SECOND}$"
"""Of the ids that are minted. Others are read too: docs/run-ids.md."""

_SIGNS = (
    "!-~\u00a1-\u00ac\u00ae-\u0377\u0400-\u052f\u05d0-\u05ea\u0620-\u064a\u0904-\u0939\u0e01-\u0e3a\u2010-\u2027"
    "\u2030-\u205e\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3\U0001f300-\U0001f64f"
)
CLIENT_ID_PATTERN = f"^ *[{_SIGNS}][ {_SIGNS}]*$"
"""Of client ids in the scripts that are written most. Other printable text is taken too; to name it all takes pages."""

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
        json_schema_extra={"pattern": "^[A-Za-z0-9_-]{1,40}$"},
    ),
]
