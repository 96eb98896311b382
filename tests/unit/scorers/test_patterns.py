"""A /regex/ of a rubric can neither break the scorer nor stop it."""

import pytest

from tallybook.scorers.patterns import PATTERN_REACH, compiled, searched

REFUSED = [
    "(",
    "[b-a]",
    "*a",
    "a*",
    "(a+)+",
    "(a|a)*b",
    "(a{1,9}){1,9}",
    "((a+))+",
    r"(a\\)+",
    "(a|b){2}",
    "a+b+c+",
    "a{70}",
    "a{70,80}",
    "a**",
    "x" * 201,
]
KEPT = {
    "iso ?2700[12]": "ISO27001",
    "(a|b)?c": "ac",
    "a+b+": "aab",
    r"\)+": "))",
    "[)+*]+": "+*)",
    r"\bhead\s+of\s+(legal|risk)\s+and\s+more\b": "Head of  legal and more",
    r"\d{4}": "2024",
    "a{2,}b{,3}": "aaabb",
    "x.*?y": "x and y",
    "a?+b": "ab",
    "a{x}": "a{x}",
    "(?:new|old) job(?! title)": "new job",
    "(?P<what>job)": "job",
}


@pytest.mark.parametrize("source", REFUSED)
def test_a_regex_that_is_broken_or_not_safe_is_no_pattern(source: str) -> None:
    assert compiled(f"/{source}/") is None


@pytest.mark.parametrize(("source", "text"), KEPT.items())
def test_a_safe_regex_matches_as_it_always_did(source: str, text: str) -> None:
    pattern = compiled(f" /{source}/ ")
    assert pattern
    assert searched(pattern, text) == (0, len(text))


@pytest.mark.parametrize("phrase", ["words", "//", "/", "/open", "and/or"])
def test_a_phrase_without_two_slashes_around_it_is_plain_words(phrase: str) -> None:
    assert compiled(phrase) is None


def test_a_pattern_that_backtracks_ends_soon_on_a_huge_text() -> None:
    pattern = compiled("/a*a*b/")
    assert pattern
    assert searched(pattern, "a" * 1_000_000) is None


def test_a_pattern_sees_the_beginning_of_a_huge_text() -> None:
    pattern = compiled("/ab/")
    assert pattern
    assert searched(pattern, "c" * (PATTERN_REACH - 2) + "ab")
    assert not searched(pattern, "c" * (PATTERN_REACH - 1) + "ab")


def test_a_pattern_is_tried_with_the_accents_and_without() -> None:
    with_accent, without = compiled("/résum/"), compiled("/resum/")
    assert with_accent
    assert without
    assert searched(with_accent, "Résumé") == searched(without, "Résumé") == (0, 5)
    assert searched(with_accent, "resume") is None


def test_an_empty_match_is_none() -> None:
    pattern = compiled(r"/\b/")
    assert pattern
    assert searched(pattern, "word") is None
    assert searched(pattern, "wörd") is None
