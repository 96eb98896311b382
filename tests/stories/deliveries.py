"""Random schedules of deliveries: lost, doubled, late, in the wrong order, forged; runs that fail half-way, an API that
stumbles, runs that are resurrected. At the end posts, statuses and cost are those of Apify.
"""

import random
from collections.abc import Mapping, Sequence

from tallybook.domain.lead import lead_id_of_url
from tallybook.ledger import external as reads
from tallybook.ledger.server_tables import external_runs
from tallybook.testing.apify_server import ApiFault, ApifyServer, DeliveryFault, Ending, Record, Run, Status
from tests.stories.acting import kinds_of, until
from tests.stories.harvesting import Street, cost, furnish

LEADS = 3
ENDINGS = (Status.SUCCEEDED, Status.SUCCEEDED, Status.SUCCEEDED, Status.FAILED, Status.ABORTED, Status.TIMED_OUT)
REASONS = {Status.TIMED_OUT: "timeout"}
DELIVERIES = {DeliveryFault.LOST: 0.25, DeliveryFault.DOUBLED: 0.25, DeliveryFault.DELAYED: 0.25}
REQUESTS = {ApiFault.RATE_LIMIT: 0.02, ApiFault.SERVER_ERROR: 0.02}


def troubled_apify(schedules: int, seed: int) -> ApifyServer:
    chance = random.Random(seed)
    return ApifyServer(
        token="a-token",
        latency_s=0.05,
        retry_base_s=0.02,
        delay_s=0.3,
        seed=seed,
        delivery_chances=DELIVERIES,
        chances=REQUESTS,
        endings=[_ending(chance) for _ in range(schedules)],
    )


def _ending(chance: random.Random) -> Ending:
    status = chance.choice(ENDINGS)
    return Ending(status, None if status is Status.SUCCEEDED else chance.random())


def drill(street: Street, apify: ApifyServer, schedules: int, seed: int) -> None:
    """*schedules* clients are harvested, each with a schedule of its own. Raises AssertionError where books differ."""
    chance = random.Random(seed)
    clients = [f"c{seed}-{number}" for number in range(schedules)]
    furnish(street.app, *clients, leads=LEADS)
    run_id = street.start(*clients)
    until(lambda: len(apify.runs) >= schedules // 2, "half of the starts")
    _forge(apify, apify.runs, chance)
    street.ended(run_id)
    first = {run.id: run for run in apify.runs}
    kinds = kinds_of(street.app.database, run_id)
    for run in first.values():
        _same_outcomes(run, kinds)
    _tie_strangers(apify, list(first.values())[:5])
    _resurrect(apify, list(first.values()), chance)
    apify.wait_until_idle(20)
    _tell_again(apify, list(first.values()), chance)
    until(lambda: not _under_way(street), "the last result", within_s=120)
    until(lambda: cost(street.run(run_id)) == apify.billed_usd, "the last bill", within_s=30)
    after = street.checked(run_id)
    assert after.tally.unmeasured == sum(1 for each in apify.requests if each.what == "start" and _maybe_made(each))
    assert kinds_of(street.app.database, run_id) == kinds, "outcomes stay"
    for client_id in clients:
        assert street.posts(client_id) == street.truth(client_id), client_id


def _maybe_made(request: Record) -> bool:
    """A refusal is known to have cost nothing; of any other trouble nobody knows."""
    return request.fault not in ("", ApiFault.RATE_LIMIT)


def _forge(apify: ApifyServer, runs: Sequence[Run], chance: random.Random) -> None:
    lies = {"eventType": "ACTOR.RUN.SUCCEEDED", "resource": {"usageTotalUsd": 999, "status": "SUCCEEDED"}}
    for run in chance.sample(runs, min(10, len(runs))):
        body = {**lies, "eventData": {"actorRunId": run.id}}
        forged = apify.deliver(run.id, "ACTOR.RUN.SUCCEEDED", headers={"x-tallybook-token": "forged"}, body=body)
        assert forged.status in (401, 429), forged
        honest = apify.deliver(run.id, "ACTOR.RUN.SUCCEEDED", body=body, dispatch_id=f"too early {run.id}")
        assert honest.status == 200, "a right token with lies in the body"


def _tie_strangers(apify: ApifyServer, runs: Sequence[Run]) -> None:
    """A right token, with the id of a run that is not the one it was made for (F32)."""
    body = {"eventType": "ACTOR.RUN.SUCCEEDED", "eventData": {"actorRunId": "stranger"}}
    for run in runs:
        told = apify.deliver(run.id, "ACTOR.RUN.SUCCEEDED", body=body, dispatch_id=f"stranger {run.id}")
        assert (told.status, "refused" in told.answer) == (200, True), told


def _resurrect(apify: ApifyServer, runs: Sequence[Run], chance: random.Random) -> None:
    for run in chance.sample(runs, len(runs) // 3):
        more = {run.profiles[0]: [{"url": f"https://p.test/{run.id}/more", "text": "Said later"}]}
        apify.resurrect(run.id, more)


def _tell_again(apify: ApifyServer, runs: Sequence[Run], chance: random.Random) -> None:
    """Words that come long after, of any kind, in any order; they make up for a lost word of a resurrection."""
    for run in chance.sample(runs, len(runs)):
        event = chance.choice(("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"))
        apify.deliver(run.id, f"ACTOR.RUN.{event}", dispatch_id=f"again {run.id}")


def _under_way(street: Street) -> bool:
    statement = external_runs.select().where(external_runs.c.look_at.is_not(None))
    with street.app.database.reading() as connection:
        return connection.execute(statement).first() is not None or reads.any_due(
            street.app.database, street.app.ledger.clock()
        )


def _same_outcomes(run: Run, kinds: Mapping[str, str]) -> None:
    """As they follow from what Apify found in the first attempt, and how that ended (F29)."""
    with_posts = {lead_id_of_url(item["inputUrl"]) for item in run.items}
    nothing = "skipped(no_posts)" if run.status is Status.SUCCEEDED else _failed(run)
    for profile in run.profiles:
        lead_id = lead_id_of_url(profile)
        assert kinds[lead_id] == ("harvested" if lead_id in with_posts else nothing), (run.id, lead_id)


def _failed(run: Run) -> str:
    return f"failed({REASONS.get(run.status, 'unavailable')})"
