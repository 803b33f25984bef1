"""The HTTP API: what can be asked, and what is answered. What it all means is in `room.py` and `jobs/`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from functools import partial, wraps
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, cast
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Form, Header, Query, Request, Response, UploadFile
from fastapi import Path as InPath
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse

from impasto.errors import OptionError
from impasto.studio import logs, metrics
from impasto.studio.errors import KindError, MissingError, TooLargeError
from impasto.studio.gallery import built_in, built_in_thumbnail
from impasto.studio.live import FORMATS
from impasto.studio.orders import Order, check, check_work, guest_methods
from impasto.studio.room import Room
from impasto.studio.schemas import (
    FastIn,
    Id,
    JobIn,
    JobOut,
    MethodOut,
    PictureKind,
    PictureOut,
    State,
    StyleOut,
    Trouble,
    method_out,
)
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file
from impasto.studio.streams import EventStream

FOREVER = {"cache-control": "private, max-age=31536000, immutable"}
"""What an id stands for never changes."""

INLINE = {"content-disposition": "inline"}
"""Of what the page shows: pictures by their fixed type and nothing else, as `nosniff` says with every answer."""

TROUBLES: dict[int | str, dict[str, Any]] = {
    code: {"model": Trouble, "description": text}
    for code, text in {
        400: "the request cannot be read", 401: "a token is needed", 403: "the request came from another page",
        404: "there is none of that name", 409: "not in its present state", 413: "too many bytes",
        415: "no picture of a kind that is taken", 421: "the studio has no such name",
        422: "something in it does not fit", 429: "too much at once; see Retry-After", 503: "not ready",
    }.items()
}  # fmt: skip

FIELDS, FIELD_BYTES = 4, 64_000
"""Of a form, besides its one file, and of each of them."""

_TOO_LARGE = re.compile("(part|field) exceeded|too many f", re.I)  # as Starlette says it, with the code of any bad form

_TOO_MUCH = f"the form is too large; mend: one file, and at most {FIELDS} fields of {FIELD_BYTES} bytes"


class _Bounded(Request):
    """A request whose form is read only as far as ours go: that happens before anything in it is looked at."""

    def form(self, *, max_files: float = 1, max_fields: float = FIELDS, max_part_size: int = FIELD_BYTES) -> Any:
        return super().form(max_files=max_files, max_fields=max_fields, max_part_size=max_part_size)


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            try:
                return await handle(_Bounded(request.scope, request.receive))
            except HTTPException as error:
                if error.status_code == 400 and _TOO_LARGE.match(str(error.detail)):
                    raise TooLargeError(_TOO_MUCH) from None
                raise

        return bounded


log = logs.get("api")

_P = ParamSpec("_P")
_T = TypeVar("_T")

router = APIRouter(prefix="/api", responses=TROUBLES, route_class=_Route)

PathId = Annotated[Id, InPath()]
Limit = Annotated[int, Query(ge=1, le=500)]
Image = Response
JPEG, PNG = "image/jpeg", "image/png"
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {PNG: {}}, "description": "the picture"}}
_SMALL: dict[int | str, dict[str, Any]] = {200: {"content": {JPEG: {}}, "description": "the picture, small"}}


def _room(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


def _owner(request: Request) -> str:
    owner: str = request.state.owner
    return owner


def _writes(answer: Callable[_P, _T]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Answers on a thread of those that write: they wait for each other, and keep no reader waiting."""

    @wraps(answer)
    async def wait(*words: _P.args, **told: _P.kwargs) -> _T:
        room = _room(cast("Request", told["request"]))
        return await to_thread.run_sync(partial(answer, *words, **told), limiter=room.writers)

    return wait


# What there is


@router.get("/methods")
def methods() -> list[MethodOut]:
    """The ways of painting, each with the schema of its options."""
    return [method_out(method) for method in guest_methods()]


@router.get("/limits")
def limits(request: Request) -> dict[str, float | bool]:
    """What the studio takes, holds and waits for, and whether it is `local`: keeps everything on its own machine."""
    room = _room(request)
    return {**room.limits.to_dict(), "keep_seconds": room.keep_seconds, "local": room.local}


@router.get("/styles")
def styles(request: Request) -> list[StyleOut]:
    """Paintings to choose from: the built-in ones, then your own."""
    return _room(request).styles(_owner(request))


StyleName = Annotated[str, InPath(pattern=r"^[a-z0-9-]{1,40}$")]


@router.get("/styles/{name}/file", response_class=Image, responses=_SMALL)
def style_file(name: StyleName) -> Response:
    """A built-in painting."""
    if name not in built_in():
        raise MissingError("there is no such style")
    return Response(built_in()[name].path.read_bytes(), media_type=JPEG, headers=FOREVER | INLINE)


@router.get("/styles/{name}/thumbnail", response_class=Image, responses=_SMALL)
def style_thumbnail(name: StyleName) -> Response:
    """A built-in painting, small."""
    return Response(built_in_thumbnail(name), media_type=JPEG, headers=FOREVER | INLINE)


# Pictures


@router.post("/pictures", status_code=201)
async def upload(request: Request, file: UploadFile, kind: Annotated[PictureKind, Form()] = "photo") -> PictureOut:
    """Uploads a photo, a painting or a mask: JPEG, PNG, WebP, AVIF, TIFF or HEIC.

    It is decoded by a process of its own and kept as PNG, without the places and serial numbers that cameras note.
    """
    room, owner = _room(request), _owner(request)
    with metrics.decoding(), room.decoders.place():  # whoever has none is sent away before his file is looked at
        data = await file.read(room.limits.upload_bytes + 1)
        if len(data) > room.limits.upload_bytes:
            raise TooLargeError(f"the picture has more than {room.limits.upload_bytes} bytes; mend: make it smaller")
        if not data:
            raise KindError("the file is empty; mend: give a picture")
        decoded = await room.decoders.answer(data, room.limits)
    keep = partial(room.keep, decoded, owner=owner, kind=kind, name=file.filename or "")
    return await to_thread.run_sync(keep, limiter=room.writers)


@router.get("/pictures")
def pictures(
    request: Request, kind: Literal["photo", "style", "mask", "result"] | None = None, limit: Limit = 100
) -> list[PictureOut]:
    """Your pictures, newest first."""
    return _room(request).pictures(_owner(request), kind, limit)


@router.get("/pictures/{picture}")
def picture(request: Request, picture: PathId) -> PictureOut:
    """One picture."""
    return _room(request).picture(picture, _owner(request))


@router.get("/pictures/{picture}/file", response_class=Image, responses=_FILE)
def picture_bytes(request: Request, picture: PathId, download: bool = False) -> Response:
    """A picture's PNG, as a download if wanted."""
    room = _room(request)
    found = room.picture(picture, _owner(request))
    disposition = {"content-disposition": _attachment(found.name)} if download else INLINE
    return _file(room.store, picture_file(picture), PNG, FOREVER | disposition)


@router.get("/pictures/{picture}/thumbnail", response_class=Image, responses=_SMALL)
def picture_thumbnail(request: Request, picture: PathId) -> Response:
    """A picture, small."""
    room = _room(request)
    room.picture(picture, _owner(request))
    return _file(room.store, thumbnail_file(picture), JPEG, FOREVER | INLINE)


@router.delete("/pictures/{picture}", status_code=204)
@_writes
def delete_picture(request: Request, picture: PathId) -> None:
    """Deletes a picture and its files."""
    _room(request).delete_picture(picture, _owner(request))


# At once


@router.post("/fast", response_class=Image, responses={200: {"content": {t: {} for t in FORMATS.values()}}})
def fast(request: Request, asked: FastIn) -> Response:
    """Paints with the fast method while you wait, at most as large as `fast_side` in the limits."""
    room, owner = _room(request), _owner(request)
    if asked.options.get("mask"):
        raise OptionError("masks are for jobs; leave them out")
    order = check(Order("stylize", "fast", asked.content, tuple(asked.styles), asked.options), room.limits)
    for identity in order.reads():
        room.picture(identity, owner)
    start = time.perf_counter()
    data, _ = room.painter.ask(
        room.store_url, asked.content, asked.styles, order.options, room.limits.fast_side, asked.format
    )
    name = f"painted.{asked.format}"
    headers = {
        "x-seconds": f"{time.perf_counter() - start:.3f}",
        "content-disposition": f'attachment; filename="{name}"',
    }
    return Response(data, media_type=FORMATS[asked.format], headers=headers)


# Jobs

Key = Annotated[str | None, Header(pattern=r"^[!-~]{1,64}$", description="the same key, the same job")]


@router.post("/jobs", status_code=201)
async def order_job(request: Request, asked: JobIn, idempotency_key: Key = None) -> JobOut:
    """Orders a picture."""
    room, owner, quick = _room(request), _owner(request), asked.method == "fast"
    place = {"owner": owner, "client": request.state.client, "key": idempotency_key, "quick": quick}
    with ExitStack() as inside:  # who is to be sent away does not wait behind those who write
        await run_in_threadpool(inside.enter_context, room.queue.entrance(**place))
        return await _taken(request=request, asked=asked, place=place)


@_writes
def _taken(request: Request, asked: JobIn, place: dict[str, Any]) -> JobOut:
    room, owner = _room(request), _owner(request)
    order = _checked(asked, room)
    identity = room.queue.known(order.to_stored(), owner=owner, key=place["key"])
    if identity is None:
        order = _placed(order, room, owner)
        identity = room.queue.submit(order.to_stored(), reads=order.reads(), **place)
        log.info("ordered", extra={"job": identity, "method": order.method})
    return room.job(room.queue.get(identity, owner))


def _checked(asked: JobIn, room: Room) -> Order:
    """The order as it will be stored, but for its label: no picture is looked up, as some may be gone since."""
    size = (asked.size.width, asked.size.height) if asked.size else None
    order = Order(
        asked.job, asked.method, asked.content, tuple(asked.styles), asked.options, size, asked.tileable,
        tuple(asked.layers), asked.statistics,
    )  # fmt: skip
    return check(order, room.limits)


def _placed(order: Order, room: Room, owner: str) -> Order:
    """The same with its label, if its pictures are there and it is not too much."""
    order = order.named(room.label_of(order, owner))
    check_work(order, room.size_of(order, owner), room.limits)
    return order


@router.get("/jobs")
def jobs(
    request: Request, state: State | None = None, limit: Limit = 50, before: Annotated[float | None, Query(ge=0)] = None
) -> list[JobOut]:
    """Your jobs, newest first; go on with `before` = the `created` of the last."""
    room = _room(request)
    return room.jobs(room.queue.list(_owner(request), state=state, limit=limit, before=before))


@router.get("/jobs/{job}")
def job(request: Request, job: PathId) -> JobOut:
    """One job, as it stands."""
    room = _room(request)
    return room.job(room.queue.get(job, _owner(request)))


@router.post("/jobs/{job}/cancel", status_code=202)
@_writes
def cancel(request: Request, job: PathId) -> JobOut:
    """Stops a job; one that was begun keeps its best picture so far. A job that is over stays as it is."""
    room, owner = _room(request), _owner(request)
    room.cancel_job(job, owner)
    log.info("to be cancelled", extra={"job": job})
    return room.job(room.queue.get(job, owner))


@router.delete("/jobs/{job}", status_code=204)
@_writes
def delete_job(request: Request, job: PathId) -> None:
    """Deletes a job that is over, and its result."""
    _room(request).delete_job(job, _owner(request))


@router.get("/jobs/{job}/preview", response_class=Image, responses=_SMALL)
def preview(request: Request, job: PathId, step: Annotated[int | None, Query(ge=0)] = None) -> Response:
    """The newest preview; `step` only keeps browsers from showing an older one."""
    room = _room(request)
    room.queue.get(job, _owner(request))
    return Response(room.store.get(preview_file(job)), media_type=JPEG, headers=INLINE)  # may be written anew meanwhile


@router.get(
    "/jobs/{job}/events", response_class=Response,
    responses={200: {"content": {"text/event-stream": {}}}, 204: {"description": "the job is over and all is told"}},
)  # fmt: skip
def events(
    request: Request, job: PathId, after: Annotated[int, Query(ge=0, le=2**31)] = 0,
    last_event_id: Annotated[str | None, Header(pattern=r"^[0-9]{1,9}$")] = None,
) -> Response:  # fmt: skip
    """A job's events as they happen: started, progress, preview, notice, state, and in the end `end` with the job."""
    room, owner = _room(request), _owner(request)
    row = room.queue.get(job, owner)
    seen = min(int(last_event_id or after), row.told)  # of another job, perhaps: what was never told is not yet heard
    if row.state not in ("queued", "running") and seen >= row.told:
        return Response(status_code=204)  # which tells a browser not to come again
    return EventStream(room, job, owner, seen, request.app.state.streams)


def _file(store: Store, name: str, media_type: str, headers: dict[str, str]) -> Response:
    """A file as it is kept; out of a folder piece by piece, as it may be large."""
    path = store.file(name)
    if path is None:
        return Response(store.get(name), media_type=media_type, headers=headers)
    try:
        return FileResponse(path, media_type=media_type, headers=headers, stat_result=path.stat())
    except FileNotFoundError:
        raise MissingError("the file is gone") from None


def _attachment(name: str) -> str:
    """A header that names a file, whatever letters its name has (RFC 6266)."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}\Z", "", name) or "picture"
    return f"attachment; filename=\"picture.png\"; filename*=UTF-8''{quote(stem, safe='')}.png"
