"""Every fault as the real client libraries see it, and what the provider's books then say."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic_ai import exceptions as seen
from pydantic_ai.messages import ModelResponse

from tallybook.testing.model_server import Fault, ModelServer, Record
from tests.testing.asking import FORMS, INSTRUCTIONS, NAMES, Asker, Item, as_text, asker, text_of, two_items

every_form = pytest.mark.parametrize("form", FORMS)


def meet(ask: Asker, form: str, fault: Fault, **settings: Any) -> tuple[ModelResponse, Record, Sequence[Item]]:
    items = two_items()
    only_once(ask, items, fault)
    answer, record = ask(form, items, **settings)
    assert record.fault == ("" if fault is Fault.OK else fault)
    return answer, record, items


def only_once(ask: Asker, items: Sequence[Item], fault: Fault) -> None:
    ask.server.rule(fault, lambda question: question.item_ids == tuple(item["id"] for item in items), times=1)


def refused(ask: Asker, form: str, fault: Fault) -> tuple[seen.AgentRunError, Record]:
    items = two_items()
    only_once(ask, items, fault)
    with pytest.raises(seen.AgentRunError) as raised:
        ask(form, items)
    record = ask.record()
    assert record.fault == fault
    assert record.item_ids == tuple(item["id"] for item in items)
    return raised.value, record


# -- answers that arrive -----------------------------------------------------------------------------------------------


def parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def ids(judged: list[Any]) -> list[str]:
    return [item["id"] for item in judged]


def first_points(document: Any) -> dict[str, Any]:
    return {verdict["id"]: verdict["points"] for verdict in document["items"][0]["attributes"]}


LOOKS: dict[Fault, Callable[[str, list[str]], bool]] = {
    Fault.OK: lambda text, asked: ids(json.loads(text)["items"]) == asked,
    Fault.SLOW: lambda text, asked: ids(json.loads(text)["items"]) == asked,
    Fault.MALFORMED: lambda text, _: text.startswith("{") and not parses(text),
    Fault.WRONG_SHAPE: lambda text, _: list(json.loads(text)) == ["summary", "count"],
    Fault.FENCED: lambda text, _: text.startswith("```json\n{") and text.endswith("}\n```"),
    Fault.PROSE: lambda text, asked: not parses(text) and ids(json.loads(text.split("\n\n")[1])["items"]) == asked,
    Fault.BARE_ARRAY: lambda text, asked: ids(json.loads(text)) == asked,
    Fault.LOOSE_VALUES: lambda text, _: isinstance(first_points(json.loads(text))["A"], str),
    Fault.MISSING: lambda text, asked: ids(json.loads(text)["items"]) == asked[:1],
    Fault.UNKNOWN_ID: lambda text, asked: ids(json.loads(text)["items"]) == [*asked, "nobody-asked"],
    Fault.DUPLICATE_ID: lambda text, asked: ids(json.loads(text)["items"]) == [*asked, asked[0]],
    Fault.OUT_OF_RANGE: lambda text, _: first_points(json.loads(text))["A"] == 50,
    Fault.OBEYS_INJECTION: lambda text, asked: ids(json.loads(text)["items"]) == asked,
    Fault.INVENTED_EVIDENCE: lambda text, _: "lighthouse" in text,
}
FINISHED: dict[Fault, tuple[str, str]] = {  # why the client thinks it ended, and what the text looks like
    Fault.TRUNCATED: ("length", r"\{\"items\": \[.*[^}]"),
    Fault.EMPTY: ("stop", ""),
    Fault.SAFETY: ("content_filter", ""),
}


@every_form
@pytest.mark.parametrize("fault", LOOKS)
def test_what_the_model_says_arrives_as_it_is_and_is_billed(fault: Fault, form: str, ask: Asker) -> None:
    answer, record, items = meet(ask, form, fault)
    assert answer.finish_reason == "stop"
    assert LOOKS[fault](text_of(answer), [str(item["id"]) for item in items]), text_of(answer)
    assert (record.status, record.delivered) == (200, True)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (record.input_tokens, record.output_tokens)
    assert record.output_tokens == -(-len(text_of(answer)) // 4) + 7


@every_form
@pytest.mark.parametrize("fault", FINISHED)
def test_an_answer_that_ends_early_says_why_and_is_billed(fault: Fault, form: str, ask: Asker) -> None:
    answer, record, _ = meet(ask, form, fault)
    reason, text = FINISHED[fault]
    assert answer.finish_reason == reason
    assert re.fullmatch(text, text_of(answer))
    assert not parses(text_of(answer))
    assert (record.status, record.delivered) == (200, True)
    assert answer.usage.output_tokens == record.output_tokens == -(-len(text_of(answer)) // 4) + 7


@every_form
def test_the_items_stand_under_one_of_two_other_names(form: str, ask: Asker) -> None:
    answer, record, items = meet(ask, form, Fault.WRAPPED)
    said = json.loads(text_of(answer))
    found = said["posts"] if record.number % 2 else said["data"]["results"]
    assert "items" not in said
    assert ids(found) == [item["id"] for item in items]


@pytest.mark.parametrize("form", ["gemini", "gpt"])
def test_of_an_answer_without_usage_the_client_knows_that_it_measured_nothing(form: str, ask: Asker) -> None:
    answer, record, items = meet(ask, form, Fault.NO_USAGE)
    assert LOOKS[Fault.OK](text_of(answer), [str(item["id"]) for item in items])
    assert (answer.usage.unmeasured_requests, answer.usage.input_tokens, answer.usage.output_tokens) == (1, 0, 0)
    assert min(record.input_tokens, record.output_tokens) > 0


@pytest.mark.parametrize("form", ["claude", "claude-stream"])
@pytest.mark.filterwarnings("ignore:Failed to extract usage")
def test_of_claudes_answer_without_usage_the_client_counts_nothing_and_does_not_say_so(form: str, ask: Asker) -> None:
    answer, record, items = meet(ask, form, Fault.NO_USAGE)
    assert LOOKS[Fault.OK](text_of(answer), [str(item["id"]) for item in items])
    assert (answer.usage.unmeasured_requests, answer.usage.total_tokens) == (0, 0)
    assert min(record.input_tokens, record.output_tokens) > 0


@pytest.mark.parametrize("form", ["gemini", "claude", "claude-stream"])
def test_a_prompt_that_is_blocked_costs_its_input(form: str, ask: Asker) -> None:
    answer, record, _ = meet(ask, form, Fault.PROMPT_BLOCKED)
    assert answer.finish_reason == "content_filter"
    assert not text_of(answer)
    assert (record.status, record.output_tokens) == (200, 0)
    assert answer.usage.input_tokens == record.input_tokens > 0


@every_form
def test_a_slow_answer_takes_its_time(form: str, ask: Asker) -> None:
    begun = time.monotonic()
    _, record, _ = meet(ask, form, Fault.SLOW)
    assert time.monotonic() - begun >= 0.3
    assert record.answered_s is not None
    assert record.answered_s - record.arrived_s >= 0.3


@every_form
def test_a_client_that_gives_up_pays_all_the_same(form: str, runner: asyncio.Runner) -> None:
    with ModelServer(slow_s=60.0) as server:
        ask = asker(server, runner)
        ask(form, two_items())  # so that what follows is the wire alone
        server.then(Fault.SLOW)
        begun = time.monotonic()
        with pytest.raises(seen.ModelTimeoutError):
            ask(form, two_items(), timeout=1.0)
        first, record = server.log
    assert (record.status, record.delivered) == (200, False)
    assert min(record.input_tokens, record.output_tokens) > 0
    assert (server.bill.requests, server.bill.output_tokens) == (2, first.output_tokens + record.output_tokens)
    assert time.monotonic() - begun < 30  # it was noticed when the client went


# -- errors ------------------------------------------------------------------------------------------------------------

REFUSED: dict[Fault, tuple[type[seen.AgentRunError], dict[str, int]]] = {
    Fault.RATE_LIMIT: (seen.ModelRateLimitError, {"google": 429, "openai": 429, "anthropic": 429}),
    Fault.RATE_LIMIT_SILENT: (seen.ModelRateLimitError, {"google": 429, "openai": 429, "anthropic": 429}),
    Fault.DAILY_QUOTA: (seen.ModelQuotaExceededError, {"google": 429, "openai": 429, "anthropic": 400}),
    Fault.UNAVAILABLE: (seen.ModelOverloadedError, {"google": 503, "openai": 503, "anthropic": 529}),
    Fault.SERVER_ERROR: (seen.ModelServerError, {"google": 500, "openai": 500, "anthropic": 500}),
    Fault.BAD_GATEWAY: (seen.ModelServerError, {"google": 502, "openai": 502, "anthropic": 502}),
    Fault.BAD_KEY: (seen.ModelAuthenticationError, {"google": 400, "openai": 401, "anthropic": 401}),
    Fault.FORBIDDEN: (seen.ModelAuthenticationError, {"google": 403, "openai": 403, "anthropic": 403}),
    Fault.NOT_FOUND: (seen.ModelNotFoundError, {"google": 404, "openai": 404, "anthropic": 404}),
}
WAITS = {Fault.RATE_LIMIT: {"google": 1.5, "openai": 1.5, "anthropic": 1.5}, Fault.DAILY_QUOTA: {"google": 1.5}}


@every_form
@pytest.mark.parametrize("fault", REFUSED)
def test_an_error_is_of_its_kind_and_costs_nothing(fault: Fault, form: str, ask: Asker) -> None:
    before = ask.server.bill
    error, record = refused(ask, form, fault)
    kind, statuses = REFUSED[fault]
    assert isinstance(error, kind)
    assert isinstance(error, seen.ModelHTTPError)
    assert error.status_code == record.status == statuses[NAMES[form]]
    assert error.retry_after == WAITS.get(fault, {}).get(NAMES[form])
    assert ask.server.bill == before
    assert (record.input_tokens, record.cached_tokens, record.output_tokens) == (0, 0, 0)
    assert record.delivered


def test_gemini_tells_in_no_header_how_long_to_wait(ask: Asker) -> None:
    error, _ = refused(ask, "gemini", Fault.RATE_LIMIT)
    assert isinstance(error, seen.ModelHTTPError)
    assert not [name for name in error.headers or {} if name.startswith("retry")]


def test_openai_refuses_a_prompt_that_it_filters(ask: Asker) -> None:
    before = ask.server.bill
    error, record = refused(ask, "gpt", Fault.PROMPT_BLOCKED)
    assert isinstance(error, seen.ModelRequestRejectedError)
    assert error.provider_error_code == "content_filter"
    assert (record.status, ask.server.bill) == (400, before)


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("gemini", seen.ModelAPIError),
        ("gpt", seen.UnexpectedModelBehavior),
        ("claude", seen.ModelAPIError),
        ("claude-stream", seen.UnexpectedModelBehavior),
    ],
)
def test_a_page_in_place_of_an_answer_is_billed(form: str, kind: type[Exception], ask: Asker) -> None:
    error, record = refused(ask, form, Fault.HTML)
    assert isinstance(error, kind)
    assert not isinstance(error, seen.ModelHTTPError)
    assert (record.status, record.delivered) == (200, True)
    assert min(record.input_tokens, record.output_tokens) > 0


@every_form
def test_a_connection_that_breaks_is_billed_and_delivers_nothing(form: str, ask: Asker) -> None:
    error, record = refused(ask, form, Fault.RESET)
    assert isinstance(error, seen.ModelConnectionError)
    assert (record.status, record.delivered) == (0, False)
    assert min(record.input_tokens, record.output_tokens) > 0


def test_no_fault_is_left_untried() -> None:
    alone = {Fault.WRAPPED, Fault.NO_USAGE, Fault.PROMPT_BLOCKED, Fault.HTML, Fault.RESET}
    assert {*LOOKS, *FINISHED, *REFUSED, *alone} == set(Fault)


# -- what is used ------------------------------------------------------------------------------------------------------


@every_form
def test_what_is_used_is_told_as_each_provider_tells_it(form: str, ask: Asker) -> None:
    """The second time the instructions come from the cache, which is part of the input."""
    ask(form, two_items())
    items = two_items()
    answer, record = ask(form, items)
    usage = answer.usage
    assert usage.input_tokens == record.input_tokens == -(-len((INSTRUCTIONS + as_text(items)).encode()) // 4)
    assert usage.cache_read_tokens == record.cached_tokens == -(-len(INSTRUCTIONS.encode()) // 4)
    assert usage.output_tokens == record.output_tokens
    assert usage.output_reasoning_tokens == 7


@every_form
def test_the_bill_is_the_sum_of_what_the_clients_were_told(form: str, ask: Asker) -> None:
    before = ask.server.bill
    usages = [ask(form, two_items())[0].usage for _ in range(3)]
    now = ask.server.bill
    assert now.requests - before.requests == 3
    assert now.input_tokens - before.input_tokens == sum(each.input_tokens for each in usages)
    assert now.cached_tokens - before.cached_tokens == sum(each.cache_read_tokens for each in usages)
    assert now.output_tokens - before.output_tokens == sum(each.output_tokens for each in usages)


@every_form
def test_the_log_knows_who_was_asked_what(form: str, ask: Asker) -> None:
    items = two_items()
    answer, record = ask(form, items)
    assert (record.provider, record.model) == (NAMES[form], answer.model_name)
    assert record.call_id.startswith("call-")
    assert record.item_ids == tuple(item["id"] for item in items)
    assert record.texts == ("Head of nursing\nI lead forty nurses at night", "Baker\nBaker in the old town of Bath")
    assert record.fault == ""


@pytest.fixture(scope="module", autouse=True)
def nothing_left_under_way(ask: Asker) -> Iterator[None]:
    yield
    assert ask.server.wait_until_idle()
    assert {record.provider for record in ask.server.log} <= set(NAMES.values())
