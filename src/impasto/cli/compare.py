"""`impasto compare CONTENT STYLE...`: every method on one photo, on one sheet and in one table."""

from __future__ import annotations

import json as to_json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.api import settings_of
from impasto.cli import flags, progress
from impasto.cli.evaluate import LEGEND
from impasto.cli.interrupts import Interrupts, interruptible
from impasto.errors import ImpastoError, OptionError
from impasto.evaluation import compare
from impasto.evaluation.compare import Painted, Round
from impasto.evaluation.report import METRICS, PHOTO
from impasto.events import Event, Progress
from impasto.image import check_target, read, write
from impasto.methods import METHODS, Method, method_of
from impasto.online.solo import SEARCH
from impasto.options import StylizeOptions
from impasto.picture import Picture

Values = Mapping[str, Mapping[str, float]]

NOT_SHARED = ("size", "preview_every", "checkpoint")
"""Options that are no flags of this command: the first has its own default here, of the second nothing would be seen,
and one checkpoint cannot serve several methods."""

MEANING = {
    "seconds": "seconds: from the call to the picture, loading of the networks included",
    **LEGEND,
    "sliced": "sliced: distance to the painting's features in VGG-19, with which most online methods look themselves",
}

FIXED: dict[str, tuple[Any, Any]] = {
    "content": (Annotated[str | None, typer.Argument(metavar="CONTENT", help="the photo", show_default=False)], None),
    "styles": (
        Annotated[list[str] | None, typer.Argument(metavar="STYLE", help="paintings", show_default=False)],
        None,
    ),
    "output": (
        Annotated[
            Path | None,
            typer.Option("-o", "--output", metavar="FILE", help="the sheet (default CONTENT-STYLE-compare.png)"),
        ],
        None,
    ),
    "methods": (
        Annotated[
            str | None,
            typer.Option(metavar="A,B,C", help="those to compare (default all that need a photo and a painting only)"),
        ],
        None,
    ),
    "size": (
        Annotated[
            str, typer.Option(metavar="N", help="long side of every result in pixels (default 512)", show_default=False)
        ],
        str(compare.SIZE),
    ),
    "folder": (
        Annotated[
            Path | None,
            typer.Option(metavar="FOLDER", help="keep each result there, for `impasto stylize --settings` to repeat"),
        ],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="one JSON object on standard output")], False),
    "overwrite": (Annotated[bool, typer.Option("--overwrite", help="replace sheet and results if they exist")], False),
}


@dataclass(frozen=True)
class Order:
    """What is to be painted, and where it goes.

    Attributes:
        content: the photo's path.
        styles: the paintings'.
        options: of each method.
        refused: methods that cannot take what was asked for, and why.
        output: where the sheet goes.
        results: method -> where its picture goes; empty when only the sheet is wanted.
    """

    content: str
    styles: tuple[str, ...]
    options: tuple[StylizeOptions, ...]
    refused: Mapping[str, ImpastoError]
    output: Path
    results: Mapping[str, Path]

    def settings(self, painted: Painted) -> dict[str, Any]:
        """What a result carries, so that it can be painted again."""
        return settings_of(painted.options, self.content, self.styles)


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option of the methods that take paintings."""
    shared = {s.name for m in METHODS.values() if m.styles == "any" for s in m.options_class.specs()}
    derived = [p for p in flags.parameters() if p.name in shared.difference(NOT_SHARED)]
    app.command(name, help=text)(flags.command(FIXED, derived, _compare))


def _compare(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    order, overwrite = _order(fixed, given), bool(fixed["overwrite"])
    _check_outputs(order, overwrite=overwrite)
    if without := _without(order.options, given):
        typer.echo(f"impasto: {without}", err=True)
    content, styles = read(order.content), [read(word) for word in order.styles]
    made = _paint(order, content, styles, quiet=fixed["json"], overwrite=overwrite)
    sheet = compare.make_sheet_of(made.painted, content, styles)
    write(sheet, order.output, overwrite=overwrite)  # before anybody loses patience with the metrics
    stopped = made.stopped
    try:
        values, missing = compare.judge_all(made.painted, content, styles)
    except KeyboardInterrupt:
        values, missing, stopped = {}, ("every metric; interrupted",), True
    for line in [*compare.reasons({**order.refused, **made.left_out}), *missing]:
        typer.echo(f"impasto: left out: {' '.join(line.splitlines())}", err=True)
    if fixed["json"]:
        told = {"size": list(sheet.size), "missing": list(missing), "stopped": stopped}
        typer.echo(to_json.dumps({**_told(order, made, values), **told}))
    else:
        _print(made, values)
        typer.echo(f"{order.output} ({sheet.width}x{sheet.height})")
    if stopped:
        raise typer.Exit(130)


def _paint(order: Order, content: Picture, styles: Sequence[Picture], *, quiet: bool, overwrite: bool) -> Round:
    def keep(painted: Painted) -> None:
        if order.results:
            settings = order.settings(painted)
            write(painted.done.picture, order.results[painted.method], overwrite=overwrite, settings=settings)

    with interruptible(can_wait=True, otherwise="leave its picture out") as interrupts:
        watch = partial(_watch, interrupts, quiet=quiet)
        return compare.paint_all(content, styles, order.options, stop=interrupts.stop, watch=watch, keep=keep)


def _order(fixed: Mapping[str, Any], given: Mapping[str, Any]) -> Order:
    content, styles = fixed["content"], tuple(fixed["styles"] or ())
    if not content or not styles or not all(styles):
        raise OptionError("give a photo and a painting: impasto compare PHOTO PAINTING")
    words = [word.strip() for word in fixed["methods"].split(",")] if fixed["methods"] is not None else []
    methods = compare.candidates(words)
    options, refused = _options(methods, {**given, "size": fixed["size"]})
    names = "-".join(Path(word).stem for word in (content, *styles))
    output = fixed["output"] or Path(content).parent / f"{names}-compare.png"
    folder = fixed["folder"]
    results = {m.name: folder / f"{names}-{m.name}.png" for m in methods} if folder else {}
    return Order(content, styles, options, refused, output, results)


def _options(
    methods: Sequence[Method], given: Mapping[str, Any]
) -> tuple[tuple[StylizeOptions, ...], dict[str, ImpastoError]]:
    """Each method's options, of those flags that it has; and the methods that cannot take a value."""
    names = {m.name: {s.name for s in m.options_class.specs()} for m in methods}
    holders = flags.by_name()
    for name in _given(given):
        if not any(name in own for own in names.values()):
            told = f"{_flag(name)}; methods that do: {', '.join(holders[name])}"
            raise OptionError(f"of the methods {', '.join(names)} none has {told}")
    options: list[StylizeOptions] = []
    refused: dict[str, ImpastoError] = {}
    for method in methods:
        own = {name: value for name, value in given.items() if name in names[method.name]}
        try:
            options.append(method.options_class.from_dict(flags.options_of(method, own)))
        except OptionError as error:
            refused[method.name] = error
    if not options:
        raise compare.nothing_painted(refused)
    return tuple(options), refused


def _without(options: Sequence[StylizeOptions], given: Mapping[str, Any]) -> str:
    """Who paints without which of the controls that were given; how one searches is no matter of those that do not."""
    controls = [name for name in _given(given) if name not in SEARCH]
    lacking = []
    for one in options:
        own = {spec.name for spec in one.specs()}
        if names := [_flag(name) for name in controls if name not in own]:
            lacking.append(f"{method_of(one).name} paints without {', '.join(names)}")
    return "; ".join(lacking)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _given(given: Mapping[str, Any]) -> list[str]:
    """The flags that say something."""
    return [name for name, value in given.items() if value not in (None, [], ())]


def _check_outputs(order: Order, *, overwrite: bool) -> None:
    """Makes sure, before the work starts, that all there is to write can be written, and that nothing is lost by it."""
    taken = {Path(word).resolve() for word in (order.content, *order.styles, *_files(order.options))}
    for path in (order.output, *order.results.values()):
        check_target(path, overwrite=overwrite)
        if path.resolve() in taken:
            raise OptionError(f"{path} would be written over; give the sheet and the results names of their own")
        taken.add(path.resolve())


def _files(options: Sequence[StylizeOptions]) -> set[str]:
    """Whatever else the methods read: masks, networks, a picture to begin with."""
    paths = {spec.name for one in options for spec in one.specs() if spec.kind is Path} | {"init"}
    values = [getattr(one, name, None) or () for one in options for name in paths]
    return {str(path) for value in values for path in (value if isinstance(value, tuple) else (value,))}


@contextmanager
def _watch(interrupts: Interrupts, *, quiet: bool) -> Iterator[progress.Subscriber]:
    """One method's bar; and what a Ctrl-C needs to know."""
    interrupts.can_wait = False
    try:
        with progress.bar(quiet=quiet) as show:

            def hear(event: Event) -> None:
                show(event)
                interrupts.can_wait = interrupts.can_wait or isinstance(event, Progress)

            yield hear
    finally:
        interrupts.can_wait = True


def _told(order: Order, made: Round, values: Values) -> dict[str, Any]:
    """What was painted and found, for programs."""
    results = [
        {
            "method": painted.method,
            "output": str(order.results[painted.method]) if order.results else None,
            "size": list(painted.done.picture.size),
            "seconds": round(painted.seconds, 3),
            "metrics": _plain(values.get(painted.method, {})),
            "losses": _plain(painted.done.losses),
            "stopped": painted.done.stopped,
            "settings": order.settings(painted),
        }
        for painted in made.painted
    ]
    left_out = {name: str(error) for name, error in {**order.refused, **made.left_out}.items()}
    photo = _plain(values.get(PHOTO, {}))
    return {"output": str(order.output), "results": results, "photo": photo, "left_out": left_out}


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no word for what is not finite."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _print(made: Round, values: Values) -> None:
    """The table: the photo as it was, then each method."""
    from rich.console import Console
    from rich.table import Table

    metrics = [m for m in METRICS if any(m in row for row in values.values())]
    seconds = {painted.method: f"{painted.seconds:.1f}" for painted in made.painted}
    table = Table("method", "seconds")
    for metric in metrics:
        table.add_column(metric, justify="right")
    table.columns[1].justify = "right"
    if metrics:
        table.add_row(PHOTO, "", *(_shown(values[PHOTO][m]) for m in metrics))
    for name, told in seconds.items():
        table.add_row(name, told, *(_shown(values[name][m]) for m in metrics))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(table)
    shown = {"seconds", *metrics}
    console.print("; ".join(text for name, text in MEANING.items() if name in shown), markup=False)


def _shown(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
