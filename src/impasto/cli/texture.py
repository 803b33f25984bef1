"""`impasto texture STYLE`: a new picture of the same material."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto import api
from impasto.cli import flags, job, painting
from impasto.cli.job import STREAM, Job, Order, source
from impasto.errors import OptionError
from impasto.image import read
from impasto.methods import get_method
from impasto.online.options import OnlineOptions
from impasto.online.solo import TEXTURE

FIXED: dict[str, tuple[Any, Any]] = {
    "styles": (
        Annotated[
            list[str],
            typer.Argument(metavar="STYLE", help="pictures of a material; - reads standard input", show_default=False),
        ],
        ...,
    ),
    "output": (painting.output_flag("STYLE-texture.png"), None),
    "method": (painting.method_flag(api.TEXTURE_METHOD, "whose texture model, see `impasto methods`"), None),
    "size": (
        Annotated[
            str | None,
            typer.Option(metavar="WxH", help="size of the result, or its long side (default as STYLE, at most 512)"),
        ],
        None,
    ),
    "tileable": (Annotated[bool, typer.Option("--tileable", help="make opposite borders fit each other")], False),
    **job.FIXED,
}


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option that a texture alone understands."""
    app.command(name, help=text)(flags.command(FIXED, painting.parameters(TEXTURE), _texture))


def _texture(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    words = fixed["styles"]
    if words.count(STREAM) > 1:
        raise OptionError("standard input can be read only once; give - for one picture")
    method = get_method(painting.textured(fixed["method"] or api.TEXTURE_METHOD))
    options = method.options_class.from_dict(flags.options_of(method, given))
    size = _size(fixed["size"])
    order = Order(words[0], tuple(words[1:]), options, method.name)
    ordered = Job(order, fixed["output"] or _beside(words), fixed)
    styles = [word if word != STREAM else read(source(word)) for word in words]
    ordered.run(
        lambda on_event, stop: api.texture(
            styles, options=options, size=size, tileable=fixed["tileable"], on_event=on_event, stop=stop
        )
    )


def _beside(words: list[str]) -> str:
    """The default result: STYLE-texture.png, with the others' names where several are mixed."""
    others = [Path(word).stem if word != STREAM else "stdin" for word in words[1:]]
    return painting.beside(words[0], "-".join([*others, "texture"]))


def _size(word: str | None) -> tuple[int, int] | int | None:
    if word is None:
        return None
    sides = re.fullmatch(r"(\d{1,9})(?:[xX](\d{1,9}))?", word)
    if not sides:
        raise OptionError(f"--size {word!r} is not allowed; give WIDTHxHEIGHT such as 640x480, or the long side")
    if sides[2] is not None:
        return int(sides[1]), int(sides[2])
    (bounds,) = (spec for spec in OnlineOptions.specs() if spec.name == "size")
    long: int = bounds.check(int(sides[1]))
    return long
