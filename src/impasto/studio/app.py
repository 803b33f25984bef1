"""The application: API, page and guard put together, and the chores that run beside them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from impasto.errors import ImpastoError
from impasto.studio import logs, metrics
from impasto.studio.api import router
from impasto.studio.description import describe
from impasto.studio.errors import AwayError, BusyError, ConflictError, KindError, MissingError, TooLargeError
from impasto.studio.guard import Guard, Rules, with_headers
from impasto.studio.jobs.database import full
from impasto.studio.jobs.retention import tidy
from impasto.studio.orders import without_flags
from impasto.studio.room import Room

PAGE = Path(__file__).parent / "page"
TIDY_SECONDS, SOON_SECONDS = 600.0, 5.0
"""Between two rounds of throwing away, and between two where more comes in than may be kept."""

SWITCH_SECONDS = 0.0005
"""That a thread computes before another may: an answer changes threads often, and waits as long each time."""

CODES: dict[type[ImpastoError], int] = {
    MissingError: 404, ConflictError: 409, TooLargeError: 413, KindError: 415, BusyError: 429, AwayError: 503,
    ImpastoError: 422,
}  # fmt: skip

log = logs.get("app")


def make_app(room: Room, *, hosts: tuple[str, ...]) -> FastAPI:
    """The studio as an ASGI application.

    Args:
        room: what it works with; closed when the application ends.
        hosts: names under which it answers, without ports.
    """
    app = FastAPI(
        title="Impasto studio", version=version("impasto"), lifespan=_lifespan, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json", summary="Paint one picture in the style of another.",
    )  # fmt: skip
    app.state.room, app.state.streams = room, threading.BoundedSemaphore(room.limits.streams)
    app.include_router(router)
    _add_signs(app)
    _add_troubles(app)
    describe(app)
    app.add_middleware(Guard, rules=Rules(hosts, room.tokens, room.limits, partial(_arrival, room)))
    app.add_middleware(Count)  # stands before the guard, whose refusals count too
    home = {"methods": ["GET", "HEAD"], "include_in_schema": False}
    app.add_api_route("/", lambda: FileResponse(PAGE / "index.html"), **home)  # type: ignore[arg-type]
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    return app


@contextmanager
def _arrival(room: Room, size: int) -> Iterator[None]:
    with ExitStack() as inside:
        with metrics.refusing():
            inside.enter_context(room.arrival(size))
        yield


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    room: Room = app.state.room
    sys.setswitchinterval(SWITCH_SECONDS)
    chores = asyncio.create_task(_chores(room))
    try:
        yield
    finally:
        chores.cancel()
        with suppress(asyncio.CancelledError):
            await chores
        await run_in_threadpool(room.close)


async def _chores(room: Room) -> None:
    """Throws away what is too old or too much, now and then, and soon after an upload that is more than may be kept."""
    while True:
        end = time.monotonic() + TIDY_SECONDS
        try:
            await run_in_threadpool(_tidy, room)
        except Exception:
            log.exception("retention")
        await asyncio.sleep(SOON_SECONDS)
        while time.monotonic() < end and not room.fill.over:
            await asyncio.sleep(min(1.0, SOON_SECONDS))


def _tidy(room: Room) -> None:
    tidy(room.database, room.store, keep_seconds=room.keep_seconds, keep_bytes=room.limits.keep_bytes)
    room.fill.count(room.store)


def _add_signs(app: FastAPI) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @app.get("/readyz", include_in_schema=False)
    def readyz(request: Request) -> Response:
        room: Room = request.app.state.room
        try:
            troubles = [] if room.queue.alive() else ["no worker is at work"]
        except SQLAlchemyError:
            troubles = ["the database does not answer"]
        if room.free_disk is not None and room.free_disk < room.limits.disk_bytes:
            troubles.append("the disk is nearly full")
        return JSONResponse({"ready": not troubles, "troubles": troubles}, 503 if troubles else 200)

    @app.get("/metrics", include_in_schema=False)
    def figures(request: Request) -> PlainTextResponse:
        return PlainTextResponse(metrics.text(request.app.state.room), media_type="text/plain; version=0.0.4")


def _add_troubles(app: FastAPI) -> None:
    @app.exception_handler(ImpastoError)
    def refused(_: Request, error: ImpastoError) -> JSONResponse:
        code = next(code for kind, code in CODES.items() if isinstance(error, kind))
        headers = {"retry-after": str(error.retry_after)} if isinstance(error, BusyError) else None
        if isinstance(error, AwayError):
            log.error("store", exc_info=error.__cause__ or error)
            headers = {"retry-after": "5"}
        return trouble(code, without_flags(str(error)), headers)

    @app.exception_handler(RequestValidationError)
    def unfit(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return trouble(400, 'the request is no JSON; mend: quote names and words with "')
        where = ".".join(str(part) for part in first["loc"][1:] if isinstance(part, str | int))[:80]
        return trouble(422, f"{where or 'the request'}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def other(_: Request, error: HTTPException) -> JSONResponse:
        return trouble(error.status_code, str(error.detail).lower(), dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    def unreachable(_: Request, error: SQLAlchemyError) -> JSONResponse:
        log.error("database", exc_info=error)
        why = "is full; mend: make room" if full(error) else "does not answer; mend: try again"
        return trouble(503, f"the database {why}", {"retry-after": "5"})


class Count:
    """Counts and times each answer, by its route; a fault of ours is logged and told in one line. Plain ASGI."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                path = getattr(scope.get("route"), "path", "none")
                metrics.answered(path, scope["method"], status, time.perf_counter() - start)
            await send(message)

        try:
            await self._app(scope, receive, with_headers(note))
        except Exception:
            log.exception("fault")
            if not status:
                await trouble(500, "this is a fault of the studio; mend: report it")(scope, receive, with_headers(note))


def trouble(code: int, error: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer that says in one line what went wrong."""
    line = " ".join(error.split())[:400].encode("utf-8", "replace").decode()
    return JSONResponse({"error": line}, code, headers)
