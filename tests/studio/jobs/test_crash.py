"""Workers as real processes, killed in the middle of things: no job lost, none done twice, no half files."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import select, text

from impasto.studio.jobs.crew import PROGRAM, Crew
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.rows import OPEN
from impasto.studio.jobs.tables import events, jobs, needs, pictures, workers
from impasto.studio.jobs.worker import AGAIN, PARENT, PLACES
from impasto.studio.limits import PREFIX, Limits
from impasto.studio.store import Store, picture_file, thumbnail_file

from ..conftest import OWNER, gatys, keep, ordered, state, until

KILLS = 4
PATIENT = {f"{PREFIX}LEASE_SECONDS": "1", f"{PREFIX}BEAT_SECONDS": "0.2", f"{PREFIX}ATTEMPTS": "10"}

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what processes do, whichever database they do it with."""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def limits() -> Limits:
    return Limits(queue=1000, jobs_per_client=1000, lease_seconds=1, beat_seconds=0.2, attempts=10)


@pytest.fixture
def environment(database_url: str, store: Store) -> dict[str, str]:
    """What a worker's process is told."""
    places = dict(zip(PLACES, (database_url, str(store.folder)), strict=True))
    return {**os.environ, **places, **PATIENT, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Begins a worker; all of them are gone in the end."""
    begun: list[subprocess.Popen[bytes]] = []

    def one(**more: str) -> subprocess.Popen[bytes]:
        begun.append(subprocess.Popen([sys.executable, "-m", PROGRAM], env={**environment, **more}))
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.wait(60)


def busy(database: Database) -> list[int]:
    """The processes that have a job."""
    with database.read() as connection:
        found = connection.scalars(select(jobs.c.worker).where(jobs.c.state == "running")).all()
    return [int(name.rsplit("-", 2)[1]) for name in found]


def check_all_done_once(database: Database, store: Store, made: list[str]) -> None:
    """Every job has one result, whose files are whole; nothing else is listed, and the database is sound."""
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        results = connection.execute(select(pictures).where(pictures.c.kind == "result")).all()
        told = connection.execute(select(events).order_by(events.c.job, events.c.number)).all()
        assert connection.execute(select(needs)).all() == []
        if database.engine.dialect.name == "sqlite":
            assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    assert sorted(row.id for row in rows) == sorted(made)
    assert [(row.state, row.error) for row in rows if row.state != "done"] == []
    assert sorted(row.result for row in rows) == sorted(row.id for row in results)
    for row in rows:
        of_job = [event for event in told if event.job == row.id]
        assert [event.number for event in of_job] == list(range(1, row.told + 1))
        assert [event.kind for event in of_job].count("end") == 1
    files = {name for name, _ in store.names() if not name.startswith(".")}
    assert files >= {name for row in results for name in (picture_file(row.id), thumbnail_file(row.id))}
    for name in files:  # those too that a killed worker left and no row knows
        with Image.open(io.BytesIO(store.get(name))) as image:
            image.load()


@pytest.mark.slow
def test_workers_killed_at_random_lose_and_double_nothing(
    database: Database, store: Store, queue: Queue, start: Start
) -> None:
    photo, rng = keep(database, store), random.Random(5)
    made = [ordered(queue, photo, size=rng.choice([32, 48, 64])) for _ in range(8)]
    made += [gatys(queue, photo, steps=60) for _ in range(3)]
    made += [ordered(queue, photo, method="fast", strength=0.5) for _ in range(4)]
    begun = {process.pid: process for process in (start(), start())}
    kills = 0
    while any(queue.depth().get(open_state) for open_state in OPEN):
        until(lambda: busy(database) or not any(queue.depth().get(one) for one in OPEN))
        if kills < KILLS and (found := [pid for pid in busy(database) if pid in begun]):
            until(lambda: rng.random() < 0.2)  # a moment, in steps of 20 ms
            victim = begun.pop(rng.choice(found))
            victim.kill()
            victim.wait(60)
            kills += 1
            another = start()
            begun[another.pid] = another
    assert kills == KILLS
    check_all_done_once(database, store, made)


@on_sqlite
def test_sigterm_gives_the_job_back_and_another_worker_goes_on(
    database: Database, store: Store, queue: Queue, start: Start
) -> None:
    job = gatys(queue, keep(database, store), steps=150)
    first = start()
    until(lambda: (queue.get(job, OWNER).stand or {}).get("step", 0) >= 5)
    first.terminate()
    assert first.wait(30) == 0
    assert state(queue, job) == "queued"
    assert queue.alive() == 0
    start()
    until(lambda: state(queue, job) not in OPEN)
    row = queue.get(job, OWNER)
    assert (row.state, row.attempts) == ("done", 1)
    notices = [event.data["text"] for event in queue.events(job, 0) if event.kind == "notice"]
    assert any(told.startswith("goes on after step ") for told in notices)
    check_all_done_once(database, store, [job])
    until(lambda: store.runs() == set())


HANGS = """
import time
from impasto.studio.jobs import worker
worker.perform = lambda *_, **__: time.sleep(600)
worker.main()
"""


@on_sqlite
def test_a_job_that_hangs_is_tried_again_and_fails_in_the_end(
    database: Database, store: Store, queue: Queue, environment: dict[str, str]
) -> None:
    job = ordered(queue, keep(database, store))
    place = store.checkpoint(job)
    assert place
    place.write_bytes(b"state")
    told = {f"{PREFIX}SILENT_SECONDS": "1", f"{PREFIX}ATTEMPTS": "2"}
    for expected, kept in (("queued", {job}), ("failed", set())):
        process = subprocess.Popen([sys.executable, "-c", HANGS], env=environment | told)
        assert process.wait(60) == AGAIN
        assert (state(queue, job), store.runs()) == (expected, kept)
    row = queue.get(job, OWNER)
    assert (row.attempts, row.error) == (2, "nothing moved for 1 s in 2 attempts; mend: a smaller size")
    assert queue.alive() == 0


@on_sqlite
def test_a_job_that_does_not_heed_a_cancel_before_its_first_step_is_ended_with_its_worker(
    database: Database, store: Store, queue: Queue, environment: dict[str, str]
) -> None:
    job = ordered(queue, keep(database, store))
    told = {f"{PREFIX}CANCEL_SECONDS": "600"}
    process = subprocess.Popen([sys.executable, "-c", HANGS], env=environment | told)
    until(lambda: state(queue, job) == "running")
    queue.cancel(job, OWNER)
    assert process.wait(30) == AGAIN
    assert (state(queue, job), queue.get(job, OWNER).error, queue.alive()) == ("cancelled", None, 0)


HANGS_LATER = """
import time
from impasto.events import Progress
from impasto.studio.jobs import worker
def perform(*_, on_event, **__):
    on_event(Progress(1, 9, (8, 8), {}, 0.1, 0.8))
    time.sleep(600)
worker.perform = perform
worker.main()
"""


@on_sqlite
def test_a_job_that_does_not_heed_a_cancel_after_its_first_step_is_waited_for(
    database: Database, store: Store, queue: Queue, environment: dict[str, str]
) -> None:
    job = ordered(queue, keep(database, store))
    told = {f"{PREFIX}CANCEL_SECONDS": "4"}
    process = subprocess.Popen([sys.executable, "-c", HANGS_LATER], env=environment | told)
    until(lambda: (queue.get(job, OWNER).stand or {}).get("step") == 1)
    queue.cancel(job, OWNER)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    assert state(queue, job) == "running"
    assert process.wait(30) == AGAIN
    assert state(queue, job) == "cancelled"


BEGIN = """
import subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-m", sys.argv[1]])
print(worker.pid, flush=True)
time.sleep(600)
"""


@on_sqlite
def test_a_worker_whose_parent_dies_gives_its_job_back_and_goes_home(
    database: Database, store: Store, queue: Queue, environment: dict[str, str]
) -> None:
    job = gatys(queue, keep(database, store), steps=5000)
    parent = subprocess.Popen([sys.executable, "-c", BEGIN, PROGRAM], env=environment, stdout=subprocess.PIPE)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    until(lambda: (queue.get(job, OWNER).stand or {}).get("step", 0) >= 1)
    assert busy(database) == [worker]
    parent.kill()
    parent.communicate(timeout=60)
    until(lambda: queue.alive() == 0)
    assert (state(queue, job), queue.get(job, OWNER).attempts) == ("queued", 0)


@on_sqlite
def test_a_worker_whose_parent_is_dead_before_it_begins_goes_home(queue: Queue, start: Start) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(60)
    assert start(**{PARENT: str(gone.pid)}).wait(60) == 0
    assert queue.alive() == 0


@on_sqlite
def test_a_crew_begins_a_dead_worker_anew_and_sends_all_home(
    database: Database, store: Store, queue: Queue, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names() -> set[str]:
        with database.read() as connection:
            return set(connection.scalars(select(workers.c.id)))

    for name, value in PATIENT.items():
        monkeypatch.setenv(name, value)
    with Crew(database_url, str(store.folder), count=1, stop_seconds=20):
        until(lambda: len(names()) == 2)  # one of them for jobs of a second
        both = names()
        first = min(both)
        os.kill(int(first.rsplit("-", 2)[1]), signal.SIGKILL)
        until(lambda: names() - both)
        job = ordered(queue, keep(database, store))
        until(lambda: state(queue, job) == "done")
    assert names() <= {first}  # who was killed said no goodbye


@pytest.mark.parametrize(
    ("workers", "set_by_hand", "expected"),
    [(1, None, None), (2, None, "4"), (3, None, "2"), (16, None, "1"), (2, "7", "7"), (0, None, None)],
)
def test_a_crew_shares_the_cores(
    monkeypatch: pytest.MonkeyPatch, workers: int, set_by_hand: str | None, expected: str | None
) -> None:
    monkeypatch.setattr("impasto.studio.jobs.crew.physical_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_by_hand:
        monkeypatch.setenv("OMP_NUM_THREADS", set_by_hand)
    crew = Crew("sqlite:///jobs.db", "pictures", count=workers, stop_seconds=1)
    assert crew._environment.get("OMP_NUM_THREADS") == expected


def test_a_crew_that_cannot_begin_a_worker_tries_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[object] = []

    def begin(*words: object, **_: object) -> None:
        tries.append(words)
        raise BlockingIOError("too many processes")

    monkeypatch.setattr(subprocess, "Popen", begin)
    monkeypatch.setattr("impasto.studio.jobs.crew.WAIT", 0.01)
    with Crew(f"sqlite:///{tmp_path / 'jobs.db'}", str(tmp_path), count=1, stop_seconds=1):
        until(lambda: len(tries) > 2)
