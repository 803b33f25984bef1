"""Measures mean activations over photographs: `python -m impasto.encoders.measure examples/photos` writes `means.toml`.

Run it again after adding an encoder (and only then: a loss's weights would change with the table).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.encoders import load_encoder
from impasto.encoders.encoder import Encoder
from impasto.encoders.means import TABLE
from impasto.encoders.table import ENCODERS
from impasto.encoders.vgg import Pooling

SIDE = 512  # long side in pixels; where methods work by default, and activations depend little on it


def measure(encoder: Encoder, images: Iterable[Tensor]) -> dict[str, float]:
    """Each tap's mean absolute activation; every image counts the same, whatever its size.

    Absolute, because a convolution's output has either sign; for the output of a ReLU it is the plain mean.

    Args:
        encoder: any.
        images: (1, 3, H, W) each, RGB in [0, 1].
    """
    rows: list[dict[str, float]] = []
    with torch.no_grad():
        for image in images:
            maps = encoder(image, encoder.layers)
            rows.append({tap: maps[tap].float().abs().mean().item() for tap in encoder.layers})
    return {tap: sum(row[tap] for row in rows) / len(rows) for tap in encoder.layers}


def photographs(folder: Path) -> Iterator[Tensor]:
    """Every JPEG in `folder`, by name, (1, 3, H, W) with a long side of `SIDE`."""
    for path in sorted(folder.glob("*.jpg")):
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        scale = SIDE / max(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS), dtype=np.float32) / 255
        yield torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)


def main(folder: Path) -> None:
    """Writes the table for every encoder and pooling."""
    lines = [f"# Mean absolute activations over {folder}, long side {SIDE}. Written by measure.py; do not edit."]
    for spec in ENCODERS.values():
        for pooling in get_args(Pooling) if spec.poolings else (None,):
            means = measure(load_encoder(spec.name, pooling=pooling), photographs(folder))
            lines.append(f"\n[{spec.name}{'-' + pooling if pooling else ''}]")
            lines += [f"{tap} = {value:.5g}" for tap, value in means.items()]
    TABLE.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
