"""A real browser: the system's Chromium, headless, and what is wrong with a page in it."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_FILE_PATH  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, Request, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NONE = "there is no Chromium on this machine, which the pages are tested in; on Debian: apt-get install -y chromium"
WIDTHS = (1280, 390)
SCHEMES: Sequence[Literal["light", "dark"]] = ("light", "dark")
STREAM = "eventsource"
COLOURS = "runOnly: ['color-contrast'],"
AXE = AXE_FILE_PATH.read_text(encoding="utf-8")


def chromium() -> Path:
    """Raises LookupError with what to do."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise LookupError(NONE)
    return Path(found)


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page with all that it asked for and complained of."""

    page: Page
    base_url: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda asked: self.requests.append(asked))  # noqa: PLW0108 -- a built-in is not taken
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type in _BAD else None)

    def go(self, path: str) -> None:
        """To a page of ours."""
        self.requests.clear()
        response = self.page.goto(f"{self.base_url}{path}")
        assert response is not None
        assert response.status < 400, f"{path}: {response.status}"

    def sign_in(self, token: str) -> None:
        self.go("/sign-in")
        self.page.fill("#token", token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_selector("header.top")

    @property
    def asked_for(self) -> Sequence[str]:
        """Without the streams."""
        addresses = [each.url for each in self.requests if each.resource_type != STREAM]
        return [each for each in addresses if not each.startswith("data:")]

    def troubles(self) -> list[str]:
        """What is wrong with the page as it stands."""
        return self._asked_and_complained() + self._look("")

    def _asked_and_complained(self) -> list[str]:
        found = [f"asks elsewhere: {each}" for each in self.asked_for if not each.startswith(self.base_url)]
        if len(self.asked_for) > 3:
            found.append(f"asks for {len(self.asked_for)} files: {self.asked_for}")
        found += [f"complains: {each}" for each in self.complaints]
        self.complaints.clear()
        return found

    def troubles_however_it_is_looked_at(self) -> list[str]:
        """Wide and narrow, light and dark: only colours change with the latter."""
        found = []
        for width in WIDTHS:
            for scheme in SCHEMES:
                self.page.set_viewport_size({"width": width, "height": 900})
                self.page.emulate_media(color_scheme=scheme)
                found += [f"{width} {scheme}: {each}" for each in self._look("" if scheme == "light" else COLOURS)]
        return found + self._asked_and_complained()

    def _look(self, only: str) -> list[str]:
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE)
        options = f"{{resultTypes: ['violations'], {only}}}"
        violations = self.page.evaluate(f"axe.run(document, {options}).then((it) => it.violations)")
        found = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in violations]
        too_wide = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return [*found, "is wider than the window"] if too_wide else found


_BAD = ("error", "warning")


@contextmanager
def visiting(
    browser: Browser, base_url: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Watched]:
    """Somebody new, with a window of that width."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        timezone_id="America/Lima",
        locale="en-US",
    )
    context.set_default_timeout(15_000)
    try:
        yield Watched(context.new_page(), base_url)
    finally:
        context.close()
