"""The form of OpenAI's chat completions: `POST /v1/chat/completions`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tallybook.testing.lookalike_http import Reply, as_json
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Answer, Finish, Prompt, Refused, Request, Tokens, texts_of, wait_headers

_FINISH = {Finish.DONE: "stop", Finish.NO_ROOM: "length", Finish.UNSAFE_ANSWER: "content_filter"}
_INVALID = "invalid_request_error"
_NO_QUOTA = "insufficient_quota"
_REFUSALS = {
    Fault.RATE_LIMIT: (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model}."),
    Fault.RATE_LIMIT_SILENT: (429, "requests", "rate_limit_exceeded", "Rate limit reached for {model}."),
    Fault.DAILY_QUOTA: (429, _NO_QUOTA, _NO_QUOTA, "You exceeded your current quota, please check your plan."),
    Fault.UNAVAILABLE: (503, "server_error", None, "The engine is currently overloaded, please try again later"),
    Fault.SERVER_ERROR: (500, "server_error", None, "The server had an error while processing your request"),
    Fault.BAD_KEY: (401, _INVALID, "invalid_api_key", "Incorrect API key provided."),
    Fault.FORBIDDEN: (403, _INVALID, "unsupported_country_region_territory", "Country not supported"),
    Fault.NOT_FOUND: (404, _INVALID, "model_not_found", "The model `{model}` does not exist"),
    Fault.PROMPT_BLOCKED: (400, _INVALID, "content_filter", "The prompt was filtered by our content management."),
}


class OpenAI:
    name = "openai"

    def read(self, request: Request) -> Prompt:
        if request.path != "/v1/chat/completions":
            raise Refused(404, f"Invalid URL (POST {request.path})")
        if request.body.get("stream"):
            raise Refused(400, "this look-alike does not stream chat completions")
        messages = request.body["messages"]
        return Prompt(
            provider=self.name,
            model=request.body["model"],
            key=request.bearer,
            system="\n".join(_said_by(messages, "system", "developer")),
            user=tuple(_said_by(messages, "user")),
        )

    def say(self, answer: Answer) -> Reply:
        unsafe = answer.finish is Finish.UNSAFE_ANSWER
        message = {"role": "assistant", "content": None if unsafe else answer.text, "refusal": None}
        document = {
            "id": f"chatcmpl-{answer.number}",
            "object": "chat.completion",
            "created": int(answer.at_s),
            "model": answer.model,
            "choices": [{"index": 0, "message": message, "finish_reason": _FINISH[answer.finish]}],
        }
        return as_json(document | ({"usage": _usage(answer.tokens)} if answer.tokens else {}))

    def refuse(self, fault: Fault, model: str, wait_s: float) -> Reply | None:
        if fault not in _REFUSALS:
            return None
        status, kind, code, message = _REFUSALS[fault]
        headers = wait_headers(wait_s) if fault is Fault.RATE_LIMIT else ()
        return _error(status, kind, code, message.format(model=model), headers)

    def error(self, status: int, message: str) -> Reply:
        return _error(status, _INVALID, None, message)


def _said_by(messages: Sequence[Mapping[str, Any]], *roles: str) -> list[str]:
    return [texts_of(message["content"]) for message in messages if message["role"] in roles]


def _usage(tokens: Tokens) -> Mapping[str, Any]:
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.thinking},
    }


def _error(status: int, kind: str, code: str | None, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return as_json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, headers)
