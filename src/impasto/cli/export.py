"""`impasto export RUN -o FILE.onnx`: a trained network as a file that needs no torch."""

from __future__ import annotations

import json as to_json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from impasto.errors import MissingExtraError

if TYPE_CHECKING:
    from impasto.offline.export import Exported
    from impasto.picture import Picture

PHOTOS = Path(__file__).parents[3] / "examples" / "photos"
"""Where a checkout has its photographs; an installed package has none."""

Source = Annotated[
    Path, typer.Argument(metavar="RUN|FILE.safetensors", help="a finished training run's folder, or its network")
]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE.onnx", help="the file to write")]
Stored = Annotated[
    Literal["fp32", "fp16", "int8"],
    typer.Option("--precision", help="how weights are stored; pictures are computed in 32 bits in any case"),
]
Transform = Annotated[
    Literal["adain", "wct"] | None,
    typer.Option(help="what is done to features, for a decoder of them (default adain)", show_default=False),
]
Photo = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="photo to measure the loss of fp16 or int8 on, once or several times"),
]


def register(app: typer.Typer, name: str, text: str) -> None:
    """Adds the command."""
    app.command(name, help=text)(export)


def export(
    source: Source,
    output: Output,
    precision: Stored = "fp32",
    transform: Transform = None,
    photo: Photo = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace files that exist")] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Writes the network, and says how large it is and what rounding its weights has cost.

    Raises:
        MissingExtraError: when torch or onnx is not installed.
        ModelError: when the network cannot be read or written.
    """
    from importlib.util import find_spec

    if any(find_spec(name) is None for name in ("torch", "onnx", "safetensors")):
        raise MissingExtraError("exporting networks", "torch")
    from impasto.offline import export as exporting

    photos = _photos(photo) if precision != "fp32" else []
    done = exporting.export(
        source, output, precision=precision, transform=transform, overwrite=overwrite, photos=photos
    )
    if json:
        typer.echo(to_json.dumps(_told(done)))
        return
    for path, size in done.files.items():
        typer.echo(f"{path} ({done.network}, {precision}, {size / 1e6:.2f} MB)")
    if done.difference:
        lost = done.difference
        typer.echo(
            f"against fp32 on {lost.photos} photos: largest difference {lost.largest:.4f}, mean {lost.mean:.5f}, "
            f"PSNR {lost.psnr:.1f} dB"
        )


def _photos(given: list[Path] | None) -> list[Picture]:
    from impasto.image import read

    return [read(path) for path in given or sorted(PHOTOS.glob("*.jpg"))]


def _told(done: Exported) -> dict[str, object]:
    lost = done.difference
    return {
        "network": done.network,
        "precision": done.precision,
        "files": {str(path): size for path, size in done.files.items()},
        "difference": lost and {
            "max": lost.largest, "mean": lost.mean, "psnr": lost.psnr if math.isfinite(lost.psnr) else None,
            "photos": lost.photos,
        },
    }  # fmt: skip
