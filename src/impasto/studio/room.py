"""All that an answer may need, in one place: database, pictures, children, limits."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import threading
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from anyio import CapacityLimiter
from sqlalchemy import Row, delete, insert, select

from impasto.studio import live
from impasto.studio.children import Bounds, Children
from impasto.studio.decoding import Decoded, decode, vouch
from impasto.studio.errors import BusyError, ConflictError, MissingError
from impasto.studio.gallery import built_in
from impasto.studio.jobs.database import WRITERS, Database, alone
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.retention import Fill, drop, drop_job
from impasto.studio.jobs.rows import OPEN
from impasto.studio.jobs.tables import jobs, needs, pictures
from impasto.studio.limits import Limits
from impasto.studio.orders import Order, begun
from impasto.studio.schemas import JobOut, PictureOut, StyleOut, TextureSize
from impasto.studio.store import Store, picture_file, thumbnail_file

NAME = 120
CLOCK = 3
"""Seconds of clock time that a decoder may take for each of processor time: others are at work beside it."""

DAY, MONTH = 24 * 3600.0, 30 * 24 * 3600.0


@dataclass
class Room:
    """What the server works with.

    Attributes:
        database: where jobs are.
        store_url: where pictures are.
        limits: all of them.
        tokens: name -> secret of everybody who may come in; empty on this machine alone.
        ending: set when the server is to end: whoever listens to events is sent home.
    """

    database: Database
    store_url: str
    limits: Limits
    tokens: dict[str, str] = field(default_factory=dict)
    ending: threading.Event = field(default_factory=threading.Event)
    _arriving: int = field(default=0, init=False)
    _counting: threading.Lock = field(default_factory=threading.Lock, init=False)

    @cached_property
    def store(self) -> Store:
        """The pictures."""
        return Store(self.store_url)

    @cached_property
    def queue(self) -> Queue:
        """The jobs."""
        return Queue(self.database, self.limits)

    @cached_property
    def fill(self) -> Fill:
        """How much is kept."""
        return Fill(self.limits.keep_bytes)

    @cached_property
    def writers(self) -> CapacityLimiter:
        """Who may write into the table just now, so that those who wait for it take no reader's thread."""
        return CapacityLimiter(WRITERS)

    @cached_property
    def decoders(self) -> Children:
        """Who may look at what strangers send."""
        most = self.limits
        bounds = Bounds(
            CLOCK * most.decode_seconds, most.decode_bytes, most.child_tasks, most.decode_seconds, network=False,
            answer=9 * most.pixels + (16 << 20),  # a PNG of noise in four channels of 16 bits, and what goes with it
        )  # fmt: skip
        return Children(decode, count=most.decoders, bounds=bounds, vouch=vouch)

    @cached_property
    def painter(self) -> Children:
        """Who paints while the caller waits."""
        bounds = Bounds(self.limits.fast_seconds, None, 10_000)
        return Children(live.repaint, count=1, bounds=bounds, waiting=self.limits.fast_waiting)

    @property
    def keep_seconds(self) -> float:
        """How long things are kept."""
        return self.limits.keep_seconds or (DAY if self.tokens else MONTH)

    @property
    def local(self) -> bool:
        """Whether pictures, and what is known of them, are kept in folders of this machine alone."""
        return self.store.folder is not None and self.database.engine.dialect.name == "sqlite"

    @property
    def free_disk(self) -> int | None:
        """Bytes; None where pictures are not on this machine."""
        return shutil.disk_usage(self.store.folder).free if self.store.folder else None

    @contextmanager
    def arrival(self, size: int) -> Iterator[None]:
        """An upload of so many bytes, which lie in the folder for temporary files until all are here.

        Raises:
            BusyError: when there is no room for them, or nobody to decode them, which is told before any is read.
        """
        if self.free_disk is not None and self.free_disk < self.limits.disk_bytes:
            raise BusyError("the disk is nearly full; mend: delete pictures, or make room", 60)
        with self.decoders.place():  # it is taken when the bytes are here: who sends slowly keeps nobody from it
            pass
        with self._counting:
            if shutil.disk_usage(tempfile.gettempdir()).free < self._arriving + size:
                raise BusyError("there is no room for more pictures on their way; mend: try again", 5)
            self._arriving += size
        try:
            yield
        finally:
            with self._counting:
                self._arriving -= size

    def close(self) -> None:
        """Sends children home."""
        for name in ("decoders", "painter"):
            if name in self.__dict__:
                self.__dict__[name].close()
        self.database.close()

    # Pictures

    def keep(self, decoded: Decoded, *, owner: str, kind: str, name: str) -> PictureOut:
        """Keeps an uploaded picture: files first, then the row."""
        identity = secrets.token_hex(16)
        self.store.put(picture_file(identity), decoded.png)
        self.store.put(thumbnail_file(identity), decoded.thumbnail)
        row = {
            "id": identity, "owner": owner, "kind": kind, "name": label(name), "width": decoded.size[0],
            "height": decoded.size[1], "bytes": len(decoded.png), "settings": decoded.settings or None,
        }  # fmt: skip
        with self.database.write() as connection:
            connection.execute(insert(pictures).values(created=self.database.now, **row))
        self.fill.add(len(decoded.png) + len(decoded.thumbnail))
        return self.picture(identity, owner)

    def picture(self, identity: str, owner: str) -> PictureOut:
        """One picture.

        Raises:
            MissingError: when there is none of that name, or it is somebody else's.
        """
        wanted = select(pictures).where(pictures.c.id == identity, pictures.c.owner == owner)
        with self.database.read() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            raise MissingError("there is no such picture")
        return picture_out(row)

    def pictures(self, owner: str, kind: str | None, limit: int) -> list[PictureOut]:
        """An owner's pictures, newest first."""
        wanted = select(pictures).where(pictures.c.owner == owner)
        wanted = wanted.where(pictures.c.kind == kind) if kind else wanted
        with self.database.read() as connection:
            rows = connection.execute(wanted.order_by(pictures.c.created.desc(), pictures.c.id).limit(limit)).all()
        return [picture_out(row) for row in rows]

    def delete_picture(self, identity: str, owner: str) -> None:
        """Deletes a picture, unless an unfinished job reads it; of a result all that shows it goes along.

        Raises:
            MissingError: when there is none of that name.
            ConflictError: when a job needs it.
        """
        self.picture(identity, owner)
        with self.database.write() as connection:
            alone(connection)
            if connection.execute(select(needs.c.job).where(needs.c.picture == identity).limit(1)).first():
                raise ConflictError("a job needs this picture; mend: wait for it, or cancel it")
            painted = select(jobs.c.id, jobs.c.stand).where(jobs.c.result == identity)
            shown = {job: dict(stand) for job, stand in connection.execute(painted).all()}
            for job, stand in shown.items():
                bare = {name: value for name, value in stand.items() if name != "preview"}
                connection.execute(jobs.update().where(jobs.c.id == job).values(result=None, stand=bare))
            connection.execute(delete(pictures).where(pictures.c.id == identity, pictures.c.owner == owner))
        drop(self.store, identity)
        for job in shown:
            drop_job(self.store, job)

    def styles(self, owner: str) -> list[StyleOut]:
        """Built-in paintings, then the owner's."""
        ours = [
            StyleOut(id=s.id, name=s.name, built_in=True, width=s.size[0], height=s.size[1],
                     url=f"/api/styles/{s.id}/file", thumbnail=f"/api/styles/{s.id}/thumbnail")
            for s in built_in().values()
        ]  # fmt: skip
        own = [
            StyleOut(
                id=p.id, name=p.name, built_in=False, width=p.width, height=p.height, url=p.url, thumbnail=p.thumbnail
            )
            for p in self.pictures(owner, "style", 500)
        ]
        return ours + own

    # Jobs

    def label_of(self, order: Order, owner: str) -> str:
        """What to call the result: by the names of what it is made from."""
        names = [self._name(identity, owner) for identity in (order.content, *order.styles) if identity]
        return label("-".join(names) or order.job)

    def size_of(self, order: Order, owner: str) -> tuple[int, int]:
        """(width, height) of an order's photo; (0, 0) where there is none.

        Raises:
            MissingError: when it is gone.
        """
        if order.content is None:
            return 0, 0
        photo = self.picture(order.content, owner)
        return photo.width, photo.height

    def job(self, row: Row[Any]) -> JobOut:
        """A job as clients see it."""
        return self.jobs([row])[0]

    def jobs(self, rows: Sequence[Row[Any]]) -> list[JobOut]:
        """Jobs as clients see them, with their results and places in the queue."""
        wanted = select(pictures).where(pictures.c.id.in_([row.result for row in rows if row.result]))
        line = self.queue.line() if any(row.state == "queued" for row in rows) else []
        with self.database.read() as connection:
            results = {found.id: picture_out(found) for found in connection.execute(wanted)}
        return [self._job(row, results.get(row.result), bisect_left(line, row.created)) for row in rows]

    def _job(self, row: Row[Any], result: PictureOut | None, position: int) -> JobOut:
        order, stand = dict(row.order), dict(row.stand or {})
        return JobOut(
            id=row.id, **{name: order[name] for name in ORDERED}, label=order["label"], state=row.state,
            size=_size(order.get("size")), position=position if row.state == "queued" else None,
            created=row.created, started=row.started, finished=row.finished, attempt=row.attempts,
            step=stand.get("step", 0), steps=stand.get("steps", 0), loss=stand.get("loss"),
            seconds=row.finished - row.started if row.finished and row.started else stand.get("seconds"),
            seconds_left=stand.get("seconds_left") if row.state == "running" else None,
            notices=stand.get("notices", []), cancelling=row.state in OPEN and row.cancel, error=row.error,
            preview=stand.get("preview"), result=result,
        )  # fmt: skip

    def cancel_job(self, identity: str, owner: str) -> None:
        """Asks a job to stop; what it has painted is kept, by whichever worker.

        Raises:
            MissingError: when there is none of that name.
        """
        self.queue.cancel(identity, owner, begun=begun(self.store.checkpoint(identity)))

    def delete_job(self, identity: str, owner: str) -> None:
        """Deletes a job that is over, its result and its preview.

        Raises:
            MissingError: when there is none of that name.
            ConflictError: when it is not over.
        """
        result = self.queue.delete(identity, owner)
        drop_job(self.store, identity)
        if result:
            drop(self.store, result)

    def _name(self, identity: str, owner: str) -> str:
        found = built_in().get(identity)
        return found.id if found else self.picture(identity, owner).name.rpartition(".")[0] or "picture"


ORDERED = ("job", "method", "content", "styles", "options", "tileable", "layers", "statistics")


def picture_out(row: Row[Any]) -> PictureOut:
    """A row as clients see it."""
    address = f"/api/pictures/{row.id}"
    return PictureOut(
        id=row.id, kind=row.kind, name=row.name, width=row.width, height=row.height, bytes=row.bytes,
        created=row.created, settings=row.settings, url=f"{address}/file", thumbnail=f"{address}/thumbnail",
    )  # fmt: skip


def label(name: str) -> str:
    """A name as it may be shown and stored: one line, no control characters, no folders, not too long."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF)
    return kept.strip()[:NAME] or "picture"


def _size(told: Any) -> TextureSize | None:
    return TextureSize(width=told[0], height=told[1]) if told else None
