"""Tests about the checkout itself: their children check copies of it, and cover nothing."""

import pytest

from tests.children import unmeasured


@pytest.fixture(autouse=True)
def _no_measured_children(monkeypatch: pytest.MonkeyPatch) -> None:
    unmeasured(monkeypatch)
