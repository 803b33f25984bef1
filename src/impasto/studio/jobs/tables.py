"""The tables: pictures, jobs, what happened in each job, and who works."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

ID = String(32)
"""128 random bits in hexadecimal, made by the server; names that users give are labels and nothing else."""

pictures = Table(
    "picture", metadata,
    Column("id", ID, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("kind", String(8), nullable=False),  # photo, style, mask, result
    Column("name", String(120), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("settings", JSON),
    Column("created", Float, nullable=False),
    Index("picture_owner", "owner", "kind", "created"),
)  # fmt: skip

jobs = Table(
    "job", metadata,
    Column("id", ID, primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("client", String(64), nullable=False),
    Column("key", String(64)),  # Idempotency-Key: the same order sent twice is one job
    Column("order", JSON, nullable=False),  # what is asked for: job, method, content, styles, masks, options
    Column("quick", Boolean, nullable=False, default=False),  # a matter of a second
    Column("state", String(10), nullable=False),  # queued, running, done, failed, cancelled
    Column("created", Float, nullable=False),  # later than that of every job that came before
    Column("started", Float),
    Column("finished", Float),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("fence", Integer, nullable=False, server_default=text("0")),  # goes up with each claim
    Column("worker", String(64)),
    Column("lease", Float),  # until when the worker has the job
    Column("cancel", Boolean, nullable=False),
    Column("told", Integer, nullable=False, server_default=text("0")),  # number of the last event
    Column("stand", JSON, nullable=False),  # step, steps, loss, seconds, seconds_left, notices, preview
    Column("error", Text),
    Column("result", ID, ForeignKey("picture.id")),
    UniqueConstraint("owner", "key"),
    Index("job_queue", "state", "created"),
    Index("job_owner", "owner", "created"),
    Index("job_created", "created"),
)  # fmt: skip

needs = Table(
    "need", metadata,
    Column("job", ID, ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("picture", ID, ForeignKey("picture.id"), primary_key=True, index=True),
)  # fmt: skip
"""Which pictures an unfinished job reads: none of them may be deleted."""

events = Table(
    "event", metadata,
    Column("job", ID, ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1, without gaps
    Column("kind", String(10), nullable=False),
    Column("data", JSON, nullable=False),
)  # fmt: skip

workers = Table(
    "worker", metadata,
    Column("id", String(64), primary_key=True),
    Column("beat", Float, nullable=False),
    Column("job", ID),
)  # fmt: skip
