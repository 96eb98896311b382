"""What every store promises to a run (domain.ports.Store), whatever it keeps the leads in."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallybook.database import Database
from tallybook.domain.client import Client
from tallybook.domain.errors import StoreUnavailable
from tallybook.domain.lead import Lead, Post, posts_hash, profile_hash
from tallybook.domain.outcome import FailReason, Kind, LeadId, Outcome, SkipReason
from tallybook.domain.ports import Store
from tallybook.domain.rubric import Attribute, Category, Rubric, Scale
from tallybook.domain.run import OperationName
from tallybook.stores.sql import SqlClients
from tallybook.stores.tables import METADATA
from tests.stores.embedded import ACME, BOLT, harvested, lead, post, posts_scored, scored

LEAD_SCORING, POST_HARVESTING, POST_SCORING = OperationName
RUBRIC = Rubric(
    (
        Attribute("a", "Ä", Category.POSITIVE, 10.5, 2.0, phrases=("x", "ü")),
        Attribute("b", "B", Category.NEGATIVE, 5.0, disqualifying=True, scale=Scale.FIXED, instructions='Say "no"'),
    ),
    (Attribute("a", "A", Category.POSITIVE, 1.0, bonus=True, active=False),),
)


def ids(store: Store, operation: OperationName = LEAD_SCORING, limit: int = 100) -> Sequence[LeadId]:
    return [candidate.lead_id for candidate in store.candidates(operation, None, limit)]


def the_lead(store: Store, lead_id: LeadId) -> Lead:
    (found,) = store.load([lead_id])
    return found


# rubric


def test_a_client_without_a_rubric_has_an_empty_one(store: Store) -> None:
    assert store.rubric() == Rubric()


def test_a_rubric_comes_back_as_it_was_put(clients: SqlClients, store: Store) -> None:
    clients.put_rubric(ACME, RUBRIC)
    assert store.rubric() == RUBRIC


# candidates


def test_candidates_come_in_id_order_and_page_by_page(clients: SqlClients, store: Store) -> None:
    names = ["b", "a", "Z", "_", "é", "z", "ä", "10", "9", "🦉", "\uffee", "a b", "a/b", "A"]
    clients.put_leads(ACME, [lead(name) for name in names])
    assert ids(store) == sorted(names)
    pages, after = [], None
    while page := store.candidates(LEAD_SCORING, after, 4):
        pages += [candidate.lead_id for candidate in page]
        after = pages[-1]
    assert pages == sorted(names)


def test_a_lead_is_a_candidate_for_scoring_until_it_is_scored(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a"), lead("b")])
    store.save(LEAD_SCORING, [scored("a", 0.0)])
    assert ids(store) == ["b"]


@pytest.mark.parametrize("operation", [LEAD_SCORING, POST_SCORING, POST_HARVESTING])
def test_a_lead_that_failed_or_was_skipped_stays_a_candidate(
    clients: SqlClients, store: Store, operation: OperationName
) -> None:
    """F28: an attempt is not a result. Whether it is tried again is the engine's question."""
    clients.put_leads(ACME, [lead("a", post(1)), lead("b", post(2))])
    failed = Outcome.failed("a", FailReason.QUOTA)
    store.save(operation, [failed, Outcome.skipped("b", SkipReason.INSUFFICIENT_PROFILE)])
    assert ids(store, operation) == ["a", "b"]


def test_a_lead_is_a_candidate_for_post_scoring_while_it_has_posts_not_yet_scored(
    clients: SqlClients, store: Store
) -> None:
    clients.put_leads(ACME, [lead("a", post(1), post(2)), lead("b")])
    assert ids(store, POST_SCORING) == ["a"]
    store.save(POST_SCORING, [posts_scored("a", [post(1)])])
    assert ids(store, POST_SCORING) == ["a"]
    store.save(POST_SCORING, [posts_scored("a", [post(2)])])
    assert ids(store, POST_SCORING) == []
    clients.put_leads(ACME, [lead("a", post(3))])
    assert ids(store, POST_SCORING) == ["a"]


def test_a_lead_without_a_profile_url_is_no_candidate_for_harvesting(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a"), replace(lead("b"), profile_url="")])
    assert ids(store, POST_HARVESTING) == ["a"]


@pytest.mark.parametrize("operation", OperationName)
def test_a_lead_excluded_by_hand_is_no_candidate_until_it_is_let_in_again(
    clients: SqlClients, store: Store, operation: OperationName
) -> None:
    clients.put_leads(ACME, [lead("a", post(1))])
    clients.exclude(ACME, "a", True)
    assert ids(store, operation) == []
    clients.exclude(ACME, "a", False)
    assert ids(store, operation) == ["a"]


def test_the_input_hash_names_what_would_be_judged(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a", post(2), post(1), post(3))])
    store.save(POST_SCORING, [posts_scored("a", [post(3)])])
    held = the_lead(store, "a")
    unscored = tuple(each for each in held.posts if not each.scored)
    assert [each.input_hash for each in store.candidates(LEAD_SCORING, None, 9)] == [profile_hash(held)]
    assert [each.input_hash for each in store.candidates(POST_SCORING, None, 9)] == [posts_hash(unscored)]
    assert len(unscored) == 2


# load


def test_leads_are_loaded_with_their_posts_and_which_of_those_are_scored(clients: SqlClients, store: Store) -> None:
    told = lead("a", post(2), Post("https://x.test/p/1", "Passed on", "2025-09-01", is_repost=True))
    clients.put_leads(ACME, [told, lead("b")])
    store.save(POST_SCORING, [posts_scored("a", [post(2)])])
    held = {each.lead_id: each for each in store.load(["b", "a"])}
    scored_post, other = replace(post(2), scored=True), told.posts[1]
    assert held == {"a": replace(told, posts=(other, scored_post)), "b": lead("b")}


def test_a_lead_that_is_gone_is_left_out(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a")])
    assert [each.lead_id for each in store.load(["gone", "a"])] == ["a"]
    assert store.load([]) == []


def test_more_leads_are_loaded_and_saved_than_one_statement_can_name(clients: SqlClients, store: Store) -> None:
    names = [f"{number:04}" for number in range(1_201)]
    clients.put_leads(ACME, [lead(name) for name in names])
    assert sorted(each.lead_id for each in store.load(names)) == names
    store.save(LEAD_SCORING, [scored(name) for name in names])
    assert ids(store) == []


# save


def outcomes_of_all_kinds() -> Iterator[tuple[OperationName, Outcome]]:
    yield LEAD_SCORING, scored("a")
    yield LEAD_SCORING, replace(scored("a"), breakdown=None, assessment=None, excluded_by=None, flagged=True)
    yield LEAD_SCORING, Outcome.skipped("a", SkipReason.INSUFFICIENT_PROFILE)
    yield LEAD_SCORING, Outcome.failed("a", FailReason.SAFETY_BLOCK, detail="no")
    yield POST_SCORING, posts_scored("a", [post(1), post(2)])
    yield POST_SCORING, Outcome.skipped("a", SkipReason.NO_CONTENT)
    yield POST_SCORING, Outcome.failed("a", FailReason.OUTPUT_TRUNCATED)
    yield POST_HARVESTING, Outcome("a", Kind.HARVESTED, posts=2, input_hash="never")
    yield POST_HARVESTING, Outcome.skipped("a", SkipReason.NO_POSTS, input_hash="never")
    yield POST_HARVESTING, Outcome.failed("a", FailReason.UNAVAILABLE, input_hash="never")


@pytest.mark.parametrize(("operation", "outcome"), list(outcomes_of_all_kinds()))
def test_saving_twice_equals_saving_once(
    clients: SqlClients, store: Store, operation: OperationName, outcome: Outcome
) -> None:
    clients.put_leads(ACME, [lead("a", post(1), post(2), post(3))])
    store.save(operation, [outcome])
    once = clients.lead(ACME, "a")
    store.save(operation, [outcome])
    store.save(operation, [outcome, outcome])
    assert clients.lead(ACME, "a") == once


@pytest.mark.parametrize(("operation", "outcome"), list(outcomes_of_all_kinds()))
def test_an_outcome_of_a_lead_that_is_gone_is_ignored(
    clients: SqlClients, store: Store, operation: OperationName, outcome: Outcome
) -> None:
    clients.put_leads(ACME, [lead("b", post(1))])
    before = clients.leads(ACME)
    store.save(operation, [outcome])
    assert clients.leads(ACME) == before


def test_saving_nothing_does_nothing(store: Store) -> None:
    store.save(LEAD_SCORING, [])


def test_a_score_is_kept_with_all_that_was_said(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a")])
    store.save(LEAD_SCORING, [replace(scored("a", 61.25), flagged=True)])
    held = clients.lead(ACME, "a")
    assert (held.score, held.assessment, held.excluded_by, held.flagged) == (61.25, "Fits", "seniority", True)
    assert held.breakdown == scored("a").breakdown
    assert (held.score_status, held.score_reason) == ("scored", None)
    assert held.scored_at is not None


def test_a_failed_attempt_leaves_a_score_as_it_was(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a")])
    store.save(LEAD_SCORING, [scored("a")])
    before = clients.lead(ACME, "a")
    store.save(LEAD_SCORING, [Outcome.failed("a", FailReason.QUOTA)])
    assert clients.lead(ACME, "a") == before


def test_a_score_after_a_failure_clears_the_reason(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a")])
    store.save(LEAD_SCORING, [Outcome.failed("a", FailReason.QUOTA)])
    assert clients.lead(ACME, "a").score_reason == "quota"
    store.save(LEAD_SCORING, [scored("a")])
    assert clients.lead(ACME, "a").score_reason is None


def test_the_best_post_score_is_kept_whatever_comes_later(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a", post(1), post(2), post(3))])
    for number, score in ((1, 40.0), (2, 70.0), (3, 10.0)):
        store.save(POST_SCORING, [posts_scored("a", [post(number)], score)])
    held = clients.lead(ACME, "a")
    assert (held.post_score, (held.best_post or {})["url"]) == (70.0, post(2).url)
    assert all(each.scored for each in held.lead.posts)


def test_a_changed_profile_is_another_input_and_keeps_the_score(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a"), lead("b")])
    before = [each.input_hash for each in store.candidates(LEAD_SCORING, None, 9)]
    store.save(LEAD_SCORING, [scored("a")])
    clients.put_leads(ACME, [lead("a", headline="Chief judge"), lead("b", headline="Chief judge")])
    assert clients.lead(ACME, "a").score == 50.0
    assert ids(store) == ["b"]
    assert store.candidates(LEAD_SCORING, None, 9)[0].input_hash != before[1]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "🦉\udc00", "'; DROP TABLE leads; --"])
def test_what_a_model_says_is_kept_whatever_characters_it_holds(clients: SqlClients, store: Store, text: str) -> None:
    clients.put_leads(ACME, [lead("a", post(1))])
    outcome = replace(scored("a"), assessment=text, excluded_by=text, breakdown={"a": {"evidence": text}})
    store.save(LEAD_SCORING, [outcome])
    store.save(POST_SCORING, [replace(posts_scored("a", [post(1)]), best_post={"text": text})])
    assert ids(store) == ids(store, POST_SCORING) == []


AWKWARD = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")), min_size=1, max_size=20)
IDS = st.sampled_from(["it's", 'a "b"', "{x}", "back\\slash", "100%", "?", "@leads", "🦉", "שלום", "e\u0301"]) | AWKWARD


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(IDS, min_size=1, max_size=4, unique=True))
def test_any_printable_id_goes_the_whole_way(clients: SqlClients, names: list[str]) -> None:
    """F16: no filter is built from text, so no quote can hide a lead."""
    wanted = [name for name in names if name.isprintable() and name.strip()]
    store = clients.store(ACME)
    clients.put_leads(ACME, [lead(name, post(1, name)) for name in wanted])
    assert {each.lead_id for each in store.load(wanted)} == set(wanted)
    store.save(LEAD_SCORING, [replace(scored(name), assessment=name) for name in wanted])
    store.save(POST_SCORING, [posts_scored(name, [post(1, name)]) for name in wanted])
    for name in wanted:
        held = clients.lead(ACME, name)
        assert (held.assessment, held.post_score, held.lead.posts[0].text) == (name, 50.0, name)
    assert not set(wanted) & {*ids(store), *ids(store, POST_SCORING)}


# tenants


def touch_everything(store: Store) -> None:
    for operation, outcome in outcomes_of_all_kinds():
        store.candidates(operation, None, 10)
        store.save(operation, [outcome])
    store.add_posts([harvested("a", post(7))])
    store.of_profiles(["b"])
    store.load(["a", "b"])
    store.rubric()


def test_a_store_reaches_its_own_client_only(clients: SqlClients) -> None:
    """Rule 10, F32: two clients that know the same people know nothing of each other's."""
    for client_id in (ACME, BOLT):
        clients.put_leads(client_id, [lead("a", post(1), post(2))])
    clients.put_leads(BOLT, [lead("b", post(1))])
    clients.put_rubric(BOLT, RUBRIC)
    before = clients.leads(BOLT)
    touch_everything(clients.store(ACME))
    clients.exclude(ACME, "a", True)
    clients.put_leads(ACME, [lead("a", post(9), headline="Other")])
    assert clients.leads(BOLT) == before
    assert clients.store(ACME).load(["b"]) == []
    assert clients.store(ACME).rubric() == Rubric()
    assert ids(clients.store(BOLT)) == ["a", "b"]


# trouble


CALLS: Sequence[Callable[[SqlClients, Store], object]] = (
    lambda clients, store: store.rubric(),
    lambda clients, store: store.candidates(LEAD_SCORING, None, 1),
    lambda clients, store: store.load(["a"]),
    lambda clients, store: store.save(LEAD_SCORING, [scored("a")]),
    lambda clients, store: store.add_posts([harvested("a", post(1))]),
    lambda clients, store: store.of_profiles(["a"]),
    lambda clients, store: clients.of_stream(None, []),
    lambda clients, store: clients.store(ACME),
)


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_does_not_answer_says_so_and_answers_again_later(
    database_url: str, clients: SqlClients, store: Store, call: Callable[[SqlClients, Store], object]
) -> None:
    database = Database(database_url)
    METADATA.drop_all(database.engine)
    with pytest.raises(StoreUnavailable) as caught:
        call(clients, store)
    assert "\n" not in str(caught.value)
    METADATA.create_all(database.engine)
    clients.put_clients([Client(ACME, "Acme Law")])
    call(clients, store)
    database.close()
