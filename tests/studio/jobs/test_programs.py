"""`impasto studio` and `impasto worker` as they are run: one killed in the middle of a job, the other by itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.rows import OPEN
from impasto.studio.jobs.worker import PLACES
from impasto.studio.limits import PREFIX, Limits
from impasto.studio.store import Store

from ..conftest import STYLE, until
from ..server import ended, shown, uploaded
from .test_crash import check_all_done_once, on_sqlite

Run = Callable[..., "subprocess.Popen[str]"]
SLOW: dict[str, Any] = {"method": "gatys", "options": {"size": 32, "steps": 150, "encoder": "efficientnet-lite0"}}


@pytest.fixture
def run(database_url: str, store: Store, queue: Queue) -> Iterator[Run]:
    """Begins a command of ours at this test's database and pictures; nothing is left of it in the end."""
    told = dict(zip(PLACES, (database_url, str(store.folder)), strict=True))
    told |= {f"{PREFIX}LEASE_SECONDS": "6", f"{PREFIX}BEAT_SECONDS": "0.2", "OMP_NUM_THREADS": "1"}
    environment = {**os.environ, **told, "PYTHONUNBUFFERED": "1"}
    begun: list[subprocess.Popen[str]] = []

    with ExitStack() as stack:

        def one(*words: str, stderr: int | None = None) -> subprocess.Popen[str]:
            command = [sys.executable, "-m", "impasto", *words]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)
            begun.append(stack.enter_context(process))
            return process

        yield one
        for process in begun:
            process.terminate()
        for process in begun:
            process.wait(60)
        until(lambda: queue.alive() == 0)  # workers of a server that was killed go home by themselves


def served(run: Run, workers: int) -> tuple[subprocess.Popen[str], str]:
    """A server, and where it is."""
    process = run("studio", "--no-browser", "--port", "0", "--workers", str(workers))
    assert process.stdout
    found = re.search(r"http://\S+:\d+", process.stdout.readline())
    assert found
    return process, found[0]


def client(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=60, trust_env=False)


def ordered(http: httpx.Client, **more: Any) -> str:
    told = {"content": uploaded(http)["id"], "styles": [STYLE], "options": {"size": 32}} | more
    answer = http.post("/api/jobs", json=told)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.slow
def test_a_server_that_is_killed_goes_on_where_it_was(
    run: Run, database: Database, store: Store, queue: Queue, tmp_path: Path
) -> None:
    first, address = served(run, 1)
    with client(address) as http:
        made = [ordered(http, **SLOW), ordered(http, **SLOW)]
        until(lambda: http.get(f"/api/jobs/{made[0]}").json()["step"] >= 5)
    first.kill()
    assert first.wait(60) == -signal.SIGKILL
    assert {queue.get(job, "local").state for job in made} <= set(OPEN)
    _, address = served(run, 1)
    with client(address) as http:
        for job in made:
            told = ended(http, job)
            assert (told["state"], told["error"]) == ("done", None)
            assert shown(http.get(told["result"]["url"]).content).size == (32, 32)
        assert len(http.get("/api/pictures?kind=result").json()) == len(made)
    check_all_done_once(database, store, made)


@on_sqlite
@pytest.mark.slow
def test_a_server_that_is_stopped_takes_its_workers_along_in_time(run: Run, queue: Queue) -> None:
    """While one of them paints, and somebody listens: all within the time that is given to them together."""
    server, address = served(run, 1)
    with client(address) as http:
        job = ordered(http, **SLOW | {"options": SLOW["options"] | {"steps": 5000}})
        until(lambda: http.get(f"/api/jobs/{job}").json()["step"] >= 2)
        with http.stream("GET", f"/api/jobs/{job}/events") as stream:
            next(stream.iter_lines())
            server.terminate()
            assert server.wait(Limits().stop_seconds) == 0
    row = queue.get(job, "local")
    assert (row.state, row.attempts) == ("queued", 0)
    assert queue.alive() == 0


@on_sqlite
@pytest.mark.slow
def test_a_worker_beside_a_server_that_has_none(run: Run) -> None:
    _, address = served(run, 0)
    with client(address) as http:
        job = ordered(http)
        assert http.get("/readyz").json() == {"ready": False, "troubles": ["no worker is at work"]}
        worker = run("worker")
        told = ended(http, job)
        assert (told["state"], told["attempt"]) == ("done", 1)
        assert shown(http.get(told["result"]["url"]).content).format == "PNG"
        assert http.get("/readyz").json()["ready"]
        worker.terminate()
        assert worker.wait(60) == 0
        until(lambda: not http.get("/readyz").json()["ready"])


@on_sqlite
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found through /proc")
def test_what_a_worker_tells_is_json_too(run: Run) -> None:
    worker = run("worker", stderr=subprocess.PIPE)
    assert worker.stderr
    assert "waits for jobs" in worker.stderr.readline()
    until(lambda: children(worker.pid) != [])
    os.kill(children(worker.pid)[0], signal.SIGKILL)
    told = json.loads(worker.stderr.readline())
    assert (told["part"], told["message"], told["status"]) == ("crew", "a worker died", -signal.SIGKILL)


def children(process: int) -> list[int]:
    """Those that a process has begun."""
    return [int(c) for file in Path(f"/proc/{process}/task").glob("*/children") for c in file.read_text().split()]


@on_sqlite
def test_a_worker_has_to_know_where(run: Run) -> None:
    assert run("worker", "--database", "nonsense").wait(60) == 2
