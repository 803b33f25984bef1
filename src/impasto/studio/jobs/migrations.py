"""How a database comes to have the tables of tables.py, from whatever version it has: in order, each once.

A new migration is appended; one that was published is never changed again, and takes nothing from tables.py, which goes
on changing. A test holds the end of the way against tables.py.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, inspect

_FIRST = (
    """
    CREATE TABLE picture (
        id VARCHAR(32) NOT NULL PRIMARY KEY, owner VARCHAR(64) NOT NULL, kind VARCHAR(8) NOT NULL,
        name VARCHAR(120) NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes BIGINT NOT NULL,
        settings JSON, created FLOAT NOT NULL
    )
    """,
    "CREATE INDEX picture_owner ON picture (owner, kind, created)",
    "CREATE TABLE worker (id VARCHAR(64) NOT NULL PRIMARY KEY, beat FLOAT NOT NULL, job VARCHAR(32))",
    """
    CREATE TABLE job (
        id VARCHAR(32) NOT NULL PRIMARY KEY, owner VARCHAR(64) NOT NULL, client VARCHAR(64) NOT NULL, "key" VARCHAR(64),
        "order" JSON NOT NULL, state VARCHAR(10) NOT NULL, created FLOAT NOT NULL, started FLOAT, finished FLOAT,
        attempts INTEGER DEFAULT 0 NOT NULL, fence INTEGER DEFAULT 0 NOT NULL, worker VARCHAR(64), lease FLOAT,
        cancel BOOLEAN NOT NULL, told INTEGER DEFAULT 0 NOT NULL, stand JSON NOT NULL, error TEXT,
        result VARCHAR(32), UNIQUE (owner, "key"), FOREIGN KEY(result) REFERENCES picture (id)
    )
    """,
    "CREATE INDEX job_created ON job (created)",
    "CREATE INDEX job_owner ON job (owner, created)",
    "CREATE INDEX job_queue ON job (state, created)",
    """
    CREATE TABLE need (
        job VARCHAR(32) NOT NULL, picture VARCHAR(32) NOT NULL, PRIMARY KEY (job, picture),
        FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE, FOREIGN KEY(picture) REFERENCES picture (id)
    )
    """,
    "CREATE INDEX ix_need_picture ON need (picture)",
    """
    CREATE TABLE event (
        job VARCHAR(32) NOT NULL, number INTEGER NOT NULL, kind VARCHAR(10) NOT NULL, data JSON NOT NULL,
        PRIMARY KEY (job, number), FOREIGN KEY(job) REFERENCES job (id) ON DELETE CASCADE
    )
    """,
)


def first(connection: Connection) -> None:
    """Pictures, jobs, what they need, what happened in them, and who works."""
    for statement in _FIRST:
        connection.exec_driver_sql(statement)


def quick_jobs(connection: Connection) -> None:
    """Jobs of a second are told from the others; some databases of version 1 do so already."""
    if "quick" not in {column["name"] for column in inspect(connection).get_columns("job")}:
        connection.exec_driver_sql("ALTER TABLE job ADD COLUMN quick BOOLEAN NOT NULL DEFAULT FALSE")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (first, quick_jobs)
