"""Opening a database: once made, made by one of many, refused when newer, told in one line when it cannot be."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, func, inspect, select, text

from impasto.errors import ImpastoError, OptionError
from impasto.studio.jobs.database import WRITERS, Database
from impasto.studio.jobs.migrations import MIGRATIONS
from impasto.studio.jobs.tables import metadata

OPEN = """
import sys
from impasto.studio.jobs.database import Database
print("ready", flush=True)
sys.stdin.readline()
Database(sys.argv[1]).close()
"""


def versions(database: Database) -> list[int]:
    with database.read() as connection:
        return list(connection.scalars(text("SELECT version FROM schema_version ORDER BY version")))


def test_all_tables_are_made_once(database: Database, database_url: str) -> None:
    again = Database(database_url)
    assert versions(again) == list(range(1, len(MIGRATIONS) + 1))
    assert set(inspect(again.engine).get_table_names()) == {*metadata.tables, "schema_version"}
    again.close()


def described(engine: Engine) -> dict[str, Any]:
    """All that tells one set of tables from another."""
    seen, found = inspect(engine), {}
    for table in metadata.tables:
        found[table] = {
            "columns": sorted((c["name"], str(c["type"]), c["nullable"]) for c in seen.get_columns(table)),
            "key": seen.get_pk_constraint(table)["constrained_columns"],
            "indexes": sorted((i["name"] or "", *i["column_names"]) for i in seen.get_indexes(table)),
            "unique": [u["column_names"] for u in seen.get_unique_constraints(table)],
            "foreign": sorted(
                (*f["constrained_columns"], f["referred_table"], f["options"].get("ondelete", ""))
                for f in seen.get_foreign_keys(table)
            ),
        }
    return found


def test_the_migrations_end_at_the_tables_that_the_code_knows(database: Database) -> None:
    migrated = described(database.engine)
    metadata.drop_all(database.engine)
    metadata.create_all(database.engine)
    assert migrated == described(database.engine)


@pytest.mark.parametrize("early", [True, False], ids=["without quick jobs", "with them"])
def test_a_database_of_version_1_comes_along_with_its_jobs(database: Database, database_url: str, early: bool) -> None:
    everything = MetaData()
    everything.reflect(database.engine)
    everything.drop_all(database.engine)
    job = (
        'INSERT INTO job (id, owner, client, "order", state, created, cancel, stand{}) '
        "VALUES ('a', 'o', 'c', '{{}}', 'queued', 1, FALSE, '{{}}'{})"
    )
    with database.write() as connection:
        MIGRATIONS[0](connection)
        if not early:
            connection.exec_driver_sql("ALTER TABLE job ADD COLUMN quick BOOLEAN NOT NULL DEFAULT FALSE")
        connection.exec_driver_sql(job.format("", "") if early else job.format(", quick", ", TRUE"))
        connection.exec_driver_sql("CREATE TABLE schema_version (version INTEGER NOT NULL)")
        connection.exec_driver_sql("INSERT INTO schema_version VALUES (1)")
    again = Database(database_url)
    assert versions(again) == list(range(1, len(MIGRATIONS) + 1))
    with again.read() as connection:
        assert connection.execute(select(metadata.tables["job"].c["id", "quick"])).all() == [("a", not early)]
    again.close()


def test_processes_that_begin_at_once_make_one(database_url: str) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    begun = [subprocess.Popen([sys.executable, "-c", OPEN, database_url], **pipes) for _ in range(4)]
    for one in begun:
        assert one.stdout.readline() == b"ready\n"
    for one in begun:
        one.stdin.write(b"\n")
        one.stdin.flush()
    assert [(one.communicate(timeout=60)[1], one.returncode) for one in begun] == [(b"", 0)] * 4
    database = Database(database_url)
    assert versions(database) == list(range(1, len(MIGRATIONS) + 1))
    database.close()


def test_a_newer_database_is_refused_and_left_alone(database: Database, database_url: str) -> None:
    newer = len(MIGRATIONS) + 1
    with database.write() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (:n)"), {"n": newer})
    with pytest.raises(ImpastoError, match=f"has version {newer}, this Impasto knows {newer - 1}; mend: update it"):
        Database(database_url)
    assert versions(database)[-1] == newer


def test_a_migration_that_fails_leaves_nothing_half_done(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(connection: Any) -> None:
        connection.execute(text("CREATE TABLE half (n INTEGER)"))
        raise ImpastoError("in the middle")

    monkeypatch.setattr("impasto.studio.jobs.database.MIGRATIONS", (*MIGRATIONS, fails))
    with pytest.raises(ImpastoError, match="in the middle"):
        Database(database_url)
    assert "half" not in inspect(database.engine).get_table_names()
    assert versions(database)[-1] == len(MIGRATIONS)


def test_a_transaction_that_fails_writes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (-1)"))
        raise ZeroDivisionError
    assert -1 not in versions(database)


def test_the_clock_is_seconds_since_1970_and_moves_on(database: Database) -> None:
    with database.read() as connection:
        told = [database.clock(connection) for _ in range(200)]
    assert told == sorted(told)
    assert abs(told[-1] - time.time()) < 5


def test_sqlite_is_asked_to_be_careful(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jobs.db'}")
    with database.read() as connection:
        told = [connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert connection.scalar(select(func.count()).select_from(text("sqlite_master"))) > 0
    database.close()
    assert told == ["wal", 2, 1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "is no address"),
        ("mysql://here/it", "mysql is not supported"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_addresses_that_are_none_are_refused(url: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Database(url)


def test_what_cannot_be_opened_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"no database at all" * 500)
    for name in ("no.db", "missing/jobs.db", "."):
        with pytest.raises(ImpastoError, match=r"cannot be opened: .*; mend: check --database") as told:
            Database(f"sqlite:///{tmp_path / name}")
        assert "\n" not in str(told.value)


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr("impasto.studio.jobs.database.CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes the knock and says nothing
        began = time.monotonic()
        with pytest.raises(ImpastoError, match="cannot be opened"):
            Database(f"postgresql://anna@127.0.0.1:{silent.getsockname()[1]}/none")
    assert time.monotonic() - began < 20


def test_there_are_connections_for_who_writes_and_more_for_who_reads(database: Database) -> None:
    with ExitStack() as open_ones:
        for _ in range(2 * WRITERS):  # as many read as write, and none of these comes to its end
            open_ones.enter_context(database.engine.connect())
        began = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(lambda _: versions(database)[-1], range(20))) == {len(MIGRATIONS)}
        assert time.monotonic() - began < 5


def test_a_server_that_is_away_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ImpastoError, match="cannot be opened") as told:
        Database("postgresql://anna:hidden@127.0.0.1:1/none")
    assert "hidden" not in str(told.value)
    assert "\n" not in str(told.value)
