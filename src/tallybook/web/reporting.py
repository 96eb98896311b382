"""JobTracking over HTTP: the verbs by which programs in any language report their runs."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from tallybook.database import Database, Tx
from tallybook.domain import runid
from tallybook.domain.access import Access
from tallybook.domain.client import ClientId
from tallybook.domain.errors import BadInput, Forbidden, UnknownField
from tallybook.domain.fields import storable
from tallybook.domain.outcome import Outcome
from tallybook.ledger import misreports
from tallybook.ledger.tables import SCOPE_OF_RUN
from tallybook.ledger.write import starts
from tallybook.ledger.write.keyed import Answer, Answered
from tallybook.tracking import verbs, wording, writing
from tallybook.tracking.saying import Plain, Saying
from tallybook.web import reporting_models as models
from tallybook.web.guard import Reader, Reporter, refuse_bound, refuse_other_tenant
from tallybook.web.house import house_of
from tallybook.web.paths import ClientIdInPath, RunIdInPath
from tallybook.web.problems import BadItems, Trouble, documented
from tallybook.web.quick import QuickRoute
from tallybook.web.reading import ETAG_SAYS, answer
from tallybook.web.telling import HEADERS, KEY_HEADER, RESERVES, Telling

router = APIRouter(prefix="/api/v1", tags=["reporting"], route_class=QuickRoute)

T = TypeVar("T")
Handler = TypeVar("Handler", bound=Callable[..., Any])
Item = Mapping[str, Any]
A_RUN = "a run as a whole"
OF_CLIENT = "/runs/{run_id}/clients/{client_id}"
WRITES: dict[int | str, dict[str, Any]] = documented(409, 413)


def _verb(
    route: Callable[..., Callable[[Handler], Handler]],
    path: str,
    does: str,
    gives: type[BaseModel],
    *,
    new: bool = False,
) -> Callable[[Handler], Handler]:
    """A route that takes one verb, with the headers that all of them may have. *new*: what it makes is answered with
    201 the first time.
    """
    made: dict[int | str, dict[str, Any]] = {201: {"description": "It is new", "model": gives}} if new else {}
    return route(path, summary=does, response_model=gives, responses=WRITES | made, openapi_extra=HEADERS)


# -- runs --------------------------------------------------------------------------------------------------------------


@router.post(
    "/run-ids",
    summary="Reserve a run id",
    status_code=201,
    response_model=models.RunNamed,
    responses={**WRITES, 200: {"description": "It was reserved before", "model": models.RunNamed}},
    openapi_extra=KEY_HEADER,
)
async def reserve_run_id(request: Request, access: Reporter, body: models.RunIdAsked | None = None) -> Response:
    """A new one, which nobody else gets; or one that you made yourself while the server was away."""
    refuse_bound(access, A_RUN)
    said = body or {}
    telling = Telling(request, access, RESERVES, str(said.get("run_id") or ""), None, said)
    style = house_of(request).app.run_id_style

    def write(tx: Tx, run_id: str | None) -> Answer:
        if run_id is None:
            return {"run_id": starts.reserve_run_id(tx, style), "created": True}
        return {"run_id": run_id, "created": writing.write(tx, Saying(RESERVES, run_id))}

    answered = await telling.book(lambda _site: _run_id_asked(telling.body), write)
    return _told(answered, {"run_id": answered.answer["run_id"]})


def _run_id_asked(body: Item) -> str | None:
    _refuse_unknown(body, "run_id")
    asked = body.get("run_id")
    return None if asked is None else runid.RunId.parse(asked).key


@_verb(router.put, "/runs/{run_id}", "Create a reported run", models.RunBooked, new=True)
async def create_run(
    request: Request, access: Reporter, run_id: RunIdInPath, body: models.Fields | None = None
) -> Response:
    """No work is started. Of a run that is in the books already only what nobody has said yet is added."""
    return await _say(_of_run(request, access, "create_job", run_id, body))


@_verb(router.patch, "/runs/{run_id}", "Report on a run", models.RunNamed)
async def update_run(
    request: Request, access: Reporter, run_id: RunIdInPath, body: models.Fields | None = None
) -> Response:
    """Sums and statuses are claims: the last one counts. Notes and errors are added. A run that is missing is made."""
    return await _say(_of_run(request, access, "update_job", run_id, body))


@_verb(router.post, "/runs/{run_id}:complete", "Complete a reported run", models.RunNamed)
async def complete_run(
    request: Request, access: Reporter, run_id: RunIdInPath, body: models.Ending | None = None
) -> Response:
    """It ends now, or with the last of its client runs. Its status is derived unless claimed. Again: nothing; another
    status than before: 409.
    """
    return await _say(_of_run(request, access, "complete_job", run_id, body))


def _of_run(request: Request, access: Access, verb: str, run_id: str, body: Item | None) -> Telling:
    refuse_bound(access, A_RUN)
    return Telling(request, access, verb, run_id, None, body or {})


# -- client runs -------------------------------------------------------------------------------------------------------


@_verb(router.put, OF_CLIENT, "Create one client's part of a reported run", models.ClientRunBooked, new=True)
async def create_client_run(
    request: Request,
    access: Reporter,
    run_id: RunIdInPath,
    client_id: ClientIdInPath,
    body: models.Fields | None = None,
) -> Response:
    """A run that is missing is made, and marked as made so."""
    return await _say(_of_client(request, access, "create_client_run", (run_id, client_id), body))


@_verb(router.patch, OF_CLIENT, "Report on one client's part of a run", models.ClientRunNamed)
async def update_client_run(
    request: Request,
    access: Reporter,
    run_id: RunIdInPath,
    client_id: ClientIdInPath,
    body: models.Fields | None = None,
) -> Response:
    """Sums and statuses are claims: the last one counts. Notes and errors are added. What is missing is made."""
    return await _say(_of_client(request, access, "update_client_run", (run_id, client_id), body))


@_verb(router.post, OF_CLIENT + ":complete", "Complete one client's part of a reported run", models.ClientRunNamed)
async def complete_client_run(
    request: Request,
    access: Reporter,
    run_id: RunIdInPath,
    client_id: ClientIdInPath,
    body: models.Ending | None = None,
) -> Response:
    """Its status comes from its rows, or the claim, or the claimed sums, in this order. Again: nothing; another status
    than before: 409.
    """
    return await _say(_of_client(request, access, "complete_client_run", (run_id, client_id), body))


def _of_client(request: Request, access: Access, verb: str, names: tuple[str, ClientId], body: Item | None) -> Telling:
    return Telling(request, access, verb, names[0], _client_meant(access, *names), body or {})


def _client_meant(access: Access, run_id: str, client_id: ClientId) -> ClientId | None:
    """None: the one whose label stands in both places. Raises Forbidden, InvalidRunId."""
    if client_id != run_id:
        refuse_other_tenant(access, client_id)
        return client_id
    own = access.client_id
    if (
        own is not None
        and run_id != runid.label(runid.RunId.parse(run_id).key, own)
        and wording.client_in(run_id) != own
    ):
        raise Forbidden("this token is bound to another client")
    return own


# -- rows --------------------------------------------------------------------------------------------------------------


@_verb(router.post, OF_CLIENT + "/outcomes", "Book what became of leads", models.Booked)
async def record_outcomes(
    request: Request, access: Reporter, run_id: RunIdInPath, client_id: ClientIdInPath, body: models.Outcomes
) -> Response:
    """All of them or, where one is refused, none. A lead has one outcome per operation of a run: the first stays."""
    telling = _of_client(request, access, verbs.OUTCOME, (run_id, client_id), body)
    answered = await telling.book(lambda site: _read_outcomes(telling, site), _write_outcomes)
    return _told_items(answered, [each["lead_id"] for each in body["items"]])


def _read_outcomes(telling: Telling, site: str) -> tuple[Saying, list[Outcome]]:
    items = _items_of(telling.body, "operation", "items")
    operation = telling.body.get("operation")
    saying = verbs.of_operation(telling.verb, telling.run_id, telling.client_id, operation, site)
    return saying, _read_all(items, verbs.read_outcome, verbs.fault_in_outcome)


def _write_outcomes(tx: Tx, words: tuple[Saying, list[Outcome]]) -> Answer:
    saying, outcomes = words
    return _flags([each.lead_id for each in outcomes], writing.record_outcomes(tx, saying, outcomes))


@_verb(router.post, OF_CLIENT + "/calls", "Book paid calls that are over", models.Booked)
async def record_calls(
    request: Request, access: Reporter, run_id: RunIdInPath, client_id: ClientIdInPath, body: models.Calls
) -> Response:
    """All of them or, where one is refused, none. A call's id is unique over all runs: the first stays. Tokens and cost
    that are left out are unknown, which is not 0.
    """
    telling = _of_client(request, access, verbs.CALL, (run_id, client_id), body)
    answered = await telling.book(lambda site: _read_calls(telling, site), _write_calls)
    return _told_items(answered, [each["call_id"] for each in body["items"]])


PaidCalls = Sequence[Mapping[str, Plain]]


def _read_calls(telling: Telling, site: str) -> tuple[Saying, PaidCalls]:
    items = _items_of(telling.body, "items")
    saying = verbs.of_client(telling.verb, telling.run_id, telling.client_id, site)
    return saying, _read_all(items, verbs.read_call, verbs.fault_in_call)


def _write_calls(tx: Tx, words: tuple[Saying, PaidCalls]) -> Answer:
    saying, paid = words
    return _flags([str(each["call_id"]) for each in paid], writing.record_calls(tx, saying, paid))


def _items_of(body: Item, *known: str) -> Sequence[object]:
    """Raises BadInput for what is no batch."""
    _refuse_unknown(body, *known)
    items = body.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= models.MOST_ITEMS:
        raise BadInput(f"items is a list of 1 to {models.MOST_ITEMS:,} objects")
    return items


def _refuse_unknown(body: Item, *known: str) -> None:
    for name in body:
        if name not in known:
            raise UnknownField(f"{name!r} is no field; known fields: {', '.join(known)}")


def _read_all(items: Sequence[object], read: Callable[[Item], T], fault_in: Callable[[Item], str | None]) -> list[T]:
    """Raises BadItems, naming all that cannot be read."""
    found: list[T] = []
    troubles: list[Trouble] = []
    for number, item in enumerate(items):
        try:
            found.append(read(item if isinstance(item, dict) else {}))
        except BadInput as error:
            fault = fault_in(item) if isinstance(item, dict) else None
            troubles.append(Trouble(where=f"items.{number}" + (f".{fault}" if fault else ""), what=str(error)))
    if troubles:
        first = troubles[0]
        many = f"{len(troubles)} of {len(items)} items are off, so none was booked"
        raise BadItems(f"{many}; {first.where}: {first.what}", troubles)
    return found


def _flags(ids: Sequence[str], new: Collection[str]) -> Answer:
    """Which of the items were new, a digit each: short enough to be kept under a key."""
    left = set(new)
    digits = []
    for each in ids:
        digits.append("1" if each in left else "0")
        left.discard(each)
    return {"new": "".join(digits)}


def _told_items(answered: Answered, ids: Sequence[str]) -> Response:
    flags = answered.answer["new"]
    sides = {side: [each for each, flag in zip(ids, flags, strict=True) if flag == digit] for side, digit in _SIDES}
    return _told(answered, sides)


_SIDES = (("new", "1"), ("known", "0"))


# -- what went wrong ---------------------------------------------------------------------------------------------------


@_verb(router.post, "/refusals", "Note that a verb was refused before it was sent", models.RefusalNoted)
async def note_refusal(request: Request, access: Reporter, body: models.Refusal) -> Response:
    """For reporters that check their words themselves. Kept once per text and run, and shown with the others."""
    run_id = body.get("run_id")
    telling = Telling(request, access, "note_refusal", run_id if isinstance(run_id, str) else "", None, body)

    def read(_site: str) -> Saying:
        return Saying("note_refusal", telling.run_id, access.client_id, facts={"text": _text_of(body)})

    answered = await telling.book(read, lambda tx, saying: {"new": writing.write(tx, saying)})
    return _told(answered, answered.answer)


def _text_of(body: Item) -> str:
    _refuse_unknown(body, "run_id", "text")
    text = body.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= models.LONGEST_TEXT:
        raise BadInput(f"text is 1 to {models.LONGEST_TEXT:,} characters")
    return storable(text)


@router.get(
    "/tracking-status",
    summary="What reporters got wrong, counted from the books",
    response_model=models.TrackingStatus,
    responses=documented() | ETAG_SAYS,
)
async def tracking_status(request: Request, access: Reader) -> Response:
    refuse_bound(access, "what reporters got wrong")
    return answer(request, await run_in_threadpool(_misreports, house_of(request).ledger.database))


def _misreports(database: Database) -> Mapping[str, Mapping[str, int]]:
    return {"refused": misreports.refusals(database), "auto_created": misreports.auto_created(database)}


# -- saying and telling ------------------------------------------------------------------------------------------------


async def _say(telling: Telling) -> Response:
    """A verb that creates, updates or completes."""
    answered = await telling.book(
        lambda site: verbs.say(telling.verb, telling.run_id, telling.client_id, telling.body, site), _write
    )
    return _told(answered, answered.answer)


def _write(tx: Tx, saying: Saying) -> Answer:
    creates = saying.verb in ("create_job", "create_client_run")
    created = {"created": writing.place_of(tx, saying) is None} if creates else {}
    writing.write(tx, saying)
    run_id, client_id = _place_of(tx, saying)
    if client_id == SCOPE_OF_RUN:
        return {"run_id": run_id, **created}
    return {"run_id": run_id, "client_id": client_id, "label": runid.label(run_id, client_id), **created}


def _place_of(tx: Tx, saying: Saying) -> tuple[str, ClientId]:
    """What was just written; looked up where it was called by its label."""
    found = None if len(saying.run) == runid.KEY_LENGTH else writing.place_of(tx, saying)
    return found or (saying.run, saying.client or SCOPE_OF_RUN)


def _told(answered: Answered, body: Mapping[str, Any]) -> Response:
    if answered.replayed:
        return JSONResponse(body, 200, {"Idempotent-Replayed": "true"})
    return JSONResponse(body, 201 if answered.answer.get("created") else 200)
