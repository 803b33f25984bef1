"""`impasto train NAME --content PATH... --style PATH... --out RUN`: trains a network, or goes on training it."""

from __future__ import annotations

import inspect
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from threading import Event as StopSignal
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from impasto.cli import flags
from impasto.errors import MissingExtraError, OptionError
from impasto.events import Notice, Started, Trained, TrainingEvent, Update
from impasto.offline.recipes import RECIPES, get_recipe

if TYPE_CHECKING:
    from impasto.offline.recipe import TrainOptions
    from impasto.options import Spec

Subscriber = Callable[[TrainingEvent], None]

EVERY = 30.0  # seconds between lines where there is no terminal
INTERRUPTED = 130

Name = Annotated[
    str,
    typer.Argument(
        metavar="|".join(RECIPES), help="what to train", autocompletion=lambda: list(RECIPES), show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
FIXED = {"name": (Name, inspect.Parameter.empty), "json": (AsJson, False)}


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option of each recipe."""
    derived = [_parameter(option, holders) for option, holders in _by_name().items()]
    app.command(name, help=text)(flags.command(FIXED, derived, _train))


def _train(fixed: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    name, as_json = fixed["name"], fixed["json"]
    row = get_recipe(name)
    options = row.options_class.from_dict(_values(name, given))
    if util.find_spec("torch") is None:
        raise MissingExtraError("training", "torch")
    from impasto.offline.trainer import train

    done = None
    with _stoppable() as stop, _display(quiet=as_json) as show:
        for event in train(name, options, stop=stop):
            show(event)
            done = event if isinstance(event, Trained) else done
    assert done is not None  # noqa: S101 (a training that does not raise ends with it)
    _report(name, done, options, as_json=as_json)
    if done.ended == "stop":
        raise typer.Exit(INTERRUPTED)


def _by_name() -> dict[str, dict[str, Spec]]:
    """Option name -> recipe name -> spec."""
    found: dict[str, dict[str, Spec]] = {}
    for row in RECIPES.values():
        for spec in row.options_class.specs():
            found.setdefault(spec.name, {})[row.name] = spec
    return found


def _values(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe's options are made from.

    Raises:
        OptionError: when a flag was given that this recipe does not have.
    """
    specs = {spec.name: spec for spec in RECIPES[name].options_class.specs()}
    values = {}
    for option, said in given.items():
        if said is None or said == []:
            continue
        if option not in specs:
            having = ", ".join(_by_name()[option])
            raise OptionError(f"{name} has no --{option.replace('_', '-')}; those that do: {having}")
        spec = specs[option]
        if isinstance(said, list):
            values[option] = flags.listed(spec, said)
        else:
            values[option] = spec.parse(said) if isinstance(said, str) else said
    return values


def _parameter(name: str, holders: Mapping[str, Spec]) -> inspect.Parameter:
    spec = next(iter(holders.values()))
    kind: Any = bool if spec.kind is bool else list[str] if spec.many else str
    choices = spec.choices
    words = (spec.flag, "-o") if name == "out" else (spec.flag,)
    if kind is bool:
        words = (f"{spec.flag}/--no-{spec.flag[2:]}",)
    info = typer.Option(
        *words,
        help=_help(holders),
        metavar="|".join(choices) if choices else "PATH" if spec.kind is Path else flags.WORDS.get(spec.kind),
        autocompletion=(lambda: list(choices)) if choices else None,
        show_default=False,
    )
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=None, annotation=Annotated[kind | None, info])


def _help(holders: Mapping[str, Spec]) -> str:
    """The help of an option, its default, and whose it is unless it is everybody's."""
    spec = next(iter(holders.values()))
    texts = {s.help for s in holders.values()}
    text = spec.help if len(texts) == 1 else "; ".join(f"{owner}: {s.help}" for owner, s in holders.items())
    if len(holders) < len(RECIPES):
        text += f" [{', '.join(holders)}]"
    if spec.many:
        text += "; may be given again"
    defaults = {owner: _shown(s.default) for owner, s in holders.items()}
    shown = set(defaults.values())
    if shown == {""}:
        return text
    told = shown.pop() if len(shown) == 1 else ", ".join(f"{owner}: {d}" for owner, d in defaults.items() if d)
    return f"{text} (default {told})"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


@contextmanager
def _stoppable() -> Iterator[StopSignal]:
    """The first Ctrl-C, or SIGTERM, saves and ends; the second Ctrl-C ends at once, the last checkpoint stays."""
    stop = StopSignal()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        sys.stderr.write("\nimpasto: saving after this update; again to end without\n")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _display(*, quiet: bool) -> Iterator[Subscriber]:
    """A live line on a terminal: updates, images a second, terms, time left. Elsewhere a line now and then."""
    if quiet or not sys.stderr.isatty():
        yield _Lines(quiet=quiet)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    told = TextColumn("{task.fields[told]}")
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), told)
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task("starting", total=None, told="")

        def show(event: TrainingEvent) -> None:
            if isinstance(event, Started):
                display.update(task, description=event.method, total=event.steps)
            elif isinstance(event, Update):
                display.update(task, completed=event.step, told=_told(event))
            elif isinstance(event, Notice):
                display.console.print(event.text, highlight=False, markup=False)

        yield show


class _Lines:
    """Tells a file or a pipe how it goes, once in a while."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._next = time.monotonic() + EVERY

    def __call__(self, event: TrainingEvent) -> None:
        if isinstance(event, Notice):
            sys.stderr.write(f"impasto: {event.text}\n")
        elif isinstance(event, Update) and not self._quiet and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY
            sys.stderr.write(f"{event.step}/{event.steps}  {_told(event)}\n")


def _told(event: Update) -> str:
    terms = "  ".join(f"{name} {value:.3g}" for name, value in event.losses.items() if name != "total")
    minutes, seconds = divmod(round(event.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{event.images_per_second:.3g} images/s  {terms}  {hours}:{minutes:02d}:{seconds:02d} left"


def _report(name: str, done: Trained, options: TrainOptions, *, as_json: bool) -> None:
    output = done.network or done.checkpoint
    if as_json:
        told = {
            "output": str(output),
            "recipe": name,
            "ended": done.ended,
            "updates": done.step,
            "seconds": round(done.seconds, 3),
            "images_per_second": round(done.images_per_second, 3),
            "losses": dict(done.losses),
            "skipped": done.skipped,
            "unreadable": done.unreadable,
            "settings": options.to_dict(),
        }
        typer.echo(json.dumps(told))
        return
    pace = f"{done.step} updates, {done.images_per_second:.3g} images/s, {done.seconds:.1f} s"
    typer.echo(f"{output} ({pace})" if done.ended == "done" else f"{output} ({pace}; the same command goes on)")
