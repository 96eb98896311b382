"""What a lead is after it was told of again."""

from dataclasses import replace

from tallybook.domain.lead import Lead, Post

_TEXTS = ("profile_url", "full_name", "headline", "about", "location", "industry", "positions", "skills")


def merged(known: Lead, told: Lead) -> Lead:
    """What *told* says replaces what was known; what it leaves empty stays. Posts are added, never dropped."""
    said = {name: value for name in _TEXTS if (value := getattr(told, name))}
    return replace(known, **said, posts=merged_posts(known.posts, told.posts))


def merged_posts(known: tuple[Post, ...], told: tuple[Post, ...]) -> tuple[Post, ...]:
    """One post for each URL, the later words; what was scored stays scored, what was known is never blanked."""
    posts = {post.url: post for post in known}
    for post in told:
        posts[post.url] = _merged_post(posts[post.url], post) if post.url in posts else post
    return tuple(posts.values())


def _merged_post(known: Post, told: Post) -> Post:
    """What is left empty stays; so does a word that it is a repost, which many a source does not say."""
    return replace(
        told,
        text=told.text if told.text.strip() else known.text,
        posted_at=told.posted_at or known.posted_at,
        is_repost=told.is_repost or known.is_repost,
        scored=known.scored or told.scored,
    )
