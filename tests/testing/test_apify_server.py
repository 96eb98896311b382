"""The API of the look-alike of Apify, asked by the real client."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection

import pytest
from apify_client import ApifyClient
from apify_client.errors import ApifyApiError
from impit import HTTPError

from tallybook.testing.apify_server import ApiFault, ApifyServer, Ending, Status
from tests.testing.calling import ACTOR, ADA, BEA, POSTS, TOKEN, client, hurried, started

NOW = datetime(2025, 5, 1, 12, 0, 0, 123_000, tzinfo=UTC)


def items(server: ApifyServer, dataset_id: str, chunk: int | None = None) -> list[dict[str, object]]:
    return list(client(server).dataset(dataset_id).iterate_items(chunk_size=chunk))


# -- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_finds_the_posts_of_each_profile_under_its_url_as_it_was_given() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, latency_s=0.02) as server:
        told = {"targetUrls": [BEA, ADA, "https://linkedin.test/in/nobody"], "maxPosts": 2}
        run = client(server).actor(ACTOR).start(run_input=told)
        assert (run.status, run.finished_at, run.usage_total_usd) == ("RUNNING", None, 0.002)
        over = client(server).run(run.id).wait_for_finish()
        assert over is not None
        assert (over.status, over.exit_code) == ("SUCCEEDED", 0)
        found = items(server, over.default_dataset_id)
    assert [(item["inputUrl"], item["url"]) for item in found] == [
        (BEA, "https://p.test/b"),
        (ADA, "https://p.test/0"),
        (ADA, "https://p.test/1"),
    ]
    assert found[0] == {"inputUrl": BEA, "authorName": "Bea Bürger", **POSTS[BEA][0]}


def test_a_run_costs_for_its_start_and_for_each_item() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        run_id = started(server).id
        assert server.wait_until_idle()
        over = client(server).run(run_id).get()
        assert over is not None
        assert over.usage_total_usd == 0.0095
        started(server, profiles=["https://linkedin.test/in/nobody"])
        assert server.wait_until_idle()
        assert (server.billed_usd, server.bill.runs, server.bill.items) == (Decimal("0.0115"), 2, 5)


def test_times_and_options_are_those_of_the_run() -> None:
    with ApifyServer(token=TOKEN, latency_s=None, now=lambda: NOW) as server:
        run = client(server).actor(ACTOR).start(run_input={"targetUrls": []}, run_timeout=timedelta(minutes=5))
        server.finish(run.id, Status.FAILED)
        over = client(server).run(run.id).get()
        assert over is not None
    assert (over.started_at, over.finished_at, over.exit_code) == (NOW, NOW, 1)
    assert (over.options.timeout_secs, over.meta.origin, over.actor_task_id) == (300, "API", None)


def test_a_run_that_takes_longer_than_it_may_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, latency_s=30) as server:
        waits_s = hurried(server, monkeypatch)
        run = client(server).actor(ACTOR).start(run_input={"targetUrls": [ADA]}, run_timeout=timedelta(seconds=9))
        assert server.wait_until_idle()
        assert (server.run(run.id).status, len(server.run(run.id).items)) == (Status.TIMED_OUT, 2)
    assert waits_s == [9]


def test_a_large_input_comes_packed_and_is_understood() -> None:
    urls = [f"{ADA}-{number}" for number in range(500)]
    with ApifyServer(token=TOKEN) as server:
        run = started(server, profiles=urls)
        assert run.profiles == tuple(urls)
        assert run.input_bytes < len(json.dumps(urls)) / 4


def test_the_dataset_is_read_page_by_page() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        run = started(server)
        assert server.wait_until_idle()
        whole = items(server, run.dataset_id)
        assert items(server, run.dataset_id, chunk=2) == whole
        page = client(server).dataset(run.dataset_id).list_items(offset=1, limit=2, desc=True)
        assert (page.total, page.offset, page.count, page.limit, page.desc) == (5, 1, 2, 2, True)
        assert page.items == whole[::-1][1:3]


def test_posts_are_made_up_for_any_url_and_always_the_same() -> None:
    urls = [f"{ADA}-{number:03}" for number in range(60)]
    with ApifyServer() as first, ApifyServer(profiles=None) as second:
        runs = [server.start_outside(urls) for server in (first, second)]
        assert first.wait_until_idle()
        assert second.wait_until_idle()
        found = first.run(runs[0].id).items
        assert found == second.run(runs[1].id).items
    numbers = [sum(item["inputUrl"] == url for item in found) for url in urls]
    assert set(numbers) == {0, 1, 2, 3, 4}
    assert len({item["url"] for item in found}) == len(found)
    assert {item["isRepost"] for item in found} == {True, False}
    assert all(item["text"] and item["postedAt"].startswith("2025-") for item in found)
    assert found[0]["authorName"] == "Ada Abara"


def test_posts_may_come_from_a_function_and_items_may_be_errors() -> None:
    with ApifyServer(token=TOKEN, profiles=lambda url: [{"error": f"no profile {url[-1]}"}]) as server:
        run = started(server, profiles=[ADA])
        assert server.wait_until_idle()
        assert server.run(run.id).items == ({"inputUrl": ADA, "authorName": "Ada Abara", "error": "no profile a"},)


def test_the_input_may_have_other_names() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, profiles_field="people", posts_field="most") as server:
        client(server).actor(ACTOR).start(run_input={"people": [ADA], "most": 1})
        assert server.wait_until_idle()
        assert len(server.runs[0].items) == 1


# -- endings ----------------------------------------------------------------------------------------------------------


def test_runs_end_as_they_are_told_and_have_half_of_the_items_unless_they_succeed() -> None:
    endings = [Ending(Status.FAILED), Ending(Status.TIMED_OUT, share=0), Ending(Status.ABORTED, share=0.6), Ending()]
    with ApifyServer(token=TOKEN, profiles=POSTS, endings=endings) as server:
        for _ in range(5):
            started(server)
        assert server.wait_until_idle()
        seen = [(run.status.value, len(run.items)) for run in server.runs]
    assert seen == [("FAILED", 2), ("TIMED-OUT", 0), ("ABORTED", 3), ("SUCCEEDED", 5), ("SUCCEEDED", 5)]


def test_a_run_without_a_time_runs_until_it_is_finished_by_hand() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, latency_s=None) as server:
        run = started(server)
        assert server.wait_until_idle()
        assert server.run(run.id).status is Status.RUNNING
        assert server.finish(run.id).status is Status.SUCCEEDED
        assert server.finish(run.id, Status.FAILED).status is Status.SUCCEEDED


def test_an_abort_ends_a_run_before_its_time_and_does_nothing_to_one_that_is_over() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, latency_s=30) as server:
        run = started(server)
        assert client(server).run(run.id).abort().status == "ABORTED"
        assert server.wait_until_idle(), "its end in 30 s is off"
        assert client(server).run(run.id).abort().status == "ABORTED"
        assert len(server.run(run.id).items) == 2


def test_a_resurrected_run_finds_the_rest_and_costs_another_start() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS, endings=[Ending(Status.ABORTED)]) as server:
        run = started(server)
        assert server.wait_until_idle()
        assert server.billed_usd == Decimal("0.0050")
        again = client(server).run(run.id).resurrect()
        assert (again.id, again.status, again.finished_at, again.stats.resurrect_count) == (run.id, "RUNNING", None, 1)
        assert server.wait_until_idle()
        assert (server.run(run.id).status, server.billed_usd) == (Status.SUCCEEDED, Decimal("0.0115"))
        more = {BEA: [{"url": "https://p.test/new", "text": "New"}]}
        server.resurrect(run.id, more, Ending(Status.FAILED, share=1))
        assert server.wait_until_idle()
        assert server.run(run.id).status is Status.FAILED
        assert [item["url"] for item in items(server, run.dataset_id)][-1] == "https://p.test/new"


def test_only_what_is_over_can_be_resurrected() -> None:
    with ApifyServer(token=TOKEN, latency_s=None) as server:
        run = started(server)
        with pytest.raises(ApifyApiError, match="only a run that is over") as raised:
            client(server).run(run.id).resurrect()
        assert (raised.value.status_code, raised.value.type) == (400, "run-not-finished")
        with pytest.raises(ValueError, match="is not over"):
            server.resurrect(run.id)


# -- everything else ---------------------------------------------------------------------------------------------------


def test_it_knows_its_actor_and_its_user() -> None:
    with ApifyServer(token=TOKEN, actor_id=ACTOR) as server:
        actor = client(server).actor(ACTOR).get()
        assert actor is not None
        assert (actor.username, actor.name) == ("someone", "posts")
        assert client(server).actor(actor.id).get() is not None
        assert started(server).actor_id == actor.id
        assert client(server).actor("someone/else").get() is None
        with pytest.raises(ApifyApiError, match="there is no someone~else here"):
            client(server).actor("someone/else").start(run_input={"targetUrls": []})
        user = client(server).user().get()
        assert user is not None
        assert user.username == "look-alike"


def test_runs_are_listed() -> None:
    with ApifyServer(token=TOKEN, endings=[Ending(Status.FAILED)]) as server:
        runs = [started(server).id, server.start_outside([ADA], task_id="aTask").id]
        assert server.wait_until_idle()
        assert [run.id for run in client(server).runs().list().items] == runs
        newest = client(server).runs().list(limit=1, desc=True)
        assert (newest.total, [(run.id, run.actor_task_id) for run in newest.items]) == (2, [(runs[1], "aTask")])
        assert [run.id for run in client(server).runs().list(status=["FAILED", "ABORTED"]).items] == runs[:1]


def test_what_is_not_there_is_not_found() -> None:
    with ApifyServer(token=TOKEN) as server:
        asking = client(server)
        assert asking.run("nothing").get() is None
        for ask in (asking.run("nothing").abort, asking.dataset("nothing").list_items, asking.tasks().list):
            with pytest.raises(ApifyApiError) as raised:
                ask()
            assert raised.value.status_code == 404
        with pytest.raises(LookupError):
            server.run("nothing")


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, "targetUrls must be a list of URLs"),
        ({"targetUrls": [1]}, "targetUrls must be a list of URLs"),
        ({"targetUrls": [], "maxPosts": "many"}, "maxPosts must be a number"),
        ([], "it must be an object"),
        (b"{", "the body cannot be read"),
    ],
)
def test_an_input_that_is_none_starts_no_run(told: object, why: str) -> None:
    with ApifyServer(token=TOKEN) as server:
        with pytest.raises(ApifyApiError, match=why) as raised:
            client(server).actor(ACTOR).start(run_input=told, content_type="application/json")
        assert (raised.value.status_code, server.runs) == (400, ())


def test_numbers_and_webhooks_that_are_none_are_refused() -> None:
    with ApifyServer(token=TOKEN) as server:
        assert ask(server, "POST", "/v2/acts/x/runs?timeout=soon", {"targetUrls": []})[0] == 400
        assert ask(server, "POST", "/v2/acts/x/runs?webhooks=%21", {"targetUrls": []})[0] == 400
        assert server.runs == ()


def test_a_token_is_needed_and_only_the_right_one_is_taken() -> None:
    with ApifyServer(token=TOKEN) as server:
        with pytest.raises(ApifyApiError) as raised:
            client(server, "another").user().get()
        assert (raised.value.status_code, raised.value.type) == (401, "user-or-token-not-found")
        with pytest.raises(ApifyApiError) as raised:
            ApifyClient(api_url=server.url, max_retries=0).user().get()
        assert (raised.value.status_code, raised.value.type) == (401, "token-not-provided")
        assert ask(server, "GET", f"/v2/users/me?token={TOKEN}", token="")[0] == 200
    with ApifyServer() as server:
        assert client(server, "whatever").user().get() is not None


def test_bill_and_log_can_be_read_over_http() -> None:
    with ApifyServer(token=TOKEN, profiles=POSTS) as server:
        run = started(server)
        assert server.wait_until_idle()
        bill = json.loads(ask(server, "GET", "/bill", token="")[1])
        log = [json.loads(line) for line in ask(server, "GET", "/log", token="")[1].splitlines()]
    assert bill == {"runs": 1, "items": 5, "usd": "0.0095", "deliveries": 0}
    assert log == [
        {"number": 1, "method": "POST", "route": "/v2/actors/someone~posts/runs", "what": "start", "fault": ""}
        | {"status": 201}
    ]
    assert TOKEN not in str(log)
    assert run.id == server.runs[0].id


def ask(server: ApifyServer, method: str, path: str, body: object = None, token: str = TOKEN) -> tuple[int, str]:
    line = HTTPConnection("127.0.0.1", server.port, timeout=10)
    line.request(method, path, json.dumps(body), {"Authorization": f"Bearer {token}"} if token else {})
    response = line.getresponse()
    said = response.status, response.read().decode()
    line.close()
    return said


# -- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "status"), [(ApiFault.RATE_LIMIT, 429), (ApiFault.SERVER_ERROR, 500)])
def test_an_error_starts_no_run(fault: ApiFault, status: int) -> None:
    with ApifyServer(token=TOKEN) as server:
        server.faults.then(fault)
        with pytest.raises(ApifyApiError) as raised:
            started(server)
        assert (raised.value.status_code, server.runs) == (status, ())
        assert (server.requests[0].fault, server.requests[0].status) == (fault.value, status)
        started(server)


@pytest.mark.parametrize(("fault", "runs"), [(ApiFault.RESET, 0), (ApiFault.LOST_ANSWER, 1)])
def test_a_connection_that_breaks_says_nothing_about_whether_a_run_was_started(fault: ApiFault, runs: int) -> None:
    with ApifyServer(token=TOKEN) as server:
        server.faults.rule(fault, lambda asked: asked.what == "start" and ADA in asked.profiles, times=1)
        assert client(server).user().get() is not None
        with pytest.raises(HTTPError):
            started(server)
        assert (len(server.runs), server.requests[-1].status) == (runs, 0)


def test_faults_befall_requests_by_chance_the_same_for_the_same_seed() -> None:
    chances = {ApiFault.RATE_LIMIT: 0.3, ApiFault.SERVER_ERROR: 0.3}

    def statuses(seed: int) -> list[int]:
        with ApifyServer(token=TOKEN, chances=chances, seed=seed) as server:
            for number in range(12):
                ask(server, "POST", "/v2/acts/x/runs", {"targetUrls": [f"{ADA}-{number}"]})
                ask(server, "GET", f"/v2/actor-runs/{server.runs[-1].id if server.runs else 'none'}")
            return [record.status for record in server.requests]

    first = statuses(1)
    assert first == statuses(1) != statuses(2)
    assert {429, 500, 201, 200} <= set(first)


def test_the_shares_are_shares() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        ApifyServer(chances={ApiFault.RESET: 2})
