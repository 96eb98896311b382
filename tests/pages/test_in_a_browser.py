"""The pages in a real browser: as they look, as they go on by themselves, as they are used."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.ledger import read
from tallybook.ledger.figures import previous_run
from tallybook.ledger.write.tokens import revoke_token
from tests.pages.browser import Watched, launched, visiting
from tests.pages.stage import furnish, staged_app
from tests.web.conftest import headers_of
from tests.web.serving import made_token, served

expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Stage:
    """A server that works, with the demo's clients and some nights of runs. *run_id*: the newest that has ended."""

    app: App
    base_url: str
    token: str
    run_id: str
    before: str

    def start(self, *operations: str, client: str, limit: int) -> str:
        """A run that the server works on."""
        asked = {"operations": operations, "clients": [client], "limit": limit, "queue": True}
        answer = httpx.post(f"{self.base_url}/api/v1/runs", json=asked, headers=headers_of(self.token), timeout=30)
        return str(answer.raise_for_status().json()["run_id"])

    def pages(self) -> list[str]:
        leads, run = "/clients/acme-law/leads", f"/runs/{self.run_id}"
        lead = f"{leads}/linkedin.test%2Fin%2Fthea-thin"
        return [
            "/", "/runs", "/runs?status=failed", run, f"{run}/diff/{self.before}", "/clients", "/clients/acme-law",
            leads, lead, "/usage", "/usage?by=client", "/budgets", "/schedules", "/inbox", "/mirror", "/alerts",
            "/doctor", "/tokens", "/audit",
        ]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    app = staged_app(tmp_path_factory.mktemp("stage"), latency_ms=120)
    run_id, token = furnish(app, days=5), made_token(app).text
    with served(app, works=True) as base_url:
        before = previous_run(app.ledger.database, read.run(app.ledger.database, run_id))
        yield Stage(app, base_url, token, run_id, str(before))
    app.close()


@pytest.fixture
def visitor(browser: Browser, stage: Stage) -> Iterator[Watched]:
    with visiting(browser, stage.base_url) as watched:
        watched.sign_in(stage.token)
        yield watched


def test_every_page_is_without_fault_wide_and_narrow_light_and_dark(visitor: Watched, stage: Stage) -> None:
    found = {}
    for path in stage.pages():
        visitor.go(path)
        found[path] = visitor.troubles_however_it_is_looked_at()
    visitor.page.context.clear_cookies()
    visitor.go("/sign-in")
    found["/sign-in"] = visitor.troubles_however_it_is_looked_at()
    assert {path: each for path, each in found.items() if each} == {}


def test_a_run_is_followed_to_its_end_without_loading_the_page_again(visitor: Watched, stage: Stage) -> None:
    run_id = stage.start("lead_scoring", client="acme-law", limit=20)
    visitor.go(f"/runs/{run_id}")
    visitor.page.evaluate("window.untouched = true")
    head, clients = visitor.page.locator("#part-head"), visitor.page.locator("#part-clients")
    expect(head.locator(".verdict")).to_contain_text("Completed with errors in")
    expect(clients).to_contain_text("completed with errors")
    expect(visitor.page.locator("#part-events")).to_contain_text("Ended")
    expect(visitor.page.locator("#part-figures")).to_contain_text("20 found")
    expect(visitor.page.get_by_role("button", name="Pause")).to_have_count(0)
    assert visitor.page.evaluate("window.untouched") is True
    assert visitor.troubles() == []


def test_the_first_page_shows_what_has_happened_since_it_was_opened(visitor: Watched, stage: Stage) -> None:
    visitor.go("/")
    run_id = stage.start("lead_scoring", client="brightside-coaching", limit=30)
    expect(visitor.page.locator("#part-ended")).to_contain_text(run_id)
    assert visitor.troubles() == []


def test_a_run_is_paused_resumed_and_canceled_by_button(visitor: Watched, stage: Stage) -> None:
    run_id = stage.start("lead_scoring", client="north-harbor-it", limit=60)
    visitor.go(f"/runs/{run_id}")
    page, verdict = visitor.page, visitor.page.locator(".verdict")
    page.get_by_role("button", name="Pause").click()
    expect(verdict).to_contain_text("Paused by token")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("Cancel …").click()
    expect(page.get_by_text("It ends for good")).to_be_visible()
    page.get_by_role("button", name="Cancel this run").click()
    expect(verdict).to_contain_text("Canceled in")
    expect(page.get_by_text("Cancel …")).to_have_count(0)
    assert visitor.complaints == []


def test_runs_are_filtered_and_found_by_keyboard(visitor: Watched, stage: Stage) -> None:
    visitor.go("/runs")
    page = visitor.page
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.get_by_label("Status").select_option("paused")
    page.get_by_role("button", name="Show").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_label("Find a run").fill(stage.run_id)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text(stage.run_id)


def test_times_are_the_operators_and_utc_is_at_hand(visitor: Watched, stage: Stage) -> None:
    visitor.go(f"/runs/{stage.run_id}")
    time = visitor.page.locator("#part-head time").first
    assert (time.get_attribute("title") or "").endswith(" 00:30:00 UTC")
    assert " 01:30:00" in time.inner_text() or " 02:30:00" in time.inner_text()


def test_signing_out_leads_out_and_a_revoked_token_too(browser: Browser, stage: Stage) -> None:
    made = made_token(stage.app, Scope.RUNS_READ)
    with visiting(browser, stage.base_url) as watched:
        watched.sign_in(made.text)
        watched.page.get_by_role("button", name="Sign out").click()
        expect(watched.page.get_by_label("Token")).to_be_focused()
        watched.go("/runs")
        expect(watched.page.locator("h1")).to_have_text("Sign in to Tallybook")
        watched.sign_in(made.text)
        watched.go("/runs")
        expect(watched.page.locator("h1")).to_have_text("Runs")
        stage.app.ledger.do(revoke_token, made.token_id)
        watched.go("/runs")
        expect(watched.page.locator("h1")).to_have_text("Sign in to Tallybook")


def test_a_second_tenant_sees_its_own_alone(browser: Browser, stage: Stage) -> None:
    token = made_token(stage.app, Scope.RUNS_READ, client_id="brightside-coaching").text
    with visiting(browser, stage.base_url, width=390) as watched:
        watched.sign_in(token)
        for path in ("/", "/runs", f"/runs/{stage.run_id}", "/clients", "/usage?by=client"):
            watched.go(path)
            text = watched.page.locator("main").inner_text()
            assert "acme-law" not in text.lower().replace(" ", "-")
            assert watched.troubles() == []


def test_without_a_script_a_page_is_as_true_when_it_is_loaded(browser: Browser, stage: Stage) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{stage.base_url}/sign-in")
    page.fill("#token", stage.token)
    page.get_by_role("button", name="Sign in").click()
    page.goto(f"{stage.base_url}/runs/{stage.run_id}")
    expect(page.locator(".verdict")).to_contain_text("Completed with errors")
    context.close()
