"""What stands around every route: how much may be sent, and what browsers are told."""

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallybook.web.problems import problem

MOST_BYTES = 16 * 1024 * 1024
"""Of one request. A batch of 1,000 outcomes with long assessments has 3 MB."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class TooLarge(HTTPException):
    """More was sent than a request may have. Of this kind, since whoever reads a body lets no other through."""

    def __init__(self) -> None:
        detail = f"a request may have {MOST_BYTES // 1024 // 1024} MB; send the batch in parts"
        super().__init__(413, detail, {"Connection": "close"})


class Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            error = TooLarge()
            await problem(413, error.detail, error.headers)(scope, receive, send)
            return
        receive = _ahead(await receive(), receive)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, _counted(receive), send_with_headers)


def _ahead(first: Message, receive: Receive) -> Receive:
    """*first* was read before anything else was waited for: who has said all may be gone a moment later (F21)."""
    waiting = [first]

    async def receive_next() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_next


def _counted(receive: Receive) -> Receive:
    """Raises TooLarge as soon as a body without a length, or with a wrong one, has grown too large."""
    seen = 0

    async def receive_some() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise TooLarge
        return message

    return receive_some
