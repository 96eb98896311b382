"""Models of Google, OpenAI and Anthropic, and whatever speaks as they do, by pydantic-ai. The only file that imports
it: that takes seconds, and needs the extra `tallybook[llm]`.

No request is repeated here: the libraries' own retries are off, because each attempt is a row in the books.
"""

import logging
import re
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property

import httpx2
from google.auth.exceptions import GoogleAuthError
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    UserError,
)
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from tallybook.domain.outcome import FailReason
from tallybook.domain.tally import Estimate, Usage
from tallybook.scorers.prices import Prices
from tallybook.scorers.prompt import ANSWER_SCHEMA
from tallybook.scorers.provider import Ending, Remedy, Reply, Trouble, Turn

CALL_ID_HEADER = "x-client-request-id"
"""OpenAI keeps it in its logs; the others ignore it."""
MOST_SAID = 200
SHOWN_OF_KEY = 8
MASK = "********"
_ENDINGS = {"length": Ending.CUT, "content_filter": Ending.BLOCKED}

_REFUSALS: Sequence[tuple[type[ModelAPIError], str, FailReason, Remedy]] = (
    (ModelQuotaExceededError, "the quota is used up", FailReason.QUOTA, Remedy.WAIT_FOR_QUOTA),
    (ModelRateLimitError, "too many requests", FailReason.QUOTA, Remedy.ASK_AGAIN),
    (ModelAuthenticationError, "the key was refused", FailReason.AUTH, Remedy.MEND_KEY),
    (ModelNotFoundError, "there is no such model", FailReason.MODEL_CONFIG, Remedy.MEND_SETTINGS),
    (ModelContextWindowExceededError, "the question is too long", FailReason.MODEL_CONFIG, Remedy.ASK_LESS),
    (ModelRequestRejectedError, "the request was refused", FailReason.MODEL_CONFIG, Remedy.ASK_LESS),
)
"""The narrower before the wider."""

# Models that reason take no temperature. The library leaves it out and says so, at every call.
warnings.filterwarnings("ignore", message="Sampling parameters", category=UserWarning)
for chatty in ("anthropic", "openai", "google_genai", "httpx2", "httpcore2"):
    logging.getLogger(chatty).setLevel(logging.INFO)  # at DEBUG they write whole requests, profiles and all


class PydanticProvider:
    """A `Provider`. Belongs to one event loop, which its connections live in."""

    def __init__(self, name: str, model: str, api_key: str, base_url: str | None, prices: Prices) -> None:
        self.name = name
        self.model = model
        self._key = api_key
        self._prices = prices
        self._base_url = base_url
        with suppress(GoogleAuthError, UserError):  # what cannot be connected is told by the first question
            _ = self._asked  # now, and not in the time of a call

    async def ask(self, instructions: str, turns: Sequence[Turn], call_id: str) -> Reply:
        settings = ModelSettings(temperature=0.0, max_retries=0, extra_headers={CALL_ID_HEADER: call_id})
        if self.name == "anthropic":
            settings = {**settings, "anthropic_cache_instructions": True}  # type: ignore[typeddict-unknown-key]  # its own
        try:
            response = await self._asked.request(_messages(instructions, turns), settings, self._parameters)
            return self._reply(response)
        except AgentRunError as error:
            trouble = self._trouble(error)
        except UserError as error:
            text = f"{self.name}:{self.model} cannot be asked{self._said(error.message)}"
            trouble = Trouble(text, FailReason.MODEL_CONFIG, Remedy.MEND_SETTINGS, refused=True)
        except GoogleAuthError:
            text = f"{self.name}: Google's own credentials are missing or were refused"
            trouble = Trouble(text, FailReason.AUTH, Remedy.MEND_KEY, refused=True)
        except (httpx2.HTTPError, AttributeError, LookupError, TypeError, ValueError) as error:
            text = f"{self.name} answered what its library cannot read ({type(error).__name__})"
            trouble = Trouble(text, FailReason.UNAVAILABLE)
        if isinstance(trouble, Reply):
            return trouble
        raise trouble  # out here, so that it carries no exception of the library's

    @cached_property
    def _asked(self) -> Model:
        return _model(self.name, self.model, self._key, self._base_url)

    @cached_property
    def _parameters(self) -> ModelRequestParameters:
        """With the schema of an answer where the model takes one; the instructions describe it in any case."""
        if not self._asked.profile.get("supports_json_schema_output", False):
            return ModelRequestParameters()
        answer = OutputObjectDefinition(json_schema=dict(ANSWER_SCHEMA), name="answer")
        return ModelRequestParameters(output_mode="native", output_object=answer)

    def priced(self, estimate: Estimate) -> Estimate:
        return self._prices.estimate(estimate)

    def _reply(self, response: ModelResponse) -> Reply:
        text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
        ending = _ENDINGS.get(response.finish_reason or "", Ending.COMPLETE)
        return Reply(text, ending, self._usage(response.usage))

    def _usage(self, usage: RequestUsage) -> Usage:
        """As the provider counted. An answer without a count is unmeasured, never 0."""
        if usage.unmeasured_requests or not usage.input_tokens:
            return Usage()
        return self._prices.usage(
            usage.input_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )

    def _trouble(self, error: AgentRunError) -> "Trouble | Reply":
        """What the library's exception comes to."""
        if isinstance(error, ModelHTTPError):
            return self._refusal(error)
        if isinstance(error, ModelTimeoutError):
            return Trouble(f"{self.name} did not answer in time", FailReason.TIMEOUT)
        kind = "no answer" if isinstance(error, ModelAPIError) else "no answer that can be read"
        return Trouble(f"{self.name} gave {kind}{self._said(error.message)}", FailReason.UNAVAILABLE)

    def _refusal(self, error: ModelHTTPError) -> "Trouble | Reply":
        """OpenAI says with an error what others say with an answer: that its filter blocked the prompt."""
        if error.provider_error_code == "content_filter":
            return Reply("", Ending.BLOCKED, Usage())
        told = self._said(_message_in(error.body))
        for kind, said, reason, remedy in _REFUSALS:
            if isinstance(error, kind):
                shown = "" if remedy is Remedy.MEND_KEY else told  # some repeat a part of the key
                text = f"{self.name} answered {error.status_code}: {said}{shown}"
                return Trouble(text, reason, remedy, wait_s=error.retry_after, refused=True)
        refused = error.status_code in (503, 529)  # of other troubles on the way nobody knows how far it came
        text = f"{self.name} answered {error.status_code}{told}"
        return Trouble(text, FailReason.UNAVAILABLE, wait_s=error.retry_after, refused=refused)

    def _said(self, text: str) -> str:
        """The provider's own words: on one line, short, and never with the key, which some repeat."""
        if len(self._key) >= SHOWN_OF_KEY:  # some repeat the beginning of it, or all of it in another notation
            text = re.sub(rf"{re.escape(self._key[:SHOWN_OF_KEY])}[\w-]*", MASK, text)
        plain = " ".join((text.replace(self._key, MASK) if self._key else text).split())
        return f": {plain[:MOST_SAID]}" if plain else ""


def _message_in(body: object) -> str:
    if isinstance(body, dict):
        inner = body.get("error", body)
        message = inner.get("message") if isinstance(inner, dict) else inner
        return message if isinstance(message, str) else ""
    return ""


def _messages(instructions: str, turns: Sequence[Turn]) -> list[ModelMessage]:
    return [
        ModelRequest(parts=[UserPromptPart(turn.text)], instructions=instructions)
        if turn.ours
        else ModelResponse(parts=[TextPart(turn.text)])
        for turn in turns
    ]


def _model(name: str, model: str, api_key: str, base_url: str | None) -> Model:
    """Raises KeyError for a provider that is none of the three."""
    return {"google": _google, "openai": _openai, "anthropic": _anthropic}[name](model, api_key, base_url)


def _google(model: str, api_key: str, base_url: str | None) -> Model:
    """Without a key it is Vertex, which takes Google's own credentials from the environment."""
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider
    from pydantic_ai.providers.google_cloud import GoogleCloudProvider

    if not api_key:
        return GoogleModel(model, provider=GoogleCloudProvider(base_url=base_url))
    return GoogleModel(model, provider=GoogleProvider(api_key=api_key, base_url=base_url))


def _openai(model: str, api_key: str, base_url: str | None) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(model, provider=OpenAIProvider(api_key=api_key, base_url=base_url))


def _anthropic(model: str, api_key: str, base_url: str | None) -> Model:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    return AnthropicModel(model, provider=AnthropicProvider(api_key=api_key, base_url=base_url))
