"""What became of a day's or a week's runs, in one mail, and that there were none where there were none."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from tallybook.domain.run import Run, Status
from tallybook.domain.tally import Tally
from tallybook.report import words
from tallybook.report.html import TONES, cells_of, listing, page, table
from tallybook.report.mail import CSS, Mail, inlined, run_link
from tallybook.report.text import HEADINGS, NAME, WIDTHS, figures_of, one_line, padded, wrapped
from tallybook.report.verdict import verdict

MOST_RUNS = 100
"""So many are told one by one, newest first; all of them are in the sums."""
MOST_REASONS = 10


@dataclass(frozen=True, slots=True)
class Period:
    """Which runs a digest tells: those that ended in it and were not told in an earlier one."""

    begins: datetime
    ends: datetime
    timezone: ZoneInfo

    @property
    def name(self) -> str:
        return f"{self._local(self.begins)} to {self._local(self.ends)}"

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self.timezone):%a %d %b %Y %H:%M %Z}"


def digest_mail(period: Period, runs: Sequence[Run], public_url: str | None = None) -> Mail:
    """*runs*: as they stand, in any order."""
    newest = sorted(runs, key=lambda each: (each.ended_at or period.ends, each.run_id), reverse=True)
    text = "\n".join(_text(period, newest, public_url)) + "\n"
    html = page("Runs", _html(period, newest, public_url), css=CSS)
    ends = f"{period.ends.astimezone(period.timezone):%d %b %Y}"
    return Mail(f"Tallybook, {ends}: {summary(newest)}", text, inlined(html))


def summary(runs: Sequence[Run]) -> str:
    """`3 runs, 1 of them completed with errors`."""
    if not runs:
        return "nothing ran"
    unwell = {status: sum(each.status is status for each in runs) for status in _WORST_FIRST}
    parts = [f"{number} {words.plain(status)}" for status, number in unwell.items() if number]
    return f"{words.count(len(runs), 'run')}, {words.listed(parts) if parts else 'all completed'}"


_WORST_FIRST = (Status.FAILED, Status.TIMED_OUT, Status.CANCELED, Status.COMPLETED_WITH_ERRORS)


def _clients(runs: Sequence[Run]) -> Mapping[str, Tally]:
    """What each came to over all of these runs, by the name it had last."""
    names: dict[str, str] = {}
    sums: dict[str, Tally] = {}
    for client in (client for run in runs for client in run.clients):
        names.setdefault(client.client_id, client.client_name)
        sums[client.client_id] = sums.get(client.client_id, Tally()) + client.tally
    return {f"{names[client_id]} ({client_id})": sums[client_id] for client_id in sorted(sums)}


def _reasons(runs: Sequence[Run]) -> list[str]:
    sums: dict[str, int] = {}
    for run in runs:
        for reason, number in words.reasons_of(run).items():
            sums[reason] = sums.get(reason, 0) + number
    most = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:MOST_REASONS]
    return [f"{number:,} {reason} ({words.meaning(reason)})" for reason, number in most]


def _sums(runs: Sequence[Run]) -> list[tuple[str, Tally]]:
    clients = _clients(runs)
    return [*clients.items(), ("all", sum((each.tally for each in runs), Tally()))] if clients else []


def _told(run: Run) -> str:
    stream = f"stream {run.stream}" if run.stream is not None else "all streams"
    return f"{run.display or run.run_id}, {words.plain(run.job_type)}, {stream}"


def _left_out(runs: Sequence[Run]) -> list[str]:
    more = len(runs) - MOST_RUNS
    return [f"and {words.count(more, 'run')} before: tallybook run list"] if more > 0 else []


# -- as text -----------------------------------------------------------------------------------------------------------


def _text(period: Period, runs: Sequence[Run], public_url: str | None) -> Iterator[str]:
    yield from (period.name, f"{summary(runs)[:1].upper()}{summary(runs)[1:]}.")
    for run in runs[:MOST_RUNS]:
        yield ""
        yield from wrapped(one_line(f"{words.SIGNS[run.status]} {_told(run)}"), then=2)
        yield from wrapped(one_line(verdict(run)), first=2, then=2)
        if link := run_link(public_url, run.run_id):
            yield f"  {link}"
    yield from _left_out(runs)
    if sums := _sums(runs):
        yield from ("", _line("", HEADINGS), *(_line(one_line(name), figures_of(tally)) for name, tally in sums))
    if reasons := _reasons(runs):
        yield from ("", "Why", *(line for each in reasons for line in wrapped(each, first=2, then=4)))


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{padded(name, NAME)}{''.join(f' {cell:>{width}}' for cell, width in zip(cells, WIDTHS, strict=True))}"


# -- as HTML -----------------------------------------------------------------------------------------------------------


def _html(period: Period, runs: Sequence[Run], public_url: str | None) -> Iterator[str]:
    yield f"<h1>{escape(summary(runs)[:1].upper() + summary(runs)[1:])}</h1>"
    yield f'<p class="dim">{escape(period.name)}</p>'
    for run in runs[:MOST_RUNS]:
        link, name = run_link(public_url, run.run_id), escape(_told(run))
        named = f'<a href="{escape(link)}">{name}</a>' if link else name
        tone = TONES.get(run.status, "")
        yield f'<p>{named}<br><span class="{tone}">{words.SIGNS[run.status]} {escape(verdict(run))}</span></p>'
    yield from (f'<p class="dim">{escape(each)}</p>' for each in _left_out(runs))
    if sums := _sums(runs):
        rows = [cells_of((name, *figures_of(tally))) for name, tally in sums]
        yield table("Clients", ("", *HEADINGS), rows, shape="wide figures")
    yield listing("Why", _reasons(runs))
