"""Clients: typed ids, statuses and service levels; bad input is refused at the edge."""

import pytest

from tallybook.domain.client import (
    LONGEST_ID,
    Client,
    ClientStatus,
    read_client_id,
    read_client_status,
    read_service_level,
    read_timezone,
)
from tallybook.domain.errors import BadInput


@pytest.mark.parametrize(
    "text", ["acme-law", "O'Neil", 'a "b"', "{x}", "a\\b", "🦊", "日本", " padded ", "x" * LONGEST_ID]
)
def test_a_client_id_is_any_printable_text_kept_as_it_is(text: str) -> None:
    """F16"""
    assert read_client_id(text) == text


@pytest.mark.parametrize("text", [None, 7, "", "  ", "a\nb", "a\0", "\ud800", "x" * (LONGEST_ID + 1)])
def test_what_is_no_client_id_is_refused(text: object) -> None:
    """F39"""
    with pytest.raises(BadInput, match="a client id"):
        read_client_id(text)


def test_a_client_is_active_unless_paused_by_its_source_or_here() -> None:
    assert Client("acme", "Acme").active
    assert not Client("acme", "Acme", status=ClientStatus.PAUSED).active
    assert not Client("acme", "Acme", paused_here=True).active


@pytest.mark.parametrize(("text", "level"), [("2-Lead Scoring + Post Scoring", 2), (1, 1), (" 3 ", 3)])
def test_a_service_level_is_its_leading_number(text: object, level: int) -> None:
    assert read_service_level(text) == level


@pytest.mark.parametrize("text", ["", "level 2", None, "٢"])
def test_a_service_level_without_a_leading_number_is_refused(text: object) -> None:
    with pytest.raises(BadInput, match="service_level must begin"):
        read_service_level(text)


def test_a_status_is_active_or_paused_in_any_case() -> None:
    assert read_client_status(" ACTIVE ") is ClientStatus.ACTIVE
    assert read_client_status("Paused") is ClientStatus.PAUSED
    with pytest.raises(BadInput, match="active or paused"):
        read_client_status("gone")


def test_a_timezone_is_one_of_the_tz_database() -> None:
    assert read_timezone(" Europe/Berlin ") == "Europe/Berlin"
    for text in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(BadInput, match="is no timezone"):
            read_timezone(text)
