"""One request to Airtable: in its turn, with a deadline, and what goes wrong told as ours.

pyairtable does it, without trying again of its own: it would write a row once more for every answer that is lost.
"""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tallybook.airtable.errors import (
    AirtableError,
    Cause,
    LostAnswer,
    Misconfigured,
    NotNow,
    Refusal,
    Resting,
    error_of,
    refusal_in,
    says_month_used_up,
    says_too_fast,
)
from tallybook.airtable.pacing import Pace
from tallybook.domain.errors import BadSetting

if TYPE_CHECKING:
    from pyairtable import Api
    from requests import RequestException, Response

CONNECT_S, READ_S = 5, 30
"""How long a connection, and then each piece of an answer, is waited for."""
TRIES = 3
"""Of a question that changes nothing."""
AGAIN_AFTER_S = 1.0
MASK = "********"

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Request:
    """*what*: for messages, such as "reading Leads". *path*: below the API's version. *long_path*: where a GET is
    posted to when its URL would be too long. *writes*: asking twice may not be the same as asking once.
    """

    what: str
    method: str
    path: tuple[str, ...]
    base_id: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    long_path: tuple[str, ...] = ()
    writes: bool = False


class Calls:
    """For any number of threads; each has its own connections. *patience_s*: how long one waits for its turn."""

    def __init__(
        self, token: str, endpoint_url: str, pace: Pace, patience_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        _check_token(token)
        self._token = token
        self._endpoint_url = endpoint_url.rstrip("/")
        self._pace = pace
        self._patience_s = patience_s
        self._sleep = sleep
        self._own = threading.local()

    def ask(self, request: Request, read: Callable[[Any], AnswerT]) -> AnswerT:
        """What *read* makes of the answer. Raises AirtableError. Only what changes nothing is asked again."""
        for tried in range(1, 1 if request.writes else TRIES):
            try:
                return self._ask_once(request, read)
            except Resting:
                raise
            except NotNow as error:
                if not says_too_fast(Refusal(error.status, error.kind)):  # else it is the pace that waits
                    self._sleep(AGAIN_AFTER_S * tried * (1 + random.random()))
        return self._ask_once(request, read)

    def _ask_once(self, request: Request, read: Callable[[Any], AnswerT]) -> AnswerT:
        import requests  # comes with pyairtable, of an extra

        api = self._api()  # what takes long is done before it is one's turn, or turns would be used all at once
        self._pace.wait(request.base_id, self._patience_s)
        try:
            return read(_send(api, request))
        except requests.HTTPError as error:
            raise self._refused(request, error.response) from None
        except requests.JSONDecodeError as error:
            raise _unreadable(request, error) from None
        except requests.RequestException as error:
            raise _broken(request, error) from None
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise _unreadable(request, error) from None

    def _api(self) -> "Api":
        if not hasattr(self._own, "api"):
            from pyairtable import Api  # of an extra, and slow to import

            self._own.api = Api(
                self._token, timeout=(CONNECT_S, READ_S), retry_strategy=None, endpoint_url=self._endpoint_url
            )
            self._own.api.session.max_redirects = 0  # a write that is sent elsewhere becomes a question on its way
        api: Api = self._own.api
        return api

    def _refused(self, request: Request, response: "Response | None") -> AirtableError:
        refusal = Refusal(0) if response is None else refusal_in(response)
        if says_month_used_up(refusal):
            return self._pace.used_up(request.base_id)
        safe = Refusal(refusal.status, *(text.replace(self._token, MASK) for text in (refusal.kind, refusal.words)))
        error = error_of(request.what, safe, writes=request.writes)
        if says_too_fast(refusal) and isinstance(error, NotNow):
            error.retry_after_s = self._pace.too_fast(request.base_id)
        return error


def _send(api: "Api", request: Request) -> Any:
    fallback = ("POST", api.build_url(*request.long_path)) if request.long_path else None
    return api.request(
        request.method,
        api.build_url(*request.path),
        fallback=fallback,
        options=dict(request.options),
        params=dict(request.params),
        json=None if request.json is None else dict(request.json),
    )


def _check_token(token: str) -> None:
    """What no header can carry would be repeated in the library's complaint."""
    if not re.fullmatch(r"[!-~]+", token):
        raise BadSetting("airtable.token is empty or holds characters that no token has; copy it anew from Airtable")


def _unreadable(request: Request, error: Exception) -> NotNow:
    kind: type[NotNow] = LostAnswer if request.writes else NotNow
    means = "it may have been done all the same" if request.writes else "it may work later"
    return kind(f"Airtable gave no answer of its kind when {request.what} ({type(error).__name__}); {means}")


def _broken(request: Request, error: "RequestException") -> AirtableError:
    import requests.exceptions as theirs

    if isinstance(error, theirs.InvalidURL | theirs.InvalidSchema | theirs.MissingSchema | theirs.TooManyRedirects):
        text = f"Airtable cannot be asked at all ({type(error).__name__}); {Cause.ENDPOINT}"
        return Misconfigured(text, cause=Cause.ENDPOINT)
    if not request.writes or _never_sent(error):
        return NotNow(f"Airtable did not answer when {request.what} ({type(error).__name__}); it may work later")
    text = f"the connection broke when {request.what} ({type(error).__name__})"
    return LostAnswer(f"{text}; it may have been done all the same, doing it again does no harm")


def _never_sent(error: "RequestException") -> bool:
    import requests.exceptions as theirs
    from urllib3.exceptions import NewConnectionError

    why = getattr(error.args[0], "reason", None) if error.args else None
    never = theirs.ConnectTimeout | theirs.ProxyError | theirs.SSLError
    return isinstance(error, never) or isinstance(why, NewConnectionError)
