"""What waits outside the books, folder by folder: for alerts and metrics (F34)."""

from collections.abc import Sequence
from pathlib import Path

from tallybook.database import read_stamp
from tallybook.domain.alert import Spooled
from tallybook.tracking.held import held_in
from tallybook.tracking.spool import BAD, ENDING, folders_in, lines_in, refused_in


def spooled_in(top: Path) -> Sequence[Spooled]:
    """Of *top* and what is below it; folders in which nothing waits are left out."""
    found = [_of_folder(folder) for folder in folders_in(top)]
    return [each for each in found if each.waiting or each.broken]


def _of_folder(folder: Path) -> Spooled:
    broken, refused, noted = lines_in(folder, ENDING + BAD), refused_in(folder), held_in(folder)
    oldest = noted[0] if noted else None
    return Spooled(
        str(folder),
        waiting=lines_in(folder, ENDING),
        broken=broken + len(refused),
        denied=any(each.denied for each in noted),
        since=read_stamp(oldest.at) if oldest else None,
        why=refused[-1] if refused else oldest.why if oldest else "",
    )
