"""The report of a run as one HTML page: its own CSS, no script, no host but the reader's, dark and light."""

from collections.abc import Iterable, Sequence
from html import escape

from tallybook.domain.figures import LeadFigures
from tallybook.domain.run import Run, Status
from tallybook.domain.tally import Tally
from tallybook.report import words
from tallybook.report.content import Content, Row, content
from tallybook.report.text import HEADINGS, figures_of

CSS = """
:root { color-scheme: light dark; --ink: #1d2329; --dim: #5b6670; --line: #d9dee3; --page: #fff;
  --good: #12683a; --fair: #8a5700; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --dim: #9aa5b0; --line: #38414a; --page: #14181c;
  --good: #6fd19b; --fair: #f0b95a; --bad: #ff8b82 } }
body { margin: 0 auto; max-width: 52rem; padding: 1.5rem 1rem 3rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.25rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .5rem }
.dim { color: var(--dim); margin: 0 } .verdict { font-size: 1.15rem; font-weight: 600; margin: 1rem 0 }
.good { color: var(--good) } .fair { color: var(--fair) } .bad { color: var(--bad) }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere; padding-left: 0 }
th { color: var(--dim); font-weight: 500 } tr.within td:first-child { padding-left: 1.5rem; color: var(--dim) }
th:first-child, td:first-child { min-width: 7rem }
@media (max-width: 40rem) {
  .figures table, .figures thead, .figures tbody { display: block }
  .figures tr { display: grid; grid-template-columns: repeat(7, 1fr); border-bottom: 1px solid var(--line) }
  .figures th, .figures td { border: 0; padding: .1rem 0; font-size: .78rem }
  .figures th { font-size: .68rem }
  .figures th:first-child { display: none }
  .figures td:first-child { grid-column: 1 / -1; font-size: 1rem; padding-top: .4rem }
  .figures td:empty { display: none }
}
ul { margin: 0; padding-left: 1.2rem } code { overflow-wrap: anywhere } .note { color: var(--dim); font-size: .9em }
"""
TONES = {
    Status.COMPLETED: "good",
    Status.COMPLETED_WITH_ERRORS: "fair",
    Status.PAUSED: "fair",
    Status.FAILED: "bad",
    Status.CANCELED: "bad",
    Status.TIMED_OUT: "bad",
}


def html_report(run: Run, *, previous: Run | None = None, leads: LeadFigures | None = None) -> str:
    """The whole report. Everything that comes from outside is escaped."""
    found = content(run, previous=previous, leads=leads)
    csp = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return page(f"{found.title}: {words.plain(found.status)}", sections(found), css=CSS, head=csp)


def page(title: str, body: Iterable[str], *, css: str, head: str = "") -> str:
    """*body*: parts of HTML; empty ones are left out."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{head and head + chr(10)}<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n"
        f"<body>\n<main>\n{chr(10).join(filter(None, body))}\n</main>\n</body>\n</html>\n"
    )


def sections(found: Content) -> Iterable[str]:
    tone = TONES.get(found.status, "")
    yield f"<h1>{escape(found.title)}</h1>"
    yield from (f'<p class="dim">{escape(each)}</p>' for each in found.circumstances)
    yield f'<p class="verdict {tone}">{words.SIGNS[found.status]} {escape(found.verdict)}</p>'
    yield _changes(found)
    yield _clients(found)
    if found.leads:
        yield f"<p>{escape(found.leads)}</p>"
    yield listing("Why", [f"{each.number:,} {each.kind}: {each.reason} ({each.meaning})" for each in found.reasons])
    yield listing("Cost", found.cost)
    yield _claims(found)
    yield _commands(found)


def _changes(found: Content) -> str:
    if found.previous is None:
        return ""
    heading = f"Since run {found.previous}"
    if not found.changes:
        return listing(heading, ["no figure is different"])
    return table(heading, ("", "now", "was", "difference"), [_change(each.name, *each.shown) for each in found.changes])


def _change(name: str, before: str, after: str, difference: str) -> str:
    return cells_of((name, after, before, difference))


def _clients(found: Content) -> str:
    if not found.rows:
        return ""
    return table("Clients", ("", *HEADINGS), [_client(row) for row in found.rows], shape="wide figures")


def _client(row: Row) -> str:
    name = escape(row.name if row.within or row.status is None else f"{words.SIGNS[row.status]} {row.name}")
    status = f' <span class="note {TONES.get(row.status, "")}">{_said(row)}</span>' if row.status else ""
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in _figures(row))
    opening = '<tr class="within">' if row.within else "<tr>"
    return f"{opening}<td>{name}{status}</td>{cells}</tr>"


def _figures(row: Row) -> Sequence[str]:
    return figures_of(row.tally) if row.tally != Tally() or not row.note else ("",) * len(HEADINGS)


def _said(row: Row) -> str:
    said = words.plain(row.status) if row.status else ""
    return escape(f"{said}: {row.note}" if row.note else said)


def _claims(found: Content) -> str:
    rows = [cells_of((each.who, each.field, each.value)) for each in found.claims]
    heading = "Claims: said by the reporting program, not counted by Tallybook"
    return table(heading, ("of", "field", "claimed"), rows) if rows else ""


def _commands(found: Content) -> str:
    items = "".join(f"<li>{escape(what)}: <code>{escape(command)}</code></li>" for what, command in found.commands)
    return f"<h2>Next</h2>\n<ul>{items}</ul>"


def listing(heading: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    return f"<h2>{escape(heading)}</h2>\n<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"


def table(heading: str, names: Sequence[str], rows: Sequence[str], *, shape: str = "wide") -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    return (
        f'<h2>{escape(heading)}</h2>\n<div class="{shape}"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody>\n</table></div>"
    )


def cells_of(cells: Sequence[str]) -> str:
    """A row of plain cells."""
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
