"""Words in any script, without case, accents and plural endings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallybook.scorers.words import BREAK, fold, keys_of, phrase_keys, quote, spans_of, unfolded_span


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Résumé", "resume"),
        ("CAFÉ", "Cafe\u0301"),
        ("Straße", "STRASSE"),
        ("Łódź", "lodz"),
        ("Ørsted", "orsted"),
        ("ＡＩ", "ai"),
        ("İstanbul", "istanbul"),
        ("Ἀθῆναι", "αθηναι"),
        ("ёлка", "елка"),
        ("مُدِير", "مدير"),
        ("ﾃｽﾄ", "テスト"),
        ("law\u200byer", "lawyer"),
    ],
)
def test_case_accents_and_forms_of_a_letter_make_no_difference(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Lawyers' lawyer's law", ("lawyer", "lawyer", "law")),
        ("companies, company; businesses", ("company", "company", BREAK, "business")),
        ("coaches boxes movies movie", ("coach", "box", "movy", "movy")),
        ("analysis status press AWS", ("analysis", "status", "press", "aws")),
        ("accounting account", ("accounting", "account")),
        ("l’avocat d'affaires", ("l", "avocat", "d", "affaire")),
        ("C++ and C# at R&D", ("c++", "and", "c#", "at", "r", "d")),
        ("snake_case co-founder", ("snake", "case", "co", "founder")),
        ("हिन्दी शिक्षक", ("हिन्दी", "शिक्षक")),
        ("专注AI法律", ("专注", "ai", "法律")),
        ("🚀 – …", ()),
        ("! St. Gallen?!", ("st", BREAK, "gallen")),
    ],
)
def test_a_text_is_its_words(text: str, keys: tuple[str, ...]) -> None:
    assert phrase_keys(text) == keys


def test_a_line_and_a_sentence_end_a_thought() -> None:
    assert keys_of("law\nfirm. No. v2.0") == ["law", BREAK, "firm", BREAK, "no", BREAK, "v2", "0"]


@given(st.text())
def test_every_word_has_its_place_in_the_text(text: str) -> None:
    keys = keys_of(text)
    spans = spans_of(text, len(keys))
    assert [phrase_keys(text[start:end]) for start, end in spans] == [(key,) if key else () for key in keys]


@given(st.text(), st.data())
def test_what_was_found_without_accents_is_quoted_with_them(text: str, data: st.DataObject) -> None:
    folded = fold(text)
    start = data.draw(st.integers(0, len(folded)))
    end = data.draw(st.integers(start, len(folded)))
    first, last = unfolded_span(text, start, end)
    assert folded[start:end] in fold(text[first:last])


@given(st.text(), st.data())
def test_a_quote_is_verbatim_from_one_line_and_holds_what_was_found(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    quoted = quote(text, start, end)
    assert quoted in text
    assert text[start:end].strip() in quoted


def test_a_quote_is_cut_between_words() -> None:
    text = "one two three four five six seven eight nine ten NEEDLE one two three four five six seven eight nine ten"
    at = text.index("NEEDLE")
    assert quote(text, at, at + 6, around=12) == "nine ten NEEDLE one two"
    assert quote(f"a\n{text[at:]}", 2, 8, around=12) == "NEEDLE one two"
    assert quote("Dr. No. A NEEDLE? Yes! No.", 10, 16) == "A NEEDLE?"
    assert quote("甲。法律乙。丙", 2, 4) == "法律乙。"
    assert quote("法" * 30, 10, 12, around=5) == "法" * 2
