"""The door to a server: every verb is a request, and every answer what the ledger would have given or raised."""

import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tallybook.database import read_stamp, utc_now
from tallybook.domain.errors import LedgerUnavailable, NotFound, TallybookError
from tallybook.tracking.answers import LATER, detail_of, object_in, refusal_in, told
from tallybook.tracking.credentials import read_token, read_url
from tallybook.tracking.door import PATIENCE_S, Denied, Misreports, Stumbled
from tallybook.tracking.requests import Asked, answer_of, client_path, request_of, run_path
from tallybook.tracking.saying import Answer, Saying
from tallybook.tracking.wording import client_in

if TYPE_CHECKING:
    import httpx

PREFIX = "/api/v1"
PROBLEM = "application/problem+json"
REST_S = 5.0
"""How long a token that is good for nothing is not tried again."""
_IDLE_S = 30.0  # less than the server's patience, so that a connection is seldom closed under a request
_DENIALS, _NO_ROUTE = (401, 403), (404, 405)


class ServerDoor:
    """A `Door` to the server at *url*, as whom *token* says. Redirects are not followed: the token is for that server.

    Raises BadSetting for what is no address of a server, or no token.
    """

    together = 1

    def __init__(self, url: object, token: object, patience_s: float = PATIENCE_S) -> None:
        self.url, self._token = read_url(url), read_token(token)
        self._patience_s = patience_s
        self._left_behind: list[object] = []
        self._start_afresh()

    def __repr__(self) -> str:
        return f"ServerDoor({self.url})"

    def _start_afresh(self) -> None:
        self._lock = threading.Lock()
        self._http: httpx.Client | None = None
        self._denied: Denied | None = None
        self._denied_until = 0.0

    def after_fork(self) -> None:
        self._left_behind.append(self._http)  # its connections are the parent's, and are not to be closed here
        self._start_afresh()

    def close(self) -> None:
        """The next request opens it again."""
        with self._lock:
            http, self._http = self._http, None
        if http is not None:
            http.close()

    def now(self) -> datetime:
        return utc_now()

    # -- the verbs -----------------------------------------------------------------------------------------------------

    def write(self, saying: Saying) -> Answer:
        asked = request_of(saying)
        return answer_of(saying, self._send(asked, *asked.answers))

    def replay(self, sayings: Sequence[Saying]) -> None:
        for saying in sayings:
            read_stamp(saying.at)  # raises ValueError for a broken line: that is not for the server to say
            self.write(saying)

    def mint(self) -> str:
        return str(self._send(Asked("POST", "/run-ids"), "run_id")["run_id"])

    def exists(self, run: str, client: str | None) -> bool:
        found = self.job(run)
        name = client or _client_named(found, run)
        return name is None or any(each["client_id"] == name for each in found["clients"])

    def job(self, run: str) -> dict[str, Any]:
        return self._get(run_path(run), "run_id", "clients")

    def client_run(self, run: str, client: str | None) -> dict[str, Any]:
        name = client or _client_named(self.job(run), run)
        if name is None:
            raise NotFound(f"{run!r} names a run but no client", run_id=run)
        return self._get(client_path(run, name), "run_id", "client_id")

    def misreports(self) -> Misreports:
        """They concern every client, so a token that is bound to one does not see them."""
        try:
            seen = self._get("/tracking-status", "refused", "auto_created")
        except Denied:
            return Misreports(None, None)
        return Misreports(seen["refused"], seen["auto_created"])

    # -- requests ------------------------------------------------------------------------------------------------------

    def _get(self, path: str, *names: str) -> dict[str, Any]:
        return self._send(Asked("GET", path), *names)

    def _send(self, asked: Asked, *names: str) -> dict[str, Any]:
        """An answer that has *names*. Raises LedgerUnavailable when nobody of ours gives one, Denied, and what the
        server raised.
        """
        import httpx

        if self._denied is not None and time.monotonic() < self._denied_until:
            raise Denied(str(self._denied))
        headers, content = dict(asked.headers), None
        if asked.method != "GET":
            headers[b"Content-Type"] = b"application/json"
            content = json.dumps(asked.body, separators=(",", ":"))
        address = f"{self.url}{PREFIX}{asked.path}"
        try:
            response = self._client().request(asked.method, address, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            raise LedgerUnavailable(f"the server {self.url} does not answer: {told(error)}") from None
        answer = object_in(response.content)
        if response.is_success and answer is not None and answer.keys() >= set(names):
            self._denied = None
            return answer
        is_problem = response.is_error and response.headers.get("content-type", "").startswith(PROBLEM)
        raise self._trouble(response.status_code, answer if is_problem else None)

    def _client(self) -> "httpx.Client":
        """Made when first needed. Safe from any thread."""
        import httpx

        with self._lock:
            if self._http is None:
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=_IDLE_S)
                headers = {"Authorization": f"Bearer {self._token}", "User-Agent": "tallybook"}
                self._http = httpx.Client(headers=headers, timeout=self._patience_s, limits=limits)
            return self._http

    # -- what goes wrong -----------------------------------------------------------------------------------------------

    def _trouble(self, status: int, problem: Mapping[str, Any] | None) -> TallybookError:
        """*problem*: what a server of ours says of it."""
        if problem is None:
            return self._denial(status, "it does not say why") if status in _DENIALS else self._stranger(status)
        if status in _DENIALS:
            return self._denial(status, detail_of(problem))
        if status in _NO_ROUTE and "code" not in problem:
            return self._stranger(status)
        return refusal_in(problem, status) or _trouble_of(status)(
            f"the server {self.url} cannot take it now ({status}): {detail_of(problem)}"
        )

    def _stranger(self, status: int = 200) -> LedgerUnavailable:
        return _trouble_of(status)(
            f"what answers at {self.url} is no Tallybook of this kind ({status}); is the URL right?"
        )

    def _denial(self, status: int, why: str) -> Denied:
        denied = Denied(f"the server {self.url} does not let this token in ({status}): {why}; what is reported waits")
        if status == _DENIALS[0]:
            self._denied, self._denied_until = denied, time.monotonic() + REST_S
        return denied


def _trouble_of(status: int) -> type[LedgerUnavailable]:
    """Who is asked to come again is not to blame for it."""
    return LedgerUnavailable if status in LATER else Stumbled


def _client_named(job: Mapping[str, Any], run: str) -> str | None:
    """The client that *run* means: by its label, else by what an unknown label ends with (F04)."""
    if run == job["run_id"]:
        return None
    return next((str(each["client_id"]) for each in job["clients"] if each["label"] == run), client_in(run))
