"""`impasto stylize CONTENT STYLE...`: the main job."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Event as StopSignal
from types import FrameType
from typing import Annotated, Any, BinaryIO

import typer

from impasto.api import open_style, settings_of
from impasto.cli import flags, progress
from impasto.errors import ImpastoError, OptionError, PictureError
from impasto.events import Done, Progress, Started
from impasto.image import check_target, read, write
from impasto.methods import METHODS, get_method, run
from impasto.options import StylizeOptions

STREAM = "-"
DEFAULT_METHOD = "fast"
_OWN_STYLES = ", ".join(m.name for m in METHODS.values() if m.styles != "any")

Content = Annotated[
    str | None, typer.Argument(metavar="CONTENT", help="the photo; - reads standard input", show_default=False)
]
Styles = Annotated[
    list[str] | None,
    typer.Argument(metavar="STYLE", help=f"paintings, or .style files; none for {_OWN_STYLES}", show_default=False),
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o", "--output", metavar="FILE", help="result; - writes PNG to standard output (default CONTENT-STYLE.png)"
    ),
]
MethodName = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--method",
        metavar="|".join(METHODS),
        help=f"see `impasto methods` (default {DEFAULT_METHOD})",
        autocompletion=lambda: list(METHODS),
    ),
]
Trace = Annotated[Path | None, typer.Option(metavar="FILE.jsonl", help="one JSON line for every step")]
Settings = Annotated[Path | None, typer.Option(metavar="FILE", help="repeat the run that painted this file")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace the result if it exists")]

FIXED = {
    "content": (Content, None),
    "styles": (Styles, None),
    "output": (Output, None),
    "method": (MethodName, None),
    "trace": (Trace, None),
    "settings": (Settings, None),
    "json": (AsJson, False),
    "overwrite": (Overwrite, False),
}


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


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option of each method."""
    app.command(name, help=text)(flags.command(FIXED, flags.parameters(), _stylize))


def _stylize(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    order = _order(fixed, given)
    output = _output(fixed["output"], order)
    replaces = fixed["overwrite"] or _goes_on(order, output)
    _check_outputs(order, output, fixed, replaces=replaces)
    done = _paint(order, output, trace=fixed["trace"], quiet=fixed["json"], overwrite=replaces)
    _deliver(order, output, done, overwrite=replaces)
    _report(order, output, done, as_json=fixed["json"])
    if done.stopped:
        if (kept := _checkpoint(order)) and kept.exists():
            typer.echo(f"impasto: the same command goes on from {kept}", err=True)
        raise typer.Exit(130)


NAMES_FILES = frozenset({"model", "mask", "style_mask", "semantic", "init"})
"""Options that may name files, which settings give as they were typed."""


def _order(fixed: dict[str, Any], given: dict[str, Any]) -> Order:
    earlier = _earlier(fixed["settings"]) if fixed["settings"] else {}
    method = get_method(str(fixed["method"] or earlier.get("method") or DEFAULT_METHOD))
    content = fixed["content"] or earlier.get("content")
    styles = tuple(fixed["styles"] or (earlier.get("styles", ()) if method.styles == "any" else ()))
    if not content or not all(styles) or (method.styles == "any" and not styles):
        missing = " (the earlier run did not read them from files)" if earlier else ""
        wanted = "a photo and a painting: impasto stylize PHOTO PAINTING" if method.styles == "any" else "a photo"
        raise OptionError(f"give {wanted}{missing}")
    if [content, *styles].count(STREAM) > 1:
        raise OptionError("standard input can be read only once; give - for one picture")
    base = earlier["options"] if earlier.get("method") == method.name else {}
    values = flags.options_of(method, given, base=base)
    return Order(content, styles, method.options_class.from_dict(values), method.name)


def _earlier(path: Path) -> dict[str, Any]:
    """The settings in a file that Impasto painted; they come from outside, so that each is looked at."""
    told = dict(read(path).settings)
    if told.get("job"):
        raise PictureError(f"{path} was made by impasto {told['job']}; give a file that impasto stylize painted")
    if not {"method", "content", "styles", "options"} <= told.keys():
        raise PictureError(f"{path} holds no settings of Impasto; give a file that Impasto painted")
    styles = told["styles"]
    words = [told["method"], told["content"], *(styles if isinstance(styles, list) else [None])]
    if not all(isinstance(word, str) for word in words) or not isinstance(told["options"], dict):
        raise PictureError(f"the settings in {path} are damaged; give another file")
    options = {k: _files_found(v, path) if k in NAMES_FILES else v for k, v in told["options"].items()}
    options.pop("checkpoint", None)  # where a run kept its state is no property of the picture
    styles = [_found(style, path) for style in styles]
    return {**told, "content": _found(told["content"], path), "styles": styles, "options": options}


def _files_found(value: Any, settings: Path) -> Any:
    """An option that names a file or several, with each looked for as `_found` does; others as they are."""
    if isinstance(value, list):
        return [_files_found(one, settings) for one in value]
    return _found(value, settings) if isinstance(value, str) else value


def _found(word: str, settings: Path) -> str:
    """A file named in settings: where it was, else beside the file that names it; "" when it was never a file."""
    beside = settings.parent / word
    if word in ("", STREAM):
        return ""
    return str(beside) if not Path(word).exists() and beside.exists() else word


def _output(asked: str | None, order: Order) -> str:
    if asked is not None:
        return asked
    if order.content == STREAM:
        return STREAM
    content = Path(order.content)
    names = ["stdin" if s == STREAM else Path(s).stem for s in order.styles] or _own_styles(order.options)
    return str(content.parent / f"{'-'.join([content.stem, *names])}.png")


def _own_styles(options: StylizeOptions) -> list[str]:
    """What to call the style of a network that has its own: by its file, and by those that were picked."""
    model, picks = getattr(options, "model", None), getattr(options, "pick", ())
    return [model.stem if model else "", *(re.sub(r"[^\w.-]+", "_", pick) for pick in picks)]


def _checkpoint(order: Order) -> Path | None:
    found: Path | None = getattr(order.options, "checkpoint", None)
    return found


def _goes_on(order: Order, output: str) -> bool:
    """Whether the picture in the way is what this very run left there when it was interrupted."""
    kept = _checkpoint(order)
    if not kept or not kept.exists() or not Path(output).is_file() or not get_method(order.method).ready:
        return False
    from impasto.online.checkpoint import read_head

    try:
        return not read_head(kept)["finished"] and dict(read(output).settings) == order.settings()
    except ImpastoError:  # of the checkpoint it is said later why, and of the picture that it is in the way
        return False


def _check_outputs(order: Order, output: str, fixed: dict[str, Any], *, replaces: bool = False) -> None:
    """Makes sure, before the work starts, that all there is to write can be written, and that nothing is lost by it."""
    previews = bool(getattr(order.options, "preview_every", 0))
    overwrite, trace = fixed["overwrite"], fixed["trace"]
    if output == STREAM:
        if fixed["json"] or previews:
            raise OptionError("with -o - standard output holds the picture; leave out --json and --preview-every")
        if sys.stdout is None:
            raise PictureError("standard output is closed; mend: -o FILE.png")
    else:
        check_target(output, overwrite=overwrite or replaces)
    if previews:
        check_target(_preview(output), overwrite=overwrite)
    if trace is not None:
        progress.check_trace(trace, overwrite=overwrite)
    _check_apart(order, output, [p for p in (trace, _preview(output) if previews else None, _checkpoint(order)) if p])


def _check_apart(order: Order, output: str, beside: Sequence[Path]) -> None:
    """Trace, preview and checkpoint may replace an older one, but not the result or what it is made from."""
    files = (getattr(order.options, name, None) or STREAM for name in ("init", "model"))
    words = (output, order.content, *order.styles, *map(str, files))
    taken = {Path(word).resolve() for word in words if word != STREAM}
    for path in beside:
        if path.resolve() in taken:
            raise OptionError(
                f"{path} would be written over; give --trace, --checkpoint and the result names of their own"
            )
        taken.add(path.resolve())


def _preview(output: str) -> Path:
    path = Path(output)
    return path.with_name(f"{path.stem}-preview.png")


def _paint(order: Order, output: str, *, trace: Path | None, quiet: bool, overwrite: bool) -> Done:
    content = read(_source(order.content))
    styles = [open_style(_source(word)) for word in order.styles]
    done = None
    with _interruptible() as interrupts, progress.trace(trace) as keep_trace, progress.bar(quiet=quiet) as show:
        keep_preview = progress.previews(_preview(output))
        for event in run(content, styles, order.options, stop=interrupts.stop):
            if isinstance(event, Started) and output != STREAM:  # some formats have a largest size
                check_target(output, overwrite=overwrite, size=event.size)
            for subscriber in (show, keep_trace, keep_preview):
                subscriber(event)
            interrupts.can_save = interrupts.can_save or isinstance(event, Progress)
            done = event if isinstance(event, Done) else done
    assert done is not None  # noqa: S101 (a method that does not raise ends with it)
    return done


def _source(word: str) -> str | BinaryIO:
    if word != STREAM:
        return word
    if sys.stdin is None:
        raise PictureError("standard input is closed; mend: impasto stylize - PAINTING < PHOTO")
    return sys.stdin.buffer


class _Interrupts:
    """The first Ctrl-C asks to stop with the best picture so far, if there is one; any other stops at once.

    Attributes:
        stop: set by the first.
        can_save: whether there is a picture yet.
    """

    def __init__(self) -> None:
        self.stop, self.can_save = StopSignal(), False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.stop.is_set() or not self.can_save:
            raise KeyboardInterrupt
        self.stop.set()
        sys.stderr.write("\nimpasto: stopping after this step; Ctrl-C again to drop the picture\n")


@contextmanager
def _interruptible() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def _deliver(order: Order, output: str, done: Done, *, overwrite: bool) -> None:
    if output != STREAM:
        write(done.picture, output, overwrite=overwrite, settings=order.settings())
        return
    data = BytesIO()
    write(done.picture, data, settings=order.settings())
    sys.stdout.buffer.write(data.getvalue())
    sys.stdout.buffer.flush()


def _report(order: Order, output: str, done: Done, *, as_json: bool) -> None:
    width, height = done.picture.size
    if as_json:
        told = {
            "output": output,
            "size": [width, height],
            "method": order.method,
            "seconds": round(done.seconds, 3),
            "losses": dict(done.losses),
            "stopped": done.stopped,
            "settings": order.settings(),
        }
        typer.echo(json.dumps(told))
    else:
        name = "standard output" if output == STREAM else output
        typer.echo(f"{name} ({width}x{height}, {order.method}, {done.seconds:.1f} s)", err=output == STREAM)
