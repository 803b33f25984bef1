"""`impasto methods`: the table, for people and for programs."""

from __future__ import annotations

import json as to_json
from typing import Annotated

import typer

from impasto.methods import METHODS


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""
    app.command(name, help=text)(methods)


def methods(json: Annotated[bool, typer.Option("--json", help="as JSON, with every option")] = False) -> None:
    """Prints each method's name, paper, use, typical time, and whether it can run here."""
    if json:
        rows = {
            m.name: {"paper": m.paper, "options": [_told(s) for s in m.options_class.specs()]} for m in METHODS.values()
        }
        typer.echo(to_json.dumps(rows))
        return
    for method in METHODS.values():
        typer.echo(f"{method.name}: {method.good_at}")
        typer.echo(f"    {method.paper}")
        own = " with a network of yours: --model FILE" if method.needs_model else ""
        ready = f"ready{own}" if method.ready else f'pip install "impasto[{method.extra}]"'
        typer.echo(f"    takes {method.typical}; {ready}")
    typer.echo("Times are of pictures of 512 pixels on two cores; a run says after its first steps what it will take.")


def _told(spec: object) -> dict[str, object]:
    told = dict(vars(spec))
    told["kind"] = told["kind"].__name__
    return told
