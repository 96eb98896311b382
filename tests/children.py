"""Child processes whose coverage is not needed: measuring them takes half as long again as running them."""

import pytest

MEASURED = "COVERAGE_PROCESS_CONFIG"


def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started from here on is not measured. What it executes is covered by tests in this process."""
    monkeypatch.delenv(MEASURED, raising=False)
