"""What the library's exceptions come to. Over HTTP, with every provider: tests/stories."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from google.auth.exceptions import DefaultCredentialsError
from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
)

from tallybook.domain.outcome import FailReason
from tallybook.scorers.prices import Prices
from tallybook.scorers.provider import Remedy, Trouble, Turn
from tallybook.scorers.pydantic_provider import MASK, PydanticProvider

KEY = "sk-planted-0815"


class Raising:
    """A model of the library that fails."""

    profile: Mapping[str, object] = {}

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def request(self, *_words: object) -> object:
        raise self._error


def trouble_of(error: Exception) -> Trouble:
    provider = PydanticProvider("openai", "m", KEY, "http://127.0.0.1:9/v1", Prices("openai", "m"))
    provider._asked = Raising(error)  # type: ignore[assignment]  # all that is asked of it
    with pytest.raises(Trouble) as caught:
        asyncio.run(provider.ask("rules", [Turn("question"), Turn("answer", ours=False)], "call-1"))
    return caught.value


def too_long() -> Exception:
    body = {"error": {"message": "too many tokens"}}
    category = ModelContextWindowExceededError
    return ModelHTTPError.for_category(category, status_code=400, model_name="m", body=body)


def refused_key() -> Exception:
    """Some repeat a part of it, which no list of secrets knows."""
    body = {"error": {"message": f"Incorrect API key: {KEY[:8]}***"}}
    return ModelHTTPError.for_category(ModelAuthenticationError, status_code=401, model_name="m", body=body)


CASES: Sequence[tuple[Exception, FailReason, Remedy, bool]] = [
    (ModelTimeoutError("m", "slow"), FailReason.TIMEOUT, Remedy.ASK_AGAIN, False),
    (ModelAPIError("m", "gone"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, False),
    (UnexpectedModelBehavior("odd"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, False),
    (UserError("cannot do JSON"), FailReason.MODEL_CONFIG, Remedy.MEND_SETTINGS, True),
    (AttributeError("usage"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, False),
    (KeyError("usage"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, False),
    (too_long(), FailReason.MODEL_CONFIG, Remedy.ASK_LESS, True),
    (refused_key(), FailReason.AUTH, Remedy.MEND_KEY, True),
    (ModelHTTPError(502, "m"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, False),
    (ModelHTTPError(529, "m"), FailReason.UNAVAILABLE, Remedy.ASK_AGAIN, True),
]


@pytest.mark.parametrize(("error", "reason", "remedy", "refused"), CASES)
def test_every_error_has_a_reason_and_a_remedy(
    error: Exception, reason: FailReason, remedy: Remedy, refused: bool
) -> None:
    trouble = trouble_of(error)
    assert (trouble.reason, trouble.remedy, trouble.refused) == (reason, remedy, refused)
    assert "openai" in str(trouble)


def test_no_trouble_carries_the_library_s_exception() -> None:
    """It holds headers, and with them the key."""
    trouble = trouble_of(ModelHTTPError(503, "m", headers={"authorization": KEY}))
    assert trouble.__cause__ is None
    assert trouble.__context__ is None


def test_of_a_refused_key_nothing_is_repeated() -> None:
    """F35"""
    assert str(trouble_of(refused_key())) == "openai answered 401: the key was refused"


def test_a_model_that_takes_no_schema_is_asked_for_plain_text() -> None:
    old = PydanticProvider("anthropic", "claude-3-haiku-20240307", KEY, None, Prices("anthropic", "x"))
    new = PydanticProvider("anthropic", "claude-haiku-4-5", KEY, None, Prices("anthropic", "x"))
    assert (old._parameters.output_mode, new._parameters.output_mode) == ("text", "native")


def test_credentials_that_google_misses_are_to_be_mended() -> None:
    trouble = trouble_of(DefaultCredentialsError("none found"))  # type: ignore[no-untyped-call]  # untyped there
    assert (trouble.reason, trouble.remedy) == (FailReason.AUTH, Remedy.MEND_KEY)


def test_the_beginning_of_the_key_is_hidden_too() -> None:
    """F35"""
    said = str(trouble_of(ModelHTTPError(500, "m", {"message": f"bad value b'{KEY[:10]}\\n...'"})))
    assert said == f"openai answered 500: bad value b'{MASK}\\n...'"


WORDS = f"No to {KEY}!\nReally"


@pytest.mark.parametrize("body", [{"error": {"message": WORDS}}, {"message": WORDS}, {"error": WORDS}])
def test_the_provider_s_words_are_passed_on_in_one_short_line_without_the_key(body: object) -> None:
    """F35"""
    assert str(trouble_of(ModelHTTPError(500, "m", body))) == f"openai answered 500: No to {MASK}! Really"
    assert len(str(trouble_of(ModelHTTPError(500, "m", {"message": "x" * 9_000})))) < 300
    assert str(trouble_of(ModelHTTPError(500, "m", ["odd"]))) == "openai answered 500"
