"""Asking the look-alike of a model: by the real client libraries, and by bare HTTP."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai import OpenAIProvider

from tallybook.testing.model_server import ModelServer, Record

KEY = "open-sesame"
RUBRIC = {
    "attributes": [
        {"id": "A", "heading": "Leads people", "category": "positive", "points": 40, "scale": "scale"},
        {"id": "B", "heading": "Owns a firm", "category": "positive", "points": 10, "scale": "fixed"},
        {"id": "N", "heading": "Sells the same", "category": "negative", "points": 5, "scale": "scale"},
    ]
}
INSTRUCTIONS = f"You judge profiles.\n\n<rubric>\n{json.dumps(RUBRIC)}\n</rubric>"
ANSWER = OutputObjectDefinition(
    name="answer",
    json_schema={"type": "object", "properties": {"items": {"type": "array"}}, "additionalProperties": False},
)

ONE = [{"id": "a", "about": "I lead forty nurses"}]

_numbers = itertools.count()

Item = Mapping[str, object]


def two_items() -> list[Item]:
    """With ids that nobody has used before."""
    number = next(_numbers)
    return [
        {"id": f"a{number}", "headline": "Head of nursing", "about": "I lead forty nurses at night"},
        {"id": f"b{number}", "headline": "Baker", "positions": [{"title": "Baker in the old town of Bath"}]},
    ]


def as_text(items: Sequence[Item]) -> str:
    return f"Judge these.\n<items>\n{json.dumps(items)}\n</items>"


@dataclass(frozen=True)
class Asker:
    """Real clients of all providers, pointed at one server. `claude-stream` is what pydantic-ai does by itself."""

    server: ModelServer
    runner: asyncio.Runner
    models: Mapping[str, Model]

    def __call__(self, form: str, items: Sequence[Item], **settings: Any) -> tuple[ModelResponse, Record]:
        return self.say(form, [ModelRequest([UserPromptPart(as_text(items))], instructions=INSTRUCTIONS)], **settings)

    def say(self, form: str, messages: list[ModelMessage], **settings: Any) -> tuple[ModelResponse, Record]:
        """The answer, and what the server's log has on it at that moment."""
        call_id = f"call-{next(_numbers)}"
        more = {"max_retries": 0, "extra_headers": {"x-client-request-id": call_id}, **settings}
        if form == "claude":
            more["max_tokens"] = 1_000  # few enough for an answer in one piece
        asked = ModelRequestParameters(output_mode="native", output_object=ANSWER)
        try:
            answer = self.runner.run(self.models[form].request(messages, more, asked))  # type: ignore[arg-type]  # open
        finally:
            assert self.server.wait_until_idle(10)
        return answer, self.record(call_id)

    def record(self, call_id: str | None = None) -> Record:
        """Of the call of that name; of the newest."""
        return next(each for each in reversed(self.server.log) if call_id in (None, each.call_id))


def asker(server: ModelServer, runner: asyncio.Runner, key: str = KEY) -> Asker:
    google = GoogleModel("gemini-2.5-flash", provider=GoogleProvider(api_key=key, base_url=server.google_url))
    openai = OpenAIChatModel("gpt-5-mini", provider=OpenAIProvider(api_key=key, base_url=server.openai_url))
    claude = AnthropicModel("claude-haiku-4-5", provider=AnthropicProvider(api_key=key, base_url=server.anthropic_url))
    return Asker(server, runner, {"gemini": google, "gpt": openai, "claude": claude, "claude-stream": claude})


FORMS = ("gemini", "gpt", "claude", "claude-stream")
NAMES = {"gemini": "google", "gpt": "openai", "claude": "anthropic", "claude-stream": "anthropic"}


def text_of(answer: ModelResponse) -> str:
    return "".join(part.content for part in answer.parts if isinstance(part, TextPart))


# -- bare HTTP ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard:
    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def port_of(server: ModelServer) -> int:
    return int(server.url.rpartition(":")[2])


def connection(server: ModelServer) -> HTTPConnection:
    return HTTPConnection("127.0.0.1", port_of(server), timeout=20)


def chat(items: Sequence[Item] = (), *, system: str = INSTRUCTIONS, user: str | None = None) -> Mapping[str, object]:
    """The body of a chat completion."""
    text = as_text(items) if user is None else user
    said = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return {"model": "gpt-5-mini", "messages": said}


def send(
    to: ModelServer | HTTPConnection,
    body: object = None,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    key: str = KEY,
) -> Heard:
    line = connection(to) if isinstance(to, ModelServer) else to
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    line.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
    heard = heard_on(line)
    if line is not to:
        line.close()
    return heard


def heard_on(line: HTTPConnection) -> Heard:
    response = line.getresponse()
    return Heard(response.status, response.read().decode(), dict(response.getheaders()))


def raw(body: object) -> bytes:
    """A chat completion as it goes over the line."""
    text = json.dumps(body).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(text) + text


def judged(heard: Heard) -> Any:
    """What the model said in a chat completion."""
    return json.loads(heard.json["choices"][0]["message"]["content"])


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)
