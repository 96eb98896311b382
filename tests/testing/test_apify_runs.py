"""Runs of the look-alike of Apify that go wrong by chance, tasks, late answers; asked by the asynchronous client."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from apify_client import ApifyClientAsync
from apify_client.errors import ApifyApiError
from impit import TimeoutException

from tallybook.testing.apify_server import ApiFault, ApifyServer, Ending, RunFault, Status
from tests.testing.calling import ACTOR, ADA, BEA, POSTS, TOKEN, Receiver, hook, receiving, started

AnswerT = TypeVar("AnswerT")
TOLD = {"targetUrls": [ADA, BEA], "maxPosts": 10}


def asked(
    server: ApifyServer, ask: Callable[[ApifyClientAsync], Awaitable[AnswerT]], *, retries: int = 0, **more: Any
) -> AnswerT:
    """What the library makes of the answer, when it tries again so often, and at once."""

    async def asking() -> AnswerT:
        quickly = timedelta(milliseconds=1)
        return await ask(
            ApifyClientAsync(TOKEN, api_url=server.url, max_retries=retries, min_delay_between_retries=quickly, **more)
        )

    return asyncio.run(asking())


# -- runs by chance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [(RunFault.FAILED, "FAILED"), (RunFault.TIMED_OUT, "TIMED-OUT"), (RunFault.ABORTED, "ABORTED")],
)
def test_a_run_that_goes_wrong_has_half_of_its_items_and_is_billed_for_them(fault: RunFault, status: str) -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        server.run_faults.then(fault)
        run = asked(server, lambda apify: apify.actor(ACTOR).call(run_input=TOLD, logger=None))
        assert run is not None
        assert (run.status, run.usage_total_usd) == (status, 0.005)
        assert len(server.run(run.id).items) == 2


def test_faults_befall_runs_by_chance_the_same_for_the_same_seed() -> None:
    chances = {RunFault.FAILED: 0.3, RunFault.ABORTED: 0.3}

    def ends(seed: int) -> list[Status]:
        with ApifyServer(run_chances=chances, seed=seed) as server:
            for number in range(30):
                server.start_outside([f"{ADA}-{number}"])
            assert server.wait_until_idle()
            return [run.status for run in server.runs]

    assert ends(1) == ends(1) != ends(2)
    assert set(ends(1)) == {Status.SUCCEEDED, Status.FAILED, Status.ABORTED}


def test_what_is_told_of_the_first_runs_goes_before_chance() -> None:
    with ApifyServer(endings=[Ending()], run_chances={RunFault.FAILED: 1.0}) as server:
        runs = [server.start_outside([ADA]).id for _ in range(2)]
        assert server.wait_until_idle()
        assert [server.run(each).status for each in runs] == [Status.SUCCEEDED, Status.FAILED]


def test_a_rule_sees_which_attempt_it_is() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        server.run_faults.rule(RunFault.FAILED, lambda one: one.number == 2 and ADA in one.profiles)
        run = started(server)
        assert server.wait_until_idle()
        asked(server, lambda apify: apify.run(run.id).resurrect())
        assert server.wait_until_idle()
        server.resurrect(run.id)
        assert server.wait_until_idle()
        over = server.run(run.id)
    assert [status for status, _ in over.history] == [
        "RUNNING",
        "SUCCEEDED",
        "RUNNING",
        "FAILED",
        "RUNNING",
        "SUCCEEDED",
    ]
    assert [at for _, at in over.history] == sorted(at for _, at in over.history)
    assert (over.history[0][1], over.history[-1][1]) >= (over.started_at, over.finished_at)


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_a_task_brings_its_own_input_of_which_a_start_may_replace_parts() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, tasks={"aTask": TOLD}) as server:
        run = asked(server, lambda apify: apify.task("aTask").start(task_input={"maxPosts": 1}))
        assert run.actor_task_id == "aTask"
        plain = asked(server, lambda apify: apify.task("aTask").start())
        assert server.wait_until_idle()
        assert [len(server.run(each.id).items) for each in (run, plain)] == [2, 5]
        assert server.run(plain.id).profiles == (ADA, BEA)
        with pytest.raises(ApifyApiError, match="there is no another here") as raised:
            asked(server, lambda apify: apify.task("another").start())
        assert raised.value.status_code == 404


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [ApiFault.BAD_GATEWAY, ApiFault.SERVER_ERROR, ApiFault.RATE_LIMIT, ApiFault.RESET])
def test_what_nothing_was_done_for_may_be_tried_again(fault: ApiFault) -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        server.faults.then(fault, fault)
        run = asked(server, lambda apify: apify.actor(ACTOR).start(run_input=TOLD), retries=2)
        assert [each.id for each in server.runs] == [run.id]
        assert [each.fault for each in server.requests] == [fault, fault, ""]


def test_a_page_in_place_of_an_answer_is_an_error_without_a_kind() -> None:
    with ApifyServer(token=TOKEN) as server:
        server.faults.then(ApiFault.BAD_GATEWAY)
        with pytest.raises(ApifyApiError) as raised:
            asked(server, lambda apify: apify.actor(ACTOR).start(run_input=TOLD))
        assert (raised.value.status_code, raised.value.type, server.runs) == (502, None, ())


def test_a_start_that_is_tried_again_because_its_answer_was_lost_starts_two_runs() -> None:
    with ApifyServer(token=TOKEN) as server:
        server.faults.then(ApiFault.LOST_ANSWER)
        run = asked(server, lambda apify: apify.actor(ACTOR).start(run_input=TOLD), retries=1)
        assert len(server.runs) == 2
        assert server.runs[1].id == run.id


def test_a_slow_answer_comes_late_and_who_cannot_wait_has_started_a_run_all_the_same() -> None:
    with ApifyServer(token=TOKEN, slow_s=0.2) as server:
        server.faults.then(ApiFault.SLOW)
        begun = time.monotonic()
        run = asked(server, lambda apify: apify.actor(ACTOR).start(run_input=TOLD))
        assert time.monotonic() - begun >= 0.2
        assert server.run(run.id).profiles == (ADA, BEA)
    with ApifyServer(token=TOKEN, slow_s=30) as server:
        server.faults.then(ApiFault.SLOW)
        with pytest.raises(TimeoutException):
            asked(
                server,
                lambda apify: apify.actor(ACTOR).start(run_input=TOLD, timeout=timedelta(milliseconds=100)),
            )
        assert len(server.runs) == 1


# -- templates ---------------------------------------------------------------------------------------------------------


def test_a_webhook_may_ask_for_variables_in_strings_too() -> None:
    template = (
        '{"said": "run {{resource.id}} \\"{{resource.status}}\\": {{resource.exitCode}}", "data": "{{eventData}}"}'
    )
    with ApifyServer(token=TOKEN) as server, receiving() as receiver:
        run = started(server, in_strings(receiver, template))
        assert server.wait_until_idle()
        assert receiver.calls[0].json == {
            "said": f'run {run.id} "SUCCEEDED": 0',
            "data": {"actorId": run.actor_id, "actorRunId": run.id},
        }
        assert receiver.calls[0].headers["x-run"] == f"of {run.id}"


def in_strings(receiver: Receiver, template: str) -> dict[str, Any]:
    headers = json.dumps({"x-run": "of {{resource.id}}"})
    more = {"payload_template": template, "headers_template": headers, "should_interpolate_strings": True}
    return hook(receiver, "ACTOR.RUN.SUCCEEDED", **more)
