"""A look-alike of the paid model providers, for trying everything without an account, and for tests.

Speaks Gemini, OpenAI chat completions and Anthropic messages, on this machine only. Reads the rubric and the items out
of Tallybook's prompts and answers as a model would, or as one would not: see `Fault`. `GET /bill` gives the sums,
`GET /log` every request as a line of JSON.
"""

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import asdict

from tallybook.testing.lookalike_http import Exchange, Lookalike, Reply, as_json, as_lines
from tallybook.testing.model_anthropic import Anthropic
from tallybook.testing.model_asking import AskedAttribute, AskedItem, Question, question_of
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_google import Google
from tallybook.testing.model_log import Bill, Log, Record
from tallybook.testing.model_openai import OpenAI
from tallybook.testing.model_plan import FaultPlan, When
from tallybook.testing.model_replies import Replies
from tallybook.testing.model_wire import Prompt, Provider, Refused, Request, Tokens

__all__ = ["AskedAttribute", "AskedItem", "Bill", "Fault", "ModelServer", "Question", "Record"]

GOOGLE, OPENAI, ANTHROPIC = Google(), OpenAI(), Anthropic()
CALL_ID = "x-client-request-id"
"""The header by which a caller names a request."""


class ModelServer(Lookalike):
    """Serves while the block lasts: `with ModelServer() as server: … server.google_url …`.

    *latency_s*: how long every answer takes, but a SLOW one takes *slow_s*. *retry_after_s*: what RATE_LIMIT says.
    *thinking_tokens*: of every answer, beside its text. *drift*: the share of its range by which an item's points may
    depend on its batch mates. *chances*: of each request, by *seed*. *accepted_key*: any other is a BAD_KEY.
    *keep*: so many of the newest records, None: all. Raises OSError when *port* is taken (0: any that is free).
    """

    def __init__(
        self,
        *,
        port: int = 0,
        latency_s: float = 0.0,
        slow_s: float = 5.0,
        retry_after_s: float = 1.0,
        thinking_tokens: int = 0,
        drift: float = 0.0,
        chances: Mapping[Fault, float] | None = None,
        seed: int = 0,
        accepted_key: str | None = None,
        keep: int | None = None,
    ) -> None:
        self._latency_s = latency_s
        self._slow_s = slow_s
        self._accepted_key = accepted_key
        self._replies = Replies(retry_after_s, thinking_tokens, drift)
        self._plan = FaultPlan(chances or {}, seed)
        self._log = Log(time.monotonic, keep)
        self._numbers = itertools.count(1)
        super().__init__(port)

    # -- where it is ---------------------------------------------------------------------------------------------------

    @property
    def google_url(self) -> str:
        return self.url

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        return self.url

    # -- what is to go wrong -------------------------------------------------------------------------------------------

    def rule(self, fault: Fault, when: When, times: int | None = None) -> None:
        """Every question that *when* says yes to meets *fault*, the first *times* of them. Earlier rules go first."""
        self._plan.rule(fault, when, times)

    def marker(self, text: str, fault: Fault, times: int | None = None) -> None:
        """The rule for requests in which the text of any item contains *text*."""
        self._plan.rule(fault, lambda question: any(text in each for each in question.texts), times)

    def then(self, *faults: Fault) -> None:
        """The next requests that no rule applies to, in order."""
        self._plan.then(*faults)

    # -- what became of it ---------------------------------------------------------------------------------------------

    @property
    def log(self) -> tuple[Record, ...]:
        return self._log.records

    @property
    def bill(self) -> Bill:
        return self._log.bill

    @property
    def most_at_once(self) -> int:
        """The most requests that were ever under way together."""
        return self._log.most_at_once

    def wait_until_idle(self, timeout_s: float = 5.0) -> bool:
        """False when requests are still under way after all."""
        return self._log.wait_until_idle(timeout_s)

    # -- serving -------------------------------------------------------------------------------------------------------

    def serve_forever(self) -> None:
        """Until `close`, in another thread."""
        self._listener.serve_forever()

    def _serve(self, exchange: Exchange) -> None:
        if exchange.method == "GET" and exchange.route == "/bill":
            exchange.answer(as_json({**asdict(self.bill), "most_at_once": self.most_at_once}))
        elif exchange.method == "GET" and exchange.route == "/log":
            exchange.answer(as_lines(self.log))
        else:
            self._serve_model(exchange, provider_of(exchange.route))

    def _serve_model(self, exchange: Exchange, provider: Provider) -> None:
        number = next(self._numbers)
        try:
            prompt = prompt_of(exchange, provider)
            question = question_of(number, prompt)
        except Refused as refused:
            self._log.arrived(Question(number, provider.name, ""), exchange.said(CALL_ID), Fault.OK)
            self._send(exchange, number, provider.error(refused.status, str(refused)), None)
            return
        fault = self._fault_for(question, prompt.key)
        self._log.arrived(question, exchange.said(CALL_ID), fault)
        reply, billed = self._replies.reply(provider, prompt, question, fault, time.time())
        exchange.wait(self._slow_s if fault is Fault.SLOW else self._latency_s)
        if fault is Fault.RESET:
            self._log.answered(number, 0, billed, delivered=False)
            exchange.reset()
            return
        self._send(exchange, number, reply, billed)

    def _fault_for(self, question: Question, key: str) -> Fault:
        if self._accepted_key is not None and key != self._accepted_key:
            return Fault.BAD_KEY
        return self._plan.fault_for(question)

    def _send(self, exchange: Exchange, number: int, reply: Reply, billed: Tokens | None) -> None:
        """It is in the log before the client has it, so that who has an answer finds it there."""
        alive = not exchange.hung_up()
        self._log.answered(number, reply.status, billed, delivered=alive)
        if not alive:
            exchange.drop()
        elif not exchange.answer(reply):
            self._log.lost(number)


def provider_of(path: str) -> Provider:
    """Whose path it is, or nearly; else OpenAI's, which many imitate."""
    if path.startswith("/v1beta"):
        return GOOGLE
    return ANTHROPIC if path.startswith("/v1/messages") else OPENAI


def prompt_of(exchange: Exchange, provider: Provider) -> Prompt:
    """Raises Refused."""
    if exchange.method != "POST":
        raise Refused(404, f"there is no {exchange.method} {exchange.route} here")
    try:
        return provider.read(Request(exchange.route, exchange.said, json.loads(exchange.body)))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(400, f"the request cannot be read: {error!r}") from None
