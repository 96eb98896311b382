"""Rows of an older system's books, in few words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tallybook.domain.history_rows import OldRow, Table

MADE = datetime(2025, 9, 24, 0, 12, tzinfo=UTC)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEGAN, ENDED = "2025-09-24T00:12:34.000000Z", "2025-09-24T00:42:34.000000Z"
RUN = "250924-001234"


def job(run_id: str = RUN, record: str = "recJ", minutes: int = 0, **said: Any) -> OldRow:
    return OldRow(Table.JOBS, record, MADE + timedelta(minutes=minutes), {"run_id": run_id, **said})


def client(label: str = f"{RUN}-Ada", record: str = "recC", minutes: int = 0, **said: Any) -> OldRow:
    return OldRow(Table.CLIENTS, record, MADE + timedelta(minutes=minutes), {"run_id": label, **said})


def ended(**said: Any) -> dict[str, Any]:
    return {"status": "Completed", "started_at": BEGAN, "ended_at": ENDED, **said}


# Anything that may stand in a base

_IDS = st.sampled_from(
    [
        RUN,
        f"{RUN}-Ada",
        f"{RUN}-Ada-Ada",
        "SR-250924-001-S1",
        "SR-250924-001",
        "smart_resume_1758715200123_n3rke",
        "",
        "?",
    ]
)
_CELLS = st.fixed_dictionaries(
    {},
    optional={
        "client_id": st.sampled_from(["Ada", "Eve", " ", "\n"]),
        "status": st.sampled_from(["Running", "COMPLETED", "Partial", "Cancelled", "???", ""]),
        "total_leads": st.sampled_from([0, 5, 9, -1, 1.5]),
        "estimated_cost_usd": st.sampled_from([0.0, 0.25]),
        "started_at": st.sampled_from([BEGAN, ENDED, NOW.isoformat()]),
        "ended_at": st.sampled_from([BEGAN, ENDED, "soon"]),
        "notes": st.text(max_size=3),
        "error": st.sampled_from(["broke", "0"]),
    },
)
_DRAWN = st.lists(st.tuples(st.sampled_from(Table), _IDS, st.integers(0, 3), _CELLS), max_size=12)


def _rows_of(drawn: Sequence[tuple[Table, str, int, dict[str, Any]]]) -> list[OldRow]:
    return [
        OldRow(table, f"rec{n}", MADE + timedelta(minutes=minutes), {"run_id": text, **cells})
        for n, (table, text, minutes, cells) in enumerate(drawn)
    ]


ANY_ROWS = _DRAWN.map(_rows_of)
