"""`impasto worker`: works off the studio's jobs, on any machine that reaches its database and its pictures."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from pathlib import Path
from threading import Event as StopSignal
from typing import Annotated

import typer

from impasto.errors import ImpastoError, MissingExtraError, OptionError

DATABASE = Annotated[
    str | None,
    typer.Option(metavar="URL", envvar="IMPASTO_STUDIO_DATABASE",
                 help="postgresql://... or sqlite:///FILE; a file of this user if not given"),
]  # fmt: skip
STORE = Annotated[
    str | None,
    typer.Option(metavar="URL", envvar="IMPASTO_STUDIO_STORE",
                 help="a folder, or s3://... with its fsspec package; a folder of this user if not given"),
]  # fmt: skip
COUNT = Annotated[int, typer.Option(min=0, max=64, help="processes that paint, one picture at a time each")]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""

    @app.command(name, help=text)
    def worker(database: DATABASE = None, store: STORE = None, workers: COUNT = 1) -> None:
        need_extra()
        if not database or not store:
            raise OptionError("name the studio's --database and --store")
        from impasto.studio import logs
        from impasto.studio.jobs.crew import Crew
        from impasto.studio.jobs.database import Database
        from impasto.studio.limits import Limits
        from impasto.studio.store import Store

        limits, stop = Limits.from_environment(), StopSignal()
        Database(database).close()  # so that what is wrong with either is told here, once
        Store(store)
        logs.begin()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        with Crew(database, store, count=workers, stop_seconds=limits.stop_seconds):
            typer.echo("impasto worker: waits for jobs  (Ctrl-C ends it)", err=True)
            while not stop.wait(1):
                pass


def need_extra() -> None:
    """Looks whether the studio's packages are there.

    Raises:
        MissingExtraError: when one is not.
    """
    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "sqlalchemy", "fsspec", "multipart")):
        raise MissingExtraError("the studio", "studio")


def places(database: str | None, store: str | None, data: Path) -> tuple[str, str]:
    """Where jobs and pictures are, in a folder of this user where nothing else is said.

    Raises:
        ImpastoError: when the folder cannot be made.
    """
    if database is None or store is None:
        try:
            data.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ImpastoError(f"{data} cannot be made: {error.strerror}; mend: --database and --store") from None
    return database or f"sqlite:///{data / 'jobs.db'}", store or str(data / "pictures")
