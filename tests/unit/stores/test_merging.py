"""What a lead is after it was told of again."""

from tallybook.domain.lead import Lead, Position, Post
from tallybook.stores.merging import merged, merged_posts

KNOWN = Lead("a", "x.test/in/a", "Ada", "Judge", "Long story", positions=(Position("Judge", "Court"),), skills=("law",))


def test_what_is_told_replaces_what_was_known() -> None:
    told = Lead("a", headline="Chief judge", positions=(Position("Chief judge"),))
    lead = merged(KNOWN, told)
    assert (lead.headline, lead.positions) == ("Chief judge", (Position("Chief judge"),))


def test_what_is_left_empty_stays() -> None:
    assert merged(KNOWN, Lead("a")) == KNOWN


def test_posts_are_added_and_never_dropped() -> None:
    first, second = Post("p1", "one"), Post("p2", "two")
    assert merged_posts((first,), (second,)) == (first, second)
    assert merged_posts((first,), ()) == (first,)


def test_a_post_told_again_has_the_later_words_and_stays_scored() -> None:
    known = Post("p1", "one", "2025-01-01", scored=True)
    assert merged_posts((known,), (Post("p1", "won"),)) == (Post("p1", "won", "2025-01-01", scored=True),)


def test_what_is_known_of_a_post_is_never_blanked() -> None:
    known = Post("p1", "one", "2025-01-01", is_repost=True)
    assert merged_posts((known,), (Post("p1", "  ", ""),)) == (known,)
    assert merged_posts((Post("p1", ""),), (known,)) == (known,)
