"""`impasto style encode` and `impasto style list`: paintings' styles as small files, and folders of them."""

from __future__ import annotations

import json as to_json
from pathlib import Path
from typing import Annotated

import typer

from impasto.errors import ImpastoError, PictureError
from impasto.fast.ghiasi import encode
from impasto.fast.style_code import SUFFIX, StyleCode
from impasto.image import read

Painting = Annotated[str, typer.Argument(help="the painting")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help=f"result (default PAINTING{SUFFIX})")]
Model = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="pair of networks that `impasto export` wrote (default the bundled one)"),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help=f"a folder of {SUFFIX} files", show_default=False)]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command and its sub-commands."""
    group = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
    group.command("encode", help=f"Write a painting's style code; use it as STYLE{SUFFIX} with `impasto stylize`.")(
        write
    )
    group.command("list", help=f"List a folder's {SUFFIX} files: a gallery.")(show)
    app.add_typer(group, name=name)


def write(
    painting: Painting,
    output: Output = None,
    model: Model = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace the result if it exists")] = False,
) -> None:
    """Reads a painting's style and keeps it.

    Raises:
        PictureError: when the painting cannot be read, or the result not be written.
        ModelError: when the pair of networks cannot be read.
    """
    source = Path(painting)
    target = source.parent / f"{source.stem}{SUFFIX}" if output is None else output
    if not target.name.endswith(SUFFIX):
        raise PictureError(f"{target} would not be known as a style; mend: end the name with {SUFFIX}")
    encode(read(painting), model=model).save(target, overwrite=overwrite)
    typer.echo(str(target))


def show(
    folder: Folder = Path(),
    json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
) -> None:
    """Prints each style's file, name and the networks that it is for; a damaged one is told and skipped.

    Raises:
        PictureError: when there is no such folder.
    """
    if not folder.is_dir():
        raise PictureError(f"{folder} is no folder; mend: name one with {SUFFIX} files in it")
    rows = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            code = StyleCode.load(path)
        except ImpastoError as error:
            typer.echo(f"impasto: {error}", err=True)
            continue
        rows.append({"file": str(path), "name": code.name, "model": code.model})
    if json:
        typer.echo(to_json.dumps(rows))
        return
    widths = [max((len(row[key]) for row in rows), default=0) for key in ("file", "name")]
    for row in rows:
        typer.echo(f"{row['file']:{widths[0]}}  {row['name']:{widths[1]}}  {row['model']}")
