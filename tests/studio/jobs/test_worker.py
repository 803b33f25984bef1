"""A worker on real jobs: what it tells, what it delivers, when it stops, and what it makes of trouble."""

from __future__ import annotations

import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from impasto.errors import ImpastoError, LimitError
from impasto.events import Progress
from impasto.image import read
from impasto.studio.errors import AwayError, StoppedError
from impasto.studio.jobs import worker as module
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.tables import jobs, pictures
from impasto.studio.jobs.watch import Patience
from impasto.studio.jobs.worker import AGAIN, Worker
from impasto.studio.limits import Limits
from impasto.studio.room import Room
from impasto.studio.store import Store, picture_file, preview_file, thumbnail_file

from ..conftest import OWNER, SIDE, gatys, keep, ordered, silence, state, until

MANY = 5000
"""Steps that nobody waits for."""


@pytest.fixture
def photo(database: Database, store: Store) -> str:
    return keep(database, store)


@contextmanager
def at_work(database: Database, store: Store, limits: Limits) -> Iterator[Event]:
    """A worker in a thread, until the end or until what it gives is set."""
    stop = Event()
    thread = Thread(target=Worker(database, store, limits, stop).run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()


def told(queue: Queue, job: str, kind: str) -> list[dict[str, Any]]:
    return [row.data for row in queue.events(job, 0) if row.kind == kind]


def results(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.scalars(select(pictures.c.id).where(pictures.c.kind == "result")))


def over(queue: Queue, job: str) -> bool:
    return state(queue, job) not in ("queued", "running")


def steps_made(queue: Queue, job: str) -> int:
    return int((queue.get(job, OWNER).stand or {}).get("step", 0))


def test_a_fast_job_is_painted_and_kept(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = ordered(queue, photo)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
        assert queue.alive() == 1
    assert queue.alive() == 0
    row = queue.get(job, OWNER)
    assert (row.state, row.error, row.attempts) == ("done", None, 1)
    assert row.created <= row.started <= row.finished
    painted = read(io.BytesIO(store.get(picture_file(row.result))))
    assert painted.size == (32, 32)
    assert painted.settings["content"] == photo
    assert store.get(thumbnail_file(row.result))[:2] == b"\xff\xd8"
    assert results(database) == [row.result]
    kinds = [(event.kind, event.data.get("state")) for event in queue.events(job, 0)]
    assert kinds[:2] == [("state", "queued"), ("state", "running")]
    assert kinds[-1] == ("end", "done")
    assert store.runs() == set()


def test_a_job_with_steps_tells_how_it_stands(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = gatys(queue, photo)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert state(queue, job) == "done"
    assert told(queue, job, "started") == [{"width": 32, "height": 32, "steps": 3}]
    last = told(queue, job, "progress")[-1]
    assert (last["step"], last["steps"]) == (3, 3)
    assert last["loss"] == last["losses"]["total"] > 0
    assert told(queue, job, "preview")[0]["url"].startswith(f"/api/jobs/{job}/preview?step=")
    assert store.get(preview_file(job))[:2] == b"\xff\xd8"
    stand = queue.get(job, OWNER).stand
    assert (stand["step"], stand["steps"]) == (3, 3)


def test_a_preview_that_cannot_be_kept_is_left_out(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, real = gatys(queue, photo), Store.put

    def put(self: Store, name: str, data: bytes) -> None:
        if name == preview_file(job):
            raise ImpastoError("the picture cannot be kept (no space left on device); mend: make room")
        real(self, name, data)

    monkeypatch.setattr(Store, "put", put)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert (state(queue, job), queue.get(job, OWNER).error) == ("done", None)
    assert told(queue, job, "progress")
    assert told(queue, job, "preview") == []


def test_a_cancelled_job_stops_and_keeps_the_best_so_far(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job, other = gatys(queue, photo, steps=MANY), ordered(queue, photo)
    with at_work(database, store, limits):
        until(lambda: steps_made(queue, job))
        queue.cancel(job, OWNER)
        until(lambda: over(queue, job))
        until(lambda: over(queue, other))
    row = queue.get(job, OWNER)
    assert row.state == "cancelled"
    assert read(io.BytesIO(store.get(picture_file(row.result)))).size == (32, 32)
    assert state(queue, other) == "done"
    assert store.runs() == set()


def test_a_worker_that_goes_home_gives_its_job_back_and_another_goes_on(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = gatys(queue, photo, steps=60)
    with at_work(database, store, limits) as stop:
        until(lambda: steps_made(queue, job) >= 2)
        stop.set()
        until(lambda: state(queue, job) == "queued")
    assert (queue.get(job, OWNER).attempts, results(database)) == (0, [])
    assert store.runs() == {job}
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    row = queue.get(job, OWNER)
    assert (row.state, row.attempts) == ("done", 1)
    (notice,) = [one["text"] for one in told(queue, job, "notice") if "goes on" in one["text"]]
    assert notice.startswith("goes on after step ")
    assert notice.endswith(" of 60 from the saved state")
    made = [one["step"] for one in told(queue, job, "progress")]
    assert made == sorted(made)
    assert made[-1] == 60
    assert [event.number for event in queue.events(job, 0)] == list(range(1, row.told + 1))
    assert results(database) == [row.result]
    assert store.runs() == set()


@pytest.mark.parametrize("claimed", [False, True])
def test_an_interrupted_job_that_is_cancelled_before_its_next_step_keeps_what_was_painted(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    claimed: bool,
) -> None:  # fmt: skip
    job, room = gatys(queue, photo, steps=MANY), Room(database, f"{store.folder}", limits)
    with at_work(database, store, limits) as stop:
        until(lambda: steps_made(queue, job) >= 2)
        stop.set()
        until(lambda: state(queue, job) == "queued")
    real = module.perform

    def perform(*words: Any, stop: Any, **more: Any) -> Any:
        if claimed:
            room.cancel_job(job, OWNER)
        until(stop.is_set)
        return real(*words, stop=stop, **more)

    if not claimed:
        room.cancel_job(job, OWNER)
        assert (state(queue, job), room.job(queue.get(job, OWNER)).cancelling) == ("queued", True)
    monkeypatch.setattr(module, "perform", perform)
    before = len(told(queue, job, "progress"))
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    row = queue.get(job, OWNER)
    assert (row.state, len(told(queue, job, "progress"))) == ("cancelled", before)
    assert read(io.BytesIO(store.get(picture_file(row.result)))).size == (32, 32)
    assert store.runs() == set()


def test_an_interrupted_job_that_is_cancelled_twice_waits_for_no_worker(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job, room = gatys(queue, photo), Room(database, f"{store.folder}", limits)
    place = store.checkpoint(job)
    assert place
    place.write_bytes(b"steps")
    room.cancel_job(job, OWNER)
    assert state(queue, job) == "queued"
    room.cancel_job(job, OWNER)
    assert state(queue, job) == "cancelled"


@pytest.mark.parametrize("state_kept", [b"damaged", b""])
def test_a_saved_state_that_is_of_no_use_is_thrown_away(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, state_kept: bytes
) -> None:
    job = gatys(queue, photo)
    place = store.checkpoint(job)
    assert place
    place.write_bytes(state_kept)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert (state(queue, job), queue.get(job, OWNER).error) == ("done", None)


@pytest.mark.parametrize("end", ["delivers", "fails"])
def test_a_late_worker_leaves_alone_what_the_other_goes_on_from(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:  # fmt: skip
    job, real, others = ordered(queue, photo), module.perform, []

    def perform(*words: Any, checkpoint: Path, **more: Any) -> Any:
        picture = real(*words, checkpoint=checkpoint, **more)
        silence(database, job)
        others.append(queue.claim("another"))
        checkpoint.write_bytes(b"the other's state")
        stop.set()
        if end == "fails":
            raise LimitError("too late")
        return picture

    monkeypatch.setattr(module, "perform", perform)
    with at_work(database, store, limits) as stop:
        until(lambda: others)
    assert (state(queue, job), results(database), store.runs()) == ("running", [], {job})
    queue.finish(others[0], "done")


def test_a_late_worker_shows_nothing(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, others = gatys(queue, photo, steps=MANY), []

    def thumbnail(*_: Any) -> bytes:
        silence(database, job)
        others.append(queue.claim("another"))
        store.put(preview_file(job), b"the other's")
        return b"mine"

    monkeypatch.setattr(module, "thumbnail", thumbnail)
    with at_work(database, store, limits) as stop:
        until(lambda: others)
        stop.set()
    assert store.get(preview_file(job)) == b"the other's"
    queue.finish(others[0], "done")


def test_who_slept_with_the_machine_is_not_taken_for_dead(
    database: Database, store: Store, queue: Queue, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lid is closed for an hour: one worker paints, another looks for jobs, and both wake with an old lease."""
    limits = Limits(lease_seconds=30, beat_seconds=10)
    real, asleep = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + asleep)
    job = gatys(queue, photo, steps=MANY)
    with at_work(database, store, limits), at_work(database, store, limits) as other:
        until(lambda: steps_made(queue, job) >= 2)
        worker = queue.get(job, OWNER).worker
        with database.write() as connection:  # nobody can do anything about it in between
            connection.execute(update(jobs).where(jobs.c.id == job).values(lease=database.now - 1))
            asleep = 3600.0
        time.sleep(3)
        assert (queue.get(job, OWNER).worker, queue.get(job, OWNER).attempts) == (worker, 1)
        assert not queue.anything()  # its lease is renewed
        queue.cancel(job, OWNER)
        until(lambda: over(queue, job))
        other.set()
    assert state(queue, job) == "cancelled"


def test_a_job_that_takes_too_long_ends_with_what_is_painted(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = gatys(queue, photo, steps=10 * MANY)
    with at_work(database, store, replace(limits, job_seconds=5)):
        until(lambda: over(queue, job))
    row = queue.get(job, OWNER)
    assert row.state == "done"
    assert read(io.BytesIO(store.get(picture_file(row.result)))).size == (32, 32)
    assert "ended after 5 s, the longest that a job may take; this is the picture so far" in [
        one["text"] for one in told(queue, job, "notice")
    ]
    assert store.runs() == set()


def test_a_job_that_takes_too_long_for_its_first_step_fails(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def perform(*_: Any, stop: Event, **more: Any) -> None:
        assert stop.wait(60)
        raise StoppedError("before the first step")

    monkeypatch.setattr(module, "perform", perform)
    job = ordered(queue, photo)
    with at_work(database, store, replace(limits, job_seconds=1)):
        until(lambda: over(queue, job))
    row = queue.get(job, OWNER)
    assert (row.state, row.error) == (
        "failed", "nothing was painted after 1 s, the longest that a job may take; mend: a smaller size"
    )  # fmt: skip


def test_a_lost_job_is_painted_no_further(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job, other = gatys(queue, photo, steps=MANY), ordered(queue, photo)
    with at_work(database, store, limits):
        until(lambda: steps_made(queue, job))
        with database.write() as connection:  # as if another had claimed it
            connection.execute(update(jobs).where(jobs.c.id == job).values(fence=99))
        until(lambda: over(queue, other))
    assert (state(queue, job), state(queue, other)) == ("running", "done")
    assert results(database) == [queue.get(other, OWNER).result]


def test_a_picture_that_is_gone_is_told(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = ordered(queue, photo)
    store.delete(picture_file(photo))
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert (state(queue, job), queue.get(job, OWNER).error) == ("failed", "the file is gone")


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (RuntimeError("of a user"), "this is a fault, report it: RuntimeError"),
        (LimitError("/tmp/impasto-x/a.png is too large; mend: a smaller one"), "a.png is too large; mend: a smaller"),
    ],
)
def test_trouble_fails_the_job_and_not_the_worker(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    trouble: Exception, said: str,
) -> None:  # fmt: skip
    real, bad, good = module.perform, ordered(queue, photo), ordered(queue, photo)

    def perform(*words: Any, **more: Any) -> Any:
        monkeypatch.setattr(module, "perform", real)
        raise trouble

    monkeypatch.setattr(module, "perform", perform)
    with at_work(database, store, limits):
        until(lambda: over(queue, bad) and over(queue, good))
    assert (state(queue, bad), state(queue, good)) == ("failed", "done")
    assert queue.get(bad, OWNER).error.startswith(said)
    assert "of a user" not in queue.get(bad, OWNER).error


@pytest.mark.parametrize("word", ["get", "put"])
def test_a_store_that_is_away_for_a_moment_loses_no_job(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    word: str,
) -> None:  # fmt: skip
    job, real, asked = ordered(queue, photo), getattr(Store, word), []

    def away(*words: Any) -> Any:
        if len(asked) > 1:
            return real(*words)
        raise AwayError("the store of pictures does not answer; mend: try again")

    def answers(_: Store) -> bool:
        asked.append(state(queue, job))
        return len(asked) > 2

    monkeypatch.setattr(Store, word, away)
    monkeypatch.setattr(Store, "answers", answers)
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.01)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    row = queue.get(job, OWNER)
    assert (row.state, row.error, row.attempts) == ("done", None, 2)
    assert asked == ["queued"] * 3  # nobody takes it while it could only fail
    assert len(results(database)) == 1


def test_a_store_that_stays_away_is_told(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise AwayError("the store of pictures does not answer; mend: try again")

    job = ordered(queue, photo)
    monkeypatch.setattr(Store, "get", away)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    said = "the store of pictures did not answer in 2 attempts; mend: order it again later"
    assert (state(queue, job), queue.get(job, OWNER).error) == ("failed", said)


@pytest.mark.parametrize(
    "trouble",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: 9"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA: tried to allocate 9 GiB"),
        LimitError("the picture is too large"),
    ],
)
def test_where_memory_ran_out_another_process_goes_on(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:  # fmt: skip
    bad, good = ordered(queue, photo), ordered(queue, photo)

    def perform(*words: Any, **more: Any) -> Any:
        raise trouble from (MemoryError() if isinstance(trouble, LimitError) else None)

    with monkeypatch.context() as patch:
        patch.setattr(module, "perform", perform)
        assert Worker(database, store, limits, Event()).run() == AGAIN
    assert (state(queue, bad), state(queue, good), queue.alive()) == ("failed", "queued", 0)
    said = "the picture is too large" if isinstance(trouble, LimitError) else "memory ran out; mend: a smaller size"
    assert queue.get(bad, OWNER).error == said
    with at_work(database, store, limits):
        until(lambda: over(queue, good))
    assert state(queue, good) == "done"


def test_a_job_cancelled_while_its_parts_are_loaded_makes_no_step(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, loaded = gatys(queue, photo, steps=MANY), []

    def load(name: str) -> None:
        loaded.append(name)
        queue.cancel(job, OWNER)
        until(lambda: queue.get(job, OWNER).state != "running" or stops[0].is_set())

    stops: list[Any] = []
    real = module.perform

    def perform(*words: Any, stop: Any, **more: Any) -> Any:
        stops.append(stop)
        return real(*words, stop=stop, **more)

    monkeypatch.setattr(module, "perform", perform)
    monkeypatch.setattr("impasto.studio.orders.import_module", load)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert (state(queue, job), loaded, told(queue, job, "started")) == ("cancelled", ["torch"], [])
    assert (queue.get(job, OWNER).result, store.runs()) == (None, set())


class TestPatience:
    LIMITS = Limits(silent_seconds=100, cancel_seconds=20)

    def begun(self) -> tuple[Patience, float]:
        patience, now = Patience(self.LIMITS), time.monotonic()
        patience.heard(now)
        return patience, now

    def test_silence_has_an_end(self) -> None:
        patience, now = self.begun()
        assert patience.over(now + 99, stopping=False) is None
        patience.heard(now + 99)
        assert patience.over(now + 198, stopping=False) is None
        assert patience.over(now + 200, stopping=False) == "nothing moved for 100 s"

    def test_a_cancel_has_to_be_heeded(self) -> None:
        patience, now = self.begun()
        assert patience.over(now + 5, stopping=True) is None
        patience.heard(now + 24)
        assert patience.over(now + 24, stopping=True) is None
        patience.heard(now + 26)
        too_long = patience.over(now + 54, stopping=True)  # steps go on, all the same
        assert too_long == "nothing moved when it was to stop"

    def test_a_cancelled_job_of_which_there_is_nothing_to_keep_is_not_waited_for(self) -> None:
        patience, now = self.begun()
        patience.cancelled()
        assert patience.over(now + 5, stopping=True) is None
        assert patience.over(now + 5.6, stopping=True) == "nothing moved when it was to stop"

    def test_one_that_has_made_a_step_is(self) -> None:
        patience, now = self.begun()
        patience.heard(now + 1, kept=True)
        patience.cancelled()
        assert patience.over(now + 5, stopping=True) is None
        assert patience.over(now + 5.6, stopping=True) is None
        assert patience.over(now + 26, stopping=True)

    def test_who_makes_long_steps_is_stopped_between_two(self) -> None:
        patience, now = self.begun()
        patience.heard(now + 60)
        assert patience.over(now + 61, stopping=True) is None
        assert patience.over(now + 150, stopping=True) is None

    def test_a_picture_that_is_being_kept_is_waited_for(self) -> None:
        patience, now = self.begun()
        assert patience.over(now + 1, stopping=True) is None
        patience.done(now + 15)
        assert patience.over(now + 60, stopping=True) is None
        assert patience.over(now + 116, stopping=True) == "nothing moved for 100 s"


@pytest.mark.parametrize("word", ["tell", "finish", "claim", "beat", "anything"])
def test_a_database_that_is_away_for_a_moment_loses_no_job(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str, monkeypatch: pytest.MonkeyPatch,
    word: str,
) -> None:  # fmt: skip
    job, real, failed = ordered(queue, photo), getattr(Queue, word), []

    def away(*words: Any, **more: Any) -> Any:
        if failed:
            return real(*words, **more)
        failed.append(word)
        raise OperationalError("a statement", {}, Exception("database is locked"))

    monkeypatch.setattr(Queue, word, away)
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert failed
    assert state(queue, job) == "done"
    assert len(results(database)) == 1


def test_an_order_that_this_version_does_not_know_fails(
    database: Database, store: Store, queue: Queue, limits: Limits, photo: str
) -> None:
    job = queue.submit({"method": "fast", "new": True}, owner=OWNER, client="here")
    with at_work(database, store, limits):
        until(lambda: over(queue, job))
    assert state(queue, job) == "failed"


def test_steps_that_turn_out_to_be_too_many_are_refused(
    database: Database, store: Store, queue: Queue, photo: str
) -> None:
    """The size is the picture's own, which nobody knows before the job starts."""
    few = Limits(pixel_steps=1_000_000)
    job = gatys(queue, photo, size=None, steps=MANY)
    with at_work(database, store, few):
        until(lambda: over(queue, job))
    assert f"{MANY} steps at {SIDE}x{SIDE} are more than one job may take" in queue.get(job, OWNER).error


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("/var/store/runs/" + "a" * 32 + " holds a run", "the saved state holds a run"),
        (
            "goes on after step 2 of 9 from C:\\store\\runs\\" + "0" * 32,
            "goes on after step 2 of 9 from the saved state",
        ),
        ("/home/anna/.cache/vgg.bin (from /tmp/x) is damaged", "vgg.bin (from x) is damaged"),
        ("'C:\\Users\\anna\\a.png' is damaged", "'a.png' is damaged"),
        ("3/4 of 1024x768 at 2 steps/s; mend: and/or http://127.0.0.1/a/b", ""),
    ],
)
def test_guests_hear_nothing_of_folders(text: str, plain: str) -> None:
    assert module._plain(text) == (plain or text)


def test_numbers_that_are_none_are_not_told() -> None:
    event = Progress(1, 2, (3, 4), {"total": math.nan, "style": 1.5}, 0.5, math.inf)
    told = module._progress(event)
    assert told["losses"] == {"total": None, "style": 1.5}
    assert (told["loss"], told["seconds_left"]) == (None, None)
