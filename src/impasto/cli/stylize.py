"""`impasto stylize CONTENT STYLE...`: the main job."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from threading import Event as StopSignal
from typing import Annotated, Any

import typer

from impasto.api import open_style
from impasto.cli import flags, job
from impasto.cli.job import READ, STREAM, Job, Order, source
from impasto.errors import ImpastoError, OptionError, PictureError
from impasto.events import Done, Event
from impasto.image import read
from impasto.methods import METHODS, get_method, run
from impasto.options import StylizeOptions
from impasto.picture import Picture

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
Settings = Annotated[Path | None, typer.Option(metavar="FILE", help="repeat the run that painted this file")]

FIXED = {
    "content": (Content, None),
    "styles": (Styles, None),
    "output": (Output, None),
    "method": (MethodName, None),
    "settings": (Settings, None),
    **job.FIXED,
}


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option of each method."""
    app.command(name, help=text)(flags.command(FIXED, flags.parameters(), _stylize))


def _stylize(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    order = _order(fixed, given)
    output = _output(fixed["output"], order)

    def paint(on_event: Callable[[Event], None], stop: StopSignal) -> Picture:
        content, styles = read(source(order.content)), [open_style(source(word)) for word in order.styles]
        done = None
        for event in run(content, styles, order.options, stop=stop):
            on_event(event)
            done = event if isinstance(event, Done) else done
        assert done is not None  # noqa: S101 (a method that does not raise ends with it)
        return dataclasses.replace(done.picture, settings=order.settings())

    Job(order, output, fixed, replaces=_goes_on(order, output)).run(paint)


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
    options = {k: _files_found(v, path) if k in READ else v for k, v in told["options"].items()}
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


def _goes_on(order: Order, output: str) -> bool:
    """Whether the picture in the way is what this very run left there when it was interrupted."""
    kept = order.checkpoint
    if not kept or not kept.exists() or not Path(output).is_file() or not get_method(order.method).ready:
        return False
    from impasto.online.checkpoint import read_head

    try:
        return not read_head(kept)["finished"] and dict(read(output).settings) == order.settings()
    except ImpastoError:  # of the checkpoint it is said later why, and of the picture that it is in the way
        return False
