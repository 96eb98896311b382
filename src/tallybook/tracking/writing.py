"""Each verb as one piece of work on an open transaction. What is missing is created here, and marked (F05, F06)."""

import copy
from collections.abc import Callable, Mapping, Sequence

from tallybook.database import Tx, read_stamp, stamp
from tallybook.domain import runid
from tallybook.domain.errors import BadInput, InvalidRunId
from tallybook.domain.outcome import LeadId, Outcome
from tallybook.domain.run import JobType, OperationName, Status, Trigger
from tallybook.domain.tally import Usage
from tallybook.ledger.keys import ClientKey, OperationKey
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import calls, claims, events, reported
from tallybook.tracking import wording
from tallybook.tracking.saying import Answer, Plain, Saying


def write(tx: Tx, saying: Saying) -> Answer:
    """Do what *saying* says; gives what its verb returns. Raises BadInput, Conflict, NotFound."""
    tx.serialize("reports")  # programs that report on the same runs do not lock each other's rows in circles
    return _VERBS[saying.verb](tx, saying)


def replay(tx: Tx, sayings: Sequence[Saying]) -> None:
    """Do what was said earlier, as of then. Each once, however often this is tried: its key is in the books."""
    for saying in sayings:
        if events.append(tx, "replayed", f"{saying.verb} said at {saying.at}", once_key=f"spooled {saying.key}"):
            write(as_of(tx, saying.at), saying)
            if saying.verb not in _NOT_OF_A_RUN:
                reported.heard_of(tx, runid.RunId.parse(saying.run).key)


def as_of(tx: Tx, at: str) -> Tx:
    """The same transaction at the time of what was said, so that starts and ends are when they were."""
    earlier = copy.copy(tx)
    earlier.now = min(read_stamp(at) or tx.now, tx.now)
    earlier.stamp = stamp(earlier.now)
    return earlier


# -- runs --------------------------------------------------------------------------------------------------------------


def _create_job(tx: Tx, saying: Saying) -> Answer:
    run_id = claims.create_run(tx, saying.run, _job_of(saying))
    reported.set_words(tx, run_id, saying.fields, unless_created=True)
    reported.claim(tx, ClientKey(run_id, SCOPE_OF_RUN), saying.said, at_creation=True)
    return run_id


def _job_of(saying: Saying, auto_created: str | None = None) -> claims.Job:
    said = saying.fields
    started_at, stream = said.get("started_at"), said.get("stream")
    return claims.Job(
        job_type=JobType(str(said.get("job_type", JobType.SMART_RESUME))),
        stream=stream if isinstance(stream, int) else None,
        trigger=Trigger(str(said.get("triggered_by", Trigger.API))),
        started_at=str(started_at) if started_at else None,
        by=saying.site or None,
        auto_created=auto_created,
    )


def _update_job(tx: Tx, saying: Saying) -> Answer:
    key = _said_of_run(tx, saying)
    status = _status_of(saying)
    if status is not None and status.terminal:
        claims.complete_run(tx, key.run_id, status, _finish_reason_of(saying))
    elif status is not None:
        reported.set_status(tx, key, status)
    return True


def _complete_job(tx: Tx, saying: Saying) -> Answer:
    key = _said_of_run(tx, saying)
    claims.complete_run(tx, key.run_id, _ending_of(saying), _finish_reason_of(saying))
    return True


def _said_of_run(tx: Tx, saying: Saying) -> ClientKey:
    """The run, with what is said of it in the books. Made if it is new."""
    key = ClientKey(_run_of(tx, saying), SCOPE_OF_RUN)
    reported.set_words(tx, key.run_id, saying.fields)
    reported.claim(tx, key, saying.said)
    return key


def _run_of(tx: Tx, saying: Saying) -> str:
    found = claims.find(tx, saying.run)
    return found.run_id if found else claims.create_run(tx, saying.run, _job_of(saying, saying.reason))


# -- client runs -------------------------------------------------------------------------------------------------------


def _create_client_run(tx: Tx, saying: Saying) -> Answer:
    key = ClientKey(_run_of(tx, saying), _client_of(saying))
    name, started_at = saying.fields.get("client_name"), saying.fields.get("started_at")
    claims.create_client(tx, key, str(name) if name else None, started_at=str(started_at) if started_at else None)
    reported.claim(tx, key, saying.said, at_creation=True)
    return runid.label(*key)


def _client_of(saying: Saying) -> str:
    client_id = saying.client or wording.client_in(saying.run)
    if not client_id:
        raise BadInput(f"{saying.verb}: {saying.run!r} names a run but no client; give client_id", run_id=saying.run)
    return client_id


def _update_client_run(tx: Tx, saying: Saying) -> Answer:
    key = _said_of_client(tx, saying)
    status = _status_of(saying)
    if status is not None and status.terminal:
        claims.complete_client(tx, key, status, _finish_reason_of(saying))
    elif status is not None:
        reported.set_status(tx, key, status)
    return True


def _complete_client_run(tx: Tx, saying: Saying) -> Answer:
    key = _said_of_client(tx, saying)
    claims.complete_client(tx, key, _ending_of(saying), _finish_reason_of(saying))
    return True


def _said_of_client(tx: Tx, saying: Saying) -> ClientKey:
    """The client run, with what is said of it in the books. Made if it is new, and its run with it."""
    if saying.client:
        key = ClientKey(saying.run, saying.client)
        if reported.claim(tx, key, saying.said):
            return key
    key = _key_of(tx, saying)
    reported.claim(tx, key, saying.said)
    return key


def _key_of(tx: Tx, saying: Saying) -> ClientKey:
    found = claims.find(tx, saying.run)
    if found and found.client_id and saying.client in (None, found.client_id):
        return found
    key = ClientKey(_run_of(tx, saying), _client_of(saying))
    claims.create_client(tx, key, None, saying.reason)
    return key


def place_of(tx: Tx, saying: Saying) -> ClientKey | None:
    """The run or client run that *saying* speaks of, if it is in the books."""
    found = claims.find(tx, saying.run)
    if found is None or not wording.is_of_client(saying.verb):
        return found and ClientKey(found.run_id, SCOPE_OF_RUN)
    return claims.known_client(tx, ClientKey(found.run_id, saying.client or found.client_id or _client_of(saying)))


# -- rows --------------------------------------------------------------------------------------------------------------


def _record_outcome(tx: Tx, saying: Saying) -> Answer:
    facts = saying.facts
    outcome = wording.read_outcome(facts["lead_id"], facts["kind"], facts.get("reason"), _more(saying))
    return claims.record_outcome(tx, _operation_of(tx, saying), outcome)


def _record_call(tx: Tx, saying: Saying) -> Answer:
    return claims.record_call(tx, *_call_of(_operation_of(tx, saying), saying.facts))


def _call_of(key: OperationKey, facts: Mapping[str, Plain]) -> tuple[calls.Call, str, Usage]:
    names = ("input_tokens", "cached_tokens", "output_tokens", "cost_usd")
    usage = wording.read_usage(*(facts.get(name) for name in names))
    chunk = facts.get("chunk")
    call = calls.Call(
        call_id=str(facts["call_id"]),
        key=key,
        provider=str(facts["provider"]),
        model=str(facts["model"]),
        attempt=wording.read_whole("attempt", facts.get("attempt", 1)),
        chunk=str(chunk) if chunk is not None else None,
    )
    return call, str(facts["result"]), usage


def record_outcomes(tx: Tx, saying: Saying, outcomes: Sequence[Outcome]) -> frozenset[LeadId]:
    """Those that were new. *saying*: where they belong. The same as each by its own verb, in fewer statements."""
    tx.serialize("reports")
    return claims.record_outcomes(tx, _operation_of(tx, saying), outcomes)


def record_calls(tx: Tx, saying: Saying, said: Sequence[Mapping[str, Plain]]) -> frozenset[str]:
    """The ids of those that were new. *said*: as `verbs.read_call` gives it; *saying*: of which client run."""
    tx.serialize("reports")
    key = _key_of(tx, saying)
    paid = [_call_of(OperationKey(*key, OperationName(str(facts["operation"]))), facts) for facts in said]
    return claims.record_calls(tx, key, paid)


def _more(saying: Saying) -> Mapping[str, Plain]:
    more = saying.facts.get("more")
    return more if isinstance(more, dict) else {}


def _operation_of(tx: Tx, saying: Saying) -> OperationKey:
    return OperationKey(*_key_of(tx, saying), OperationName(str(saying.facts["operation"])))


# -- the rest ----------------------------------------------------------------------------------------------------------


def _reserve_run_id(tx: Tx, saying: Saying) -> Answer:
    return claims.keep_run_id(tx, saying.run)


def _note_refusal(tx: Tx, saying: Saying) -> Answer:
    """Under the run it was meant for, if there is one. *client* is set where nobody else's run is to hear of it."""
    try:
        found = claims.find(tx, saying.run)
    except InvalidRunId:
        found = None
    if found and saying.client is not None:
        found = claims.known_client(tx, ClientKey(found.run_id, saying.client))
    return reported.refused(tx, found, str(saying.facts["text"]))


def _status_of(saying: Saying) -> Status | None:
    status = saying.facts.get("status")
    return Status(str(status)) if status else None


def _ending_of(saying: Saying) -> Status | None:
    status = _status_of(saying)
    if status is not None and not status.terminal:
        raise BadInput(f"{saying.verb}: {status} is no way to end; leave the status out or name one that is")
    return status


def _finish_reason_of(saying: Saying) -> str | None:
    reason = saying.facts.get("finish_reason")
    return str(reason) if reason else None


_VERBS: Mapping[str, Callable[[Tx, Saying], Answer]] = {
    "create_job": _create_job,
    "update_job": _update_job,
    "complete_job": _complete_job,
    "create_client_run": _create_client_run,
    "update_client_run": _update_client_run,
    "complete_client_run": _complete_client_run,
    "record_outcome": _record_outcome,
    "record_call": _record_call,
    "reserve_run_id": _reserve_run_id,
    "note_refusal": _note_refusal,
}
_NOT_OF_A_RUN = ("reserve_run_id", "note_refusal")
VERBS = frozenset(_VERBS)
