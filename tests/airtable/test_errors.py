"""What Airtable's answers mean. The forms are those its documentation and its users have shown."""

import json
from dataclasses import dataclass

import pytest

from tallybook.airtable.errors import (
    LONGEST_WORDS,
    AirtableError,
    BadRow,
    Cause,
    ListingExpired,
    LostAnswer,
    Misconfigured,
    NotNow,
    Refusal,
    RowGone,
    error_of,
    refusal_in,
    says_month_used_up,
    says_too_fast,
)


@dataclass
class Response:
    """What `requests` makes of an answer."""

    status_code: int
    text: str

    def json(self) -> object:
        return json.loads(self.text)


FORMS = [
    (429, '{"errors":[{"error":"RATE_LIMIT_REACHED","message":"Slow down"}]}', "RATE_LIMIT_REACHED", "Slow down"),
    (422, '{"error":{"type":"UNKNOWN_FIELD_NAME","message":"No  \\n such"}}', "UNKNOWN_FIELD_NAME", "No such"),
    (404, '{"error":"NOT_FOUND"}', "NOT_FOUND", ""),
    (503, "<html>Oops</html>", "", ""),
    (500, "7", "", ""),
    (500, "{}", "", ""),
    (500, '{"errors":[]}', "", ""),
    (500, '{"error":{"type":5}}', "", ""),
]


@pytest.mark.parametrize(("status", "text", "kind", "words"), FORMS)
def test_every_form_of_an_error_is_read(status: int, text: str, kind: str, words: str) -> None:
    assert refusal_in(Response(status, text)) == Refusal(status, kind, words)


def test_long_words_are_cut_and_odd_letters_mended() -> None:
    said = json.dumps({"error": {"type": "X", "message": "\ud800\0" + "a" * 1_000}})
    told = str(error_of("this", refusal_in(Response(422, said)), writes=True))
    assert "a" * 200 in told
    assert "a" * LONGEST_WORDS not in told
    told.encode()


def test_the_two_429s_are_told_apart_in_both_forms() -> None:
    billing = '{"error":{"type":"PUBLIC_API_BILLING_LIMIT_EXCEEDED","message":""}}'
    listed = '{"errors":[{"error":"PUBLIC_API_BILLING_LIMIT_EXCEEDED"}]}'
    for text in (billing, listed):
        assert says_month_used_up(refusal_in(Response(429, text)))
        assert not says_too_fast(refusal_in(Response(429, text)))
    for text in (FORMS[0][1], "<html>", "{}"):
        assert says_too_fast(refusal_in(Response(429, text)))
        assert not says_month_used_up(refusal_in(Response(429, text)))


MEANINGS = [
    (Refusal(429, "RATE_LIMIT_REACHED", ""), True, NotNow, None),
    (Refusal(500, "SERVER_ERROR", ""), False, NotNow, None),
    (Refusal(502, "", ""), True, LostAnswer, None),
    (Refusal(422, "LIST_RECORDS_ITERATOR_NOT_AVAILABLE", ""), False, ListingExpired, None),
    (Refusal(401, "UNAUTHORIZED", ""), True, Misconfigured, Cause.TOKEN),
    (Refusal(403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND", ""), True, Misconfigured, Cause.ACCESS),
    (Refusal(404, "NOT_FOUND", ""), False, Misconfigured, Cause.ACCESS),
    (Refusal(422, "UNKNOWN_FIELD_NAME", ""), True, Misconfigured, Cause.UNKNOWN_FIELD),
    (Refusal(422, "INVALID_FILTER_BY_FORMULA", ""), False, Misconfigured, Cause.FORMULA),
    (Refusal(422, "UNSUPPORTED_FIELD_TYPE_FOR_CREATE", ""), True, Misconfigured, Cause.SCHEMA),
    (Refusal(422, "INVALID_VALUE_FOR_COLUMN", "cannot: the field is computed"), True, Misconfigured, Cause.COMPUTED),
    (Refusal(422, "INVALID_VALUE_FOR_COLUMN", "cannot accept the value"), True, BadRow, None),
    (Refusal(422, "ROW_DOES_NOT_EXIST", ""), True, RowGone, None),
    (Refusal(413, "", ""), True, BadRow, None),
    (Refusal(422, "SOMETHING_NEW", ""), True, BadRow, None),
    (Refusal(422, "SOMETHING_NEW", ""), False, Misconfigured, Cause.OTHER),
]


@pytest.mark.parametrize(("refusal", "writes", "means", "cause"), MEANINGS)
def test_each_answer_has_its_class_and_says_what_to_do(
    refusal: Refusal, writes: bool, means: type[AirtableError], cause: Cause | None
) -> None:
    error = error_of("updating 3 rows of Leads", refusal, writes=writes)
    assert type(error) is means
    assert getattr(error, "cause", None) is cause
    assert (error.status, error.kind) == (refusal.status, refusal.kind)
    assert "updating 3 rows of Leads" in str(error)
    assert ";" in str(error)
    assert "\n" not in str(error)
