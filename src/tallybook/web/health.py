"""Is the server alive, and does it work? For whoever watches it: no token, and nothing of what is in the books."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from tallybook.database import Database
from tallybook.domain.errors import LedgerUnavailable
from tallybook.web.house import TheHouse

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = Field(examples=["ok"])


@router.get("/healthz", summary="The process is alive")
async def healthz() -> Health:
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="It answers, reaches its database and does its work",
    responses={503: {"description": "Not yet, or no more", "model": Health}},
)
async def readyz(house: TheHouse, response: Response) -> Health:
    status = "leaving" if house.leaving else "starting" if not house.ready else await run_in_threadpool(_books, house)
    response.status_code = 200 if status == "ok" else 503
    return Health(status=status)


def _books(house: TheHouse) -> str:
    return "ok" if _readable(house.ledger.database) else "the database cannot be read"


def _readable(database: Database) -> bool:
    try:
        with database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
    except LedgerUnavailable:
        return False
    return True
