"""Run-bound webhook tokens: what was signed is read back, and nothing else is."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallybook.domain import signing
from tallybook.domain.errors import BadInput
from tallybook.domain.signing import Signed, sign, verify

SECRET, OTHER = b"a secret of the server", b"another one"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=33)
IDS = ("261123-120000", "acme-law", "5b0c21de-7c1f-4a57-9f0e-5d1f5a1c2b3d")
GOOD = sign(SECRET, *IDS, LATER)

any_text = st.text(st.characters(exclude_categories=()))
secrets = st.binary(min_size=1, max_size=80)
instants = st.datetimes(timezones=st.just(UTC))


# What is signed is read back


@given(secrets, any_text, any_text, any_text, instants)
def test_what_was_signed_is_read_back(secret: bytes, run: str, client: str, call: str, expires_at: datetime) -> None:
    assume(expires_at > datetime.min.replace(tzinfo=UTC))
    text = sign(secret, run, client, call, expires_at)
    before = expires_at - timedelta(microseconds=1)
    assert verify([secret], text, before) == Signed(run, client, call, expires_at)


@pytest.mark.parametrize(
    "odd",
    ["O'Neil", 'say "hi"', "a/b\\c {x}", "a.b.c", "tbw1.", "👩\u200d🚀 Ltd", "日本", "a\nb\r\0", "\ud800", "", "="],
)
def test_ids_as_people_write_them_survive(odd: str) -> None:
    """F16"""
    text = sign(SECRET, odd, odd, odd, LATER)
    assert verify([SECRET], text, NOON) == Signed(odd, odd, odd, LATER)


@given(any_text, any_text, any_text, instants)
def test_a_token_is_fit_for_a_header(run: str, client: str, call: str, expires_at: datetime) -> None:
    text = sign(SECRET, run, client, call, expires_at)
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text


def test_a_token_of_ordinary_ids_is_short() -> None:
    assert len(GOOD) < 200
    assert len(sign(SECRET, IDS[0], "c" * 150, IDS[2], LATER)) < 400


def test_a_token_expires_at_the_same_instant_in_any_zone() -> None:
    east = timezone(timedelta(hours=9))
    assert sign(SECRET, *IDS, LATER.astimezone(east)) == GOOD
    assert verify([SECRET], GOOD, (LATER - timedelta(seconds=1)).astimezone(east)) is not None
    assert verify([SECRET], GOOD, LATER.astimezone(east)) is None


# Secrets


def test_any_of_several_secrets_is_good() -> None:
    """Old and new, while callers change over."""
    old_and_new = [OTHER, SECRET]
    assert verify(old_and_new, GOOD, NOON) == verify(old_and_new[::-1], GOOD, NOON) == Signed(*IDS, LATER)


@given(secrets, secrets)
def test_a_token_of_another_secret_is_none(signed_with: bytes, known: bytes) -> None:
    assume(signed_with.rstrip(b"\0") != known.rstrip(b"\0"))  # as keys of an HMAC, such secrets are the same
    assert verify([known], sign(signed_with, *IDS, LATER), NOON) is None


def test_without_a_secret_nothing_is_good() -> None:
    assert verify([], GOOD, NOON) is None


def test_an_empty_secret_signs_nothing_and_makes_nothing_good() -> None:
    with pytest.raises(BadInput, match="empty secret"):
        sign(b"", *IDS, LATER)
    said = GOOD.rpartition(".")[0]
    assert verify([b""], f"{said}.{signing._signature(b'', said)}", NOON) is None


def test_a_time_without_its_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="names no instant"):
        sign(SECRET, *IDS, LATER.replace(tzinfo=None))


# What is not signed


@pytest.mark.parametrize("after", [timedelta(0), timedelta(microseconds=1), timedelta(days=400)])
def test_an_expired_token_is_none(after: timedelta) -> None:
    assert verify([SECRET], GOOD, LATER + after) is None


@given(any_text)
def test_whatever_text_comes_is_none_and_raises_nothing(text: str) -> None:
    assert verify([SECRET], text, NOON) is None
    assert verify([SECRET], f"tbw1.{text}", NOON) is None
    assert verify([SECRET], f"{GOOD}{text}" if text else "", NOON) is None


@given(st.integers(0, len(GOOD) - 1), st.characters(exclude_categories=()))
def test_a_token_of_which_any_sign_was_changed_is_none(at: int, sign_: str) -> None:
    changed = GOOD[:at] + sign_ + GOOD[at + 1 :]
    assert (verify([SECRET], changed, NOON) is None) == (changed != GOOD)


@given(st.integers(0, len(GOOD) - 1))
def test_a_token_that_was_cut_is_none(length: int) -> None:
    assert verify([SECRET], GOOD[:length], NOON) is None


@pytest.mark.parametrize("part", [1, 2, 3, 4])
def test_no_part_can_be_taken_from_another_token(part: int) -> None:
    """F32"""
    other = sign(SECRET, "261124-120000", "brightside", "another call", LATER + timedelta(days=1)).split(".")
    mixed = GOOD.split(".")
    mixed[part] = other[part]
    assert verify([SECRET], ".".join(mixed), NOON) is None


def test_ids_that_read_the_same_in_a_row_make_different_tokens() -> None:
    alike = [("ab", "c", "d"), ("a", "bc", "d"), ("abc", "", "d"), ("a.b", "c", "d"), ("a", "b.c", "d")]
    assert len({sign(SECRET, *ids, LATER) for ids in alike}) == len(alike)


@pytest.mark.parametrize(
    "said",
    [
        "tbw1.", "tbw1.a", "tbw1.YQ.YQ.YQ", "tbw1.YQ.YQ.YQ.", "tbw1.YQ.YQ.YQ.soon", "tbw1.YQ.YQ.YQ." + "9" * 30,
        "tbw1.YQ.YQ.YQ." + "9" * 5000, "tbw1.YQ.YQ.YQ.1.YQ", "tbw1.Y.YQ.YQ.1", "tbw1.Y*.YQ.YQ.1", "tbw1._w.YQ.YQ.1",
    ],
)  # fmt: skip
def test_what_is_no_token_though_it_was_signed_is_none(said: str) -> None:
    """Who holds the secret can sign anything."""
    assert verify([SECRET], f"{said}.{signing._signature(SECRET, said)}", datetime.min.replace(tzinfo=UTC)) is None


def test_what_the_secret_signed_for_another_purpose_is_no_token() -> None:
    said = GOOD.rpartition(".")[0]
    plainly = urlsafe_b64encode(hmac.digest(SECRET, said.encode(), hashlib.sha256)).decode().rstrip("=")
    assert verify([SECRET], f"{said}.{plainly}", NOON) is None
    assert verify([SECRET], SECRET.decode(), NOON) is None


def test_a_token_cannot_be_mistaken_for_one_of_the_api() -> None:
    assert not GOOD.startswith("tb_")
