"""The form of Anthropic's messages: `POST /v1/messages`, in one document or as server-sent events."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tallybook.testing.lookalike_http import Reply, as_json
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Answer, Finish, Prompt, Refused, Request, Tokens, texts_of, wait_headers

_EVENTS = "text/event-stream; charset=utf-8"
_FINISH = {
    Finish.DONE: "end_turn",
    Finish.NO_ROOM: "max_tokens",
    Finish.UNSAFE_ANSWER: "refusal",
    Finish.UNSAFE_PROMPT: "refusal",
}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}

_LIMITED = "This request would exceed your organization's rate limit."
_REFUSALS = {
    Fault.RATE_LIMIT: (429, _LIMITED),
    Fault.RATE_LIMIT_SILENT: (429, _LIMITED),
    # Told apart from any other bad request by its words alone.
    Fault.DAILY_QUOTA: (400, "Your credit balance is too low to access the Anthropic API."),
    Fault.UNAVAILABLE: (529, "Overloaded"),
    Fault.SERVER_ERROR: (500, "Internal server error"),
    Fault.BAD_KEY: (401, "invalid x-api-key"),
    Fault.FORBIDDEN: (403, "Your API key does not have permission to use the specified resource."),
    Fault.NOT_FOUND: (404, "model: {model}"),
}


class Anthropic:
    name = "anthropic"

    def read(self, request: Request) -> Prompt:
        if request.path != "/v1/messages":
            raise Refused(404, "Not Found")
        body = request.body
        said = [message for message in body["messages"] if message["role"] == "user"]
        return Prompt(
            provider=self.name,
            model=body["model"],
            key=request.header("x-api-key") or request.bearer,
            system=texts_of(body.get("system")),
            user=tuple(texts_of(message["content"]) for message in said),
            stream=bool(body.get("stream")),
        )

    def say(self, answer: Answer) -> Reply:
        if not answer.stream:
            return as_json(_message(answer))
        return Reply(200, "".join(map(_event, _stream(answer))).encode(), _EVENTS)

    def refuse(self, fault: Fault, model: str, wait_s: float) -> Reply | None:
        if fault not in _REFUSALS:
            return None
        status, message = _REFUSALS[fault]
        return _error(status, message.format(model=model), wait_headers(wait_s) if fault is Fault.RATE_LIMIT else ())

    def error(self, status: int, message: str) -> Reply:
        return _error(status, message)


def _message(answer: Answer) -> dict[str, Any]:
    return {
        "id": f"msg_{answer.number}",
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [{"type": "text", "text": answer.text}] if answer.text else [],
        "stop_reason": _FINISH[answer.finish],
        "stop_sequence": None,
        "usage": _usage(answer.tokens) if answer.tokens else {},  # without the name itself pydantic-ai 2.68 breaks down
    }


def _usage(tokens: Tokens) -> dict[str, Any]:
    """Here, and only here, what came from the cache is not part of the input."""
    thinking = {"output_tokens_details": {"thinking_tokens": tokens.thinking}} if tokens.thinking else {}
    return {
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": tokens.output,
        **thinking,
    }


def _stream(answer: Answer) -> Iterator[dict[str, Any]]:
    message = _message(answer)
    usage, stop_reason = message["usage"], message["stop_reason"]
    begun = {**message, "content": [], "stop_reason": None, "usage": _begun(usage)}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
        delta = {"type": "text_delta", "text": block["text"]}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": stop_reason, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


def _begun(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Before a word is said, the input is known and one token of output is announced."""
    known = {name: count for name, count in usage.items() if name != "output_tokens_details"}
    return known | {"output_tokens": 1} if known else {}


def _event(data: Mapping[str, Any]) -> str:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"


def _error(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    error = {"type": _KINDS.get(status, "api_error"), "message": message}
    return as_json({"type": "error", "error": error}, status, headers)
