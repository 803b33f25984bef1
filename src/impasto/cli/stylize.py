"""`impasto stylize CONTENT STYLE...`: the main job."""

from __future__ import annotations

import inspect
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from threading import Event as StopSignal
from types import FrameType
from typing import Annotated, Any

import typer

from impasto.cli import flags, progress
from impasto.errors import OptionError, PictureError
from impasto.events import Done, Progress
from impasto.fast.style_code import SUFFIX, StyleCode
from impasto.image import check_target, read, write
from impasto.methods import Style, get_method, run
from impasto.options import StylizeOptions

STREAM = "-"
DEFAULT_METHOD = "fast"

Content = Annotated[str | None, typer.Argument(help="the photo; - reads standard input", show_default=False)]
Styles = Annotated[
    list[str] | None, typer.Argument(metavar="STYLE...", help="paintings, or .style files", show_default=False)
]
Output = Annotated[
    str | None,
    typer.Option("-o", "--output", help="result; - writes PNG to standard output (default CONTENT-STYLE.png)"),
]
MethodName = Annotated[
    str | None, typer.Option("-m", "--method", help=f"see `impasto methods` (default {DEFAULT_METHOD})")
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
        return {
            "impasto": version("impasto"),
            "method": self.method,
            "content": self.content,
            "styles": list(self.styles),
            "options": self.options.to_dict(),
        }


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option of each method."""
    app.command(name, help=text)(_command())


def _command() -> Callable[..., None]:
    def command(**values: Any) -> None:
        fixed = {name: values.pop(name) for name in FIXED}
        _stylize(fixed, values)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [inspect.Parameter(n, keyword, default=d, annotation=a) for n, (a, d) in FIXED.items()]
    command.__signature__ = inspect.Signature([*own, *flags.parameters()])  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _stylize(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    order = _order(fixed, given)
    output = _output(fixed["output"], order)
    if output == STREAM and (fixed["json"] or given.get("preview_every")):
        raise OptionError("with -o - standard output holds the picture; leave out --json and --preview-every")
    if output != STREAM:
        check_target(output, overwrite=fixed["overwrite"])
    done = _paint(order, output, trace=fixed["trace"], quiet=fixed["json"])
    if output == STREAM:
        data = BytesIO()
        write(done.picture, data, settings=order.settings())
        sys.stdout.buffer.write(data.getvalue())
        sys.stdout.buffer.flush()
    else:
        write(done.picture, output, overwrite=fixed["overwrite"], settings=order.settings())
    _report(order, output, done, as_json=fixed["json"])
    if done.stopped:
        raise typer.Exit(130)


def _order(fixed: dict[str, Any], given: dict[str, Any]) -> Order:
    earlier: dict[str, Any] = {}
    if fixed["settings"]:
        earlier = dict(read(fixed["settings"]).settings)
        if not {"method", "content", "styles", "options"} <= earlier.keys():
            raise PictureError(f"{fixed['settings']} holds no settings of Impasto; give a file that Impasto painted")
    content = fixed["content"] or earlier.get("content")
    styles = tuple(fixed["styles"] or earlier.get("styles", ()))
    if not content or not styles:
        raise OptionError("give a photo and a painting: impasto stylize PHOTO PAINTING")
    if [content, *styles].count(STREAM) > 1:
        raise OptionError("standard input can be read only once; give - for one picture")
    method = get_method(str(fixed["method"] or earlier.get("method") or DEFAULT_METHOD))
    base = earlier["options"] if earlier.get("method") == method.name else {}
    if not isinstance(base, dict):
        raise PictureError(f"the settings in {fixed['settings']} are damaged; give another file")
    values = flags.options_of(method, given, base=base)
    return Order(content, styles, method.options_class.from_dict(values), method.name)


def _output(asked: str | None, order: Order) -> str:
    if asked:
        return asked
    if order.content == STREAM:
        return STREAM
    content = Path(order.content)
    names = "-".join("stdin" if s == STREAM else Path(s).stem for s in order.styles)
    return str(content.with_name(f"{content.stem}-{names}.png"))


def _paint(order: Order, output: str, *, trace: Path | None, quiet: bool) -> Done:
    content = read(_source(order.content))
    styles = [_style(word) for word in order.styles]
    preview = Path(output).with_name(f"{Path(output).stem}-preview.png")
    done, steps = None, 0
    with _interruptible() as stop, progress.trace(trace) as keep_trace, progress.bar(quiet=quiet) as show:
        keep_preview = progress.previews(preview)
        for event in run(content, styles, order.options, stop=stop):
            for subscriber in (show, keep_trace, keep_preview):
                subscriber(event)
            steps += isinstance(event, Progress)
            done = event if isinstance(event, Done) else done
    if done is None or (done.stopped and not steps):
        raise KeyboardInterrupt
    return done


def _source(word: str) -> str | bytes:
    return sys.stdin.buffer.read() if word == STREAM else word


def _style(word: str) -> Style:
    return StyleCode.load(word) if word.endswith(SUFFIX) else read(_source(word))


@contextmanager
def _interruptible() -> Iterator[StopSignal]:
    """The first Ctrl-C asks to stop with the best picture so far; the second stops at once."""
    stop = StopSignal()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        sys.stderr.write("\nimpasto: stopping after this step; Ctrl-C again to drop the picture\n")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


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
        typer.echo(f"{output} ({width}x{height}, {order.method}, {done.seconds:.1f} s)", err=output == STREAM)
