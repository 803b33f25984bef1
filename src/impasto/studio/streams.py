"""Live events of a job as server-sent events: numbered, resumable, one stream a job, with a heartbeat.

Events are read from the table, so that it does not matter which process painted, which one answers, or how often the
line broke in between. A reader that does not read is sent away; the table waits for it.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from impasto.studio import metrics
from impasto.studio.errors import BusyError, MissingError
from impasto.studio.jobs.queue import WAIT
from impasto.studio.jobs.rows import OPEN
from impasto.studio.room import Room

LOOK_SECONDS, BEAT_SECONDS, SLOW_SECONDS = 0.2, 15.0, 10.0
"""Between looks at the table; between signs of life; that a reader may take to accept what it is sent."""


class EventStream(Response):
    """A job's events from a number on, until the job is over or the reader goes."""

    media_type = "text/event-stream"

    def __init__(self, room: Room, job: str, owner: str, after: int, places: threading.BoundedSemaphore) -> None:
        self.status_code, self.background = 200, None
        self._room, self._job, self._owner, self._after, self._places = room, job, owner, after, places
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if not self._places.acquire(blocking=False):
            raise BusyError("too many streams of events are open; mend: close one, or ask for the job itself", WAIT)
        try:
            with metrics.streams.track_inprogress():
                await self._send(receive, send)
        finally:
            self._places.release()

    async def _send(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with anyio.create_task_group() as group:
            group.start_soon(_until_gone, receive, group.cancel_scope)
            with suppress(TimeoutError):  # too slow
                with suppress(MissingError, SQLAlchemyError):  # deleted, or not to be had now
                    async for text in self._lines():
                        await asyncio.wait_for(send(_body(text)), SLOW_SECONDS)
                await asyncio.wait_for(send(_body("", more=False)), SLOW_SECONDS)
            group.cancel_scope.cancel()

    async def _lines(self) -> AsyncIterator[str]:
        said = time.monotonic()
        yield "retry: 1000\n\n"
        while not self._room.ending.is_set():
            found = await run_in_threadpool(self._news)
            for row in found or ():
                self._after = row.number
                data = row.data if row.kind != "end" else await run_in_threadpool(self._whole)
                yield _line(row.number, row.kind, data)
                if row.kind == "end":
                    return
            if found is None:
                return
            if found:
                said = time.monotonic()
            elif time.monotonic() - said >= BEAT_SECONDS:
                said = time.monotonic()
                yield ": beat\n\n"
            await asyncio.sleep(LOOK_SECONDS)

    def _news(self) -> Sequence[Row[Any]] | None:
        """Events that were not told yet; None when there can be no more."""
        row = self._room.queue.get(self._job, self._owner)
        if row.told > self._after:
            return self._room.queue.events(self._job, self._after)
        return () if row.state in OPEN else None

    def _whole(self) -> dict[str, Any]:
        told: dict[str, Any] = self._room.job(self._room.queue.get(self._job, self._owner)).model_dump(mode="json")
        return told


def _line(number: int, kind: str, data: Mapping[str, Any]) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def _body(text: str, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": text.encode(), "more_body": more}


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
