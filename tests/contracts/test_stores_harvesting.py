"""What every store promises to runs that harvest (domain.ports.Store): inputs, late posts, whose a profile is."""

from dataclasses import replace

import pytest

from tallybook.domain.lead import Post
from tallybook.domain.outcome import FailReason, Kind, Outcome, SkipReason
from tallybook.domain.ports import Store
from tallybook.domain.run import OperationName
from tallybook.stores import sql
from tallybook.stores.rows import StoredLead
from tallybook.stores.sql import SqlClients
from tests.stores.embedded import ACME, BOLT, harvested, lead, post, posts_scored

_, POST_HARVESTING, POST_SCORING = OperationName


def test_an_answered_harvest_is_another_input_and_a_failed_one_is_not(clients: SqlClients, store: Store) -> None:
    """F29"""
    clients.put_leads(ACME, [lead("a")])

    def input_hash() -> str:
        return store.candidates(POST_HARVESTING, None, 1)[0].input_hash

    first = input_hash()
    store.save(POST_HARVESTING, [Outcome.failed("a", FailReason.TIMEOUT, input_hash=first)])
    assert input_hash() == first
    store.save(POST_HARVESTING, [Outcome.skipped("a", SkipReason.NO_POSTS, input_hash=first)])
    second = input_hash()
    assert second != first
    store.save(POST_HARVESTING, [Outcome("a", Kind.HARVESTED, posts=3, input_hash=second)])
    assert input_hash() not in (first, second)


def test_posts_that_are_added_change_nothing_but_the_posts(clients: SqlClients, store: Store) -> None:
    """F31: what comes late brings posts, and no word on how the harvest went."""
    clients.put_leads(ACME, [lead("a", post(1)), lead("b")])
    store.save(POST_HARVESTING, [Outcome.failed("a", FailReason.TIMEOUT, input_hash="never")])
    store.save(POST_SCORING, [posts_scored("a", [post(1)])])
    before = clients.lead(ACME, "a")
    late = [harvested("a", post(1, ""), post(2)), Outcome.skipped("b", SkipReason.NO_POSTS), harvested("gone", post(3))]
    for _ in range(2):
        store.add_posts(late)
        now = clients.lead(ACME, "a")
        assert now.lead.posts == (replace(post(1), scored=True), post(2))
        assert replace(now, lead=before.lead) == before
        assert clients.leads(ACME)[1:] == [StoredLead(lead("b"))]
    assert [each.lead_id for each in store.candidates(POST_SCORING, None, 9)] == ["a"]
    store.add_posts([])


def test_a_post_found_again_without_its_text_keeps_it(clients: SqlClients, store: Store) -> None:
    clients.put_leads(ACME, [lead("a", Post("p", "A long text", "2025-09-01", is_repost=True))])
    store.save(POST_HARVESTING, [harvested("a", Post("p", " "))])
    (found,) = store.load(["a"])
    assert found.posts == (Post("p", "A long text", "2025-09-01", is_repost=True),)


def test_leads_are_found_by_their_profile_however_it_is_spelled(
    clients: SqlClients, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "PAGE", 2)
    ada, bea = "https://www.people.test/in/Ada/?x=1", "people.test/in/bea"
    told = {"crm-1": ada, "crm-2": "", "crm-3": bea, "crm-4": "HTTP://people.test/in/ada#top", "crm-5": "ada"}
    clients.put_leads(ACME, [replace(lead(name), profile_url=url) for name, url in told.items()])
    clients.put_leads(BOLT, [replace(lead("other"), profile_url=ada)])
    assert store.of_profiles(["people.test/in/ada"]) == ["crm-1", "crm-4"]
    assert store.of_profiles(["ada", "people.test/in/bea", "people.test/in/bea", "nobody"]) == ["crm-3", "crm-5"]
    assert store.of_profiles([]) == []
