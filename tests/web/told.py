"""What a reporter is answered over HTTP, and what is in the books then."""

from typing import Any

import httpx

from tallybook.app import App
from tests.web.scenes import of

RUN = "261123-013000"
HERE, ACME = of("runs", RUN), of("runs", RUN, "clients", "acme")
LABEL = f"{RUN}-acme"


def told(app: App) -> dict[str, Any]:
    """The run as it is in the books."""
    found = app.tracking(strict=True).get_job(RUN)
    assert found is not None
    return found


def notes(job: dict[str, Any]) -> list[str]:
    return [line[20:] for line in job["system_notes"]]


def good(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def refused(response: httpx.Response, status: int, code: str | None) -> Any:
    body = response.json()
    assert (response.status_code, body.get("code"), body["status"]) == (status, code, status), response.text
    assert response.headers["content-type"] == "application/problem+json"
    return body


def outcome(lead_id: str, kind: str = "scored", **facts: object) -> dict[str, object]:
    return {"lead_id": lead_id, "kind": kind, **facts}
