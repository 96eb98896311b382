"""What the provider makes of a question: the reply, and what it bills for."""

import hashlib
import secrets
import threading
from dataclasses import dataclass, field

from tallybook.testing.lookalike_http import Reply, page
from tallybook.testing.model_answers import said
from tallybook.testing.model_asking import Question
from tallybook.testing.model_faults import Fault
from tallybook.testing.model_wire import Answer, Prompt, Provider, Tokens, tokens_in


class PrefixCache:
    """Remembers which instructions the model has read before, for each key apart."""

    def __init__(self) -> None:
        self._read: set[bytes] = set()
        self._secret = secrets.token_bytes(16)  # so that no key could be found out from what is kept
        self._lock = threading.Lock()

    def has_read(self, prompt: Prompt) -> bool:
        """And it has now."""
        text = f"{prompt.provider}\0{prompt.key}\0{prompt.system}".encode("utf-8", "surrogatepass")
        mark = hashlib.blake2b(text, key=self._secret, digest_size=16).digest()
        with self._lock:
            before = mark in self._read
            self._read.add(mark)
        return before


@dataclass(frozen=True, slots=True)
class Replies:
    """See `ModelServer` for the options."""

    retry_after_s: float
    thinking_tokens: int
    drift: float
    cache: PrefixCache = field(default_factory=PrefixCache)

    def reply(
        self, provider: Provider, prompt: Prompt, question: Question, fault: Fault, at_s: float
    ) -> tuple[Reply, Tokens | None]:
        """The reply, and what is billed for it: nothing where the model was not asked."""
        if fault is Fault.BAD_GATEWAY:
            return page(502), None
        refusal = provider.refuse(fault, prompt.model, self.retry_after_s)
        if refusal is not None:
            return refusal, None
        return self._answer(provider, prompt, question, fault, at_s)

    def _answer(
        self, provider: Provider, prompt: Prompt, question: Question, fault: Fault, at_s: float
    ) -> tuple[Reply, Tokens]:
        words = said(question, fault, self.drift)
        tokens = self._tokens(prompt, words.text, self.thinking_tokens if words.thought else 0)
        if fault is Fault.HTML:
            return page(200), tokens
        told = None if fault is Fault.NO_USAGE else tokens
        answer = Answer(question.number, prompt.model, words.text, words.finish, told, at_s, prompt.stream)
        return provider.say(answer), tokens

    def _tokens(self, prompt: Prompt, text: str, thinking: int) -> Tokens:
        return Tokens(
            input=tokens_in(prompt.system, *prompt.user),
            cached=tokens_in(prompt.system) if self.cache.has_read(prompt) else 0,
            output=tokens_in(text) + thinking,
            thinking=thinking,
        )
