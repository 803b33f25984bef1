"""`impasto evaluate`: networks compared on the same pairs of photos and paintings."""

from __future__ import annotations

import inspect
import json as to_json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import flags
from impasto.errors import PictureError
from impasto.evaluation.options import EvaluateOptions
from impasto.options import Spec

if TYPE_CHECKING:
    from impasto.evaluation.evaluate import Evaluation, Tell
    from impasto.evaluation.report import Report

WORDS: dict[type, str] = {int: "N", float: "X", str: "NAME", Path: "PATH"}

LEGEND = {
    "content": "content and style: Ghiasi's losses",
    "conv1": "conv1 to conv4: the share of the style that is missing, layer by layer, from 0 to 1",
    "ssim": "ssim: how much of the photo's structure is left, 1 for all of it",
    "sliced": "sliced: distance to the painting's features on layers that training never used",
}

FIXED: dict[str, tuple[Any, Any]] = {
    "output": (
        Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE.json", help="every number, pair by pair")],
        None,
    ),
    "sheet": (
        Annotated[Path | None, typer.Option("--sheet", metavar="FILE.jpg", help="the results side by side")],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="one JSON object on standard output")], False),
    "overwrite": (Annotated[bool, typer.Option("--overwrite", help="replace report and sheet if they exist")], False),
}


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each of its options."""
    derived = [_parameter(spec) for spec in EvaluateOptions.specs()]
    app.command(name, help=text)(flags.command(FIXED, derived, _evaluate))


def _parameter(spec: Spec) -> inspect.Parameter:
    """A flag for one option: words are parsed by the option itself; lists are given by repeating the flag."""
    kind: Any = bool if spec.kind is bool else list[str] if spec.many else str
    default = "" if spec.kind is bool or not spec.default else f" (default {spec.default})"
    more = "; may be given more than once" if spec.many else ""
    info = typer.Option(
        spec.flag,
        help=f"{spec.help}{more}{default}",
        metavar=None if spec.kind is bool else "|".join(spec.choices) or WORDS[spec.kind],
        show_default=False,
    )
    unset = False if spec.kind is bool else None
    return inspect.Parameter(
        spec.name, inspect.Parameter.KEYWORD_ONLY, default=unset, annotation=Annotated[kind | None, info]
    )


def _evaluate(fixed: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    options = _options(given)
    _check_outputs(fixed["output"], fixed["sheet"], overwrite=fixed["overwrite"])
    from impasto.evaluation.evaluate import evaluate

    with _progress(quiet=fixed["json"]) as tell:
        found = evaluate(options, tell=tell)
    _deliver(found, fixed)
    for line in [*found.report.missing, *_told_skipped(found.report.skipped)]:
        typer.echo(f"impasto: {line}", err=True)
    if fixed["json"]:
        typer.echo(to_json.dumps(found.report.to_dict()))
    else:
        _print(found.report)


def _options(given: Mapping[str, Any]) -> EvaluateOptions:
    """The options that the words mean; a comma separates paths, as in a list of any other option."""
    values: dict[str, Any] = {}
    for spec in EvaluateOptions.specs():
        value = given[spec.name]
        if spec.many and value:
            values[spec.name] = flags.listed(spec, value)
        elif isinstance(value, str):
            values[spec.name] = spec.parse(value)
        elif value:
            values[spec.name] = value
    return EvaluateOptions.from_dict(values)


def _check_outputs(output: Path | None, sheet: Path | None, *, overwrite: bool) -> None:
    """Makes sure, before the work, that report and sheet can be written, and that neither replaces the other."""
    from impasto.image import check_target

    if sheet is not None:
        check_target(sheet, overwrite=overwrite)
    if output is not None:
        if not output.parent.is_dir() or output.is_dir():
            raise PictureError(f"cannot write the report {output}; mend: -o FILE.json in a folder that exists")
        if output.exists() and not overwrite:
            raise PictureError(f"{output} exists already; mend: add --overwrite, or name another file with -o")
        if sheet is not None and output.resolve() == sheet.resolve():
            raise PictureError(f"{output} cannot be both; mend: give report and sheet names of their own")


def _deliver(found: Evaluation, fixed: Mapping[str, Any]) -> None:
    from impasto.image import write
    from impasto.image.targets import publish

    if fixed["output"]:
        text = to_json.dumps(found.report.to_dict(), indent=1) + "\n"
        publish(text.encode(), fixed["output"], overwrite=fixed["overwrite"])
    if fixed["sheet"]:
        write(found.sheet, fixed["sheet"], overwrite=fixed["overwrite"])


def _told_skipped(skipped: Sequence[str]) -> list[str]:
    """One line, however many pictures there are."""
    return [f"{len(skipped)} unreadable and left out, the first: {skipped[0]}"] if skipped else []


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Tell]:
    """A line on a terminal; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, whole: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as display:
        task = display.add_task("pairs", total=None)
        yield lambda done, whole: display.update(task, completed=done, total=whole)


def _print(report: Report) -> None:
    """The table: mean and, below it, median over the pairs; then times, then seen against unseen."""
    from rich.console import Console
    from rich.table import Table

    from impasto.evaluation.report import METRICS, PHOTO

    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    metrics = [m for m in METRICS if any(m in row.values for row in report.rows)]
    table = Table("network", "", *metrics, caption=f"{report.about['pairs']} pairs; {PHOTO} is the photo as it was")
    legend = "; ".join(text for metric, text in LEGEND.items() if metric in metrics)
    for name in report.networks:
        summary = report.summary(name)
        for row, kind in enumerate(("mean", "median")):
            table.add_row("" if row else name, kind, *(_shown(summary[m][kind]) for m in metrics))
    console.print(table)
    console.print(legend, markup=False)
    if report.times:
        sides = list(next(iter(report.times.values())))
        times = Table("ms a picture", *(f"{side}x{side}" for side in sides))
        for name, taken in report.times.items():
            times.add_row(name, *(_shown(taken[side]) for side in sides))
        console.print(times)
    for name in report.networks:
        if name != PHOTO and (ratios := report.unseen_to_seen(name)):
            told = ", ".join(f"{what} {ratio:.3f}" for what, ratio in ratios.items())
            console.print(f"{name}, unseen by seen paintings: {told}", markup=False)


def _shown(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
