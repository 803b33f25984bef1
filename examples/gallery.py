"""Draws the README's pictures again: python examples/gallery.py [--steps 300] [--size 512]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import impasto
from impasto.image import fit, resize
from impasto.picture import Picture, Pixels

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PAIRS = (("raccoon", "starry-hills"), ("astronaut", "guitar-facets"))
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
HEIGHT, GAP = 300, 6


def photo(name: str) -> Path:
    """An example photograph."""
    return HERE / "photos" / f"{name}.jpg"


def style(name: str) -> Path:
    """An example style image."""
    return HERE / "styles" / f"{name}.jpg"


def painted(content: str, painting: str, options: impasto.FastOptions | impasto.GatysOptions) -> Pixels:
    """One result, told on standard output."""
    sys.stdout.write(f"{content} after {painting}: {type(options).__name__}\n")
    sys.stdout.flush()
    return impasto.stylize(photo(content), style(painting), options=options).pixels


def row(pictures: list[Pixels], height: int = HEIGHT) -> Pixels:
    """Pictures side by side, all of one height, on white."""
    cells = [resize(p, (round(p.shape[1] * height / p.shape[0]), height)) for p in pictures]
    gap = np.ones((height, GAP, 3), np.float32)
    return np.concatenate([part for cell in cells for part in (cell, gap)][:-1], axis=1)


def stack(rows: list[Pixels]) -> Pixels:
    """Rows below each other, all as wide as the first."""
    width = rows[0].shape[1]
    cells = [resize(r, fit((r.shape[1], r.shape[0]), width)) for r in rows]
    gap = np.ones((GAP, width, 3), np.float32)
    return np.concatenate([part for cell in cells for part in (cell, gap)][:-1], axis=0)


def save(pixels: Pixels, name: str) -> None:
    """Into docs/."""
    DOCS.mkdir(exist_ok=True)
    impasto.write(Picture(np.ascontiguousarray(pixels)), DOCS / name, overwrite=True, quality=88)


def square(name: str) -> Pixels:
    """A style image as a thumbnail."""
    with Image.open(style(name)) as image:
        return np.asarray(image.convert("RGB").resize((HEIGHT, HEIGHT)), np.float32) / np.float32(255)


def main() -> None:
    """Draws gallery.jpg, strength.jpg and encoders.jpg."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--size", type=int, default=512)
    chosen = parser.parse_args()
    gatys = impasto.GatysOptions(size=chosen.size, steps=chosen.steps)
    quick = impasto.FastOptions(size=768)
    content, painting = PAIRS[0]
    save(
        row([painted(content, painting, impasto.FastOptions(size=512, strength=s)) for s in STRENGTHS], 240),
        "strength.jpg",
    )
    rows, first = [], None
    for content, painting in PAIRS:
        best = painted(content, painting, gatys)
        first = best if first is None else first
        own = impasto.read(photo(content)).pixels
        rows.append(row([square(painting), own, painted(content, painting, quick), best]))
        save(stack(rows), "gallery.jpg")
    content, painting = PAIRS[0]
    lite = impasto.GatysOptions(size=chosen.size, steps=chosen.steps, encoder="efficientnet-lite0")
    assert first is not None  # noqa: S101 - there is at least one pair
    save(row([first, painted(content, painting, lite)]), "encoders.jpg")


if __name__ == "__main__":
    main()
