"""What commands that paint one picture without a photo and painting pair share: `texture` and `reconstruct`."""

from __future__ import annotations

from collections.abc import Collection
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any

import typer

from impasto.cli import flags
from impasto.cli.job import STREAM
from impasto.errors import OptionError
from impasto.methods import METHODS, get_method
from impasto.online.solo import understood

TEXTURED = tuple(m.name for m in METHODS.values() if m.texture)
"""Methods whose texture model can be used alone."""


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
