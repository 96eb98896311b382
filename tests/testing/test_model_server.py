"""The look-alike of the model providers as a server: what it speaks, remembers and bills."""

import ast
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart

from tallybook.testing import model_server
from tallybook.testing.model_server import Bill, Fault, ModelServer
from tests.testing.asking import (
    FORMS,
    INSTRUCTIONS,
    KEY,
    ONE,
    Asker,
    Heard,
    as_text,
    chat,
    connection,
    send,
    text_of,
    two_items,
)

# -- with the real clients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_all_providers_judge_an_item_alike(form: str, ask: Asker) -> None:
    found = json.loads(text_of(ask(form, ONE)[0]))
    assert found == json.loads(text_of(ask("gpt", [*ONE, {"id": "b", "about": "x"}])[0])) | {"items": found["items"]}
    assert found["items"] == json.loads(text_of(ask("gpt", ONE)[0]))["items"]


@pytest.mark.parametrize("form", FORMS)
def test_in_a_conversation_the_newest_items_count(form: str, ask: Asker) -> None:
    old, new = two_items(), two_items()
    talk: list[ModelMessage] = [
        ModelRequest([UserPromptPart(as_text(old))], instructions=INSTRUCTIONS),
        ModelResponse([TextPart("Nonsense")]),
        ModelRequest([UserPromptPart(as_text(new))], instructions=INSTRUCTIONS),
        ModelResponse([TextPart("More nonsense")]),
        ModelRequest([UserPromptPart("That was no JSON. Again, please.")], instructions=INSTRUCTIONS),
    ]
    answer, record = ask.say(form, talk)
    assert record.item_ids == tuple(item["id"] for item in new)
    assert [item["id"] for item in json.loads(text_of(answer))["items"]] == list(record.item_ids)


@pytest.mark.parametrize("form", FORMS)
def test_a_request_about_nothing_gets_some_json(form: str, ask: Asker) -> None:
    answer, record = ask.say(form, [ModelRequest([UserPromptPart("Are you there?")])])
    assert json.loads(text_of(answer)) == {"ok": True}
    assert (record.item_ids, record.cached_tokens) == ((), 0)


# -- keys --------------------------------------------------------------------------------------------------------------

ASKED = {
    "google": ("/v1beta/models/gemini-2.5-flash:generateContent", "x-goog-api-key", "{}"),
    "openai": ("/v1/chat/completions", "authorization", "Bearer {}"),
    "anthropic": ("/v1/messages", "x-api-key", "{}"),
    "anthropic by bearer": ("/v1/messages", "authorization", "Bearer {}"),
}
PROMPT = {
    "model": "m",
    "messages": [{"role": "user", "content": "hello"}],
    "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
}


@pytest.mark.parametrize("name", ASKED)
def test_only_the_accepted_key_opens(name: str) -> None:
    path, header, form = ASKED[name]
    with ModelServer(accepted_key=KEY) as server:
        statuses = []
        for key in (KEY, "wrong", ""):
            line = connection(server)
            line.request("POST", path, json.dumps(PROMPT), {header: form.format(key)})
            statuses.append(line.getresponse().status)
            line.close()
        assert statuses == [200, *([400] * 2 if name == "google" else [401] * 2)]
        assert [record.fault for record in server.log] == ["", "bad_key", "bad_key"]


def test_a_wrong_key_uses_up_no_fault() -> None:
    with ModelServer(accepted_key=KEY) as server:
        server.then(Fault.NOT_FOUND)
        assert [send(server, chat(ONE), key=key).status for key in ("wrong", KEY, KEY)] == [401, 404, 200]


def test_no_key_is_kept_or_shown(server: ModelServer, capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[object] = []
    server.rule(Fault.RESET, lambda question: bool(seen.append(question)))  # type: ignore[func-returns-value]  # it says no
    send(server, chat(ONE))
    send(server, b"{", key=KEY)
    shown = [*seen, *server.log, send(server, method="GET", path="/log").body, capfd.readouterr()]
    assert len(server.log) == 2
    assert KEY not in repr(shown)
    assert KEY not in repr(vars(server._replies.cache))


# -- tokens and the bill -----------------------------------------------------------------------------------------------


def test_instructions_are_cached_for_each_key_apart_once_they_were_read(server: ModelServer) -> None:
    server.then(Fault.UNAVAILABLE)
    for key, system in [("k", "S" * 40), ("k", "S" * 40), ("k", "S" * 40), ("other", "S" * 40), ("k", "T" * 40)]:
        send(server, chat(system=system, user="hello"), key=key)
    assert [record.cached_tokens for record in server.log] == [0, 0, 10, 0, 0]
    assert [record.input_tokens for record in server.log] == [0, 12, 12, 12, 12]


def test_the_bill_has_what_was_answered_and_nothing_else(server: ModelServer) -> None:
    server.then(Fault.OK, Fault.RATE_LIMIT, Fault.RESET, Fault.HTML)
    for _ in range(4):
        try:
            send(server, chat(ONE))
        except (HTTPException, OSError):
            assert server.log[-1].fault == "reset"
    assert server.bill.requests == 3
    for name in ("input_tokens", "cached_tokens", "output_tokens"):
        assert getattr(server.bill, name) == sum(getattr(record, name) for record in server.log)
    assert [record.output_tokens > 0 for record in server.log] == [True, False, True, True]


def test_of_the_log_only_the_newest_is_kept_and_of_the_bill_everything() -> None:
    with ModelServer(keep=3) as server:
        for _ in range(5):
            send(server, chat(user="hello"))
        assert [record.number for record in server.log] == [3, 4, 5]
        assert server.bill.requests == 5


def test_another_process_can_ask_for_the_log_and_the_bill(server: ModelServer) -> None:
    assert send(server, method="GET", path="/log").body == ""
    send(server, chat(ONE))
    server.then(Fault.SERVER_ERROR)
    send(server, chat(ONE))
    lines = send(server, method="GET", path="/log").body.splitlines()
    assert [json.loads(line) for line in lines] == json.loads(json.dumps([asdict(each) for each in server.log]))
    assert send(server, method="GET", path="/bill").json == {**asdict(server.bill), "most_at_once": 1}
    assert server.bill.requests == 1


def test_asking_for_the_books_is_not_in_them(server: ModelServer) -> None:
    send(server, method="GET", path="/bill")
    assert (server.log, server.bill, server.most_at_once) == ((), Bill(), 0)


def test_who_has_an_answer_finds_it_in_the_log(server: ModelServer) -> None:
    line = connection(server)
    for number in range(1, 101):
        send(line, chat(user="hello"))
        assert server.log[-1].answered_s is not None
        assert server.bill.requests == number
    line.close()


# -- what nobody has ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1beta/models/gemini-2.5-flash:streamGenerateContent", ["error", "status", "NOT_FOUND"]),
        ("/v1beta/models", ["error", "status", "NOT_FOUND"]),
        ("/v1/messages/count_tokens", ["error", "type", "not_found_error"]),
        ("/v1/embeddings", ["error", "type", "invalid_request_error"]),
        ("/", ["error", "type", "invalid_request_error"]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
def test_what_is_not_here_is_not_found_in_the_providers_own_words(
    path: str, words: Sequence[str], method: str, server: ModelServer
) -> None:
    heard = send(server, PROMPT, method=method, path=path)
    assert (heard.status, value_at(heard, words[:2])) == (404, words[2])
    assert [(record.status, record.item_ids) for record in server.log] == [(404, ())]
    assert server.bill == Bill()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_model_can_only_be_posted_to(method: str, server: ModelServer) -> None:
    assert [send(server, PROMPT, method=method, path=path).status for path, _, _ in ASKED.values()] == [404] * 4


def value_at(heard: Heard, path: Sequence[str]) -> object:
    found = heard.json
    for name in path:
        found = found[name]
    return found


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"7", b"{}", b'{"model": "m"}', b'{"model": "m", "messages": [{}]}', b"\xff"]
)
@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1beta/models/gemini-2.5-flash:generateContent"]
)
def test_a_request_that_cannot_be_read_is_a_bad_one(path: str, body: bytes, server: ModelServer) -> None:
    heard = send(server, body, path=path)
    assert heard.status == 400
    assert "cannot be read" in heard.json["error"]["message"]


def test_items_that_cannot_be_read_are_a_bad_request(server: ModelServer) -> None:
    heard = send(server, chat(user="<items>\n[{]\n</items>"))
    assert (heard.status, server.bill) == (400, Bill())
    assert "the rubric or the items cannot be read" in heard.json["error"]["message"]


def test_chat_completions_do_not_stream(server: ModelServer) -> None:
    heard = send(server, {**chat(ONE), "stream": True})
    assert heard.status == 400
    assert "does not stream" in heard.json["error"]["message"]


def test_the_query_of_a_path_does_not_matter(server: ModelServer) -> None:
    assert send(server, PROMPT, path="/v1/messages?beta=true").json["content"][0]["text"] == '{"ok": true}'


def test_messages_are_streamed_when_asked_for(server: ModelServer) -> None:
    heard = send(server, {**PROMPT, "stream": True}, path="/v1/messages")
    kinds = [line.removeprefix("event: ") for line in heard.body.splitlines() if line.startswith("event: ")]
    assert heard.headers["Content-Type"].startswith("text/event-stream")
    assert kinds == [
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    told = [json.loads(line[6:]) for line in heard.body.splitlines() if line.startswith("data: ")]
    assert [told[0]["message"]["usage"]["output_tokens"], told[4]["usage"]["output_tokens"]] == [1, 3]


def test_it_stands_on_the_standard_library_alone() -> None:
    here = Path(model_server.__file__).parent
    files = [file for kind in ("model", "apify", "lookalike") for file in sorted(here.glob(f"{kind}_*.py"))]
    named = {name for file in files for name in imported(file)}
    ours = {name for name in named if name.startswith("tallybook.testing.")}
    assert len(files) > 15
    assert {name.partition(".")[0] for name in named - ours} <= sys.stdlib_module_names


def imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
