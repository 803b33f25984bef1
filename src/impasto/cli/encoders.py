"""`impasto encoders`: the networks that look, with their layers, weights and licences."""

from __future__ import annotations

import json as to_json
import textwrap
from typing import Annotated

import typer

from impasto import models
from impasto.encoders import ENCODERS


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""
    app.command(name, help=text)(encoders)


def encoders(json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """Prints each encoder's name, paper, weights, licence and layers; those used by default are marked."""
    if json:
        rows = {
            e.name: {"layers": e.layers, "style": e.style, "content": e.content, "licence": e.licence}
            for e in ENCODERS.values()
        }
        typer.echo(to_json.dumps(rows))
        return
    for spec in ENCODERS.values():
        entry = models.entry(spec.weights)
        typer.echo(f"{spec.name}: {spec.paper}")
        typer.echo(f"    weights: {entry.name} ({models.status(entry)}), licence: {spec.licence}")
        typer.echo(f"    style layers: {', '.join(spec.style)}; content: {', '.join(spec.content)}")
        for line in textwrap.wrap("layers: " + ", ".join(spec.layers), 100):
            typer.echo(f"    {line}")
