"""Figures for Prometheus: how long the queue is, how long jobs take, what is refused. No text of users in labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import case, func, select

from impasto.errors import ImpastoError, LimitError, PictureError
from impasto.studio.errors import BusyError, KindError
from impasto.studio.jobs.tables import jobs
from impasto.studio.room import Room

registry = CollectorRegistry()
ProcessCollector(registry=registry)

requests = Counter("impasto_requests", "Requests answered", ["route", "method", "status"], registry=registry)
request_seconds = Histogram("impasto_request_seconds", "From request to answer", ["route"], registry=registry)
refused = Counter("impasto_decode_refused", "Uploads that became no picture", ["reason"], registry=registry)
decode_seconds = Histogram("impasto_decode_seconds", "To decode an upload", registry=registry)
streams = Gauge("impasto_streams", "Streams of events that are open", registry=registry)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REASONS = {KindError: "kind", LimitError: "limit", BusyError: "busy", PictureError: "damaged"}
_FAILURES = {"the worker died%": "worker", "memory ran out%": "memory", "this is a fault%": "fault",
             "nothing moved%": "hung", "the store of pictures%": "store"}  # fmt: skip
"""What a job's error begins with, and what that is called; all others say what was wrong with the order."""
STATES = ("queued", "running", "done", "failed", "cancelled")


def answered(route: str, method: str, status: int, seconds: float) -> None:
    """Counts and times an answer; methods that clients make up are all one."""
    requests.labels(route, method if method in METHODS else "other", status).inc()
    request_seconds.labels(route).observe(seconds)


@contextmanager
def decoding() -> Iterator[None]:
    """Times what is done inside, and counts why it fails."""
    with decode_seconds.time(), refusing():
        yield


@contextmanager
def refusing() -> Iterator[None]:
    """Counts why what is done inside makes no picture of an upload."""
    try:
        yield
    except ImpastoError as error:
        refused.labels(next((name for kind, name in _REASONS.items() if isinstance(error, kind)), "other")).inc()
        raise


class Table:
    """Figures that are read off the table when somebody asks, so that all processes agree."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def collect(self) -> Iterable[Metric]:
        """As prometheus_client wants it."""
        depth = GaugeMetricFamily("impasto_jobs", "Jobs that are kept, by state", labels=["state"])
        for state, count in (dict.fromkeys(STATES, 0) | self._room.queue.depth()).items():
            depth.add_metric([state], count)
        yield depth
        yield GaugeMetricFamily("impasto_workers", "Workers with a fresh sign of life", self._room.queue.alive())
        now = self._room.database.now
        why = case(*((jobs.c.error.like(begin), name) for begin, name in _FAILURES.items()), else_="order")
        with self._room.database.read() as connection:
            failed = connection.execute(select(why, func.count()).where(jobs.c.state == "failed").group_by(why)).all()
            hour = jobs.c.finished > now - 3600
            wait, run = connection.execute(
                select(func.avg(jobs.c.started - jobs.c.created), func.avg(jobs.c.finished - jobs.c.started)).where(
                    hour
                )
            ).one()
            oldest = connection.scalar(select(now - func.min(jobs.c.created)).where(jobs.c.state == "queued"))
            stands = connection.scalars(select(jobs.c.stand).where(jobs.c.state == "running")).all()
        failures = GaugeMetricFamily("impasto_jobs_failed", "Failed jobs that are kept, by reason", labels=["reason"])
        counted = dict.fromkeys([*_FAILURES.values(), "order"], 0) | {str(name): int(count) for name, count in failed}
        for name, count in counted.items():
            failures.add_metric([name], count)
        yield failures
        rate = sum(s["step"] / s["seconds"] for s in stands if s.get("seconds"))
        for name, text, value in (
            ("wait_seconds_mean", "Mean wait of the last hour's jobs", wait),
            ("run_seconds_mean", "Mean run of the last hour's jobs", run),
            ("oldest_wait_seconds", "How long the oldest waiting job has waited", oldest),
            ("steps_per_second", "Steps a second of all running jobs together", rate),
            ("disk_free_bytes", "Free disk where pictures are", self._room.free_disk),
        ):
            yield GaugeMetricFamily(f"impasto_{name}", text, float(value or 0))


def text(room: Room) -> bytes:
    """All figures, in Prometheus' own format."""
    table = CollectorRegistry()
    table.register(Table(room))
    return generate_latest(registry) + generate_latest(table)
