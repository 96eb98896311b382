"""Short ways to have the look-alike provider asked, and to hold its bill against the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from benchmarks.house import House
from tallybook.domain.lead import Lead
from tallybook.domain.run import Run
from tallybook.ledger.tables import calls
from tallybook.scorers.attempts import Patience
from tallybook.scorers.model import ModelScorer, Named
from tallybook.testing.model_server import ModelServer, Record
from tests.stories.acting import done, furnished, kinds

KEY = "sk-planted-9f31c7d2"
MODELS = {"google": "gemini-2.5-flash", "openai": "gpt-5-mini", "anthropic": "claude-haiku-4-5"}
PROVIDERS = tuple(MODELS)
QUICK = Patience(tries=4, request_timeout_s=5.0, deadline_s=20.0, backoff_s=0.01)


def scorer_of(server: ModelServer, provider: str = "google", patience: Patience = QUICK, **more: Any) -> ModelScorer:
    url = getattr(server, f"{provider}_url")
    return ModelScorer(Named(provider, MODELS[provider], KEY, url, **more), patience)


@dataclass(frozen=True)
class Call:
    """A row of the books."""

    call_id: str
    attempt: int
    result: str | None
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    cost_pico_usd: int | None

    @property
    def measured(self) -> bool:
        return self.input_tokens is not None


def calls_of(house: House, run_id: str) -> list[Call]:
    """The rows of a run, oldest first."""
    names = ("call_id", "attempt", "result", "input_tokens", "cached_tokens", "output_tokens", "cost_pico_usd")
    statement = sa.select(*(calls.c[name] for name in names)).where(calls.c.run_id == run_id)
    with house.database.reading() as connection:
        return [Call(*row) for row in connection.execute(statement.order_by(calls.c.started_at, calls.c.call_id))]


def results(house: House, run_id: str) -> list[str | None]:
    return [call.result for call in calls_of(house, run_id)]


def agree(house: House, run: Run, server: ModelServer) -> None:
    """Every request has its row and every row its request; what was measured was billed to the token, and what was
    billed and not measured is counted as unmeasured.
    """
    assert server.wait_until_idle()
    rows = {call.call_id: call for call in calls_of(house, run.run_id)}
    log = {record.call_id: record for record in server.log}
    assert rows.keys() >= log.keys()
    unsent = [rows[call_id] for call_id in rows.keys() - log.keys()]
    assert {call.result for call in unsent} <= {"not_made", "lost", "canceled"}, "a row without a request"
    for call_id, record in log.items():
        call = rows[call_id]
        if call.measured:
            assert _tokens_of_call(call) == _tokens_of_record(record), record
        else:
            cut_short = call.result in ("timeout", "canceled", "lost")
            assert record.fault or cut_short, f"{record} was answered well, and {call} does not know"
    unmeasured = [log[call.call_id] for call in rows.values() if not call.measured and call.call_id in log]
    assert _plus(run.tally.input_tokens, unmeasured, "input_tokens") == server.bill.input_tokens
    assert _plus(run.tally.cached_tokens, unmeasured, "cached_tokens") == server.bill.cached_tokens
    assert _plus(run.tally.output_tokens, unmeasured, "output_tokens") == server.bill.output_tokens
    assert run.tally.unmeasured == sum(1 for call in rows.values() if not call.measured)
    assert run.tally.calls == len(rows)


def _plus(booked: int, unmeasured: Sequence[Record], name: str) -> int:
    return booked + sum(int(getattr(record, name)) for record in unmeasured)


def _tokens_of_call(call: Call) -> tuple[int | None, ...]:
    return call.input_tokens, call.cached_tokens, call.output_tokens


def _tokens_of_record(record: Record) -> tuple[int, ...]:
    return record.input_tokens, record.cached_tokens, record.output_tokens


def lead(number: int, text: str = "") -> Lead:
    return Lead(
        f"people.test/in/{number}", headline=f"Head of logistics, site {number}", about=f"Number {number}. {text}"
    )


def leads(count: int, **texts: str) -> list[Lead]:
    """Leads 1 to *count*; `_2="poison"` gives the second one that text."""
    return [lead(number, texts.get(f"_{number}", "")) for number in range(1, count + 1)]


def furnished_with(house: House, people: Sequence[Lead], client_id: str = "acme") -> None:
    furnished(house, client_id, leads=0)
    house.clients.put_leads(client_id, list(people))


def asked_once(house: House, server: ModelServer, scorer: ModelScorer | None = None, **facts: Any) -> Run:
    """A whole run in which the server is asked; books and bill agree."""
    run = done(house, scorer=scorer or scorer_of(server), **facts)
    agree(house, run, server)
    return run


def by_number(house: House, run: Run) -> dict[int, str]:
    """What became of each lead of `leads`."""
    return {int(lead_id.rpartition("/")[2]): kind for lead_id, kind in kinds(house, run.run_id).items()}


def scored(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, "scored")


def sizes(server: ModelServer) -> list[int]:
    """How many items each request was about, in order."""
    return [len(record.item_ids) for record in server.log]
