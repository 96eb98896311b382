"""Posts in a file: a list in a cell of a lead, or a JSON object of lists keyed by profile URL."""

from collections.abc import Iterable, Iterator, Sequence

from tallybook.domain.errors import BadInput
from tallybook.domain.lead import Post
from tallybook.stores.cells import blank, fields_of, flag_of, folded, list_of
from tallybook.stores.json_rows import Part, is_whole, members
from tallybook.stores.merging import merged_posts
from tallybook.stores.tabular import BadRow

_URL = tuple(map(folded, ("url", "post_url")))
_TEXT = tuple(map(folded, ("text", "content", "post_content")))
_POSTED_AT = tuple(map(folded, ("posted_at", "date", "post_date")))
_IS_REPOST = tuple(map(folded, ("is_repost", "repost")))


def posts_in(cell: object, line: int, *, wordless: bool = False) -> tuple[tuple[Post, ...], Sequence[BadRow]]:
    """The posts of one lead, one for each URL, and what was wrong with others. *cell*: a list, or JSON text of one.
    *wordless*: a post without text is one too, as those are that were harvested.
    """
    if blank(cell):
        return (), ()
    try:
        read = list(_each_read(list_of(cell, "posts"), line, wordless))
    except BadInput as error:
        return (), [BadRow(line, str(error))]
    bad = [each for each in read if isinstance(each, BadRow)]
    return merged_posts((), tuple(each for each in read if isinstance(each, Post))), bad


def lists_by_url(text: str) -> Sequence[Part]:
    """The members of a JSON object keyed by profile URL; none when *text* is something else."""
    if not text.lstrip().startswith("{") or not is_whole(text):
        return []
    parts = list(members(text))
    return parts if any(isinstance(part.value, list) and _like_url(part.key) for part in parts) else []


def _like_url(key: str) -> bool:
    return "/" in key or "." in key


def _each_read(told: Iterable[object], line: int, wordless: bool) -> Iterator[Post | BadRow]:
    for number, each in enumerate(told, start=1):
        try:
            post = _post_of(each, wordless)
        except BadInput as error:
            yield BadRow(line, f"post {number}: {error}")
        else:
            yield post


def _post_of(told: object, wordless: bool) -> Post:
    fields = fields_of(told, "a post")
    url = fields.text(_URL, "url")
    text = fields.text(_TEXT, "text", long=True)
    if not url or not (text or wordless):
        raise BadInput("no text" if url else "no url")
    is_repost = fields.value(_IS_REPOST)
    return Post(
        url=url,
        text=text,
        posted_at=fields.text(_POSTED_AT, "posted_at") or None,
        is_repost=False if is_repost is None else flag_of(is_repost, "is_repost"),
    )
