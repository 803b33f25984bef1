"""What is thrown away, by age and by bytes, and what is never: a picture that an unfinished job reads."""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select, update

from impasto.studio.errors import BusyError, ConflictError, MissingError
from impasto.studio.jobs import retention
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.retention import ORPHAN, sweep, tidy
from impasto.studio.jobs.tables import jobs, needs, pictures
from impasto.studio.limits import Limits
from impasto.studio.room import Room
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file

from ..conftest import OWNER, Submit, keep, state

DAY = 86_400.0
PLENTY = 10**9


def aged(database: Database, *pictures_or_jobs: str, seconds: float = 2 * DAY) -> None:
    with database.write() as connection:
        for identity in pictures_or_jobs:
            picture = update(pictures).where(pictures.c.id == identity)
            connection.execute(picture.values(created=pictures.c.created - seconds))
            job = update(jobs).where(jobs.c.id == identity)
            connection.execute(job.values(finished=jobs.c.finished - seconds))


def kept(database: Database, store: Store) -> set[str]:
    """Pictures that are there, of which the table and the store must agree."""
    rows = kept_rows(database)
    files = {name for name, _ in store.names()}
    assert files == {name for one in rows for name in (picture_file(one), thumbnail_file(one))}
    return rows


def kept_rows(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.scalars(select(pictures.c.id)))


def finished(database: Database, store: Store, queue: Queue, submit: Submit) -> tuple[str, str]:
    """A job that is over, and its result."""
    job, picture = submit(), keep(database, store, kind="result")
    claim = queue.claim("w")
    assert claim
    queue.finish(claim, "done")
    with database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(result=picture))
    return job, picture


def test_old_pictures_and_jobs_go(database: Database, store: Store, queue: Queue, submit: Submit) -> None:
    old, young = finished(database, store, queue, submit), finished(database, store, queue, submit)
    photo = keep(database, store)
    for job, _ in (old, young):
        store.put(preview_file(job), b"preview")
    aged(database, *old, photo)
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY) == 2
    with pytest.raises(MissingError):
        queue.get(old[0], OWNER)
    assert queue.get(young[0], OWNER).result == young[1]
    store.delete(preview_file(young[0]))
    assert kept(database, store) == {young[1]}
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY) == 0


def test_old_jobs_go_however_many(
    database: Database, store: Store, queue: Queue, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    made = [finished(database, store, queue, submit)[0] for _ in range(5)]
    aged(database, *made)
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    assert queue.depth() == {}


def test_a_young_job_outlives_its_result(database: Database, store: Store, queue: Queue, submit: Submit) -> None:
    job, picture = finished(database, store, queue, submit)
    aged(database, picture)
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    row = queue.get(job, OWNER)
    assert (row.state, row.result) == ("done", None)


def test_the_oldest_of_too_many_bytes_go(database: Database, store: Store) -> None:
    made = [keep(database, store, seed=n) for n in range(6)]
    for n, picture in enumerate(made):
        aged(database, picture, seconds=60.0 * (6 - n))
        for name in (picture_file(picture), thumbnail_file(picture)):
            store.put(name, bytes(500))
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=6000) == 0
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=3500) == 3
    assert kept(database, store) == set(made[3:])


def test_previews_of_jobs_that_are_over_go_before_pictures_and_are_counted(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    old, picture = finished(database, store, queue, submit)
    young, _ = finished(database, store, queue, submit)
    waits = submit()
    aged(database, old, seconds=60)
    for job in (old, young, waits):
        store.put(preview_file(job), bytes(5000))
    whole = sum(store.sizes().values())
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=whole) == 0
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=whole - 1) == 0
    assert {name for name in store.sizes() if "preview" in name} == {preview_file(young), preview_file(waits)}
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=5000) == 2
    assert store.sizes() == {preview_file(waits): 5000}
    assert queue.get(old, OWNER).result is None
    assert picture not in kept_rows(database)


def test_what_runs_keep_counts_but_never_costs_all(database: Database, store: Store, submit: Submit) -> None:
    made = [keep(database, store, seed=n) for n in range(6)]
    for n, picture in enumerate(made):
        aged(database, picture, seconds=60.0 * (6 - n))
        for name in (picture_file(picture), thumbnail_file(picture)):
            store.put(name, bytes(500))
    place = store.checkpoint(submit())
    assert place
    place.mkdir()
    (place / "state").write_bytes(bytes(2000))
    assert store.run_bytes() == 2000
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=8000) == 0
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=7000) == 1
    (place / "state").write_bytes(bytes(10_000))
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=6000) == 2  # half of it is for pictures
    assert kept(database, store) == set(made[3:])


@pytest.mark.parametrize("held", ["queued", "running"])
def test_what_an_unfinished_job_reads_is_never_deleted(
    database: Database, store: Store, queue: Queue, submit: Submit, held: str
) -> None:
    needed, other = keep(database, store), keep(database, store)
    job = submit(reads=[needed])
    claim = queue.claim("w") if held == "running" else None
    aged(database, needed, other)
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=0) == 1
    assert kept(database, store) == {needed}
    assert state(queue, job) == held
    if claim:
        queue.finish(claim, "done")
    else:
        queue.cancel(job, OWNER)
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY) == 1
    assert kept(database, store) == set()


def test_an_old_job_whose_result_another_reads_stays_until_that_is_over(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    job, picture = finished(database, store, queue, submit)
    other = finished(database, store, queue, submit)
    reader = submit(reads=[picture])
    aged(database, job, picture, *other)
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    assert state(queue, job) == "done"
    assert kept(database, store) == {picture}
    with pytest.raises(MissingError):
        queue.get(other[0], OWNER)
    queue.cancel(reader, OWNER)
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    with pytest.raises(MissingError):
        queue.get(job, OWNER)
    assert kept(database, store) == set()


def test_a_picture_that_a_job_needs_is_not_deleted_by_hand(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    room = Room(database, str(store.folder), Limits())
    photo = keep(database, store)
    job = submit(reads=[photo])
    with pytest.raises(ConflictError, match="needs this picture"):
        room.delete_picture(photo, OWNER)
    queue.cancel(job, OWNER)
    with pytest.raises(MissingError):
        room.delete_picture(photo, "ben")
    room.delete_picture(photo, OWNER)
    assert kept(database, store) == set()


def test_files_that_belong_to_nothing_are_swept_when_they_are_old(
    database: Database, store: Store, submit: Submit
) -> None:
    assert store.folder
    photo, job, nobody, just_now = keep(database, store), submit(), secrets.token_hex(16), secrets.token_hex(16)
    store.put(preview_file(job), b"preview")
    for name in (picture_file(nobody), thumbnail_file(nobody), preview_file(nobody), picture_file(just_now)):
        store.put(name, b"orphan")
    (store.folder / f".impasto-{'0' * 16}.tmp").write_bytes(b"half")
    (store.folder / "holiday.jpg").write_bytes(b"somebody else's")
    for path in store.folder.iterdir():
        if path.name != picture_file(just_now):
            os.utime(path, (time.time() - ORPHAN - 60,) * 2)
    sweep(database, store)
    left = {path.name for path in store.folder.iterdir() if path.is_file()} - {"jobs.db"}
    assert "holiday.jpg" in left
    left.discard("holiday.jpg")
    assert left == {picture_file(photo), thumbnail_file(photo), preview_file(job), picture_file(just_now)}


def test_tidying_sweeps_too(database: Database, store: Store) -> None:
    assert store.folder
    half = store.folder / f".impasto-{'0' * 16}.tmp"
    half.write_bytes(b"half")
    os.utime(half, (time.time() - ORPHAN - 60,) * 2)
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    assert not half.exists()


def test_the_state_of_runs_that_are_over_is_swept(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    over, waits = submit(1), submit(2)
    for job in (over, waits, "f" * 32):
        place = store.checkpoint(job)
        assert place
        place.write_bytes(b"state")
        place.with_name(f".{job}-1.tmp").write_bytes(b"half")
        folder = place.with_name(f"{job}-x")
        folder.mkdir()
        (folder / "mask.png").write_bytes(b"mask")
    queue.cancel(over, OWNER)
    sweep(database, store)
    assert store.runs() == {waits}


def test_submitting_and_tidying_at_once_never_leaves_a_job_without_its_picture(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    """Old pictures are deleted while jobs that want them come in: each job gets in with its picture, or is refused."""
    over = Event()

    def clean() -> None:
        while not over.is_set():
            tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)

    def order(n: int) -> str:
        photo = keep(database, store, seed=n)
        aged(database, photo)
        try:
            submit(n, reads=[photo])
        except MissingError:
            return "refused"
        except BusyError:
            return "busy"
        return "taken"

    with ThreadPoolExecutor(5) as pool:
        cleaner = pool.submit(clean)
        told = list(pool.map(order, range(60)))
        over.set()
        cleaner.result()
    assert set(told) <= {"taken", "refused"}
    tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY)
    with database.read() as connection:
        read = list(connection.scalars(select(needs.c.picture)))
    assert len(read) == told.count("taken") == queue.depth().get("queued", 0)
    assert kept(database, store) == set(read)


def test_an_object_store_is_tidied_too(database: Database, tmp_path: Path) -> None:
    store = Store(f"memory://{tmp_path.name}-{secrets.token_hex(4)}/pictures")
    old, young = keep(database, store), keep(database, store)
    aged(database, old)
    assert tidy(database, store, keep_seconds=DAY, keep_bytes=PLENTY) == 1
    assert kept(database, store) == {young}
    store.delete(picture_file(young), thumbnail_file(young))
