"""A database of each kind, a folder of pictures, and orders that are quick to paint."""

from __future__ import annotations

import io
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import insert, update

from impasto.studio.jobs.database import Database
from impasto.studio.jobs.queue import Queue
from impasto.studio.jobs.tables import jobs, pictures
from impasto.studio.limits import Limits
from impasto.studio.orders import Order, check
from impasto.studio.store import Store, picture_file, thumbnail_file

OWNER = "anna"
SIDE = 48
STYLE = "starry-hills"

Submit = Callable[..., str]


class Postgres:
    """A cluster of its own in a temporary folder, without a port and without a care for power cuts."""

    def __init__(self, programs: Path) -> None:
        self._programs, self._folder = programs, Path(tempfile.mkdtemp(prefix="impasto-pg-"))
        if os.geteuid() == 0:  # PostgreSQL refuses to be run by root
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", self._data, "-U", "impasto", "--auth=trust", "--encoding=UTF8", "--no-sync")
        settings = f"-k {self._folder} -c listen_addresses='' -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "-D", self._data, "-l", f"{self._folder}/log", "-o", settings, "-w", "start")
        self._run("createdb", "-h", str(self._folder), "-U", "impasto", "studio")

    @property
    def _data(self) -> str:
        return f"{self._folder}/data"

    def url(self) -> str:
        """The address of an empty database; whoever was at the one before is sent away."""
        import psycopg

        others = "FROM pg_stat_activity WHERE datname = 'studio' AND pid <> pg_backend_pid()"
        with psycopg.connect(f"host={self._folder} user=impasto dbname=studio", autocommit=True) as line:
            line.execute(f"SELECT pg_terminate_backend(pid) {others}")
            line.execute("DROP SCHEMA public CASCADE")
            line.execute("CREATE SCHEMA public")
        return f"postgresql://impasto@/studio?host={self._folder}"

    def close(self) -> None:
        """Ends it and leaves nothing behind."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        told = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([*user, str(self._programs / program), *words], check=True, timeout=120, cwd="/", **told)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL itself, as Debian packs it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed; mend: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="psycopg is not installed; mend: pip install 'psycopg[binary]'")
    cluster = Postgres(found[-1].parent)
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    cluster: Postgres = request.getfixturevalue("postgres")
    return cluster.url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "pictures"))


@pytest.fixture
def limits() -> Limits:
    """Room for a thousand jobs, and a worker that is thought dead after a second."""
    return Limits(queue=1000, jobs_per_client=1000, lease_seconds=2, beat_seconds=0.2)


@pytest.fixture
def queue(database: Database, limits: Limits) -> Queue:
    return Queue(database, limits)


@pytest.fixture
def submit(queue: Queue) -> Submit:
    """Adds a job that says little; returns its id."""

    def add(n: int = 0, *, owner: str = OWNER, client: str = "here", **more: Any) -> str:
        return queue.submit({"method": "fast", "n": n}, owner=owner, client=client, **more)

    return add


def png(seed: int = 0, size: tuple[int, int] = (SIDE, SIDE)) -> bytes:
    """Soft waves of colour; each seed another."""
    y, x = np.mgrid[: size[1], : size[0]] / 8.0
    waves = np.stack([np.sin(x * (1 + i / 3) + seed) + np.cos(y - 2 * seed) for i in range(3)], -1)
    file = io.BytesIO()
    Image.fromarray((waves * 60 + 127).astype(np.uint8)).save(file, "png")
    return file.getvalue()


def keep(database: Database, store: Store, *, owner: str = OWNER, kind: str = "photo", seed: int = 0) -> str:
    """An uploaded picture, its files and its row; returns its id."""
    identity, data = secrets.token_hex(16), png(seed)
    store.put(picture_file(identity), data)
    store.put(thumbnail_file(identity), data)
    row = {"id": identity, "owner": owner, "kind": kind, "name": "a", "width": SIDE, "height": SIDE}
    with database.write() as connection:
        connection.execute(insert(pictures).values(created=database.now, bytes=len(data), **row))
    return identity


def ordered(queue: Queue, photo: str, *, method: str = "fast", size: int | None = 32, **options: Any) -> str:
    """A job that is really painted; returns its id."""
    order = check(Order("stylize", method, photo, (STYLE,), {"size": size, **options}), Limits())
    return queue.submit(order.named("a").to_stored(), owner=OWNER, client="here", reads=order.reads())


def gatys(queue: Queue, photo: str, *, size: int | None = 32, steps: int = 3) -> str:
    """A job with steps; returns its id."""
    return ordered(queue, photo, method="gatys", size=size, steps=steps, encoder="efficientnet-lite0")


def silence(database: Database, job: str) -> None:
    """As if the worker of a job had given no sign of life for long."""
    with database.write() as connection:
        connection.execute(update(jobs).where(jobs.c.id == job).values(lease=database.now - 1))


def state(queue: Queue, job: str, owner: str = OWNER) -> str:
    told: str = queue.get(job, owner).state
    return told


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Waits for it; how long does not matter on a busy machine, as long as there is an end."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
