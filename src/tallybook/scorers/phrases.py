"""What a rubric's phrases look like once they are ready to be looked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tallybook.domain.rubric import Attribute
from tallybook.scorers.patterns import compiled, searched
from tallybook.scorers.synonyms import wordings
from tallybook.scorers.words import BREAK, fold, is_unspaced, keys_of, phrase_keys, spans_of, unfolded_span

_FILLERS = frozenset(
    (
        "a",
        "about",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "has",
        "have",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "the",
        "their",
        "to",
        "who",
        "with",
        "works",
    )
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A phrase of an attribute; its wordings share the mark, so that saying it twice counts once."""

    attribute_id: str
    phrase: str


@dataclass(frozen=True, slots=True)
class Hit:
    """*mark* was found at *start* to *end* of the text."""

    mark: Mark
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Wording:
    keys: list[str]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a text, in the order of the text for each kind of phrase, and how many words it has."""

    word_count: int
    hits: Sequence[Hit]


class PhraseBook:
    """The phrases of some attributes, ready to be looked for in one pass over a text. *covers*: attributes with any."""

    def __init__(self, attributes: Sequence[Attribute]) -> None:
        self._by_first_word: dict[str, list[_Wording]] = {}
        self._unspaced: list[tuple[str, Mark]] = []
        self._symbols: list[tuple[str, Mark]] = []
        self._patterns: list[tuple[re.Pattern[str], Mark]] = []
        phrases = [(attribute.id, phrase) for attribute in attributes for phrase in phrases_of(attribute)]
        self.covers = frozenset(attribute_id for attribute_id, _ in phrases)
        for attribute_id, phrase in phrases:
            self._add(phrase, Mark(attribute_id, phrase))
        for first_word, found in self._by_first_word.items():
            self._by_first_word[first_word] = sorted(found, key=lambda each: (-len(each.keys), each.keys))

    def _add(self, phrase: str, mark: Mark) -> None:
        pattern = compiled(phrase)
        if pattern:
            self._patterns.append((pattern, mark))
            return
        if is_unspaced(phrase):
            self._unspaced.append((fold(phrase.strip()), mark))
            return
        keys = phrase_keys(phrase)
        if not keys:
            self._symbols.append((fold(phrase.strip()), mark))
            return
        for wording in wordings(keys):
            self._by_first_word.setdefault(wording[0], []).append(_Wording(list(wording), mark))

    def read(self, text: str) -> Reading:
        if not text:
            return Reading(0, ())
        keys = keys_of(text)
        hits = self._word_hits(text, keys)
        hits += self._literal_hits(text)
        hits += self._pattern_hits(text)
        return Reading(len(keys) - keys.count(BREAK), hits)

    def _word_hits(self, text: str, keys: list[str]) -> list[Hit]:
        if self._by_first_word.keys().isdisjoint(keys):
            return []
        found = list(self._matches(keys))
        if not found:
            return []
        spans = spans_of(text, 1 + max(last for _, _, last in found))
        return [Hit(mark, spans[first][0], spans[last][1]) for mark, first, last in found]

    def _matches(self, keys: list[str]) -> Iterator[tuple[Mark, int, int]]:
        """Marks with the first and last word of their matches. Of an attribute's phrases that overlap, the first and
        longest counts: 'general counsel' is not 'counsel' as well.
        """
        taken: dict[str, int] = {}
        by_first_word = self._by_first_word
        for at in [at for at, key in enumerate(keys) if key in by_first_word]:
            for wording in by_first_word[keys[at]]:
                end = at + len(wording.keys)
                attribute_id = wording.mark.attribute_id
                if taken.get(attribute_id, 0) <= at and keys[at:end] == wording.keys:
                    taken[attribute_id] = end
                    yield wording.mark, at, end - 1

    def _literal_hits(self, text: str) -> list[Hit]:
        literals = [*self._symbols, *self._unspaced] if is_unspaced(text) else self._symbols
        if not literals:
            return []
        folded = fold(text)
        found = ((mark, literal, folded.find(literal)) for literal, mark in literals)
        return [Hit(mark, *unfolded_span(text, at, at + len(literal))) for mark, literal, at in found if at >= 0]

    def _pattern_hits(self, text: str) -> list[Hit]:
        found = ((mark, searched(pattern, text)) for pattern, mark in self._patterns)
        return [Hit(mark, *span) for mark, span in found if span]


@lru_cache(maxsize=256)
def phrase_book(attributes: tuple[Attribute, ...]) -> PhraseBook:
    return PhraseBook(attributes)


def phrases_of(attribute: Attribute) -> Sequence[str]:
    """Its phrases; of an attribute that has none, its heading and each telling word of it."""
    given = [phrase for phrase in attribute.phrases if phrase.strip()]
    return _once(given or [attribute.heading, *_telling_words(attribute.heading)])


def _once(phrases: Sequence[str]) -> Sequence[str]:
    """Phrases that read the same count as one, the first."""
    by_reading: Mapping[object, str] = {_reading(phrase): phrase for phrase in reversed(phrases) if phrase.strip()}
    return sorted(by_reading.values())


def _reading(phrase: str) -> object:
    return phrase if phrase.startswith("/") or is_unspaced(phrase) else phrase_keys(phrase) or fold(phrase.strip())


def _telling_words(heading: str) -> Sequence[str]:
    return [word for word in fold(heading).split() if word not in _FILLERS and len(word) > 1]
