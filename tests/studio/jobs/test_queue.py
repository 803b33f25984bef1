"""What the queue promises, on both databases: none lost, none twice, nobody's late word counts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from impasto.errors import OptionError
from impasto.studio.errors import BusyError, ConflictError, LostError, MissingError
from impasto.studio.jobs.database import Database, alone
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.rows import Claim
from impasto.studio.jobs.tables import events, jobs, needs, pictures, workers
from impasto.studio.limits import Limits
from impasto.studio.store import Store

from ..conftest import OWNER, Submit, keep, silence, state

THREADS = 12


def at_once(work: Callable[[int], Any], count: int = THREADS) -> list[Any]:
    """What `work(0..count-1)` returns or raises, all begun at the same moment."""
    ready = Barrier(count)

    def one(n: int) -> Any:
        ready.wait(30)
        try:
            return work(n)
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def claimed(queue: Queue, worker: str = "w") -> Claim:
    claim = queue.claim(worker)
    assert claim is not None
    return claim


def numbers(queue: Queue, job: str) -> list[int]:
    return [row.number for row in queue.events(job, 0)]


def kinds(queue: Queue, job: str) -> list[str]:
    return [row.data.get("state") or row.kind for row in queue.events(job, 0)]


def result(identity: str = "f" * 32, owner: str = OWNER) -> dict[str, Any]:
    return {"id": identity, "owner": owner, "kind": "result", "name": "a", "width": 1, "height": 1, "bytes": 1}


def pictures_kept(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(pictures)) or 0)


# Adding


def test_jobs_are_taken_in_the_order_they_came(queue: Queue, submit: Submit) -> None:
    made = [submit(n) for n in range(20)]
    rows = [queue.get(job, OWNER) for job in made]
    created = [row.created for row in rows]
    assert created == sorted(set(created)) == queue.line()
    assert [claimed(queue).id for _ in made] == made
    assert queue.claim("w") is None


def test_a_clock_that_goes_back_does_not_change_the_order(database: Database, queue: Queue, submit: Submit) -> None:
    first = submit()
    with database.write() as connection:
        connection.execute(update(jobs).values(created=jobs.c.created + 3600))
    second = submit()
    assert [claimed(queue).id, claimed(queue).id] == [first, second]


def test_a_list_goes_on_where_it_ended(queue: Queue, submit: Submit) -> None:
    made = [submit(n) for n in range(9)]
    seen: list[str] = []
    before = None
    while page := queue.list(OWNER, limit=2, before=before):
        seen += [row.id for row in page]
        before = page[-1].created
    assert seen == made[::-1]


def test_a_full_queue_refuses_and_says_when_to_come_again(database: Database) -> None:
    queue = Queue(database, Limits(queue=2, jobs_per_client=100))
    for _ in range(2):
        queue.submit({}, owner=OWNER, client="here")
    with pytest.raises(BusyError, match="2 jobs wait already") as refused:
        queue.submit({}, owner="ben", client="there")
    assert refused.value.retry_after > 0
    claimed(queue)
    queue.submit({}, owner="ben", client="there")


@pytest.mark.parametrize("key", [None, "k"])
def test_a_full_queue_refuses_without_waiting_for_whoever_writes(database: Database, key: str | None) -> None:
    queue = Queue(database, Limits(queue=1))
    first = queue.submit({}, owner=OWNER, client="here", key="first")

    def enter(owner: str, key: str | None) -> None:
        with queue.entrance(owner=owner, client="here", key=key):
            pass

    with database.write() as connection, ThreadPoolExecutor(1) as pool:
        alone(connection)
        with pytest.raises(BusyError, match="1 jobs wait already"):
            pool.submit(enter, OWNER, key).result(5)  # less than a writer would wait for another one
        pool.submit(enter, OWNER, "first").result(5)  # taken before, and so it is answered
        with pytest.raises(BusyError):
            pool.submit(enter, "ben", "first").result(5)  # which is another's key
    assert queue.submit({}, owner=OWNER, client="here", key="first") == first


def test_who_enters_keeps_a_place_until_he_is_through(database: Database) -> None:
    queue = Queue(database, Limits(queue=2))
    for _ in range(2):  # whoever fails leaves the place to others
        with pytest.raises(OptionError), queue.entrance(owner=OWNER, client="here"):
            with queue.entrance(owner="ben", client="there"):
                with pytest.raises(BusyError, match="last places"), queue.entrance(owner="eve", client="far"):
                    pass
                queue.submit({}, owner="ben", client="there", key="ben")
            raise OptionError("it does not fit")
        queue.cancel(queue.submit({}, owner="ben", client="there", key="ben"), "ben")
    assert queue.submit({}, owner=OWNER, client="here")


def test_many_at_once_never_exceed_the_queue(database: Database) -> None:
    queue = Queue(database, Limits(queue=5, jobs_per_client=100))
    told = at_once(lambda n: queue.submit({"n": n}, owner=OWNER, client=f"c{n}"))
    assert sum(isinstance(one, str) for one in told) == 5
    assert sum(isinstance(one, BusyError) for one in told) == THREADS - 5
    assert queue.depth() == {"queued": 5}


def test_many_at_once_never_exceed_a_clients_share(database: Database) -> None:
    queue = Queue(database, Limits(queue=100, jobs_per_client=3))
    told = at_once(lambda n: queue.submit({"n": n}, owner=OWNER, client="here"))
    assert sum(isinstance(one, str) for one in told) == 3
    claimed(queue)  # a running job counts too
    with pytest.raises(BusyError, match="3 of your jobs"):
        queue.submit({}, owner=OWNER, client="here")
    assert queue.submit({}, owner=OWNER, client="there")


def test_jobs_of_a_second_are_not_kept_out_by_long_ones(database: Database) -> None:
    queue = Queue(database, Limits(jobs_per_client=2))
    for quick in (False, False, True, True):
        queue.submit({}, owner=OWNER, client="here", quick=quick)
    for quick in (False, True):
        with pytest.raises(BusyError, match="2 of your jobs"):
            queue.submit({}, owner=OWNER, client="here", quick=quick)


def test_the_same_key_at_once_is_one_job(queue: Queue, submit: Submit) -> None:
    told = at_once(lambda _: submit(key="k"))
    assert len(set(told)) == 1
    assert queue.depth() == {"queued": 1}
    assert submit(owner="ben", key="k") not in told


def test_a_key_stands_for_one_order(queue: Queue) -> None:
    asked = {"styles": ("a", "b"), "options": {"strength": 0.5}}
    first = queue.submit(asked, owner=OWNER, client="here", key="k")
    assert queue.submit(json.loads(json.dumps(asked)), owner=OWNER, client="here", key="k") == first
    with pytest.raises(OptionError, match="this Idempotency-Key stands for another order"):
        queue.submit(asked | {"styles": ("a",)}, owner=OWNER, client="here", key="k")


def test_the_same_key_is_the_same_job_when_the_queue_is_full_and_when_it_is_over(database: Database) -> None:
    queue = Queue(database, Limits(queue=1))
    first = queue.submit({}, owner=OWNER, client="here", key="k")
    assert queue.submit({}, owner=OWNER, client="here", key="k") == first
    queue.finish(claimed(queue), "done")
    assert queue.submit({}, owner=OWNER, client="here", key="k") == first


def test_a_picture_that_is_gone_or_somebody_elses_is_refused(database: Database, store: Store, submit: Submit) -> None:
    with pytest.raises(MissingError, match="upload it again"):
        submit(reads=["0" * 32])
    with pytest.raises(MissingError):
        submit(reads=[keep(database, store, owner="ben")])


# Taking

DRAIN = """
import sys
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.limits import Limits
database = Database(sys.argv[1])
queue = Queue(database, Limits())
print("ready", flush=True)
sys.stdin.readline()
while claim := queue.claim(sys.argv[2]):
    queue.finish(claim, "done")
    print(claim.id)
"""


@pytest.mark.slow
def test_a_thousand_jobs_are_each_taken_once_by_several_processes(
    database: Database, queue: Queue, database_url: str
) -> None:
    made = [f"{n:032x}" for n in range(1000)]
    row = {"owner": OWNER, "client": "here", "order": {}, "state": "queued", "cancel": False, "stand": {}}
    with database.write() as connection:
        connection.execute(insert(jobs), [{"id": job, "created": float(n), **row} for n, job in enumerate(made)])
    command = [sys.executable, "-c", DRAIN, database_url]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    drains = [subprocess.Popen([*command, f"w{n}"], **pipes) for n in range(3)]
    for drain in drains:
        assert drain.stdout.readline() == "ready\n"
    for drain in drains:
        drain.stdin.write("\n")
        drain.stdin.flush()
    taken = [drain.communicate(timeout=200)[0].split() for drain in drains]
    assert [drain.returncode for drain in drains] == [0, 0, 0]
    assert sorted(job for jobs_of_one in taken for job in jobs_of_one) == made
    assert sum(bool(jobs_of_one) for jobs_of_one in taken) > 1
    assert queue.depth() == {"done": 1000}
    with database.read() as connection:
        assert connection.scalar(select(func.max(jobs.c.attempts))) == 1
        assert connection.scalar(select(func.count()).select_from(events)) == 2000


def test_threads_that_claim_at_once_get_a_job_each(queue: Queue, submit: Submit) -> None:
    made = {submit(n) for n in range(THREADS - 2)}
    told = at_once(lambda n: queue.claim(f"w{n}"))
    assert Counter(claim.id for claim in told if claim) == Counter(made)
    assert told.count(None) == 2


def test_a_silent_workers_job_goes_to_another_and_in_the_end_fails(
    database: Database, queue: Queue, submit: Submit
) -> None:
    job = submit()
    assert claimed(queue, "a").attempt == 1
    assert not queue.anything()
    assert queue.claim("b") is None
    silence(database, job)
    assert queue.anything()
    assert claimed(queue, "b").attempt == 2
    silence(database, job)
    assert queue.claim("c") is None
    row = queue.get(job, OWNER)
    assert (row.state, row.attempts) == ("failed", 2)
    assert row.error == "the worker died in 2 attempts; mend: a smaller size"
    assert kinds(queue, job) == ["queued", "running", "queued", "running", "failed"]
    assert numbers(queue, job) == [1, 2, 3, 4, 5]


def test_a_sign_of_life_keeps_the_job(database: Database, queue: Queue, submit: Submit) -> None:
    submit()
    claim = claimed(queue, "a")
    silence(database, claim.id)
    queue.beat("a", claim)
    assert not queue.anything()
    assert queue.claim("b") is None
    assert queue.alive() == 2


@pytest.mark.parametrize("word", ["tell", "finish", "beat", "release"])
def test_a_late_workers_word_does_not_count(database: Database, queue: Queue, submit: Submit, word: str) -> None:
    job = submit()
    late = claimed(queue, "late")
    silence(database, job)
    now = claimed(queue, "now")
    before = queue.get(job, OWNER)
    assert queue.asked_to_stop(late)
    said = {
        "tell": lambda: queue.tell(late, "progress", {"step": 9}, {"step": 9}),
        "finish": lambda: queue.finish(late, "done", result=result()),
        "beat": lambda: queue.beat("late", late),
        "release": lambda: queue.release(late),
    }
    with pytest.raises(LostError):
        said[word]()
    assert queue.get(job, OWNER) == before
    assert pictures_kept(database) == 0
    assert numbers(queue, job) == [1, 2, 3, 4]
    queue.finish(now, "done", result=result())
    with pytest.raises(LostError):
        said[word]()
    assert (state(queue, job), pictures_kept(database)) == ("done", 1)


def test_two_late_words_and_one_right_one_at_once(database: Database, queue: Queue, submit: Submit) -> None:
    job = submit()
    late = claimed(queue, "late")
    silence(database, job)
    now = claimed(queue, "now")
    told = at_once(lambda n: queue.finish((late, now, now)[n], "done", result=result(f"{n:032x}")), 3)
    assert sorted(type(one).__name__ for one in told) == ["LostError", "LostError", "NoneType"]
    assert pictures_kept(database) == 1
    assert numbers(queue, job) == [1, 2, 3, 4, 5]


def test_a_result_and_its_job_are_written_together_or_not_at_all(
    database: Database, queue: Queue, submit: Submit
) -> None:
    job = submit()
    claim = claimed(queue)
    with pytest.raises(Exception, match=r"(?i)null"):
        queue.finish(claim, "done", result={**result(), "name": None})
    assert (state(queue, job), pictures_kept(database)) == ("running", 0)
    queue.finish(claim, "done", result=result())
    assert queue.get(job, OWNER).result == "f" * 32


def test_a_job_given_back_is_the_next_and_costs_no_attempt(queue: Queue, submit: Submit) -> None:
    first, _ = submit(1), submit(2)
    claim = claimed(queue, "a")
    queue.tell(claim, "progress", {"step": 1}, {"step": 1})
    queue.release(claim)
    again = claimed(queue, "b")
    assert (again.id, again.attempt) == (first, 1)
    assert again.fence > claim.fence
    assert queue.get(first, OWNER).stand == {}
    with pytest.raises(LostError):
        queue.finish(claim, "done")
    queue.finish(again, "done")
    assert numbers(queue, first) == list(range(1, 7))


def test_events_of_many_have_no_gaps(queue: Queue, submit: Submit) -> None:
    job = submit()
    claim = claimed(queue)
    told = at_once(lambda n: [queue.tell(claim, "progress", {"n": n, "i": i}, {}) for i in range(5)])
    assert not [one for one in told if isinstance(one, Exception)]
    assert numbers(queue, job) == list(range(1, 3 + 5 * THREADS))
    seen = [(row.data["n"], row.data["i"]) for row in queue.events(job, 2)]
    assert sorted(seen) == [(n, i) for n in range(THREADS) for i in range(5)]
    assert [row.number for row in queue.events(job, 50)] == list(range(51, 3 + 5 * THREADS))


def test_workers_come_and_go(database: Database, queue: Queue, limits: Limits) -> None:
    queue.beat("a")
    queue.beat("b")
    queue.beat("b")
    assert queue.alive() == 2
    queue.leave("a")
    assert queue.alive() == 1
    with database.write() as connection:
        connection.execute(update(workers).values(beat=database.now - 11 * limits.lease_seconds))
    assert queue.alive() == 0
    queue.claim("c")
    with database.read() as connection:
        assert connection.scalars(select(workers.c.id)).all() == ["c"]


# Cancelling and deleting


def test_cancelling_one_never_touches_another(queue: Queue, submit: Submit) -> None:
    running, waiting, other = submit(1), submit(2), submit(3)
    claim = claimed(queue)
    for _ in range(2):
        queue.cancel(waiting, OWNER)
    assert [state(queue, job) for job in (running, waiting, other)] == ["running", "cancelled", "queued"]
    assert not queue.asked_to_stop(claim)
    assert kinds(queue, waiting) == ["queued", "cancelled"]
    assert claimed(queue).id == other


def test_a_running_job_is_asked_to_stop_and_ends_with_what_it_has(queue: Queue, submit: Submit) -> None:
    job = submit()
    claim = claimed(queue)
    for _ in range(2):
        queue.cancel(job, OWNER)
    assert queue.asked_to_stop(claim)
    assert state(queue, job) == "running"
    queue.finish(claim, "cancelled", result=result())
    before = queue.get(job, OWNER)
    queue.cancel(job, OWNER)
    assert queue.get(job, OWNER) == before
    assert (before.state, before.result) == ("cancelled", "f" * 32)


@pytest.mark.parametrize("over", ["done", "failed"])
def test_a_job_that_is_over_stays_as_it_is(queue: Queue, submit: Submit, over: str) -> None:
    job = submit()
    queue.finish(claimed(queue), over, error="why" if over == "failed" else None)
    before = queue.get(job, OWNER)
    queue.cancel(job, OWNER)
    assert queue.get(job, OWNER) == before


def test_a_cancelled_job_of_a_dead_worker_is_over_without_another(
    database: Database, queue: Queue, submit: Submit
) -> None:
    job = submit()
    late = claimed(queue)
    silence(database, job)
    queue.cancel(job, OWNER)
    assert state(queue, job) == "cancelled"
    with pytest.raises(LostError):
        queue.finish(late, "done")


def test_a_job_whose_worker_dies_after_the_cancel_is_not_painted_again(
    database: Database, queue: Queue, submit: Submit
) -> None:
    job = submit()
    claimed(queue)
    queue.cancel(job, OWNER)
    silence(database, job)
    assert queue.claim("b") is None
    assert state(queue, job) == "cancelled"


def test_a_cancelled_job_that_is_given_back_is_over(queue: Queue, submit: Submit) -> None:
    job = submit()
    claim = claimed(queue)
    queue.cancel(job, OWNER)
    queue.release(claim)
    assert state(queue, job) == "cancelled"
    assert queue.claim("b") is None


def test_cancel_and_claim_at_once_agree(queue: Queue, submit: Submit) -> None:
    for n in range(10):
        job = submit(n)
        _, claim = at_once(lambda k, job=job: queue.cancel(job, OWNER) if k == 0 else queue.claim("w"), 2)
        assert state(queue, job) == ("running" if claim else "cancelled")
        if claim:
            assert queue.asked_to_stop(claim)
            queue.finish(claim, "cancelled")


def test_delete_forgets_a_job_its_events_and_its_result(database: Database, queue: Queue, submit: Submit) -> None:
    job, other = submit(1), submit(2)
    with pytest.raises(ConflictError, match="queued"):
        queue.delete(job, OWNER)
    claim = claimed(queue)
    with pytest.raises(ConflictError, match="running"):
        queue.delete(job, OWNER)
    queue.finish(claim, "done", result=result())
    assert queue.delete(job, OWNER) == "f" * 32
    with pytest.raises(MissingError):
        queue.get(job, OWNER)
    assert queue.events(job, 0) == []
    assert pictures_kept(database) == 0
    assert state(queue, other) == "queued"
    with pytest.raises(MissingError):
        queue.delete(job, OWNER)


def test_a_job_whose_picture_another_needs_is_not_deleted(queue: Queue, submit: Submit) -> None:
    first = submit()
    queue.finish(claimed(queue), "done", result=result())
    second = submit(reads=["f" * 32])
    with pytest.raises(ConflictError, match="needs"):
        queue.delete(first, OWNER)
    queue.cancel(second, OWNER)
    assert queue.delete(first, OWNER) == "f" * 32


def test_delete_and_order_at_once_agree(queue: Queue, submit: Submit) -> None:
    for n in range(15):
        first, picture = submit(n), f"{n:032x}"
        queue.finish(claimed(queue), "done", result=result(picture))
        told = at_once(
            lambda k, first=first, picture=picture: queue.delete(first, OWNER) if k == 0 else submit(reads=[picture]), 2
        )
        if told[0] == picture:
            assert isinstance(told[1], MissingError)
        else:
            assert isinstance(told[0], ConflictError)
            queue.finish(claimed(queue), "done")


def test_what_a_job_reads_is_needed_until_it_is_over(
    database: Database, store: Store, queue: Queue, submit: Submit
) -> None:
    def needed() -> int:
        with database.read() as connection:
            return int(connection.scalar(select(func.count()).select_from(needs)) or 0)

    photo = keep(database, store)
    submit(reads=[photo])
    claim = claimed(queue)
    queue.release(claim)
    assert needed() == 1
    queue.finish(claimed(queue), "failed", error="why")
    assert needed() == 0


def test_owners_see_and_touch_only_their_own(queue: Queue, submit: Submit) -> None:
    job = submit()
    for touch in (queue.get, queue.cancel, queue.delete):
        with pytest.raises(MissingError, match="no such job"):
            touch(job, "ben")
    assert queue.list("ben") == []
    assert [row.id for row in queue.list(OWNER)] == [job]
    assert queue.list(OWNER, state="done") == []
    assert state(queue, job) == "queued"


def test_what_is_quick_waits_for_nobody(queue: Queue, submit: Submit) -> None:
    long, quick = submit(0), submit(1, quick=True)
    assert queue.anything(quick=True)
    claim = queue.claim("quick", quick=True)
    assert claim
    assert claim.id == quick
    assert not queue.anything(quick=True)
    assert queue.claim("quick", quick=True) is None
    other = queue.claim("any")
    assert other
    assert other.id == long
