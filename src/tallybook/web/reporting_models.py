"""What reporters send and what they are answered, as the API describes it.

What is sent is read by `tracking.wording`, which takes more spellings than are described here; tests hold the two
against each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from tallybook.domain.fields import FIELDS, LARGEST, Sort
from tallybook.domain.outcome import FailReason, Kind, SkipReason
from tallybook.domain.run import JobType, OperationName, Status, Trigger
from tallybook.web.paths import RUN_ID_PATTERN

MOST_ITEMS = 1000
Schema = dict[str, Any]

PRINTABLE = "^[!-~]([ -~]*[!-~])?$"
LONGEST_TEXT = 2000
LARGEST_INT = 2**31 - 1


# -- what is answered --------------------------------------------------------------------------------------------------


class RunNamed(BaseModel):
    """The id of the run that was meant."""

    run_id: str = Field(examples=["261125-020000"])


class RunBooked(RunNamed):
    created: bool = Field(description="false: it was in the books already")


class ClientRunNamed(RunNamed):
    client_id: str = Field(examples=["acme-law"])
    label: str = Field(examples=["261125-020000-acme-law"])


class ClientRunBooked(ClientRunNamed):
    created: bool = Field(description="false: it was in the books already")


class Booked(BaseModel):
    """The ids of a batch."""

    new: list[str] = Field(examples=[["people.test/in/ada-example"]])
    known: list[str] = Field(description="They were in the books already, and stay as they are", examples=[[]])


class RefusalNoted(BaseModel):
    new: bool = Field(description="false: the same was said of this run before")


class TrackingStatus(BaseModel):
    """What reporters got wrong: text, and how often."""

    refused: dict[str, int] = Field(
        description="Verbs that were refused",
        examples=[{"update_job was refused: 'colour' is no field; known fields: …": 2}],
    )
    auto_created: dict[str, int] = Field(
        description="Runs and client runs that were updated before anybody had created them",
        examples=[{"update_client_run at jobs/nightly.py:42": 1}],
    )


# -- what is sent ------------------------------------------------------------------------------------------------------


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _whole(most: int = LARGEST) -> Schema:
    return _or_null({"type": "integer", "minimum": 0, "maximum": most})


def _one_of(words: Iterable[str]) -> Schema:
    return _or_null({"type": "string", "enum": [str(each) for each in words]})


def _object(properties: Mapping[str, Schema], required: Sequence[str] = (), **more: object) -> Schema:
    named = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), **named, "additionalProperties": False, **more}


_ANY: Schema = {"description": "Text; anything else is kept as its text"}
_MONEY = _or_null(
    {"anyOf": [{"type": "number", "minimum": 0, "maximum": 10**6}, {"type": "string", "pattern": "^[0-9]{1,6}$"}]}
)
_OF_SORT: Mapping[Sort, Schema] = {
    Sort.COUNT: _whole(),
    Sort.MONEY: _MONEY,
    Sort.TIME: _or_null({"type": "string", "format": "date-time", "pattern": "^[12][0-9]{3}-"}),
    Sort.TEXT: _ANY,
    Sort.NOTE: _ANY,
    Sort.ERROR: _ANY,
}
_OF_WORD: Mapping[str, Schema] = {
    "job_type": _one_of(JobType),
    "stream": _whole(),
    "triggered_by": _one_of(Trigger),
    "status": _one_of(Status),
}
_FIELDS = {
    each.name: _OF_WORD.get(each.name) or _OF_SORT[each.sort] for each in FIELDS if each.sort is not Sort.COMPUTED
}
_ENDINGS = {"status": _one_of(each for each in Status if each.terminal)}
_SPELLINGS = "null says nothing. Also read: `camelCase`, the Airtable columns' names, and spellings of older programs."

Fields = Annotated[
    dict[str, Any],
    WithJsonSchema(_object(_FIELDS, description=_SPELLINGS, examples=[{"posts_processed": 42, "error": "slow"}])),
]
Ending = Annotated[
    dict[str, Any],
    WithJsonSchema(_object({**_FIELDS, **_ENDINGS}, description=_SPELLINGS, examples=[{"status": "completed"}])),
]
RunIdAsked = Annotated[
    dict[str, Any],
    WithJsonSchema(
        _object(
            {"run_id": _or_null({"type": "string", "pattern": RUN_ID_PATTERN})},
            description="run_id: one that was made while the server was away",
            examples=[{}],
        )
    ),
]
Refusal = Annotated[
    dict[str, Any],
    WithJsonSchema(
        _object(
            {"run_id": _ANY, "text": {"type": "string", "pattern": PRINTABLE, "maxLength": LONGEST_TEXT}},
            ["text"],
            examples=[{"run_id": "261125-020000", "text": "update_job was refused: 'colour' is no field"}],
        )
    ),
]

# -- batches -----------------------------------------------------------------------------------------------------------


def _text_of(most: int) -> Schema:
    return {"type": "string", "pattern": PRINTABLE, "minLength": 1, "maxLength": most}


_ABOUT_OUTCOME: Mapping[str, Schema] = {
    "detail": _ANY,
    "score": _or_null({"type": "number", "minimum": 0, "maximum": 100}),
    "breakdown": _or_null({"type": "object"}),
    "assessment": _ANY,
    "best_post": _or_null({"type": "object"}),
    "posts": _whole(LARGEST_INT),
    "excluded_by": _ANY,
    "flagged": _or_null({"type": "boolean"}),
    "rubric_version": _ANY,
    "prompt_version": _ANY,
    "formula": _whole(LARGEST_INT),
    "model": _ANY,
    "input_hash": _ANY,
}


def _outcome(kinds: Sequence[Kind], reasons: Iterable[str]) -> Schema:
    reason = [str(each) for each in reasons]
    said = {"lead_id": _text_of(200), "kind": {"type": "string", "enum": [each.value for each in kinds]}}
    named = {"reason": {"type": "string", "enum": reason} if reason else {"type": "null"}}
    return _object({**said, **named, **_ABOUT_OUTCOME}, ["lead_id", "kind", *(["reason"] if reason else [])])


_OUTCOME: Schema = {
    "anyOf": [
        _outcome((Kind.SCORED, Kind.HARVESTED), ()),
        _outcome((Kind.SKIPPED,), SkipReason),
        _outcome((Kind.FAILED,), FailReason),
    ]
}
_CALL = _object(
    {
        "call_id": _text_of(200),
        "operation": {"type": "string", "enum": [each.value for each in OperationName]},
        "provider": _ANY,
        "model": _ANY,
        "result": _ANY,
        "input_tokens": _whole(),
        "cached_tokens": _whole(),
        "output_tokens": _whole(),
        "cost_usd": _MONEY,
        "attempt": _whole(LARGEST_INT),
        "chunk": _ANY,
    },
    ["call_id", "operation"],
)


def _items(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": MOST_ITEMS}


_SCORED = {"lead_id": "people.test/in/ada-example", "kind": "scored", "score": 72.5}
_SKIPPED = {"lead_id": "people.test/in/bo-example", "kind": "skipped", "reason": "no_content"}
_PAID = {
    "call_id": "nightly-1",
    "operation": "lead_scoring",
    "provider": "openai",
    "input_tokens": 1200,
    "cost_usd": "0.0021",
}

Outcomes = Annotated[
    dict[str, Any],
    WithJsonSchema(
        _object(
            {
                "operation": {"type": "string", "enum": [each.value for each in OperationName]},
                "items": _items(_OUTCOME),
            },
            ["operation", "items"],
            examples=[{"operation": "lead_scoring", "items": [_SCORED, _SKIPPED]}],
        )
    ),
]
Calls = Annotated[
    dict[str, Any],
    WithJsonSchema(_object({"items": _items(_CALL)}, ["items"], examples=[{"items": [_PAID]}])),
]
