"""The database: SQLite in a file, or PostgreSQL by its address; brought to the newest version; the one clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Float, create_engine, event, literal_column, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.sql.elements import ColumnElement

from impasto.errors import ImpastoError, OptionError
from impasto.studio.jobs.migrations import MIGRATIONS

BUSY_SECONDS = 10
"""That a writer waits for another one in SQLite."""

WRITERS = 8
"""Clients' calls that write at the same time in one server; the others wait without a thread and a connection."""

OVERFLOW = {"sqlite": 45, "postgresql": 25}
"""Connections of a process beyond the five that stay open. In SQLite one for every thread that answers; PostgreSQL
has a hundred for all processes together, where 8 writers, who may have to wait for each other, leave enough to readers,
who wait for nobody."""

CONNECT_SECONDS = 10
"""That PostgreSQL may take to answer a knock, and that somebody may wait for a connection to become free."""

CLOCKS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::float8",
}

_MIGRATION_LOCK, _ORDER_LOCK = 0x1A9A570, 0x1A9A571  # any numbers that nobody else locks


class Database:
    """Where jobs are kept.

    Args:
        url: `sqlite:///FILE`, or `postgresql://USER:PASSWORD@HOST/NAME` (needs psycopg).

    Raises:
        OptionError: when the address is none, or names a kind of database that is not known.
        ImpastoError: when it cannot be reached, or was made by a newer Impasto.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.now: ColumnElement[float] = literal_column(CLOCKS[self.engine.dialect.name], Float)
        try:
            with self.write() as connection:
                _migrate(connection)
        except BaseException as error:
            self.close()
            if not isinstance(error, DBAPIError):
                raise
            raise ImpastoError(f"the database cannot be opened: {_cause(error)}; mend: check --database") from error

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write; in SQLite the only one at its time, from its very beginning."""
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of things."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def clock(self, connection: Connection) -> float:
        """Seconds since 1970 as the database sees it: the one clock that all machines share."""
        return float(connection.execute(select(self.now)).scalar_one())

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def alone(connection: Connection) -> None:
    """Until the transaction ends no other that calls this goes on from here.

    Who adds to what jobs need, and who deletes what none needs, counts first and acts then. In SQLite the transaction's
    kind is enough; in PostgreSQL this lock, which keeps no worker waiting.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ORDER_LOCK})


def full(error: SQLAlchemyError) -> bool:
    """Whether the database has no room for more."""
    cause = getattr(error, "orig", None)
    return (
        getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", None) == "53100"
    )


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() not in CLOCKS:
            raise OptionError(f"--database {address.get_backend_name()} is not supported; give sqlite or postgresql")
        if address.get_backend_name() == "sqlite" and address.database in (None, "", ":memory:"):
            raise OptionError("--database in memory is no place that workers could share; such as sqlite:///jobs.db")
        if address.get_backend_name() == "sqlite":
            return _sqlite(
                create_engine(address, connect_args={"timeout": BUSY_SECONDS}, max_overflow=OVERFLOW["sqlite"])
            )
        if "connect_timeout" not in address.query:
            address = address.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)})
        return create_engine(
            address, pool_pre_ping=True, isolation_level="READ COMMITTED", max_overflow=OVERFLOW["postgresql"],
            pool_timeout=CONNECT_SECONDS,
        )  # fmt: skip
    except (ArgumentError, NoSuchModuleError) as error:
        raise OptionError(f"--database is no address of a database ({error}); such as sqlite:///jobs.db") from None
    except ModuleNotFoundError as error:
        raise OptionError(f"--database needs {error.name}; mend: pip install 'psycopg[binary]'") from None


def _sqlite(engine: Engine) -> Engine:
    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _migrate(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # two servers that start at once make the tables once
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
    connection.execute(text("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)"))
    version = connection.execute(text("SELECT max(version) FROM schema_version")).scalar() or 0
    if version > len(MIGRATIONS):
        raise ImpastoError(f"the database has version {version}, this Impasto knows {len(MIGRATIONS)}; mend: update it")
    for number, migration in enumerate(MIGRATIONS[version:], version + 1):
        migration(connection)
        connection.execute(text("INSERT INTO schema_version VALUES (:number)"), {"number": number})


def _cause(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if error.orig else str(error)
