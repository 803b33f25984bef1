"""`impasto style encode`: a painting's style as a small file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from impasto.errors import PictureError
from impasto.fast.ghiasi import encode
from impasto.fast.style_code import SUFFIX
from impasto.image import read

Painting = Annotated[str, typer.Argument(help="the painting")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help=f"result (default PAINTING{SUFFIX})")]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command and its sub-command."""
    group = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_group)
    group.command("encode", help=f"Write a painting's style code; use it as STYLE{SUFFIX} with `impasto stylize`.")(
        write
    )
    app.add_typer(group, name=name)


def _group() -> None:
    """Keeps `encode` a sub-command although it is the only one yet."""


def write(
    painting: Painting,
    output: Output = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the result if it exists")] = False,
) -> None:
    """Reads a painting's style and keeps it.

    Raises:
        PictureError: when the painting cannot be read, or the result not be written.
    """
    source = Path(painting)
    target = source.parent / f"{source.stem}{SUFFIX}" if output is None else output
    if not target.name.endswith(SUFFIX):
        raise PictureError(f"{target} would not be known as a style; mend: end the name with {SUFFIX}")
    encode(read(painting)).save(target, overwrite=overwrite)
    typer.echo(str(target))
