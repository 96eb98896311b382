"""What a phrase of a rubric finds, and what it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.domain.rubric import Attribute, Category
from tallybook.scorers.patterns import compiled
from tallybook.scorers.phrases import PhraseBook, phrase_book, phrases_of


def attribute(*phrases: str, heading: str = "Heading", attribute_id: str = "a") -> Attribute:
    return Attribute(attribute_id, heading, Category.POSITIVE, 10, phrases=phrases)


def found(text: str, *phrases: str) -> list[str]:
    """The pieces of *text* that the phrases found."""
    return [text[hit.start : hit.end] for hit in PhraseBook([attribute(*phrases)]).read(text).hits]


@pytest.mark.parametrize(
    ("phrase", "text", "piece"),
    [
        ("general counsel", "I was GENERAL  Counsel there", "GENERAL  Counsel"),
        ("café owner", "two CAFE\u0301 owners", "CAFE\u0301 owners"),
        ("cafe owner", "the café-owner", "café-owner"),
        ("lawyer", "attorneys’ friend", "attorneys"),
        ("VP of Sales", "Vice President of Sales", "Vice President of Sales"),
        ("chief executive officer", "our CEO's diary", "CEO's"),
        ("CEO", "Chief Executive Officer", "Chief Executive Officer"),
        ("M&A", "mergers and acquisitions", "mergers and acquisitions"),
        ("C++", "I write C++ daily", "C++"),
        ("律师", "专注AI法律科技律师", "律师"),
        ("ai", "专注AI法律", "AI"),
        ("変호사", "나는 変호사는 아니다", "変호사"),
        ("ที่ปรึกษา", "เป็นที่ปรึกษาธุรกิจ", "ที่ปรึกษา"),
        ("शिक्षक", "मैं शिक्षक हूँ", "शिक्षक"),
        ("директор", "Генеральный ДИРЕКТОР", "ДИРЕКТОР"),
        ("🚀", "to the moon 🚀!", "🚀"),
        ("/c[ao]uns[eo]l+or/", "a Counsellor of state", "Counsellor"),
        ("/resum[eé]s?/", "my RÉSUMÉ", "RÉSUMÉ"),
        ("/resume/", "my RÉSUMÉ", "RÉSUMÉ"),
        ("/foo(/", "a foo bar", "foo"),
        ("/(foo+)+ bar/", "a foo bar", "foo bar"),
        ("/x*/", "x", "x"),
        ("a/b", "a b", "a b"),
        ("St. Gallen", "in St. Gallen.", "St. Gallen"),
        ("U.S. law", "of U.S. law.", "U.S. law"),
    ],
)
def test_a_phrase_finds(phrase: str, text: str, piece: str) -> None:
    assert found(text, phrase) == [piece]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("art", "party of hearts"),
        ("general counsel", "general of counsel"),
        ("law firm", "I study law\nfirm believer"),
        ("law firm", "law; firm"),
        ("law firm", "I study law. Firm believer"),
        ("series A", "TV series. A new one"),
        ("account", "accounting"),
        ("C++", "vitamin C"),
        ("शिक्ष", "शिक्षक"),
        ("律师", "律 师"),
        ("lawyer", ""),
    ],
)
def test_a_phrase_does_not_find(phrase: str, text: str) -> None:
    assert found(text, phrase) == []


def test_of_phrases_that_overlap_the_longest_counts() -> None:
    assert found("General Counsel and counsel", "counsel", "general counsel") == ["General Counsel", "counsel"]


def test_phrases_of_different_attributes_may_overlap() -> None:
    book = PhraseBook([attribute("general counsel"), attribute("counsel", attribute_id="b")])
    assert sorted(hit.mark.attribute_id for hit in book.read("General Counsel").hits) == ["a", "b"]


def test_phrases_that_read_the_same_are_one() -> None:
    assert len(phrases_of(attribute("Lawyer", "lawyers", "LAWYER", " "))) == 1


def test_a_wording_shares_the_mark_of_its_phrase() -> None:
    marks = {hit.mark for hit in PhraseBook([attribute("AI")]).read("AI, artificial intelligence").hits}
    assert len(marks) == 1


def test_an_attribute_without_phrases_is_looked_for_by_its_heading() -> None:
    plain = attribute(heading="Works in the Insurance sector")
    assert sorted(phrases_of(plain)) == ["Works in the Insurance sector", "insurance", "sector"]
    assert phrases_of(attribute(heading="  ")) == []
    assert not PhraseBook([attribute(heading=" ")]).covers


def test_words_are_counted_without_the_ends_of_thoughts() -> None:
    assert PhraseBook([attribute("x")]).read("one two\n\nthree!").word_count == 3


def test_a_book_is_made_once_for_a_rubric() -> None:
    assert phrase_book((attribute("x"),)) is phrase_book((attribute("x"),))


@given(st.lists(st.text(max_size=20), max_size=4), st.text())
def test_any_phrase_can_be_looked_for_in_any_text(phrases: list[str], text: str) -> None:
    for hit in PhraseBook([attribute(*phrases)]).read(text).hits:
        assert 0 <= hit.start < hit.end <= len(text)


@given(st.text(min_size=1, max_size=20).filter(str.strip), st.text("ab \n.,", max_size=20))
def test_a_phrase_is_found_where_it_stands_alone(phrase: str, around: str) -> None:
    if compiled(phrase) is None and "\n" not in phrase.strip() and phrase_is_one_thought(phrase):
        assert PhraseBook([attribute(phrase)]).read(f"{around} {phrase} {around}").hits


def phrase_is_one_thought(phrase: str) -> bool:
    return not set(phrase) & set("\r•|;!?。！？")
