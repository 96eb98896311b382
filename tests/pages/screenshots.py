"""Pictures of every page, and docs/pages.md that shows them: what `./dev docs` runs. Drawn from demo data.

python -m tests.pages.screenshots
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from tallybook.cli.doctor import findings_of
from tallybook.web.pages.drawing import part
from tallybook.web.server import make_app
from tests.pages.browser import launched, visiting
from tests.pages.small_png import small_png
from tests.pages.stage import furnish, known_lead, staged_app
from tests.web.serving import made_token, running

DOCS = Path(__file__).parent.parent.parent / "docs"
MOST_BYTES = 150_000
TALLEST = 1500
"""Pixels: what is below is more of the same."""
LEAD = f"/clients/acme-law/leads/{part(known_lead())}"


@dataclass(frozen=True)
class Picture:
    """*about*: what the page is for, as docs/pages.md says it."""

    name: str
    path: str
    title: str
    about: str
    width: int = 1280
    dark: bool = False


def pictures(run_id: str) -> Sequence[Picture]:
    run = f"/runs/{run_id}"
    return [
        Picture("now", "/", "Now", "What runs, what waits and why, what ended last, and what needs somebody. Live."),
        Picture(
            "run", run, "Run",
            "In one look: is it going well, what does it wait for, who failed and why, what did it cost, what has"
            " changed since the run before. Live until it ends; who may start runs can pause, resume and cancel it.",
        ),
        Picture("run-dark", run, "", "The same in the dark.", dark=True),
        Picture("run-narrow", run, "", "And on a telephone.", width=390),
        Picture("runs", "/runs", "Runs", "All of them, newest first; filtered, and found by any form of an id."),
        Picture("clients", "/clients", "Clients", "Who is visited, and what became of their last run."),
        Picture(
            "client", "/clients/acme-law", "Client",
            "Its runs, how success and tokens per lead went from run to run, and how much of its budget is used.",
        ),
        Picture("lead", LEAD, "Lead", "Every outcome of one lead over all runs, and why."),
        Picture("usage", "/usage?days=30", "Usage", "Tokens and money by day, client, operation and model; as CSV."),
        Picture("budgets", "/budgets", "Budgets", "Which limits hold, and how much of each is used."),
        Picture("alerts", "/alerts", "Alerts", "What somebody should look at, until it is over or acknowledged."),
        Picture("schedules", "/schedules", "Schedules", "What starts by itself and when; what was missed, and why."),
        Picture("inbox", "/inbox", "Webhooks", "What providers told us. What nobody could place is applied by hand."),
        Picture("mirror", "/mirror", "Mirror", "How far Airtable is behind, what it did not take, what changed there."),
        Picture("doctor", "/doctor", "Doctor", "What `tallybook doctor` checks. For admins, as are the next two."),
        Picture("tokens", "/tokens", "Tokens", "Who may come in. One that is revoked ends the sessions begun with it."),
        Picture("audit", "/audit", "Audit log", "Who did what."),
    ]  # fmt: skip


HEAD = """# Pages

`tallybook serve` shows what is in the books at its own address. Sign in with a token (`tallybook token create`): a
session may see and do what its token may, ends with it, after 12 hours unused, and after seven days at the latest. A
token that is bound to a client shows that client's part alone.

Pages are drawn on the server, work without a script (reload then), from 390 pixels up, by keyboard, light and dark as
the system is. Nothing comes from another host. Times are those of `run_id.timezone`; UTC is in each one's tooltip. A
GET changes nothing; what changes something is a form that only its own session can send.

The pictures are made by `./dev docs` from the demo's data.
"""


def main() -> int:
    """1 when a picture is too large."""
    folder = DOCS / "screenshots"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        app = staged_app(Path(place))
        run_id, token = furnish(app), made_token(app).text
        found = pictures(run_id)
        with running(make_app(app, works=False, checks=findings_of)) as base_url, launched() as browser:
            for each in found:
                _draw(browser, base_url, token, each, folder / f"{each.name}.png")
        app.close()
    (DOCS / "pages.md").write_text(HEAD + "".join(map(_section, found)))
    return max(_weighed(folder / f"{each.name}.png") for each in found)


def _draw(browser: Browser, base_url: str, token: str, picture: Picture, path: Path) -> None:
    with visiting(browser, base_url, width=picture.width, scheme="dark" if picture.dark else "light") as visitor:
        visitor.sign_in(token)
        visitor.go(picture.path)
        height = min(TALLEST, int(visitor.page.evaluate("document.documentElement.scrollHeight")))
        visitor.page.set_viewport_size({"width": picture.width, "height": height})
        path.write_bytes(small_png(browser, visitor.page.screenshot(animations="disabled")))


def _section(picture: Picture) -> str:
    heading = f"\n## {picture.title}\n" if picture.title else ""
    return f"{heading}\n{picture.about}\n\n![{picture.about}](screenshots/{picture.name}.png)\n"


def _weighed(path: Path) -> int:
    size = path.stat().st_size
    print(f"{path.name:<20} {size / 1000:6.0f} kB{'  TOO LARGE' if size > MOST_BYTES else ''}")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
