"""Text as the keyword scorer reads it: words without case, accents and plural endings, in any script.

Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Burmese, Khmer; Korean joins endings to words)
have no word boundaries to go by: phrases in them are looked for anywhere in the text.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, islice

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W_{_UNSPACED}]"
_OPTIONAL_MARKS = "\u00ad\u0300-\u036f\u05b0-\u05bd\u05c1\u05c2\u064b-\u065f\u0670\u200b-\u200f\ufeff"
_INDIC_SIGNS = "\u0900-\u0963\u0966-\u0dff"
_BREAKS = "\n\r•|｜;!?。！？"

_TOKEN = re.compile(
    rf"{_LETTER}+(?:[{_OPTIONAL_MARKS}{_INDIC_SIGNS}]+{_LETTER}*)*(?:['’][sS](?!{_LETTER}))?(?:\+\+|#)?"
    rf"|[{_UNSPACED}]{{1,2}}|[{_BREAKS}]|\.(?=\s)"
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|[\r\n]|(?<=[。！？])")
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_IS_MARK = re.compile(f"[{_OPTIONAL_MARKS}]")
_UNDECOMPOSED = {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "’": "'", "‘": "'"}

BREAK = ""
"""The key of whatever ends a thought: no phrase reaches across it."""


class _Folding(dict[int, str]):
    """Code point -> the plain letters it stands for; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        decomposed = char if "\uac00" <= char <= "\ud7af" else unicodedata.normalize("NFKD", char)
        plain = _IS_MARK.sub("", decomposed).casefold()
        self[code] = _UNDECOMPOSED.get(plain, plain)
        return self[code]


_FOLDING = _Folding()


def fold(text: str) -> str:
    """*text* without case and accents."""
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def unfolded_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Where in *text* the characters *start* to *end* of `fold(text)` come from."""
    if text.isascii():
        return start, end
    ends = list(accumulate(len(_FOLDING[ord(char)]) for char in text))
    last = bisect_left(ends, end)
    return min(bisect_right(ends, start), last), last + 1


def keys_of(text: str) -> list[str]:
    """The words of *text* in order, each as the key it is compared by; BREAK where a thought ends."""
    return list(map(_key, _TOKEN.findall(text)))


def phrase_keys(phrase: str) -> tuple[str, ...]:
    """The words of a phrase; one that holds the end of a thought, as 'St. Gallen' seems to, is found with it only."""
    keys = keys_of(phrase)
    while keys and keys[-1] == BREAK:
        keys.pop()
    while keys and keys[0] == BREAK:
        del keys[0]
    return tuple(keys)


def spans_of(text: str, count: int) -> Sequence[tuple[int, int]]:
    """Where the first *count* words of `keys_of` stand."""
    return [found.span() for found in islice(_TOKEN.finditer(text), count)]


def is_unspaced(phrase: str) -> bool:
    return bool(_HAS_UNSPACED.search(phrase))


@lru_cache(maxsize=65_536)
def _key(token: str) -> str:
    return BREAK if token == "." or token in _BREAKS else _singular(fold(token).removesuffix("'s"))


def _singular(word: str) -> str:
    """Plural endings only: cutting '-ing' as well would make 'accounting' match 'account'."""
    if len(word) >= 4 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("sses", "ches", "shes", "xes")) else word[:-1]
    return word[:-2] + "y" if len(word) > 4 and word.endswith("ie") else word


def quote(text: str, start: int, end: int, around: int = 80) -> str:
    """The sentence around *start* to *end* of *text*, verbatim, cut to at most *around* characters on either side."""
    before = _SENTENCE_END.split(text[max(0, start - around) : start])[-1]
    if len(before) == around < start:
        before = before.partition(" ")[2]
    after = _SENTENCE_END.split(text[end : end + around])[0]
    if len(after) == around < len(text) - end:
        after = after.rpartition(" ")[0]
    return text[start - len(before) : end + len(after)].strip()
