"""Templates, and how figures, times and codes look in them. All that comes from outside is escaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from tallybook.database import read_stamp
from tallybook.domain.access import Access, Scope
from tallybook.domain.run import Status
from tallybook.domain.tally import Money
from tallybook.report import words
from tallybook.web.pages.assets import SCRIPT, STYLE

FOLDER = Path(__file__).parent.parent / "templates"
TONES: Mapping[str, str] = {
    Status.COMPLETED: "good",
    Status.COMPLETED_WITH_ERRORS: "fair",
    Status.PAUSED: "fair",
    Status.FAILED: "bad",
    Status.CANCELED: "bad",
    Status.TIMED_OUT: "bad",
    Status.RUNNING: "busy",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around every page. *access* None: nobody is signed in. *zone*: whose clocks are shown."""

    path: str
    zone: ZoneInfo
    now: datetime
    access: Access | None = None
    csrf: str = ""

    @property
    def places(self) -> list[tuple[str, str, bool]]:
        """(address, name, whether we are there) of the pages that *access* may see."""
        return [(address, name, self._at(address)) for address, name in _places(self.access)]

    @property
    def tenant(self) -> str | None:
        return self.access.client_id if self.access else None

    def may(self, scope: str) -> bool:
        return self.access is not None and self.access.may(Scope(scope))

    def _at(self, address: str) -> bool:
        return self.path == address or (address != "/" and self.path.startswith(f"{address}/"))


def _places(access: Access | None) -> list[tuple[str, str]]:
    if access is None:
        return []
    found = [("/", "Now"), ("/runs", "Runs"), ("/clients", "Clients"), ("/usage", "Usage"), ("/budgets", "Budgets")]
    found.append(("/alerts", "Alerts"))
    if access.client_id is None:
        found += [("/schedules", "Schedules"), ("/inbox", "Webhooks"), ("/mirror", "Mirror")]
    if access.may(Scope.ADMIN):
        found += [("/doctor", "Doctor"), ("/tokens", "Tokens"), ("/audit", "Audit")]
    return found


# -- how things look ---------------------------------------------------------------------------------------------------


@pass_context
def when(context: Context, at: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> Markup:
    """An instant on the operator's clocks, with UTC at hand."""
    if at is None:
        return Markup(words.NOTHING)
    utc, zone = at.astimezone(UTC), context["frame"].zone
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M:%S} UTC", f"{at.astimezone(zone):{form}}"
    )


@pass_context
def ago(context: Context, at: datetime | None) -> str:
    """How long since then."""
    return words.duration((context["frame"].now - at).total_seconds()) if at else words.NOTHING


def number(value: int | None) -> str:
    return words.NOTHING if value is None else f"{value:,}"


def part(value: str) -> str:
    """As a part of a path."""
    return quote(value, safe="")


def query(**said: object) -> str:
    """As a query, what is empty left out."""
    named = [(name, value) for name, value in said.items() if value not in (None, "", [])]
    return f"?{urlencode(named, doseq=True)}" if named else ""


def said(text: str) -> Markup:
    """What stands between backticks is code."""
    pieces = str(escape(text)).split("`")
    if len(pieces) % 2 == 0:  # one is left over
        return Markup(escape(text))
    marked = (f"<code>{each}</code>" if place % 2 else each for place, each in enumerate(pieces))
    return Markup("".join(marked))


def tone(status: str) -> str:
    return TONES.get(status, "idle")


def sign(status: str) -> str:
    return words.SIGNS.get(Status(status), "·")


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"when": when, "ago": ago, "n": number, "part": part, "tone": tone, "sign": sign, "said": said}
    made.filters |= {"plain": words.plain, "percent": words.percent, "usd": words.usd, "short": words.short}
    made.globals |= {
        "words": words,
        "query": query,
        "money": Money,
        "instant": read_stamp,
        "style": STYLE.name,
        "script": SCRIPT.name,
    }
    return made


ENVIRONMENT = _environment()


def drawn(template: str, frame: Frame, facts: Mapping[str, Any]) -> str:
    """*template* with *facts*. A fact that it names and does not get is an error."""
    return ENVIRONMENT.get_template(f"{template}.html.j2").render(frame=frame, **facts)
