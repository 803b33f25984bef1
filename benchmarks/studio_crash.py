"""Kills the studio's server and its workers at random moments, and counts what that did to the jobs.

    pip install "impasto[torch,studio,postgres]" httpx
    python benchmarks/studio_crash.py --kills 100
    python benchmarks/studio_crash.py --kills 100 --database postgresql://impasto@/studio?host=/run/postgresql

A client keeps ordering pictures over HTTP, each under an Idempotency-Key that it repeats until it is answered. Two
workers paint: one of the server's own, and one beside it as on another machine. Server and workers get SIGKILL while
jobs run, and are begun anew. In the end every order must be one job that is done, with one result whose files are
whole. The database has to be empty when this begins. The lease is 3 s instead of 30, so that it does not take all day
(it has to be longer than a process needs to load torch), and a job may be begun 10 times instead of twice, the last of
which is spared: what is counted here is what gets lost, not how patient the queue is.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from sqlalchemy import func, select, text

from impasto.studio.jobs.crew import PROGRAM
from impasto.studio.jobs.database import Database
from impasto.studio.jobs.tables import events, jobs, pictures
from impasto.studio.store import Store, picture_file, thumbnail_file

OPEN = 8
"""Jobs that the client keeps waiting or running."""

ATTEMPTS = 10
LIMITS = {"LEASE_SECONDS": "3", "BEAT_SECONDS": "0.2", "ATTEMPTS": str(ATTEMPTS), "JOBS_PER_CLIENT": "64"}


class Studio:
    """The server, and a worker beside it."""

    def __init__(self, database: str, folder: Path) -> None:
        self._environment = {
            **os.environ, "IMPASTO_STUDIO_DATABASE": database, "IMPASTO_STUDIO_STORE": str(folder / "pictures"),
            "OMP_NUM_THREADS": "1", **{f"IMPASTO_STUDIO_{name}": value for name, value in LIMITS.items()},
        }  # fmt: skip
        self._mark = f"IMPASTO_STUDIO_STORE={folder / 'pictures'}".encode()
        self._log = (folder / "log").open("ab")
        with socket.socket() as line:
            line.bind(("127.0.0.1", 0))
            self._port = line.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self.server, self.worker = self._serve(), self._work()

    def ready(self, what: str, busy: set[int]) -> bool:
        """Whether it is in the middle of things: workers paint, and the server answers meanwhile."""
        if what == "server":
            return bool(busy & {self.worker.pid, *self._own()}) and self._answers()
        return bool(busy & ({self.worker.pid} if what == "other worker" else self._own()))

    def kill(self, what: str) -> None:
        """Kills "server", "own worker" or "other worker", and begins it anew; its own the server begins itself."""
        if what == "own worker":
            for pid in self._own():
                os.kill(pid, signal.SIGKILL)
            return
        process = self.server if what == "server" else self.worker
        process.kill()
        process.wait()
        if what == "server":
            self.server = self._serve()
        else:
            self.worker = self._work()

    def stop(self) -> None:
        """Sends both home, as an operator does."""
        for process in (self.server, self.worker):
            process.terminate()
        for process in (self.server, self.worker):
            process.wait(60)

    def processes(self) -> list[int]:
        """Everything that this studio has begun and that lives."""
        return [int(found.name) for found in Path("/proc").glob("[0-9]*") if self._mark in bytes_of(found / "environ")]

    def _own(self) -> set[int]:
        return {pid for pid in self.processes() if parent(pid) == self.server.pid and PROGRAM in command(pid)}

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", timeout=1).is_success
        except httpx.TransportError:
            return False

    def _serve(self) -> subprocess.Popen[bytes]:
        words = ["-m", "impasto", "studio", "--no-browser", "--port", str(self._port)]
        return subprocess.Popen([sys.executable, *words], env=self._environment, stdout=self._log, stderr=self._log)

    def _work(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", PROGRAM], env=self._environment, stderr=self._log)


class Client(threading.Thread):
    """Somebody who wants pictures and does not give up."""

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(daemon=True)
        self._http, self._rng = httpx.Client(base_url=url, timeout=30), random.Random(seed)
        self.answers: dict[str, set[str]] = {}  # key -> ids that it was answered with
        self.codes: Counter[str] = Counter()
        self.enough = threading.Event()
        self.photo = ""

    def run(self) -> None:
        """Until it is enough."""
        file = {"file": ("photo.png", photo(), "image/png")}
        self.photo = self.again(lambda: self._http.post("/api/pictures", files=file)).json()["id"]
        while not self.enough.is_set():
            waiting = [self.again(lambda s=s: self._http.get(f"/api/jobs?state={s}")) for s in ("queued", "running")]
            if sum(len(answer.json()) for answer in waiting) >= OPEN:
                time.sleep(0.1)
                continue
            key = f"order-{len(self.answers)}"
            self.answers[key] = set()
            order = self._order()
            for _ in range(self._rng.choice([1, 1, 2])):  # some say it twice
                told = self.again(lambda o=order, k=key: self._http.post("/api/jobs", json=o, headers=_key(k)))
                self.answers[key].add(told.json()["id"])

    def again(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        """Asks until there is an answer."""
        while True:
            try:
                answer = ask()
                self.codes[str(answer.status_code)] += 1
                if answer.is_success:
                    return answer
            except httpx.TransportError:
                self.codes["no answer"] += 1
            time.sleep(0.1)

    def _order(self) -> dict[str, Any]:
        size = self._rng.choice([32, 48, 64])
        order: dict[str, Any] = {"content": self.photo, "styles": ["starry-hills"], "options": {"size": size}}
        if self._rng.random() < 0.2:
            order["method"] = "gatys"
            order["options"] |= {"encoder": "efficientnet-lite0", "steps": 40, "size": 32}
        return order


def crash(studio: Studio, client: Client, database: Database, kills: int, rng: random.Random) -> Counter[str]:
    """Kills while jobs run."""
    made: Counter[str] = Counter()
    while made.total() < kills:
        what, end = rng.choice(["server", "own worker", "other worker"]), time.monotonic() + 5
        while not studio.ready(what, busy(database)) and time.monotonic() < end:
            time.sleep(0.02)
        if time.monotonic() >= end:  # the server waits longer each time before it begins a worker anew
            continue
        time.sleep(rng.random() ** 2)
        studio.kill(what)
        made[what] += 1
        if made.total() % 10 == 0:
            print(f"{made.total()} kills, {len(client.answers)} orders", file=sys.stderr, flush=True)
    return made


def judge(database: Database, store: Store, answers: dict[str, set[str]]) -> dict[str, Any]:
    """What became of the orders."""
    with database.read() as connection:
        rows = connection.execute(select(jobs)).all()
        results = set(connection.scalars(select(pictures.c.id).where(pictures.c.kind == "result")))
        known = set(connection.scalars(select(pictures.c.id))) | {row.id for row in rows}
        ends = select(events.c.job).where(events.c.kind == "end").group_by(events.c.job).having(func.count() > 1)
        twice = len(connection.execute(ends).all())
        gaps = sum(row.told != connection.scalar(select(func.count()).where(events.c.job == row.id)) for row in rows)
        sqlite = database.engine.dialect.name == "sqlite"
        sound = connection.scalar(text("PRAGMA integrity_check")) if sqlite else "not asked"
    done = {row.id: row.result for row in rows if row.state == "done"}
    files = {name for name, _ in store.names() if not name.startswith(".")}
    needed = {name for one in results for name in (picture_file(one), thumbnail_file(one))}
    return {
        "orders": len(answers),
        "lost": sum(not ids <= done.keys() or not ids for ids in answers.values()),
        "duplicated": sum(len(ids) > 1 for ids in answers.values()) + abs(len(rows) - len(answers)) + twice
        + abs(len(results) - len(set(done.values()) - {None})),
        "half files": sum(not whole(store.get(name)) for name in files) + len(needed - files),
        "events with gaps": gaps,
        "integrity": sound,
        "attempts": dict(sorted(Counter(row.attempts for row in rows).items())),
        "not done": dict(Counter(f"{row.state}: {row.error}" for row in rows if row.state != "done")),
        "orphans to be swept": sum(name.partition(".")[0] not in known for name in files)
        + sum(name.startswith(".") for name, _ in store.names()),
    }  # fmt: skip


def whole(data: bytes) -> bool:
    """Whether a picture's file can be read to its end."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except OSError:
        return False
    return True


def photo() -> bytes:
    """A photo of nothing."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(file, "png")
    return file.getvalue()


def busy(database: Database) -> set[int]:
    """The processes that have a job, those that died with one too, unless it is the job's last chance."""
    more = jobs.c.attempts < ATTEMPTS
    with database.read() as connection:
        found = connection.scalars(select(jobs.c.worker).where(jobs.c.state == "running", more)).all()
    return {int(name.rsplit("-", 2)[1]) for name in found}


def settled(database: Database) -> bool:
    """Whether all jobs are over."""
    with database.read() as connection:
        return connection.execute(select(jobs.c.id).where(jobs.c.finished.is_(None))).first() is None


def wait(true: Callable[[], object], seconds: float = 300) -> None:
    """Until it is so."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit("it stands still; see the log")
        time.sleep(0.02)


def bytes_of(path: Path) -> bytes:
    """A file of /proc, nothing where the process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def command(pid: int) -> str:
    """A process's words."""
    return bytes_of(Path(f"/proc/{pid}/cmdline")).decode(errors="replace")


def parent(pid: int) -> int:
    """Who began it."""
    told = bytes_of(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return int(told[1]) if told else 0


def _key(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


def main() -> None:
    """Prints one JSON object; ends with 1 when anything was lost, doubled or half."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--database", help="postgresql://...; a new SQLite file if not given")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="impasto-crash-") as name:
        folder, began = Path(name), time.monotonic()
        url = asked.database or f"sqlite:///{folder / 'jobs.db'}"
        database, store = Database(url), Store(str(folder / "pictures"))
        studio = Studio(url, folder)
        client = Client(studio.url, asked.seed)
        try:
            client.start()
            kills = crash(studio, client, database, asked.kills, random.Random(asked.seed))
            client.enough.set()
            client.join(300)
            wait(lambda: settled(database))
            studio.stop()
            wait(lambda: not studio.processes(), 60)
        finally:
            for pid in studio.processes():
                os.kill(pid, signal.SIGKILL)
        told = judge(database, store, client.answers)
        told |= {"database": database.engine.dialect.name, "kills": dict(kills), "answers": dict(client.codes)}
        print(json.dumps(told | {"seconds": round(time.monotonic() - began)}, indent=1))
        database.close()
    raise SystemExit(1 if told["lost"] or told["duplicated"] or told["half files"] else 0)


if __name__ == "__main__":
    main()
