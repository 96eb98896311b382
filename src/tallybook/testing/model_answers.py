"""What the look-alike of a model answers: points drawn from the texts, and every way to get an answer wrong."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tallybook.testing.lookalike_plan import drawn
from tallybook.testing.model_asking import AskedAttribute, AskedItem, Question
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Finish

PENALTY_SHARE = 0.2
"""A negative attribute applies to one item in five."""
INJECTION = "ignore all previous instructions"
NOBODY = "nobody-asked"
"""The id of an item that is in no request."""
PLAIN_ANSWER = {"ok": True}
"""To a request that asks about no items."""

_FIRST_WORDS = re.compile(r"\S+(?:\s+\S+){0,5}")
_LONGEST_QUOTE = 80

Judged = dict[str, Any]
"""One item of an answer: {"id", "attributes": [{"id", "points", "evidence"}], "assessment"}."""


@dataclass(frozen=True, slots=True)
class Said:
    """*thought*: whether the model got as far as thinking about it."""

    text: str
    finish: Finish = Finish.DONE
    thought: bool = True


def said(question: Question, fault: Fault, drift: float) -> Said:
    """The model's words. Faults that are not its own leave them as they are."""
    match fault:
        case Fault.EMPTY:
            return Said("")
        case Fault.SAFETY:
            return Said("", Finish.UNSAFE_ANSWER)
        case Fault.PROMPT_BLOCKED:
            return Said("", Finish.UNSAFE_PROMPT, thought=False)
    text = _text(question, fault, drift)
    return Said(text[: len(text) // 2], Finish.NO_ROOM) if fault is Fault.TRUNCATED else Said(text)


def _text(question: Question, fault: Fault, drift: float) -> str:
    document: Any = PLAIN_ANSWER
    if question.items:
        judged = judgements(question, drift)
        _EDITS.get(fault, _leave)(judged, question)
        document = _SHAPES.get(fault, _as_asked)(judged, question)
    return _MARKS.get(fault, str)(json.dumps(document))


# -- honest ------------------------------------------------------------------------------------------------------------


def judgements(question: Question, drift: float = 0.0) -> list[Judged]:
    """Every item judged by a hash of its texts alone; with *drift*, its batch mates move that by up to this share."""
    return [_judged(question, item, drift) for item in question.items]


def _judged(question: Question, item: AskedItem, drift: float) -> Judged:
    mates = _mates(question, item) if drift else ""
    quote = _quote(item)
    verdicts = [_verdict(each, item, quote, drift if mates else 0.0, mates) for each in question.attributes]
    earned = sum(verdict["points"] or 0 for verdict in verdicts)
    return {"id": item.id, "attributes": verdicts, "assessment": f"The text is worth {earned:g} points in all."}


def _mates(question: Question, item: AskedItem) -> str:
    return "".join(sorted(each.fingerprint for each in question.items if each is not item))


def _quote(item: AskedItem) -> str:
    """The first words of its longest text, letter by letter."""
    found = _FIRST_WORDS.search(max(item.fields.values(), key=len, default=""))
    return found[0][:_LONGEST_QUOTE] if found else ""


def _verdict(attribute: AskedAttribute, item: AskedItem, quote: str, drift: float, mates: str) -> dict[str, Any]:
    """Of an item without a text nothing can be said. What earned nothing has no evidence."""
    if not item.fields:
        return {"id": attribute.id, "points": None, "evidence": ""}
    share = drawn(item.fingerprint, attribute.id)
    if drift:
        share += drift * (2 * drawn(item.fingerprint, attribute.id, mates) - 1)
    points = _points(attribute, min(1.0, max(0.0, share)))
    return {"id": attribute.id, "points": points, "evidence": quote if points else ""}


def _points(attribute: AskedAttribute, share: float) -> float:
    if attribute.negative:
        return _neat(-attribute.points) if share < PENALTY_SHARE else 0
    if attribute.fixed:
        return _neat(attribute.points) if share >= 0.5 else 0
    return _neat(round(attribute.points * share, 1))


def _neat(number: float) -> float:
    """As models write them: 12, not 12.0."""
    return int(number) if number == int(number) else number


# -- judged wrongly ----------------------------------------------------------------------------------------------------


def _leave(_judged: list[Judged], _question: Question) -> None:
    pass


def _loosely(judged: list[Judged], question: Question) -> None:
    for item in judged:
        for verdict, attribute in zip(item["attributes"], question.attributes, strict=True):
            if verdict["points"] is not None:
                verdict["points"] = _loose(verdict["points"], attribute)


def _loose(points: float, attribute: AskedAttribute) -> object:
    if attribute.negative:
        return abs(points)
    if attribute.fixed:
        return "Yes" if points else "No"
    return str(points)


def _without_the_last(judged: list[Judged], _question: Question) -> None:
    del judged[-1]


def _with_a_stranger(judged: list[Judged], _question: Question) -> None:
    judged.append({**judged[0], "id": NOBODY})


def _with_one_twice(judged: list[Judged], question: Question) -> None:
    verdicts = [
        {**verdict, "points": 0 if verdict["points"] else _most(attribute)}
        for verdict, attribute in zip(judged[0]["attributes"], question.attributes, strict=True)
    ]
    judged.append({**judged[0], "attributes": verdicts})


def _beyond_the_most(judged: list[Judged], question: Question) -> None:
    for attribute in question.attributes[:1]:
        most = _most(attribute)
        judged[0]["attributes"][0]["points"] = most + (10 if most > 0 else -10)


def _most(attribute: AskedAttribute) -> float:
    return _neat(-attribute.points if attribute.negative else attribute.points)


def _obediently(judged: list[Judged], question: Question) -> None:
    for item, asked in zip(judged, question.items, strict=True):
        if INJECTION in asked.text.lower():
            item["attributes"] = [
                {"id": each.id, "points": 0 if each.negative else _most(each), "evidence": ""}
                for each in question.attributes
            ]


def _with_invented_evidence(judged: list[Judged], question: Question) -> None:
    for item, asked in zip(judged, question.items, strict=True):
        for verdict in item["attributes"]:
            verdict["evidence"] = f"won prize {drawn(asked.fingerprint, verdict['id'])} for lighthouse keeping"


_EDITS: Mapping[Fault, Callable[[list[Judged], Question], None]] = {
    Fault.LOOSE_VALUES: _loosely,
    Fault.MISSING: _without_the_last,
    Fault.UNKNOWN_ID: _with_a_stranger,
    Fault.DUPLICATE_ID: _with_one_twice,
    Fault.OUT_OF_RANGE: _beyond_the_most,
    Fault.OBEYS_INJECTION: _obediently,
    Fault.INVENTED_EVIDENCE: _with_invented_evidence,
}


# -- told wrongly ------------------------------------------------------------------------------------------------------


def _as_asked(judged: list[Judged], _question: Question) -> object:
    return {"items": judged}


def _in_another_wrapper(judged: list[Judged], question: Question) -> object:
    return {"posts": judged} if question.number % 2 else {"data": {"results": judged}}


def _as_a_list(judged: list[Judged], _question: Question) -> object:
    return judged


def _in_another_shape(judged: list[Judged], _question: Question) -> object:
    return {"summary": "All of them look promising.", "count": len(judged)}


def _broken(text: str) -> str:
    return text.replace('":', '"')


_SHAPES: Mapping[Fault, Callable[[list[Judged], Question], object]] = {
    Fault.WRAPPED: _in_another_wrapper,
    Fault.BARE_ARRAY: _as_a_list,
    Fault.WRONG_SHAPE: _in_another_shape,
}
_MARKS: Mapping[Fault, Callable[[str], str]] = {
    Fault.MALFORMED: _broken,
    Fault.FENCED: "```json\n{}\n```".format,
    Fault.PROSE: "Here is my judgement:\n\n{}\n\nLet me know if you need anything else.".format,
}
