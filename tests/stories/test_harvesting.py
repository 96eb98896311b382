"""Harvesting against a look-alike of Apify, driven by the real client library, with real callbacks."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tallybook.app import App
from tallybook.domain.access import Scope
from tallybook.domain.run import OperationName, Stop
from tallybook.domain.run import Status as RunStatus
from tallybook.engine import trigger
from tallybook.ledger.external import in_flight
from tallybook.ledger.inbox import list_deliveries
from tallybook.testing.apify_server import ApiFault, ApifyServer, DeliveryFault, Ending, Status, Webhook
from tests.books import SqliteBooks
from tests.stories.acting import LEAD_SCORING, POST_HARVESTING, POST_SCORING, kinds_of, texts_of, until
from tests.stories.harvesting import PROFILE, Street, cost, furnish, street
from tests.web.serving import SECRET, made_token

ACME = "acme"


@pytest.fixture
def url(tmp_path: Path, sqlite_books: SqliteBooks) -> str:
    return sqlite_books.copied_to(tmp_path)


@pytest.fixture
def apify() -> Iterator[ApifyServer]:
    with ApifyServer(token="a-token", latency_s=0.05, retry_base_s=0.02) as server:
        yield server


@pytest.fixture
def main_street(url: str, apify: ApifyServer) -> Iterator[Street]:
    with street(url, apify) as found:
        furnish(found.app, ACME)
        yield found


def agrees(found: Street, run_id: str) -> None:
    """Posts, cost and figures are those of Apify."""
    run = found.checked(run_id)
    assert found.posts(ACME) == found.truth(ACME)
    assert cost(run) == found.apify.billed_usd
    assert run.tally.unmeasured == 0


def test_posts_are_fetched_merged_and_paid_for_as_billed(main_street: Street) -> None:
    """F30"""
    run = main_street.ended(main_street.start(ACME))
    assert (run.status, run.tally.harvested + run.tally.skipped, run.tally.failed) == ("completed", 3, 0)
    assert main_street.posts(ACME) == main_street.truth(ACME)
    assert cost(run) == main_street.apify.billed_usd > 0
    assert run.tally.posts == sum(len(each) for each in main_street.truth(ACME).values())
    kept = list_deliveries(main_street.app.database)
    assert {each.event: each.run_id for each in kept} == {
        "ACTOR.RUN.CREATED": run.run_id,
        "ACTOR.RUN.SUCCEEDED": run.run_id,
    }
    assert {each.state for each in kept if each.event == "ACTOR.RUN.SUCCEEDED"} == {"applied"}


def test_the_whole_job_scores_what_was_harvested(main_street: Street) -> None:
    run = main_street.ended(main_street.start(ACME, operations=tuple(OperationName)))
    by_name = {each.operation: each.tally for each in run.clients[0].operations}
    with_posts = sum(1 for each in main_street.truth(ACME).values() if each)
    assert (by_name[LEAD_SCORING].found, by_name[POST_SCORING].found) == (3, with_posts)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [(Status.FAILED, "unavailable"), (Status.ABORTED, "unavailable"), (Status.TIMED_OUT, "timeout")],
)
def test_only_an_empty_answer_means_no_posts(url: str, ending: Status, reason: str) -> None:
    """F29"""
    with (
        ApifyServer(token="a-token", latency_s=0.05, profiles={}, endings=[Ending(ending)]) as apify,
        street(url, apify) as found,
    ):
        furnish(found.app, ACME)
        run = found.ended(found.start(ACME))
        assert set(kinds_of(found.app.database, run.run_id).values()) == {f"failed({reason})"}
        assert cost(run) == apify.billed_usd
        again = found.ended(found.start(ACME))
        assert (again.status, again.tally.found) == ("completed", 3), "they are eligible next time"
        assert set(kinds_of(found.app.database, again.run_id).values()) == {"skipped(no_posts)"}


def test_what_a_run_found_before_it_failed_is_kept(url: str) -> None:
    """F29"""
    posts = {PROFILE.format(f"{ACME}-{n}"): [{"url": f"https://p.test/{n}", "text": "On pricing"}] for n in range(3)}
    endings = [Ending(Status.FAILED, share=0.4)]
    with (
        ApifyServer(token="a-token", latency_s=0.05, profiles=posts, endings=endings) as apify,
        street(url, apify) as found,
    ):
        furnish(found.app, ACME)
        run = found.ended(found.start(ACME))
        assert (run.tally.harvested, run.tally.failed, run.status) == (1, 2, "completed_with_errors")
        agrees(found, run.run_id)


def test_a_callback_that_never_comes_is_made_up_for(url: str) -> None:
    lost = {DeliveryFault.LOST: 1.0}
    with ApifyServer(token="a-token", latency_s=0.05, delivery_chances=lost) as apify, street(url, apify) as found:
        furnish(found.app, ACME)
        agrees(found, found.ended(found.start(ACME)).run_id)
        assert list_deliveries(found.app.database) == []


def test_a_start_whose_answer_was_lost_is_known_by_its_callback_and_paid_once(url: str) -> None:
    """F30"""
    with ApifyServer(token="a-token", latency_s=0.2) as apify, street(url, apify) as found:
        furnish(found.app, ACME)
        apify.faults.then(ApiFault.LOST_ANSWER)
        run = found.ended(found.start(ACME))
        assert (run.status, run.tally.failed, len(apify.runs)) == ("completed", 0, 1)
        agrees(found, run.run_id)


def test_leads_of_a_start_that_was_never_heard_of_again_have_failed_and_are_left_alone_for_a_day(url: str) -> None:
    """F29"""
    lost = {DeliveryFault.LOST: 1.0}
    with ApifyServer(token="a-token", latency_s=0.05, delivery_chances=lost) as apify, street(url, apify) as found:
        furnish(found.app, ACME)
        apify.faults.then(ApiFault.LOST_ANSWER)
        run = found.ended(found.start(ACME))
        assert set(kinds_of(found.app.database, run.run_id).values()) == {"failed(unavailable)"}
        assert (run.tally.unmeasured, run.tally.calls) == (1, 1)
        assert found.ended(found.start(ACME)).tally.found == 0
        assert len(apify.runs) == 1


def test_a_cancel_ends_the_run_at_apify_too(url: str) -> None:
    """F40"""
    with ApifyServer(token="a-token", latency_s=None) as apify, street(url, apify) as found:
        furnish(found.app, ACME)
        run_id = found.start(ACME)
        found.waiting(run_id)
        trigger.stop(found.app.ledger, run_id, Stop.CANCEL, "by Ada")
        assert found.ended(run_id).status is RunStatus.CANCELED
        until(lambda: apify.runs[0].status is Status.ABORTED, "the abort")
        until(lambda: not _in_flight(found), "the end of its external run")
        agrees(found, run_id)


def _in_flight(found: Street) -> frozenset[str]:
    return in_flight(found.app.database, ACME, POST_HARVESTING, found.app.ledger.clock())


def test_a_resurrected_run_adds_what_it_finds_to_a_run_that_has_ended(main_street: Street) -> None:
    """F31"""
    apify = main_street.apify
    run = main_street.ended(main_street.start(ACME))
    apify.wait_until_idle()
    profile = apify.runs[0].profiles[0]
    apify.resurrect(apify.runs[0].id, {profile: [{"url": "https://p.test/new", "text": "New"}]})
    until(lambda: cost(main_street.run(run.run_id)) == apify.billed_usd, "the second bill")
    until(lambda: main_street.posts(ACME) == main_street.truth(ACME), "the posts of the second attempt")
    after = main_street.checked(run.run_id)
    assert (after.status, after.ended_at, after.tally.calls) == (run.status, run.ended_at, 2)


def test_a_run_that_somebody_starts_in_the_console_becomes_a_run_of_its_own(main_street: Street) -> None:
    app, apify = main_street.app, main_street.apify
    token = made_token(app, Scope.RUNS_WRITE, client_id=ACME).text
    where = f"{main_street.api.base_url}/webhooks/apify"
    apify.account_webhooks.append(Webhook(where, headers_template=f'{{"Authorization": "Bearer {token}"}}'))
    apify.start_outside([PROFILE.format(name) for name in (f"{ACME}-0", "stranger-1", "stranger-2", "stranger-3")])
    delivery = until(lambda: [each for each in list_deliveries(app.database) if each.run_id], "the delivery")[0]
    run = main_street.ended(delivery.run_id)
    assert (run.trigger, run.job_type, run.status) == ("api", "post_harvesting", "completed")
    agrees(main_street, run.run_id)
    strangers = texts_of(app.database, run.run_id, "strangers")
    assert [each.partition(" found ")[2][:8] for each in strangers] == ["somethin"]


def test_an_actor_that_is_refused_pauses_the_run_and_says_why(url: str) -> None:
    with ApifyServer(token="another-token") as apify, street(url, apify) as found:
        furnish(found.app, ACME)
        run_id = found.start(ACME)
        until(lambda: found.run(run_id).status is RunStatus.PAUSED, "the pause")
        run = found.checked(run_id)
        assert (run.blocked_reason, run.tally.pending, run.tally.cost.pico_usd) == ("auth", 3, 0)
        (said,) = texts_of(found.app.database, run_id, "provider_stop")
        assert "401" in said
        assert "a-token" not in said


def test_without_apify_the_operation_says_that_there_is_no_harvester(url: str, apify: ApifyServer) -> None:
    with street(url, apify, apify__token=None, apify__actor_id=None) as found:
        furnish(found.app, ACME)
        run = found.ended(found.start(ACME))
        (operation,) = run.clients[0].operations
        assert (operation.status, operation.finish_reason, run.tally.found) == ("completed", "no_harvester", 0)


def test_the_secret_of_the_webhook_and_the_token_of_apify_are_nowhere(main_street: Street, tmp_path: Path) -> None:
    """F35"""
    app: App = main_street.app
    run = main_street.ended(main_street.start(ACME))
    assert cost(run) > Decimal(0)
    app.ledger.do(lambda tx: None)
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"a-token" not in kept
    assert SECRET.encode() not in kept
