"""What commands that paint one picture share: where it goes, progress, Ctrl-C, and what is told of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from threading import Event as StopSignal
from typing import Annotated, Any, BinaryIO

import typer

from impasto.api import settings_of
from impasto.cli import progress
from impasto.cli.interrupts import interruptible
from impasto.errors import OptionError, PictureError
from impasto.events import Done, Event, Progress, Started
from impasto.image import check_target, write
from impasto.image.metadata import harmless
from impasto.options import StylizeOptions
from impasto.picture import Picture

STREAM = "-"

FIXED: dict[str, tuple[Any, Any]] = {
    "trace": (
        Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="one JSON line for every step")], None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="one JSON object on standard output")], False),
    "overwrite": (Annotated[bool, typer.Option("--overwrite", help="replace the result if it exists")], False),
    "strip": (
        Annotated[bool, typer.Option("--strip", help="keep no settings, and of EXIF only camera, exposure and dates")],
        False,
    ),
}  # fmt: skip

READ = ("init", "model", "mask", "style_mask", "semantic")
"""Options that may name files which are read."""

Paint = Callable[[Callable[[Event], None], StopSignal], Picture]
"""(what is called with each event, the signal to stop) -> the picture, with its settings."""


@dataclass(frozen=True)
class Order:
    """What is to be painted, from the command line and from an earlier run's settings."""

    content: str
    styles: tuple[str, ...]
    options: StylizeOptions
    method: str

    def settings(self) -> dict[str, Any]:
        """What a result carries, so that it can be painted again."""
        return settings_of(self.options, self.content, self.styles)

    @property
    def checkpoint(self) -> Path | None:
        """Where the state of the run is kept."""
        found: Path | None = getattr(self.options, "checkpoint", None)
        return found

    @property
    def files(self) -> list[str]:
        """Every file that is read."""
        named = [getattr(self.options, name, None) or () for name in READ]
        several = [value if isinstance(value, tuple) else (value,) for value in named]
        return [word for word in (self.content, *self.styles, *map(str, sum(several, ()))) if word != STREAM]


@dataclass(frozen=True)
class Job:
    """What is to be painted, and where it goes.

    Attributes:
        order: what it is made from, and the method's options.
        output: the result's file, or `STREAM`.
        fixed: the values of `FIXED`.
        replaces: whether a picture in the way is this very run's own, which may be replaced without being asked.
    """

    order: Order
    output: str
    fixed: dict[str, Any]
    replaces: bool = False

    def run(self, paint: Paint) -> None:
        """Paints, saves and reports; Ctrl-C saves the best picture so far and leaves with 130."""
        self._check()
        picture, done = self._paint(paint)
        self._deliver(picture, goes_on=done.stopped and self.order.checkpoint is not None)
        self._report(picture, done)
        if done.stopped:
            if (kept := self.order.checkpoint) and kept.exists():
                typer.echo(f"impasto: the same command goes on from {kept}", err=True)
            raise typer.Exit(130)

    @property
    def _overwrite(self) -> bool:
        return self.fixed["overwrite"] or self.replaces

    def _check(self) -> None:
        """Makes sure, before the work starts, that all there is to write can be written, and nothing is lost by it."""
        previews = bool(getattr(self.order.options, "preview_every", 0))
        overwrite, trace = self.fixed["overwrite"], self.fixed["trace"]
        if self.output == STREAM:
            if self.fixed["json"] or previews:
                raise OptionError("with -o - standard output holds the picture; leave out --json and --preview-every")
            if sys.stdout is None:
                raise PictureError("standard output is closed; mend: -o FILE.png")
        else:
            check_target(self.output, overwrite=self._overwrite)
        if previews:
            check_target(self._preview, overwrite=overwrite)
        if trace is not None:
            progress.check_trace(trace, overwrite=overwrite)
        self._check_apart([p for p in (trace, self._preview if previews else None, self.order.checkpoint) if p])

    def _check_apart(self, beside: Sequence[Path]) -> None:
        """Trace, preview and checkpoint may replace an older one, but not the result or what it is made from."""
        words = [*self.order.files, *([self.output] if self.output != STREAM else [])]
        taken = {Path(word).resolve() for word in words}
        for path in beside:
            if path.resolve() in taken:
                raise OptionError(
                    f"{path} would be written over; give --trace, --checkpoint and the result names of their own"
                )
            taken.add(path.resolve())

    @property
    def _preview(self) -> Path:
        path = Path(self.output)
        return path.with_name(f"{path.stem}-preview.png")

    def _paint(self, paint: Paint) -> tuple[Picture, Done]:
        ended: list[Done] = []
        with (
            interruptible(can_wait=False, otherwise="drop the picture") as interrupts,
            progress.trace(self.fixed["trace"]) as keep_trace,
            progress.bar(quiet=self.fixed["json"]) as show,
        ):
            keep_preview = progress.previews(self._preview)

            def on_event(event: Event) -> None:
                if isinstance(event, Started) and self.output != STREAM:  # some formats have a largest size
                    check_target(self.output, overwrite=self._overwrite, size=event.size)
                for subscriber in (show, keep_trace, keep_preview):
                    subscriber(event)
                interrupts.can_wait = interrupts.can_wait or isinstance(event, Progress)
                if isinstance(event, Done):
                    ended.append(event)

            picture = paint(on_event, interrupts.stop)
        return picture, ended[-1]

    def _deliver(self, picture: Picture, *, goes_on: bool) -> None:
        if self.fixed["strip"]:  # settings name files; by those of an unfinished picture the run knows it again
            settings = picture.settings if goes_on else {}
            picture = replace(picture, exif=harmless(picture.exif), settings=settings)
        if self.output != STREAM:
            write(picture, self.output, overwrite=self._overwrite, settings=picture.settings)
            return
        data = BytesIO()
        write(picture, data, settings=picture.settings)
        sys.stdout.buffer.write(data.getvalue())
        sys.stdout.buffer.flush()

    def _report(self, picture: Picture, done: Done) -> None:
        width, height = picture.size
        if self.fixed["json"]:
            told = {
                "output": self.output,
                "size": [width, height],
                "method": self.order.method,
                "seconds": round(done.seconds, 3),
                "losses": dict(done.losses),
                "stopped": done.stopped,
                "settings": dict(picture.settings),
            }
            typer.echo(json.dumps(told))
            return
        aside = self.output == STREAM
        name = "standard output" if aside else self.output
        typer.echo(f"{name} ({width}x{height}, {self.order.method}, {done.seconds:.1f} s)", err=aside)
        for term, value in done.losses.items():
            if term.startswith("error "):
                typer.echo(f"{term.removeprefix('error ')}: relative feature error {value:.2%}", err=aside)


def source(word: str) -> str | BinaryIO:
    """What a word on the command line names, for `read`: a file, or standard input.

    Raises:
        PictureError: when standard input is closed.
    """
    if word != STREAM:
        return word
    if sys.stdin is None:
        raise PictureError("standard input is closed; mend: impasto stylize - PAINTING < PHOTO")
    return sys.stdin.buffer
