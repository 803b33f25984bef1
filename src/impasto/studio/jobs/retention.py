"""What is thrown away: pictures and jobs that are too old or too many, and files that belong to nothing."""

from __future__ import annotations

from sqlalchemy import delete, func, select

from impasto.studio import logs
from impasto.studio.jobs.database import Database, alone
from impasto.studio.jobs.queue import OPEN, forget
from impasto.studio.jobs.tables import jobs, needs, pictures
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file

ORPHAN = 3600.0
"""Seconds after which a file without a row is no longer one whose row is just being written."""

BATCH = 200

log = logs.get("retention")


def tidy(database: Database, store: Store, *, keep_seconds: float, keep_bytes: int) -> int:
    """Deletes what is too old, then the oldest of what is too much; never what an unfinished job reads.

    Returns:
        How many pictures were deleted.
    """
    gone = 0
    while batch := _expire(database, keep_seconds, keep_bytes):
        drop(store, *batch)
        gone += len(batch)
    while _forget_jobs(database, store, keep_seconds):
        pass
    sweep(database, store)
    if gone:
        log.info("deleted", extra={"count": gone})
    return gone


def drop(store: Store, *pictures_gone: str) -> None:
    """Deletes the files of pictures."""
    for identity in pictures_gone:
        store.delete(picture_file(identity), thumbnail_file(identity))


def drop_preview(store: Store, job: str) -> None:
    """Deletes a job's preview."""
    store.delete(preview_file(job))


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


def _expire(database: Database, keep_seconds: float, keep_bytes: int) -> list[str]:
    """Forgets a batch of pictures; returns their ids."""
    free = ~pictures.c.id.in_(select(needs.c.picture))
    with database.write() as connection:
        alone(connection)
        too_old = select(pictures.c.id).where(free, pictures.c.created < database.now - keep_seconds).limit(BATCH)
        gone = [row[0] for row in connection.execute(too_old)]
        if not gone:
            too_much = int(connection.scalar(select(func.coalesce(func.sum(pictures.c.bytes), 0))) or 0) - keep_bytes
            oldest = select(pictures.c.id, pictures.c.bytes).where(free).order_by(pictures.c.created).limit(BATCH)
            for row in connection.execute(oldest).all() if too_much > 0 else ():
                if too_much <= 0:
                    break
                gone.append(row.id)
                too_much -= row.bytes
        if gone:
            connection.execute(jobs.update().where(jobs.c.result.in_(gone)).values(result=None))
            connection.execute(delete(pictures).where(pictures.c.id.in_(gone)))
    return gone


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
        drop_preview(store, row.id)
    return len(rows)
