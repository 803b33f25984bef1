"""The studio's limits, in one readable place: defaults, environment, validation.

Every field can be set by an environment variable of its name: `IMPASTO_STUDIO_QUEUE=16`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from impasto.options import Options, option

PREFIX = "IMPASTO_STUDIO_"


@dataclass(frozen=True, kw_only=True)
class Limits(Options):
    """What the studio takes, holds and waits for; each figure is checked when it is set."""

    upload_bytes: int = option(25_000_000, "bytes of one uploaded picture", low=1_000, high=1_000_000_000)
    body_bytes: int = option(64_000, "bytes of any other request", low=1_000, high=1_000_000)
    body_seconds: float = option(30.0, "without a byte of a request that has begun", low=1, high=3600)
    pixels: int = option(40_000_000, "pixels a picture may claim", low=10_000, high=400_000_000)
    side: int = option(16_384, "pixels a picture may claim on one side", low=64, high=65_535)
    decode_seconds: float = option(
        10.0, "of processor time to decode one picture; thrice as many of clock time", low=0.1, high=600
    )
    decode_bytes: int = option(2 << 30, "of memory to decode one picture", low=256 << 20, high=1 << 40)
    decoders: int = option(2, "pictures decoded at the same time", low=1, high=64)
    child_tasks: int = option(
        100, "pictures that one decoder reads before a new one takes its place", low=1, high=10**6
    )
    styles_per_job: int = option(8, "styles blended in one job", low=1, high=64)
    fast_side: int = option(
        1024, "pixels on the long side of a picture that is painted while the caller waits", low=64, high=4096
    )
    fast_seconds: float = option(20.0, "for a picture that is painted while the caller waits", low=0.5, high=600)
    fast_waiting: int = option(8, "callers that wait for such a picture", low=1, high=1000)
    queue: int = option(64, "jobs that wait", low=1, high=100_000)
    jobs_per_client: int = option(4, "jobs of one client that wait or run", low=1, high=100_000)
    pixel_steps: int = option(1_000_000_000, "steps of a job times the pixels of its result", low=10**6, high=10**14)
    job_side: int = option(8192, "pixels on the long side of a job's result", low=64, high=32_768)
    lease_seconds: float = option(
        30.0, "until a job whose worker has gone silent is given to another", low=1, high=3600
    )
    beat_seconds: float = option(10.0, "between a worker's signs of life", low=0.1, high=600)
    attempts: int = option(2, "at one job, before it counts as failed", low=1, high=10)
    silent_seconds: float = option(
        1800.0, "without a step, after which a job is thought to hang", low=0.5, high=10**6
    )  # a step at 8192 pixels takes minutes on an old machine, and a first job may fetch half a gigabyte of weights
    job_seconds: float = option(
        7200.0, "that one attempt at a job may take; what is painted by then is its picture", low=1, high=10**6
    )
    cancel_seconds: float = option(
        20.0, "that a cancelled job may take to end by itself; twice its longest step where that is more",
        low=0.1, high=3600,
    )  # fmt: skip
    keep_seconds: float | None = option(
        None,
        "that pictures and finished jobs are kept; a day where a token is asked for, else 30 days",
        low=60,
        high=10**9,
    )
    keep_bytes: int = option(
        10_000_000_000,
        "of all that is kept: pictures, thumbnails, previews, states of unfinished runs; the oldest go first",
        low=10**6,
        high=10**15,
    )
    streams: int = option(100, "streams of events at the same time", low=1, high=100_000)
    connections: int = option(256, "connections at the same time", low=8, high=100_000)
    stop_seconds: float = option(20.0, "that a stopped server or worker may take to end", low=1, high=600)
    disk_bytes: int = option(1_000_000_000, "of free disk below which the studio says that it is not ready",
                             low=0, high=10**15)  # fmt: skip

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The defaults, with whatever the environment says instead.

        Raises:
            OptionError: when a variable is no number, or out of its range.

        Example:
            >>> Limits.from_environment({"IMPASTO_STUDIO_QUEUE": "16"}).queue
            16
        """
        told = os.environ if environment is None else environment
        return cls(**{s.name: s.parse(told[v]) for s in cls.specs() if (v := PREFIX + s.name.upper()) in told})
