"""What doctor checks of the spools: what JobTracking could not write, and why (F34)."""

from pathlib import Path
from typing import TYPE_CHECKING

from tallybook.cli.finding import Finding, Findings, notice, ok, wrong
from tallybook.database import read_stamp
from tallybook.report import words
from tallybook.tracking.held import Held, held_in
from tallybook.tracking.spool import BAD, ENDING, REFUSED, folders_in, lines_in, refused_in

if TYPE_CHECKING:
    from tallybook.app import App

_GOES_ON = "The next program that reports there writes them; nothing is lost."
_OTHER_TOKEN = (
    "Give that program a good token (tallybook token create, at the server); what it reports next is written behind"
    " what waits. Nothing is lost."
)


def spool(app: "App") -> Findings:
    """What waits for the ledger beside it, and for servers below it and in the working folder."""
    beside = app.spool_folder.resolve()
    tops = dict.fromkeys((beside, Path.cwd().resolve() / beside.name))
    folders = dict.fromkeys(folder for top in tops for folder in folders_in(top))
    found = [each for folder in folders for each in _of_folder(folder)]
    yield from found or [ok("spool", "No tracking call waits outside the books")]


def _of_folder(folder: Path) -> Findings:
    waiting, bad, refused = lines_in(folder, ENDING), lines_in(folder, ENDING + BAD), refused_in(folder)
    if waiting:
        yield _waiting(folder, waiting)
    if bad:
        mend = f"Read *{ENDING}{BAD} there, mend what reports, then remove them."
        yield wrong("spool_bad", f"{words.count(bad, 'tracking call')} in {folder} cannot be written", mend)
    if refused:
        of = words.count(len(refused), "tracking call was", "tracking calls were")
        mend = f"Mend what reports, then remove *{ENDING}{REFUSED} there; one renamed to *{ENDING} is said again."
        yield wrong("spool_refused", f"{of} refused and kept in {folder}, the last one for: {refused[-1]}", mend)


def _waiting(folder: Path, waiting: int) -> Finding:
    said = f"{words.count(waiting, 'tracking call waits', 'tracking calls wait')} in {folder} for the books"
    noted = held_in(folder)
    denied = [each for each in noted if each.denied]
    if denied:
        return wrong("spool_denied", f"{said}{_since(denied[0])}", _OTHER_TOKEN)
    return notice("spool", said + (_since(noted[0]) if noted else ""), _GOES_ON)


def _since(held: Held) -> str:
    return f", since {words.instant(read_stamp(held.at))}: {held.why}"
