"""Channels that alerts go through, by Apprise: a URL each, of which nothing is ever shown but its scheme."""

import hashlib
import importlib.util
import logging
import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote, urlsplit

from tallybook.domain.alert import Sent
from tallybook.domain.errors import BadSetting

LEAST_MASKED = 3
LONGEST_ERROR = 300
MASK = "********"


class AppriseChannel:
    """One URL. *number*: its place in the settings, from 1."""

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self._number = number

    @property
    def name(self) -> str:
        return f"channel {self._number} ({urlsplit(self._url).scheme}://…)"

    @property
    def key(self) -> str:
        return hashlib.sha256(self._url.encode()).hexdigest()[:16]

    def send(self, title: str, text: str) -> Sent:
        from apprise import Apprise, LogCapture

        logging.getLogger("apprise").propagate = False  # what it logs repeats the URL
        service = Apprise()
        with LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]  # has no types
            if not service.add(self._url):
                return Sent(self.name, "it is no URL that Apprise knows: compare it with Apprise's own list")
            took = service.notify(body=text, title=title)  # raises nothing
            why = said.getvalue().strip().splitlines()
        return Sent(self.name, None if took else self._masked(why[-1] if why else "it was not taken"))

    def _masked(self, said: str) -> str:
        for part in sorted(_parts(self._url), key=len, reverse=True):
            said = said.replace(part, MASK)
        return said[:LONGEST_ERROR]


def channels_of(urls: Sequence[str]) -> Sequence[AppriseChannel]:
    """Raises BadSetting where the extra is missing."""
    if urls and importlib.util.find_spec("apprise") is None:
        raise BadSetting("alerts.urls needs an extra that is not installed: pip install 'tallybook[alerts]'")
    return [AppriseChannel(url, number) for number, url in enumerate(urls, 1)]


def _parts(url: str) -> Iterator[str]:
    """Whatever of the URL could be a secret, or lead to one: all but its scheme."""
    _, _, rest = url.partition("://")
    yield url
    for each in (rest, *re.split(r"[/:@?&=#,]+", rest)):
        for part in (each, unquote(each)):
            if len(part) >= LEAST_MASKED:
                yield part
