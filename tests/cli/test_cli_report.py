"""`tallybook report`: the content of the report mail, on the terminal and as a page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tallybook.domain.client import Client
from tests.cli.conftest import Cli
from tests.cli.past import PAST, past
from tests.cli.running import Office

pytestmark = pytest.mark.usefixtures("empty_books")


@pytest.fixture
def office(home: Path) -> Office:
    office = Office(home).furnish(leads=10)
    with office.house() as house:
        house.clients.put_clients([Client("client-0000", "<script>alert('x')</script> & “Söhne” 🦉")])
        past(house, *PAST)
    return office


def test_the_report_says_the_verdict_what_changed_and_why(office: Office, cli: Cli) -> None:
    out = cli.good("report", PAST[1].run_id).out
    assert cli.good("report", PAST[1].run_id, "--text").out == out
    lines = out.splitlines()
    order = [
        lines.index(next(line for line in lines if line.startswith(start)))
        for start in ("! Completed with errors", f"Since run {PAST[0].run_id}", "20 leads, each", "Why", "Cost", "Next")
    ]
    assert order == sorted(order)
    assert "  scored                       17   was 20, −3" in lines
    assert "  success rate             89.5 %   was 100 %, −10.5 %" in lines
    assert max(map(len, lines)) <= 80


def test_the_first_run_of_a_stream_is_compared_with_nothing(office: Office, cli: Cli) -> None:
    assert "Since run" not in cli.good("report", PAST[0].run_id).out


def test_the_page_is_written_where_the_user_says(office: Office, cli: Cli) -> None:
    said = cli.good("report", PAST[1].run_id, "--html", "report.html")
    assert not said.out
    assert "report.html" in said.err
    assert (office.home / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_page_stands_alone_and_escapes_what_it_is_told(office: Office) -> None:
    page = office("report", PAST[1].run_id, "--html", "-").stdout
    assert "://" not in page
    assert not re.search(r"<(script|link|img|iframe|form)\b", page)
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; “Söhne” 🦉" in page
    assert "prefers-color-scheme: dark" in page
    Balanced().feed(page)


def test_a_folder_that_is_not_there_is_one_line(office: Office, cli: Cli) -> None:
    said = cli("report", PAST[1].run_id, "--html", "nowhere/report.html")
    assert (said.code, said.error) == (1, "nowhere/report.html: No such file or directory")


def test_text_and_html_at_once_are_refused(office: Office, cli: Cli) -> None:
    assert cli("report", PAST[1].run_id, "--text", "--html", "-").code == 2


class Balanced(HTMLParser):
    """Every element is closed by its own end."""

    EMPTY = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
