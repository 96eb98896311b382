"""Duties that must not take their thread with them, and the one trouble that ends the process."""

import os

import pytest

from tallybook.domain.errors import LedgerUnavailable, WriterDied
from tallybook.engine.runner import outlive


class Ended(BaseException):
    """The process would be gone."""


def raising(error: Exception) -> None:
    raise error


def test_a_process_that_can_write_nothing_any_more_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """F02"""
    codes: list[int] = []

    def exited(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", exited)
    with pytest.raises(Ended):
        outlive(lambda: raising(WriterDied("the writer has died")), "looking")
    assert codes == [1]


@pytest.mark.parametrize(("error", "done"), [(LedgerUnavailable("away"), False), (ValueError("a mistake"), True)])
def test_what_else_goes_wrong_is_told_and_outlived(error: Exception, done: bool) -> None:
    assert outlive(lambda: raising(error), "looking") is done
