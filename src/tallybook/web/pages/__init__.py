"""The pages that people look at: drawn here, live, the same words as in the terminal. Each file is a page or two."""

from fastapi import APIRouter

from tallybook.web.pages import alerts, clients, doctor, inbox, now, outside, run, runs, signing_in, tokens, usage
from tallybook.web.pages.signing_in import PUBLIC

__all__ = ["PUBLIC", "router"]

router = APIRouter()
for _each in (signing_in, now, runs, run, clients, usage, outside, inbox, alerts, doctor, tokens):
    router.routes.extend(_each.router.routes)
