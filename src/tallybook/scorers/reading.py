"""Reading a model's answer: lenient about form, strict about meaning. Nothing is guessed, nothing cut is repaired."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tallybook.domain.ports import Item, Judgement
from tallybook.domain.rubric import Attribute, Category, Verdict
from tallybook.scorers.prompt import Question, shown_of

DEEPEST = 5
"""How far below the top the entries are looked for."""
LONGEST_EVIDENCE = 500
LARGEST = 10**9
MOST_BRACKETS = 1_000
_YES, _NO, _UNJUDGED = ("yes", "true"), ("no", "false"), ("", "null", "none", "n/a", "unscored", "unknown")
_BRACKET = re.compile(r"[\[{]")
_POINTS_NAMES = ("points", "score", "value")


class Unreadable(Exception):
    """The answer is not JSON, or has no entry for an item anywhere in it. The text says what was expected."""


@dataclass(slots=True)
class Reading:
    """*judged*: key -> judgement. *missing*: items without a whole entry, and what it lacks. *out_of_range*: keys of
    those judged whose points lie outside of what the rubric allows. *remarks*: what was dropped, for the books.
    """

    judged: dict[str, Judgement] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    out_of_range: dict[str, str] = field(default_factory=dict)
    remarks: list[tuple[str, str]] = field(default_factory=list)


def read_answer(text: str, question: Question, attributes: Sequence[Attribute]) -> Reading:
    """What *text* says of the items of *question*, by their keys. Raises Unreadable."""
    reading = Reading()
    entries = _own_entries(_entries_of(text, question), question, reading)
    for short_id, item in question.items.items():
        if short_id not in entries:
            reading.missing[item.key] = "the answer left it out"
        else:
            _read_entry(entries[short_id], item, attributes, reading)
    return reading


# -- finding the entries -----------------------------------------------------------------------------------------------


def _entries_of(text: str, question: Question) -> Sequence[Mapping[str, object]]:
    """Of all JSON values in the text: some models give each entry a line of its own."""
    documents = list(_documents(text))
    found = [_find_entries(document, question, DEEPEST) for document in documents]
    if any(entries is not None for entries in found):
        return [entry for entries in found for entry in entries or ()]
    if documents:
        raise Unreadable('the JSON has no list of items: it must be {"items": [{"id": …, "attributes": […]}]}')
    raise Unreadable("it is not JSON: it must be one JSON object and nothing else")


def _documents(text: str) -> Iterator[object]:
    """The JSON values of *text*: the whole of it, else those that stand in a fence or between words."""
    try:
        yield json.loads(text)
    except RecursionError:
        return
    except ValueError:
        yield from _embedded(text)


def _embedded(text: str) -> Iterator[object]:
    """Brackets that open nothing are passed over, but not for ever: each costs a look at what follows."""
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(MOST_BRACKETS):
        found = _BRACKET.search(text, place)
        if found is None:
            return
        try:
            value, place = decoder.raw_decode(text, found.start())
        except RecursionError:
            return
        except ValueError:
            place = found.start() + 1
        else:
            yield value


def _find_entries(data: object, question: Question, depth: int) -> Sequence[Mapping[str, object]] | None:
    """A list of entries, one entry, or entries by id; whatever they are wrapped in."""
    if depth == 0 or not isinstance(data, list | dict):
        return None
    if isinstance(data, list):
        return _entries_in_list(data, question, depth)
    if "id" in data and _has_attributes(data):
        return [data]
    if data and data.keys() <= question.items.keys():
        return [{"id": short_id, **_as_entry(value)} for short_id, value in data.items()]
    return _first_found(data.values(), question, depth)


def _entries_in_list(data: Sequence[object], question: Question, depth: int) -> Sequence[Mapping[str, object]] | None:
    entries = [each for each in data if isinstance(each, dict) and "id" in each and _has_attributes(each)]
    if entries or not data:
        return entries
    return _first_found(data, question, depth)


def _first_found(values: Iterable[object], question: Question, depth: int) -> Sequence[Mapping[str, object]] | None:
    lists = (_find_entries(each, question, depth - 1) for each in values)
    return next((found for found in lists if found is not None), None)


def _has_attributes(entry: Mapping[str, object]) -> bool:
    return isinstance(entry.get("attributes"), list | dict)


def _as_entry(value: object) -> Mapping[str, object]:
    if isinstance(value, dict) and _has_attributes(value):
        return value
    return {"attributes": value}


def _own_entries(
    entries: Sequence[Mapping[str, object]], question: Question, reading: Reading
) -> Mapping[str, Mapping[str, object]]:
    """One entry for an item: the first that was given. Others, and those for nobody, are dropped (F26)."""
    own: dict[str, Mapping[str, object]] = {}
    for entry in entries:
        short_id = str(entry.get("id")).strip()
        if short_id not in question.items:
            reading.remarks.append(("answer_unknown_id", "The answer had an entry for an item nobody asked about"))
        elif short_id in own:
            told = f"The answer had two entries for {question.items[short_id].lead.lead_id!r}; the first counts"
            reading.remarks.append(("answer_duplicate_id", told))
        else:
            own[short_id] = entry
    return own


# -- reading an entry --------------------------------------------------------------------------------------------------


def _read_entry(entry: Mapping[str, object], item: Item, attributes: Sequence[Attribute], reading: Reading) -> None:
    """An entry that lacks an attribute is no judgement: leaving it out would change the total."""
    said = _said_by_attribute(entry["attributes"])
    texts = _folded(" \n ".join(_texts(shown_of(item))))
    verdicts: dict[str, Verdict] = {}
    lacking: list[str] = []
    invented = 0
    for attribute in attributes:
        points = _points(said[attribute.id], attribute) if attribute.id in said else UNREADABLE
        if points is not None and math.isnan(points):
            lacking.append(attribute.id)
            continue
        evidence = _evidence(said[attribute.id])
        found = _folded(evidence) in texts
        invented += not found
        verdicts[attribute.id] = Verdict(points, evidence if found else "")
    if lacking:
        reading.missing[item.key] = f"the answer has no usable points for {', '.join(sorted(lacking))}"
        return
    if invented:
        told = f"{invented} quotes in the answer are not in the text of {item.lead.lead_id!r}; they were dropped"
        reading.remarks.append(("evidence_not_found", told))
    outside = [each.id for each in attributes if _is_outside(verdicts[each.id].points, each)]
    if outside:
        reading.out_of_range[item.key] = f"points out of range for {', '.join(sorted(outside))}"
    assessment = entry.get("assessment")
    reading.judged[item.key] = Judgement(
        verdicts, assessment.strip() if isinstance(assessment, str) else "", flagged=bool(invented)
    )


UNREADABLE = math.nan
"""Instead of points: nothing that can be read, which is not the same as None, points that could not be judged."""


def _said_by_attribute(data: object) -> Mapping[str, object]:
    if isinstance(data, dict):
        return data
    if not isinstance(data, list):
        return {}
    return {str(each["id"]).strip(): each for each in reversed(data) if isinstance(each, dict) and "id" in each}


def _points(said: object, attribute: Attribute) -> float | None:
    if isinstance(said, dict):
        named = [said[name] for name in _POINTS_NAMES if name in said]
        return _number(named[0], attribute) if named else UNREADABLE
    return _number(said, attribute)


def _number(value: object, attribute: Attribute) -> float | None:
    """A number, "75", true, "Yes", or null. Yes is all that the attribute can give, or take."""
    word = str(value).strip().lower() if isinstance(value, str | bool) else value
    if word is None or word in _UNJUDGED:
        return None
    if word in _YES or word in _NO:
        return _all_or_nothing(word in _YES, attribute)
    if isinstance(word, str):
        return float(word) if re.fullmatch(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?", word) else UNREADABLE
    return float(word) if isinstance(word, int | float) and abs(word) < LARGEST else UNREADABLE


def _all_or_nothing(applies: bool, attribute: Attribute) -> float:
    if not applies:
        return 0.0
    return -attribute.points if attribute.category is Category.NEGATIVE else attribute.points


def _is_outside(points: float | None, attribute: Attribute) -> bool:
    """A penalty counts whatever its sign (F27)."""
    if points is None:
        return False
    size = abs(points) if attribute.category is Category.NEGATIVE else points
    return not 0 <= size <= attribute.points


# -- evidence ----------------------------------------------------------------------------------------------------------


def _evidence(said: object) -> str:
    quoted = said.get("evidence") if isinstance(said, dict) else None
    return quoted.strip()[:LONGEST_EVIDENCE] if isinstance(quoted, str) else ""


def _texts(shown: object) -> Iterator[str]:
    if isinstance(shown, str):
        yield shown
    elif isinstance(shown, dict):
        for value in shown.values():
            yield from _texts(value)
    elif isinstance(shown, list):
        for value in shown:
            yield from _texts(value)


def _folded(text: str) -> str:
    """Without what a faithful quote may change: case, white space, kinds of quotation marks and dots."""
    plain = text.translate(_PLAIN).casefold().replace("…", "...")
    return " ".join(plain.split()).strip(" .\"'")


_PLAIN = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "–": "-", "—": "-"})
