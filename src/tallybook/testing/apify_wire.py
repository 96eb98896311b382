"""The forms in which Apify says things over HTTP."""

import gzip
import hashlib
import json
import zlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tallybook.testing.apify_posts import Item
from tallybook.testing.apify_runs import Run
from tallybook.testing.apify_webhooks import Webhook, webhook_of
from tallybook.testing.lookalike_http import Exchange, Refused, Reply, as_json

USER_ID = "lookALikeUser0001"
USER_NAME = "look-alike"
BUILD_ID, BUILD_NUMBER = "lookALikeBuild001", "1.0.1"
NO_LIMIT = 999_999_999_999
"""What Apify says when it was given none."""


# -- what is read ------------------------------------------------------------------------------------------------------


def input_of(exchange: Exchange) -> Mapping[str, Any]:
    """The input of a run, which the client may have packed. Raises Refused."""
    packed = exchange.said("content-encoding") == "gzip"
    try:
        told = json.loads((gzip.decompress(exchange.body) if packed else exchange.body) or b"{}")
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise Refused(400, "invalid-request-body", f"the body cannot be read: {error}") from None
    if not isinstance(told, dict):
        raise Refused(400, "invalid-input", "Input is not valid: it must be an object")
    return told


def webhooks_of(text: str) -> tuple[Webhook, ...]:
    """The ad-hoc webhooks of a start. Raises Refused."""
    try:
        return tuple(map(webhook_of, json.loads(b64decode(text, validate=True)))) if text else ()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Refused(400, "invalid-value", f"the webhooks cannot be read: {error!r}") from None


def number_of(query: Mapping[str, str], name: str) -> int:
    """0 when it is not there. Raises Refused."""
    said = query.get(name, "0")
    if not said.isdecimal():
        raise Refused(400, "invalid-value", f"{name} must be a whole number, not {said!r}")
    return int(said)


def actor_id_of(name: str) -> str:
    """An actor has an id beside its name of user and actor."""
    if "~" not in name and "/" not in name:
        return name
    return hashlib.sha256(name.replace("/", "~").encode()).hexdigest()[:17]


# -- what is said ------------------------------------------------------------------------------------------------------


def time_text(at: datetime | None) -> str | None:
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run_form(run: Run) -> dict[str, Any]:
    return {
        **run_row(run),
        "statusMessage": None,
        "exitCode": {"SUCCEEDED": 0, "FAILED": 1}.get(run.status),
        "stats": {"inputBodyLen": run.input_bytes, "resurrectCount": run.attempts - 1, "computeUnits": 0},
        "options": {"build": "latest", "timeoutSecs": run.timeout_s, "memoryMbytes": 1024, "diskMbytes": 2048},
    }


def run_row(run: Run) -> dict[str, Any]:
    """As a list of runs has it."""
    task = {"actorTaskId": run.task_id} if run.task_id else {}
    return {
        "id": run.id,
        "actId": run.actor_id,
        "userId": USER_ID,
        **task,
        "startedAt": time_text(run.started_at),
        "finishedAt": time_text(run.finished_at),
        "status": run.status.value,
        "meta": {"origin": run.origin},
        "buildId": BUILD_ID,
        "buildNumber": BUILD_NUMBER,
        "defaultKeyValueStoreId": f"kv{run.dataset_id[2:]}",
        "defaultDatasetId": run.dataset_id,
        "defaultRequestQueueId": f"rq{run.dataset_id[2:]}",
        "usageTotalUsd": float(run.cost),
    }


def event_values(run_id: str, run: Run | None, event: str, at: datetime) -> dict[str, Any]:
    """What the variables of a webhook's templates stand for. *run* None: there is no such run."""
    data = {"actorId": run.actor_id if run else None, "actorRunId": run_id}
    if run and run.task_id:
        data["actorTaskId"] = run.task_id
    return {
        "userId": USER_ID,
        "createdAt": time_text(at),
        "eventType": event,
        "eventData": data,
        "resource": run_form(run) if run else {"id": run_id},
    }


def data(document: object, status: int = 200) -> Reply:
    return as_json({"data": document}, status)


def runs_page(runs: Sequence[Run], query: Mapping[str, str]) -> Reply:
    wanted = query.get("status", "")
    chosen = [run for run in runs if not wanted or run.status.value in wanted.split(",")]
    descending = query.get("desc", "") in ("1", "true")
    offset, limit = number_of(query, "offset"), number_of(query, "limit") or 1000
    rows = (chosen[::-1] if descending else chosen)[offset : offset + limit]
    counts = {"total": len(chosen), "offset": offset, "limit": limit, "desc": descending, "count": len(rows)}
    return data({**counts, "items": [run_row(run) for run in rows]})


def items_page(items: Sequence[Item], query: Mapping[str, str]) -> Reply:
    """The items themselves; how many there are stands in the headers."""
    offset, limit = number_of(query, "offset"), number_of(query, "limit") or NO_LIMIT
    descending = query.get("desc", "") in ("1", "true")
    rows = list(items[::-1] if descending else items)[offset : offset + limit]
    counts = {"Total": len(items), "Offset": offset, "Count": len(rows), "Limit": limit}
    headers = [(f"X-Apify-Pagination-{name}", str(count)) for name, count in counts.items()]
    return as_json(rows, headers=(*headers, ("X-Apify-Pagination-Desc", str(descending).lower())))


def actor_form(name: str, at: datetime) -> dict[str, Any]:
    user, _, actor = name.replace("/", "~").rpartition("~")
    return {
        "id": actor_id_of(name),
        "userId": USER_ID,
        "name": actor,
        "username": user or USER_NAME,
        "isPublic": True,
        "createdAt": time_text(at),
        "modifiedAt": time_text(at),
        "stats": {},
        "versions": [],
        "defaultRunOptions": {"build": "latest", "timeoutSecs": 3600, "memoryMbytes": 1024},
    }


USER: Mapping[str, Any] = {"id": USER_ID, "username": USER_NAME, "isPaying": True}
