"""Subscribers of a method's events: the bar, the trace, the previews."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from math import isfinite
from pathlib import Path
from typing import TextIO

from impasto.errors import PictureError
from impasto.events import Done, Event, Notice, Preview, Progress, Started
from impasto.image import write

Subscriber = Callable[[Event], None]


@contextmanager
def bar(*, quiet: bool) -> Iterator[Subscriber]:
    """A live line on a terminal: step, size, loss terms, time left. Without a terminal, only notices."""
    if quiet or not sys.stderr.isatty():
        yield _say
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.fields[told]}"))
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("starting", total=None, told="")

        def show(event: Event) -> None:
            if isinstance(event, Started):
                display.update(task, description=event.method, total=event.steps or None)
            elif isinstance(event, Progress):
                display.update(task, completed=event.step, total=event.steps, told=_told(event))
            elif isinstance(event, Notice):
                display.console.print(event.text, highlight=False, markup=False)

        yield show


def _told(event: Progress) -> str:
    terms = "  ".join(f"{name} {value:.3g}" for name, value in event.losses.items() if name != "total")
    minutes, seconds = divmod(round(event.seconds_left), 60)
    return f"{event.size[0]}x{event.size[1]}  {terms}  {minutes}:{seconds:02d} left"


def _say(event: Event) -> None:
    if isinstance(event, Notice):
        sys.stderr.write(f"impasto: {event.text}\n")


def check_trace(path: Path, *, overwrite: bool) -> None:
    """Makes sure, before the work starts, that the trace can be written.

    Raises:
        PictureError: when something is in the way, or its folder is missing or closed to us.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise PictureError(f"cannot write the trace {path}; mend: --trace FILE.jsonl in a folder that you may write to")
    if path.exists() and not overwrite:
        raise PictureError(f"{path} exists already; mend: add --overwrite, or name another file with --trace")


@contextmanager
def trace(path: Path | None) -> Iterator[Subscriber]:
    """One JSON line a step into a file, each written out at once; the file is made with the first of them.

    Raises:
        PictureError: when the file cannot be opened.
    """
    if path is None:
        yield lambda event: None
        return
    file: TextIO | None = None
    broken = False
    with ExitStack() as open_files:

        def write_line(event: Event) -> None:
            nonlocal file, broken
            if broken:
                return
            try:
                keep(event)
            except (PictureError, OSError) as error:
                broken = True
                with suppress(OSError):  # what it could not write it would try again, and then lose the picture
                    open_files.close()
                _complain("the trace", error)

        def keep(event: Event) -> None:
            nonlocal file
            if file is None and isinstance(event, Progress | Done):
                file = open_files.enter_context(_opened(path))
            if file is not None and isinstance(event, Progress):
                losses = {name: value if isfinite(value) else None for name, value in event.losses.items()}
                line = {"step": event.step, "size": event.size, "seconds": round(event.seconds, 4), **losses}
                file.write(json.dumps(line) + "\n")
                file.flush()

        yield write_line


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise PictureError(f"cannot write the trace {path}: {error.strerror}; mend: --trace OTHER.jsonl") from None


def previews(path: Path) -> Subscriber:
    """Keeps the newest preview in a file. One that cannot be written is no reason to lose the picture."""
    broken = False

    def keep(event: Event) -> None:
        nonlocal broken
        if isinstance(event, Preview) and not broken:
            try:
                write(event.picture, path, overwrite=True)
            except (PictureError, OSError) as error:
                broken = True
                _complain("previews", error)

    return keep


def _complain(what: str, error: Exception) -> None:
    sys.stderr.write(f"impasto: {what} stopped, painting goes on: {error}\n")
