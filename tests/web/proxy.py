"""What stands between a reporter and the server: lets everything pass, is away, or loses answers."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")


class Proxy:
    """Speaks for the server at *target*. *loses*: how many answers are still to be lost, after the server has written
    what it was asked; *lost*: how many were.
    """

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self._away = False
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self.loses = 0
        self.lost = 0
        threading.Thread(target=self._loop.run_forever, name="tests-proxy", daemon=True).start()
        self._server = self._do(self._listen())
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def _do(self, act: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(act, self._loop).result(30)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @contextmanager
    def away(self) -> Iterator[None]:
        self._away = True
        self._do(self._hang_up())
        try:
            yield
        finally:
            self._away = False

    async def _hang_up(self) -> None:
        for each in self._open:
            each.close()

    def close(self) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    async def _stop(self) -> None:
        self._server.close()
        running = [each for each in self._tasks if each is not None]
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.close()
            return
        behind, before = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, before}
        self._tasks.add(task := asyncio.current_task())
        try:
            with suppress(OSError, asyncio.CancelledError):
                await asyncio.gather(self._asks(reader, before), self._answers(behind, writer))
        finally:
            self._open -= {writer, before}
            self._tasks.discard(task)
            writer.close()
            before.close()

    async def _asks(self, reader: asyncio.StreamReader, before: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            before.write(data)
        before.close()

    async def _answers(self, behind: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await behind.read(65536):
            if self.loses:
                self.loses -= 1
                self.lost += 1
                break
            writer.write(data)
        writer.close()
