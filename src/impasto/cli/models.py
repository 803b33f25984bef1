"""`impasto models [list|pull|verify|path]`: pretrained weights."""

from __future__ import annotations

import json as to_json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from impasto import models
from impasto.errors import ModelError

Name = Annotated[str, typer.Argument(help="see `impasto models list`", autocompletion=lambda: _names())]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command and its four sub-commands."""
    group = typer.Typer(help=text, invoke_without_command=True, rich_markup_mode=None)
    group.callback()(_list_unless_told)
    group.command("list", help="Every entry of the index, and where it is.")(list_entries)
    group.command("pull", help="Fetch weights, going on where an earlier try stopped.")(pull)
    group.command("verify", help="Check the file's size and hash; all files that are here without a name.")(verify)
    group.command("path", help="Print where the file is, fetching it if need be.")(path)
    app.add_typer(group, name=name)


def _list_unless_told(context: typer.Context) -> None:
    """Lists when no sub-command says otherwise."""
    if context.invoked_subcommand is None:
        list_entries()


def list_entries(json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """Prints name, size, licence and status of each entry."""
    rows = [(e.name, e.bytes, e.licence, models.status(e)) for e in models.entries()]
    if json:
        typer.echo(to_json.dumps([dict(zip(("name", "bytes", "licence", "status"), r, strict=True)) for r in rows]))
        return
    for name, size, licence, status in rows:
        typer.echo(f"{name:24} {size / 1e6:7.1f} MB  {status:24} {licence}")


def pull(name: Name) -> None:
    """Fetches one entry, with a bar."""
    with _bar() as show:
        typer.echo(str(models.pull(name, show)))


def verify(
    name: Annotated[
        str | None, typer.Argument(help="one entry; all that are here if not given", autocompletion=lambda: _names())
    ] = None,
) -> None:
    """Checks one entry or all that are here.

    Raises:
        ModelError: when a file is damaged.
    """
    here = [e.name for e in models.entries() if models.here(e)]
    damaged = []
    for each in [name] if name else here:
        try:
            models.verify(each)
            typer.echo(f"{each}: right")
        except ModelError as error:
            damaged.append(str(error))
    if damaged:
        raise ModelError("; ".join(damaged))


def path(name: Name) -> None:
    """Prints one entry's file."""
    with _bar() as show:
        typer.echo(str(models.path(name, progress=show)))


def _names() -> list[str]:
    return [e.name for e in models.entries()]


@contextmanager
def _bar() -> Iterator[models.Progress]:
    """A download bar on a terminal's stderr; silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("")
        yield lambda done, total: display.update(task, completed=done, total=total or None)
