"""What commands that paint one picture without a photo and painting pair share: `texture` and `reconstruct`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from inspect import Parameter
from io import BytesIO
from pathlib import Path
from threading import Event as StopSignal
from typing import Annotated, Any

import typer

from impasto.cli import flags, progress
from impasto.cli.stylize import (
    STREAM,
    AsJson,
    Order,
    Overwrite,
    Trace,
    _check_outputs,
    _interruptible,
    _preview,
)
from impasto.errors import OptionError
from impasto.events import Done, Event, Progress, Started
from impasto.image import check_target, write
from impasto.methods import METHODS, get_method
from impasto.online.solo import understood
from impasto.picture import Picture

Paint = Callable[[Callable[[Event], None], StopSignal], Picture]
"""(what is called with each event, the signal to stop) -> the picture, with its settings."""

TEXTURED = tuple(m.name for m in METHODS.values() if m.texture)
"""Methods whose texture model can be used alone."""

FIXED: dict[str, tuple[Any, Any]] = {
    "trace": (Trace, None),
    "json": (AsJson, False),
    "overwrite": (Overwrite, False),
}


@dataclass(frozen=True)
class Job:
    """What is to be painted, and where it goes.

    Attributes:
        order: what it is made from, and the method's options.
        output: the result's file, or `STREAM`.
        fixed: the values of `FIXED`.
    """

    order: Order
    output: str
    fixed: dict[str, Any]

    def run(self, paint: Paint) -> None:
        """Paints, saves and reports; Ctrl-C saves the best picture so far and leaves with 130."""
        _check_outputs(self.order, self.output, self.fixed)
        picture, done = self._paint(paint)
        if self.output == STREAM:
            data = BytesIO()
            write(picture, data, settings=picture.settings)
            sys.stdout.buffer.write(data.getvalue())
            sys.stdout.buffer.flush()
        else:
            write(picture, self.output, overwrite=self.fixed["overwrite"], settings=picture.settings)
        self._report(picture, done)
        if done.stopped:
            raise typer.Exit(130)

    def _paint(self, paint: Paint) -> tuple[Picture, Done]:
        ended: list[Done] = []
        with (
            _interruptible() as interrupts,
            progress.trace(self.fixed["trace"]) as keep_trace,
            progress.bar(quiet=self.fixed["json"]) as show,
        ):
            keep_preview = progress.previews(_preview(self.output))

            def on_event(event: Event) -> None:
                if isinstance(event, Started) and self.output != STREAM:
                    check_target(self.output, overwrite=self.fixed["overwrite"], size=event.size)
                for subscriber in (show, keep_trace, keep_preview):
                    subscriber(event)
                interrupts.can_save = interrupts.can_save or isinstance(event, Progress)
                if isinstance(event, Done):
                    ended.append(event)

            picture = paint(on_event, interrupts.stop)
        return picture, ended[-1]

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


def output_flag(default: str) -> Any:
    """The annotation of `-o`."""
    text = f"result; - writes PNG to standard output (default {default})"
    return Annotated[str | None, typer.Option("-o", "--output", metavar="FILE", help=text)]


def method_flag(default: str, text: str) -> Any:
    """The annotation of `-m`, for methods with a texture model."""
    return Annotated[
        str | None,
        typer.Option(
            "-m",
            "--method",
            metavar="|".join(TEXTURED),
            help=f"{text} (default {default})",
            autocompletion=lambda: list(TEXTURED),
        ),
    ]


def textured(name: str) -> str:
    """The name of a method whose texture model can be used alone.

    Raises:
        OptionError: when the method is unknown, or has none; the message lists those that do.
    """
    if not get_method(name).texture:
        raise OptionError(f"{name} has no texture model that can be used alone; methods that do: {', '.join(TEXTURED)}")
    return name


def parameters(known: Collection[str]) -> list[Parameter]:
    """Flags for the options of every online method that are `known`, and for the textured methods' own."""
    holders = {name: set(having) for name, having in flags.by_name().items()}
    return [
        p for p in flags.parameters() if understood(p.name, known, own=bool(holders[p.name].intersection(TEXTURED)))
    ]


def beside(source: str, ending: str) -> str:
    """The default result: beside its source, with another ending."""
    if source == STREAM:
        return STREAM
    path = Path(source)
    return str(path.parent / f"{path.stem}-{ending}.png")
