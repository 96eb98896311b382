"""What the look-alike of Apify tells webhooks, and how it is when nobody listens."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from apify_client.errors import ApifyApiError

from tallybook.testing.apify_server import ApifyServer, DeliveryFault, Ending, Status, Webhook
from tallybook.testing.apify_webhooks import filled
from tests.testing.calling import (
    ADA,
    ALL_EVENTS,
    BEA,
    POSTS,
    TOKEN,
    Receiver,
    client,
    hook,
    hurried,
    receiving,
    started,
)

BASE_S = 0.005


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def server() -> Iterator[ApifyServer]:
    with ApifyServer(token=TOKEN, profiles=POSTS, retry_base_s=BASE_S, delay_s=0.2) as found:
        yield found


# -- what is told ------------------------------------------------------------------------------------------------------


def test_a_webhook_is_told_what_happened_as_its_templates_say(server: ApifyServer, receiver: Receiver) -> None:
    payload = '{"eventType": {{eventType}}, "id": {{resource.id}}, "cost": {{resource.usageTotalUsd}}, "no": {{x.y}}}'
    headers = '{"x-tallybook-token": "abc", "x-run": {{eventData.actorRunId}}, "content-type": "text/plain"}'
    run = started(server, hook(receiver, ALL_EVENTS[1], payload_template=payload, headers_template=headers))
    assert server.wait_until_idle()
    (call,) = receiver.calls
    assert call.json == {"eventType": "ACTOR.RUN.SUCCEEDED", "id": run.id, "cost": 0.0095, "no": None}
    assert (call.headers["x-tallybook-token"], call.headers["x-run"]) == ("abc", run.id)
    assert (call.headers["content-type"], call.headers["x-apify-request-origin"]) == ("application/json", "WEBHOOK")


def test_without_templates_a_webhook_is_told_everything(server: ApifyServer, receiver: Receiver) -> None:
    run = started(server, hook(receiver, ALL_EVENTS[1]))
    assert server.wait_until_idle()
    said = receiver.calls[0].json
    assert set(said) == {"userId", "createdAt", "eventType", "eventData", "resource"}
    assert said["eventData"] == {"actorId": run.actor_id, "actorRunId": run.id}
    assert (said["resource"]["id"], said["resource"]["status"]) == (run.id, "SUCCEEDED")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["createdAt"])


@pytest.mark.parametrize("status", [Status.FAILED, Status.ABORTED, Status.TIMED_OUT])
def test_every_end_has_its_event(status: Status, receiver: Receiver) -> None:
    with ApifyServer(token=TOKEN, endings=[Ending(status)]) as server:
        started(server, hook(receiver))
        assert server.wait_until_idle()
    assert receiver.events == ["CREATED", status.name]
    assert receiver.calls[1].json["resource"]["status"] == status.value


def test_who_does_not_ask_for_the_start_is_not_told_of_it(server: ApifyServer, receiver: Receiver) -> None:
    run = started(server, hook(receiver, *ALL_EVENTS[1:]))
    assert server.wait_until_idle()
    server.resurrect(run.id)
    assert server.wait_until_idle()
    assert receiver.events == ["SUCCEEDED", "RESURRECTED", "SUCCEEDED"]
    assert len({call.dispatch_id for call in receiver.calls}) == 3


def test_webhooks_of_the_account_are_told_of_every_run(server: ApifyServer, receiver: Receiver) -> None:
    server.account_webhooks.append(Webhook(receiver.url, headers={"x-webhook-secret": "s"}))
    own = started(server)
    outside = server.start_outside([ADA, BEA], task_id="aTask")
    assert server.wait_until_idle()
    assert {call.json["eventData"]["actorRunId"] for call in receiver.calls} == {own.id, outside.id}
    by_run = {call.json["resource"]["id"]: call for call in receiver.calls}
    assert by_run[outside.id].json["eventData"]["actorTaskId"] == "aTask"
    assert by_run[outside.id].json["resource"]["meta"]["origin"] == "WEB"
    assert {call.headers["x-webhook-secret"] for call in receiver.calls} == {"s"}


def test_in_a_string_nothing_is_filled_in() -> None:
    values: Mapping[str, Any] = {"a": 'say "x"', "b": {"c": [1]}}
    assert json.loads(filled('{"x": {{a}}, "y": {{ b }}, "z": "\\" {{a}}"}', values)) == {
        "x": 'say "x"',
        "y": {"c": [1]},
        "z": '" {{a}}',
    }


@pytest.mark.parametrize(
    "hooks", [[1], [{}], 5, [{"eventTypes": ["ACTOR.RUN.FAILED"], "requestUrl": "x", "headersTemplate": "[]"}]]
)
def test_a_webhook_that_is_none_starts_no_run(server: ApifyServer, hooks: object) -> None:
    asking = client(server)
    with pytest.raises(ApifyApiError, match="the webhooks cannot be read"):
        asking.http_client.call(
            method="POST",
            url=f"{server.url}/v2/acts/x/runs",
            params={"webhooks": base64.b64encode(json.dumps(hooks).encode()).decode()},
            json={"targetUrls": []},
        )
    assert server.runs == ()


# -- when it is not taken ----------------------------------------------------------------------------------------------


def test_a_delivery_is_tried_again_under_the_same_id_until_it_is_taken(server: ApifyServer, receiver: Receiver) -> None:
    receiver.answers.extend([503, None, 302])
    started(server, hook(receiver, ALL_EVENTS[1]))
    assert server.wait_until_idle()
    assert [(each.status, each.tries) for each in server.deliveries] == [(503, 0), (None, 1), (302, 2), (200, 3)]
    assert len({call.dispatch_id for call in receiver.calls}) == 1
    assert len({call.body for call in receiver.calls}) == 1
    assert [each.taken for each in server.deliveries] == [False, False, False, True]
    assert (server.deliveries[0].answer, server.bill.deliveries) == ('{"status": 503}', 4)


def test_after_eleven_retries_each_after_twice_the_wait_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    receiver.answers.extend([500] * 20)
    with ApifyServer(token=TOKEN) as server:
        waits_s = hurried(server, monkeypatch)
        started(server, hook(receiver, ALL_EVENTS[1]))
        assert server.wait_until_idle()
        assert len(server.deliveries) == 12
    assert waits_s == [60 * 2**number for number in range(11)]


def test_a_webhook_may_ask_for_no_retries(server: ApifyServer, receiver: Receiver) -> None:
    receiver.answers.append(500)
    started(server, hook(receiver, ALL_EVENTS[1], do_not_retry=True))
    assert server.wait_until_idle()
    assert len(receiver.calls) == 1


def test_nobody_at_the_other_end_is_a_try_without_an_answer(server: ApifyServer) -> None:
    with receiving() as gone:
        pass
    started(server, hook(gone, ALL_EVENTS[1], do_not_retry=True))
    assert server.wait_until_idle()
    assert [each.status for each in server.deliveries] == [None]
    assert "refused" in server.deliveries[0].answer


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://[/"])
def test_an_address_that_is_none_is_a_try_without_an_answer(server: ApifyServer, url: str) -> None:
    server.account_webhooks.append(Webhook(url, do_not_retry=True))
    server.start_outside([ADA])
    assert server.wait_until_idle()
    assert [(each.status, each.answer.partition(":")[0]) for each in server.deliveries] == [(None, "ValueError")]


# -- faults ------------------------------------------------------------------------------------------------------------


def test_a_lost_delivery_never_comes(server: ApifyServer, receiver: Receiver) -> None:
    server.delivery_faults.then(DeliveryFault.LOST)
    started(server, hook(receiver))
    assert server.wait_until_idle()
    assert receiver.events == ["SUCCEEDED"]
    assert [(each.fault, each.status) for each in server.deliveries] == [("lost_delivery", None), ("", 200)]


def test_a_doubled_delivery_comes_twice_under_one_id(server: ApifyServer, receiver: Receiver) -> None:
    server.delivery_faults.then(DeliveryFault.DOUBLED)
    started(server, hook(receiver, ALL_EVENTS[1]))
    assert server.wait_until_idle()
    assert receiver.events == ["SUCCEEDED", "SUCCEEDED"]
    assert len({call.dispatch_id for call in receiver.calls}) == 1


def test_a_delayed_delivery_is_overtaken(server: ApifyServer, receiver: Receiver) -> None:
    server.delivery_faults.rule(DeliveryFault.DELAYED, lambda event: event.name == ALL_EVENTS[0], times=1)
    started(server, hook(receiver))
    assert server.wait_until_idle()
    assert receiver.events == ["SUCCEEDED", "CREATED"]


def test_faults_befall_deliveries_by_chance(receiver: Receiver) -> None:
    chances = dict.fromkeys((DeliveryFault.LOST, DeliveryFault.DOUBLED), 0.3)
    with ApifyServer(token=TOKEN, delivery_chances=chances, seed=3) as server:
        server.account_webhooks.append(Webhook(receiver.url))
        for number in range(20):
            server.start_outside([f"{ADA}-{number}"])
        assert server.wait_until_idle()
        faults = {each.fault for each in server.deliveries}
    assert faults == {"", "lost_delivery", "doubled_delivery"}
    assert len({call.dispatch_id for call in receiver.calls}) < 20


# -- by hand -----------------------------------------------------------------------------------------------------------


def test_deliveries_can_be_held_and_let_go_in_either_order(server: ApifyServer, receiver: Receiver) -> None:
    server.hold()
    started(server, hook(receiver))
    assert server.wait_until_idle()
    assert receiver.calls == []
    server.release(last_first=True)
    assert server.wait_until_idle()
    assert receiver.events == ["SUCCEEDED", "CREATED"]
    started(server, hook(receiver))
    assert server.wait_until_idle()
    assert receiver.events[2:] == ["CREATED", "SUCCEEDED"]


def test_a_delivery_by_hand_is_the_webhooks_own_but_for_what_is_given(server: ApifyServer, receiver: Receiver) -> None:
    run = started(server, hook(receiver, ALL_EVENTS[1], headers_template='{"x-token": "right"}'))
    assert server.wait_until_idle()
    again = server.deliver(run.id, ALL_EVENTS[1], dispatch_id=receiver.calls[0].dispatch_id)
    assert (again.status, again.answer) == (200, '{"status": 200}')
    assert receiver.calls[1].headers["x-token"] == "right"
    assert receiver.calls[1].dispatch_id == receiver.calls[0].dispatch_id
    server.deliver(run.id, ALL_EVENTS[2], headers={"x-token": "wrong"}, body={"resource": None}, dispatch_id="")
    forged = receiver.calls[2]
    assert (forged.headers["x-token"], forged.json) == ("wrong", {"resource": None})
    assert "x-apify-webhook-dispatch-id" not in forged.headers


def test_a_delivery_of_a_run_that_never_was_goes_where_one_says(server: ApifyServer, receiver: Receiver) -> None:
    with pytest.raises(LookupError, match="nobody is to be told of run never"):
        server.deliver("never", ALL_EVENTS[1])
    server.account_webhooks.append(Webhook(receiver.url))
    server.deliver("never", ALL_EVENTS[1], to=f"{receiver.url}?a=b")
    server.deliver("never", ALL_EVENTS[1], body=b"\xff", to=receiver.url)
    server.deliver("never", ALL_EVENTS[1], body="{", to=receiver.url)
    assert receiver.calls[0].path == "/hook?a=b"
    assert receiver.calls[0].json["eventData"] == {"actorId": None, "actorRunId": "never"}
    assert [call.body for call in receiver.calls[1:]] == [b"\xff", b"{"]


# -- the end -----------------------------------------------------------------------------------------------------------


def test_what_was_still_to_come_never_does_after_the_end(receiver: Receiver) -> None:
    receiver.answers.append(500)
    with ApifyServer(token=TOKEN, latency_s=30) as server:
        server.account_webhooks.append(Webhook(receiver.url))
        run = server.start_outside([ADA])
        assert not server.wait_until_idle(0.01)
        server.finish(run.id, Status.FAILED)
    assert server.wait_until_idle()
    assert server.run(run.id).status is Status.FAILED
