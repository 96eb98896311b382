"""The form of Google's Gemini API: `POST /v1beta/models/{model}:generateContent`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tallybook.testing.lookalike_http import Reply, as_json
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Answer, Finish, Prompt, Refused, Request, Tokens, texts_of

_PATH = re.compile(r"/v1beta/models/([^/:]+):generateContent")
_FINISH = {Finish.DONE: "STOP", Finish.NO_ROOM: "MAX_TOKENS", Finish.UNSAFE_ANSWER: "SAFETY"}
_STATUS_WORDS = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}
_DETAIL = "type.googleapis.com/google.rpc."
_EXHAUSTED = "You exceeded your current quota, please check your plan and billing details."
_REFUSALS = {
    Fault.RATE_LIMIT: (429, "RESOURCE_EXHAUSTED", _EXHAUSTED),
    Fault.RATE_LIMIT_SILENT: (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    Fault.DAILY_QUOTA: (429, "RESOURCE_EXHAUSTED", _EXHAUSTED),
    Fault.UNAVAILABLE: (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    Fault.SERVER_ERROR: (500, "INTERNAL", "An internal error has occurred."),
    Fault.BAD_KEY: (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    Fault.FORBIDDEN: (403, "PERMISSION_DENIED", "The caller does not have permission"),
    Fault.NOT_FOUND: (404, "NOT_FOUND", "models/{model} is not found for API version v1beta."),
}


class Google:
    name = "google"

    def read(self, request: Request) -> Prompt:
        path = _PATH.fullmatch(request.path)
        if path is None:
            raise Refused(404, f"there is no {request.path} here")
        body = request.body
        said = [message for message in body["contents"] if message.get("role", "user") == "user"]
        return Prompt(
            provider=self.name,
            model=path[1],
            key=request.header("x-goog-api-key"),
            system=texts_of(body.get("systemInstruction", {}).get("parts")),
            user=tuple(texts_of(message["parts"]) for message in said),
        )

    def say(self, answer: Answer) -> Reply:
        document: dict[str, Any] = {"modelVersion": answer.model, "responseId": f"response-{answer.number}"}
        if answer.tokens is not None:
            document |= {"usageMetadata": _usage(answer.tokens)}
        return as_json(document | _outcome(answer))

    def refuse(self, fault: Fault, model: str, wait_s: float) -> Reply | None:
        if fault not in _REFUSALS:
            return None
        status, word, message = _REFUSALS[fault]
        return _error(status, word, message.format(model=model), _details(fault, model, wait_s))

    def error(self, status: int, message: str) -> Reply:
        return _error(status, _STATUS_WORDS.get(status, "UNKNOWN"), message)


def _outcome(answer: Answer) -> dict[str, Any]:
    if answer.finish is Finish.UNSAFE_PROMPT:
        return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    candidate: dict[str, Any] = {"finishReason": _FINISH[answer.finish], "index": 0}
    if answer.finish is not Finish.UNSAFE_ANSWER:
        parts = {"parts": [{"text": answer.text}]} if answer.text else {}
        candidate["content"] = {"role": "model", **parts}
    return {"candidates": [candidate]}


def _usage(tokens: Tokens) -> Mapping[str, int]:
    """Gemini counts thoughts apart from the answer, and leaves out what is nothing."""
    counts = {
        "promptTokenCount": tokens.input,
        "cachedContentTokenCount": tokens.cached,
        "candidatesTokenCount": tokens.output - tokens.thinking,
        "thoughtsTokenCount": tokens.thinking,
        "totalTokenCount": tokens.input + tokens.output,
    }
    return {name: count for name, count in counts.items() if count}


def _details(fault: Fault, model: str, wait_s: float) -> Sequence[Mapping[str, Any]]:
    """How long to wait is told here, and in no header. With a daily quota it is told too, when waiting is no use."""
    wait = {"@type": f"{_DETAIL}RetryInfo", "retryDelay": f"{wait_s:g}s"}
    match fault:
        case Fault.RATE_LIMIT:
            return [_quota("PerMinute", model), wait]
        case Fault.DAILY_QUOTA:
            return [_quota("PerDay", model), wait]
        case Fault.BAD_KEY:
            return [{"@type": f"{_DETAIL}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    return []


def _quota(window: str, model: str) -> Mapping[str, Any]:
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": f"GenerateRequests{window}PerProjectPerModel-FreeTier",
        "quotaDimensions": {"location": "global", "model": model},
    }
    return {"@type": f"{_DETAIL}QuotaFailure", "violations": [violation]}


def _error(status: int, word: str, message: str, details: Sequence[Mapping[str, Any]] = ()) -> Reply:
    error = {"code": status, "message": message, "status": word}
    return as_json({"error": {**error, "details": details} if details else error}, status)
