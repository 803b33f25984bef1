"""`impasto reconstruct IMAGE --layer relu3_1`: what a layer, or its statistics, remember of a picture."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from impasto import api
from impasto.cli import flags, job, painting
from impasto.cli.job import STREAM, Job, Order, source
from impasto.errors import OptionError
from impasto.image import read
from impasto.methods import get_method
from impasto.online.solo import STATISTICS

FIXED: dict[str, tuple[Any, Any]] = {
    "image": (
        Annotated[str, typer.Argument(metavar="IMAGE", help="the picture; - reads standard input", show_default=False)],
        ...,
    ),
    "layer": (
        Annotated[
            str,
            typer.Option(
                metavar="LAYER,LAYER", help="layers of the encoder, see `impasto encoders`", show_default=False
            ),
        ],
        ...,
    ),
    "style": (
        Annotated[
            bool,
            typer.Option("--style", help="its statistics; with one layer, those of the usual style layers up to it"),
        ],
        False,
    ),
    "output": (painting.output_flag("IMAGE-LAYER.png"), None),
    "method": (painting.method_flag(api.STATISTICS_METHOD, "with --style, whose texture model"), None),
    **job.FIXED,
}


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command, with a flag for each option that a reconstruction understands."""
    app.command(name, help=text)(flags.command(FIXED, painting.parameters(STATISTICS), _reconstruct))


def _reconstruct(fixed: dict[str, Any], given: dict[str, Any]) -> None:
    word, style = fixed["image"], fixed["style"]
    if fixed["method"] and not style:
        raise OptionError("-m says whose statistics are wanted; mend: add --style, or leave -m out")
    layers = [layer.strip() for layer in fixed["layer"].split(",") if layer.strip()]
    method = get_method(painting.textured(fixed["method"] or api.STATISTICS_METHOD))
    options = method.options_class.from_dict(flags.options_of(method, given))
    ending = re.sub(r"[^\w.-]+", "_", "-".join([*layers, *(["style"] if style else [])]))
    ordered = Job(
        Order(word, (), options, method.name if style else "reconstruct"),
        fixed["output"] or painting.beside(word, ending),
        fixed,
    )
    image = word if word != STREAM else read(source(word))
    ordered.run(
        lambda on_event, stop: api.reconstruct(
            image, layers, options=options, style=style, on_event=on_event, stop=stop
        )
    )
