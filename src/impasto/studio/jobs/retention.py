"""What is thrown away: pictures and jobs that are too old or too many, and files that belong to nothing."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, select

from impasto.studio import logs
from impasto.studio.jobs.database import Database, alone
from impasto.studio.jobs.rows import OPEN, forget
from impasto.studio.jobs.tables import jobs, needs, pictures
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file

ORPHAN = 3600.0
"""Seconds after which a file without a row is no longer one whose row is just being written."""

BATCH = 200

FREE = ~pictures.c.id.in_(select(needs.c.picture))
"""Of pictures that no unfinished job reads."""

log = logs.get("retention")


def tidy(database: Database, store: Store, *, keep_seconds: float, keep_bytes: int) -> int:
    """Deletes what is too old, then the oldest of what is too much; never what an unfinished job reads.

    Returns:
        How many pictures were deleted.
    """
    gone = 0
    while batch := _expire(database, keep_seconds):
        drop(store, *batch)
        gone += len(batch)
    while _forget_jobs(database, store, keep_seconds):
        pass
    gone += _make_room(database, store, keep_bytes)
    sweep(database, store)
    if gone:
        log.info("deleted", extra={"count": gone})
    return gone


class Fill:
    """How much is kept, as far as one process knows: what it counted last, and what came in since.

    Args:
        most: bytes that may be kept.
    """

    def __init__(self, most: int) -> None:
        self._most, self._counted, self._added, self._lock = most, 0, 0, threading.Lock()

    def count(self, store: Store) -> None:
        """Looks how much there is."""
        with self._lock:
            self._added = 0  # what comes in while it is counted may count twice, and never not at all
        counted = sum(store.sizes().values()) + store.run_bytes()
        with self._lock:
            self._counted = counted

    def add(self, size: int) -> None:
        """So many bytes came in."""
        with self._lock:
            self._added += size

    @property
    def over(self) -> bool:
        """Whether something came in that is too much."""
        return self._added > 0 and self._counted + self._added > self._most


def drop(store: Store, *pictures_gone: str) -> None:
    """Deletes the files of pictures."""
    for identity in pictures_gone:
        store.delete(picture_file(identity), thumbnail_file(identity))


def drop_job(store: Store, job: str) -> None:
    """Deletes what shows how a job that is over went: its preview, and what may be left of the state of its run."""
    store.delete(preview_file(job))
    store.delete_run(job)


def sweep(database: Database, store: Store) -> None:
    """Deletes files whose row was never written, or is gone, and what was kept of runs that are over."""
    store.sweep()
    runs = store.runs()  # before jobs are looked up: none of these is yet to come
    old = {name for name, age in store.names() if age > ORPHAN and not name.startswith(".")}
    with database.read() as connection:
        known = {row[0] for row in connection.execute(select(pictures.c.id))}
        known |= {row[0] for row in connection.execute(select(jobs.c.id))}
        unfinished = {row[0] for row in connection.execute(select(jobs.c.id).where(jobs.c.state.in_(OPEN)))}
    store.delete(*(name for name in old if name.partition(".")[0] not in known))
    for job in runs - unfinished:
        store.delete_run(job)


def _expire(database: Database, keep_seconds: float) -> list[str]:
    """Forgets a batch of pictures that are too old; returns their ids."""
    with database.write() as connection:
        alone(connection)
        old = select(pictures.c.id).where(FREE, pictures.c.created < database.now - keep_seconds).limit(BATCH)
        gone = [row[0] for row in connection.execute(old)]
        _forget_pictures(connection, gone)
    return gone


def _make_room(database: Database, store: Store, keep_bytes: int) -> int:
    """Deletes the oldest of what is too much, previews that nobody needs any more first; returns how many pictures."""
    files, gone = store.sizes(), 0
    runs = min(store.run_bytes(), keep_bytes // 2)  # they go with their jobs; one large job does not cost all pictures
    too_much = sum(files.values()) + runs - keep_bytes
    too_much -= _drop_previews(database, store, files, too_much)
    while too_much > 0 and (batch := _oldest(database, files, too_much)):
        drop(store, *batch)
        too_much -= sum(_size(files, one) for one in batch)
        gone += len(batch)
    return gone


def _drop_previews(database: Database, store: Store, files: Mapping[str, int], too_much: int) -> int:
    """Deletes previews of jobs that are over until it is enough; returns how many bytes."""
    over = select(jobs.c.id).where(jobs.c.state.not_in(OPEN)).order_by(jobs.c.finished)
    freed = 0
    with database.read() as connection:
        ended = connection.scalars(over).all() if too_much > 0 else ()
    for name in map(preview_file, ended):
        if freed >= too_much:
            break
        if name in files:
            store.delete(name)
            freed += files[name]
    return freed


def _oldest(database: Database, files: Mapping[str, int], too_much: int) -> list[str]:
    """Forgets the oldest pictures until it is enough, or a batch; returns their ids."""
    gone: list[str] = []
    with database.write() as connection:
        alone(connection)
        oldest = select(pictures.c.id).where(FREE).order_by(pictures.c.created).limit(BATCH)
        for identity in connection.scalars(oldest).all():
            if too_much <= 0:
                break
            gone.append(identity)
            too_much -= _size(files, identity)
        _forget_pictures(connection, gone)
    return gone


def _forget_pictures(connection: Connection, gone: Sequence[str]) -> None:
    if gone:
        connection.execute(jobs.update().where(jobs.c.result.in_(gone)).values(result=None))
        connection.execute(delete(pictures).where(pictures.c.id.in_(gone)))


def _size(files: Mapping[str, int], picture: str) -> int:
    """The bytes of a picture with its thumbnail."""
    return files.get(picture_file(picture), 0) + files.get(thumbnail_file(picture), 0)


def _forget_jobs(database: Database, store: Store, keep_seconds: float) -> int:
    """Forgets a batch of jobs, their results and their previews; returns how many."""
    old = jobs.c.state.not_in(OPEN), jobs.c.finished < database.now - keep_seconds
    free = jobs.c.result.is_(None) | ~jobs.c.result.in_(select(needs.c.picture))
    with database.write() as connection:
        alone(connection)
        rows = connection.execute(select(jobs).where(*old, free).limit(BATCH)).all()
        results = [forget(connection, row) for row in rows]
    drop(store, *(result for result in results if result))
    for row in rows:
        drop_job(store, row.id)
    return len(rows)
