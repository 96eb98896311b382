"""The report of a run as a mail: a subject that says the verdict, plain text, and HTML that mail programs can show.

They drop style sheets, variables and what they do not know, so each element carries its own style. What they keep of
the sheet only makes it better on narrow screens.
"""

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Run
from tallybook.report.content import content
from tallybook.report.html import page, sections
from tallybook.report.text import one_line, text_report
from tallybook.report.verdict import verdict

CSS = """
body { margin: 0; padding: 16px; background: #ffffff; color: #1d2329; font: 16px/1.5 Helvetica, Arial, sans-serif }
main { display: block; max-width: 832px; margin: 0 auto }
h1 { font-size: 20px; margin: 0 } h2 { font-size: 16px; margin: 28px 0 8px }
p { margin: 8px 0 } .dim { color: #5b6670; margin: 0 }
.verdict { font-size: 18px; font-weight: 600; margin: 16px 0 }
.good { color: #12683a } .fair { color: #8a5700 } .bad { color: #b3261e }
table { border-collapse: collapse; width: 100%; text-align: right; white-space: nowrap }
th, td { padding: 5px 8px; border-bottom: 1px solid #d9dee3 }
th { color: #5b6670; font-weight: 500; text-align: right }
th:first-child, td:first-child { text-align: left; white-space: normal; word-break: break-word; padding-left: 0 }
tr.within td:first-child { padding-left: 24px; color: #5b6670 }
ul { margin: 0; padding-left: 20px } code { word-break: break-word } .note { color: #5b6670; font-size: 14px }
a { color: #1a56a5 }
@media (max-width: 640px) {
  .figures table, .figures thead, .figures tbody { display: block !important }
  .figures tr { display: block !important; border-bottom: 1px solid #d9dee3 !important; padding: 4px 0 !important }
  .figures th, .figures td { display: inline-block !important; width: 13.5% !important; padding: 2px 0 !important;
    border: 0 !important; font-size: 12px !important; box-sizing: border-box !important }
  .figures th { font-size: 10px !important }
  .figures th:first-child { display: none !important }
  .figures td:first-child { display: block !important; width: 100% !important; font-size: 15px !important }
  .figures tr.within td:first-child { padding-left: 16px !important }
  .figures td:empty { display: none !important }
}
"""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says."""

    subject: str
    text: str
    html: str


def run_mail(
    run: Run, *, previous: Run | None = None, leads: LeadFigures | None = None, public_url: str | None = None
) -> Mail:
    """*public_url*: of the server that has the run's page; without one there is no link."""
    found = content(run, previous=previous, leads=leads)
    link = run_link(public_url, run.run_id)
    text = text_report(run, previous=previous, leads=leads)
    heading, *rest = sections(found)
    return Mail(
        one_line(f"{verdict(run).rstrip('.')} ({found.title[:1].lower()}{found.title[1:]})"),
        f"{text}\nOn the web: {link}\n" if link else text,
        inlined(page(found.title, [heading, *rest, _linked(link)], css=CSS)),
    )


def run_link(public_url: str | None, run_id: str) -> str | None:
    return f"{public_url}/runs/{quote(run_id, safe='')}" if public_url else None


def _linked(link: str | None) -> str:
    return f'<p><a href="{escape(link)}">See the run, as it stands now</a></p>' if link else ""


def inlined(html: str) -> str:
    """Each element with its own style. Asks nobody for anything."""
    from css_inline import CSSInliner

    return CSSInliner(keep_at_rules=True, keep_style_tags=False, load_remote_stylesheets=False).inline(html)
