"""What a follower was told is noted part by part, and what it keeps for itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tallybook.database import Row, Tx, stamp
from tallybook.domain.fields import storable
from tallybook.domain.telling import Part, Standing, Told

_KEY = "follower = ? AND run_id = ? AND client_id = ?"
_NEW = "INSERT INTO @tellings (follower, run_id, client_id, standing) VALUES (?, ?, ?, 'owed') ON CONFLICT DO NOTHING"
_TOLD = (
    "UPDATE @tellings SET told_version = ?, told_at = ?, ref = ?, notes = ?, standing = 'told', tries = 0,"
    f" next_try_at = NULL, last_error = NULL WHERE {_KEY}"
)
_STANDS = f"UPDATE @tellings SET standing = ?, last_error = ?, told_at = ?, tries = tries + ? WHERE {_KEY}"


def told(tx: Tx, follower: str, parts: Sequence[Told]) -> None:
    """The follower has them in these versions now. Notes are as people have them there."""
    _make(tx, follower, [each.part for each in parts])
    _tell_linked_anew(tx, follower, {each.part: each.ref for each in parts})
    notes = {each.part: None if each.notes is None else storable(each.notes) for each in parts}
    tx.many(
        _TOLD,
        [
            (each.version, stamp(each.as_of or tx.now), each.ref, notes[each.part], follower, *each.part)
            for each in parts
        ],
    )


def stands(
    tx: Tx,
    follower: str,
    parts: Mapping[Part, str | None],
    standing: Standing,
    version: Mapping[Part, int] | None = None,
) -> None:
    """How these parts stand, each with the error that is the reason. *version*: one that is parked was refused in this
    version, and is tried again with the next.
    """
    _make(tx, follower, list(parts))
    rows: list[Row] = [
        (standing.value, None if error is None else storable(error), tx.stamp, int(error is not None), follower, *part)
        for part, error in parts.items()
    ]
    tx.many(_STANDS, rows)
    tx.many(
        f"UPDATE @tellings SET told_version = ? WHERE {_KEY}",
        [(each, follower, *part) for part, each in (version or {}).items()],
    )


def attempt(tx: Tx, follower: str, part: Part, ref: str, was: Standing) -> bool:
    """It is about to be told as *ref*. False: it did not stand as *was*; of all who try, one is let."""
    _make(tx, follower, [part])
    return bool(
        tx.execute(
            f"UPDATE @tellings SET standing = ?, ref = ?, told_at = ? WHERE {_KEY} AND standing = ?",
            (Standing.SENDING.value, ref, tx.stamp, follower, *part, was.value),
        )
    )


def adopt(tx: Tx, follower: str, refs: Mapping[Part, str | None]) -> None:
    """Where the follower has these parts; what it has of them is told anew. None: nowhere."""
    _make(tx, follower, list(refs))
    _tell_linked_anew(tx, follower, refs)
    tx.many(
        f"UPDATE @tellings SET ref = ?, standing = 'owed', told_version = NULL, last_error = NULL WHERE {_KEY}",
        [(ref, follower, *part) for part, ref in refs.items()],
    )


def found(tx: Tx, follower: str, refs: Mapping[Part, str | None]) -> None:
    """These parts were there before us, and are left as they are. What the follower was told of stays its own."""
    tx.many(
        "INSERT INTO @tellings (follower, run_id, client_id, standing, ref, told_at) VALUES (?, ?, ?, 'found', ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(follower, *part, ref, tx.stamp) for part, ref in refs.items()],
    )


def keep_notes(tx: Tx, follower: str, notes: Mapping[Part, str | None]) -> None:
    tx.many(
        f"UPDATE @tellings SET notes = ? WHERE {_KEY}",
        [(None if text is None else storable(text), follower, *part) for part, text in notes.items()],
    )


def owe_again(tx: Tx, follower: str, run_id: str) -> None:
    """Tell all of a run once more, what is kept up."""
    tx.execute(
        "UPDATE @tellings SET told_version = NULL, standing = 'owed' WHERE follower = ? AND run_id = ?"
        " AND standing IN ('owed', 'told', 'parked')",
        (follower, run_id),
    )


def _tell_linked_anew(tx: Tx, follower: str, refs: Mapping[Part, str | None]) -> None:
    """Clients are linked to the run as a whole: when that is had elsewhere than before, they are owed once more."""
    for part, ref in refs.items():
        if not part.client_id and tx.row(f"SELECT ref FROM @tellings WHERE {_KEY}", (follower, *part)) != (ref,):
            tx.execute(
                "UPDATE @tellings SET told_version = NULL WHERE follower = ? AND run_id = ? AND client_id <> ?"
                " AND standing IN ('owed', 'told', 'parked')",
                (follower, *part),
            )


def _make(tx: Tx, follower: str, parts: Sequence[Part]) -> None:
    tx.many(_NEW, [(follower, *part) for part in parts])


# -- a follower's own notes --------------------------------------------------------------------------------------------


def keep(tx: Tx, follower: str, name: str, value: str | None) -> None:
    """None: forget it."""
    if value is None:
        tx.execute("DELETE FROM @follower_state WHERE follower = ? AND name = ?", (follower, name))
        return
    tx.execute(
        "INSERT INTO @follower_state (follower, name, value, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (follower, name) DO UPDATE SET value = excluded.value, at = excluded.at",
        (follower, name, value, tx.stamp),
    )


def begin(tx: Tx, follower: str, at: datetime) -> None:
    """What happened before then it is told only when somebody asks for it."""
    look_from(tx, follower, at)
    keep(tx, follower, "began_at", stamp(at))


def start_over(tx: Tx, follower: str) -> None:
    """It has nothing of what it was told: it is another one now, under the same name."""
    tx.execute("DELETE FROM @tellings WHERE follower = ? AND standing = 'found'", (follower,))
    tx.execute(
        "UPDATE @tellings SET ref = NULL, told_version = NULL, standing = 'owed', last_error = NULL WHERE follower = ?",
        (follower,),
    )
    tx.execute("DELETE FROM @follower_state WHERE follower = ? AND name NOT IN ('told_until', 'began_at')", (follower,))


def look_from(tx: Tx, follower: str, at: datetime) -> None:
    """What changed before then it was told of."""
    keep(tx, follower, "told_until", stamp(at))
