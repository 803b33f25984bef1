"""Draws the style pictures of `examples/styles` from nothing: noise, scenes made of formulas, and simulated brushwork.

    python examples/draw_styles.py [names ...] [--size 1024] [--out examples/styles]

Every picture has its own fixed seed, so a second run with the same NumPy and Pillow draws the same pictures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from brushwork import Array, Rng
from oils import fauve, knife_sea, pastel, ribbons, river, starry_hills
from panels import facets, gilded_tree
from PIL import Image
from prints import etching, gold_mosaic, stained_glass, watercolour, woodcut_wave

Style = Callable[[int, Rng], Array]

STYLES: dict[str, tuple[Style, int]] = {
    "starry-hills": (starry_hills, 1312),
    "river-points": (river, 552),
    "fauve-road": (fauve, 535),
    "dusk-ribbons": (ribbons, 751),
    "knife-sea": (knife_sea, 933),
    "pastel-peonies": (pastel, 649),
    "gold-mosaic": (gold_mosaic, 1153),
    "lily-window": (stained_glass, 1377),
    "woodcut-wave": (woodcut_wave, 1303),
    "etched-tower": (etching, 738),
    "lake-watercolour": (watercolour, 1207),
    "gilded-tree": (gilded_tree, 1144),
    "guitar-facets": (facets, 630),
}


def draw(name: str, size: int) -> Image.Image:
    """Draws one style picture, `size` pixels square."""
    style, seed = STYLES[name]
    picture = style(size, np.random.default_rng(seed))
    return Image.fromarray((np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))


def main(arguments: list[str] | None = None) -> int:
    """Draws the named pictures, or all of them, and saves them as JPEG."""
    parser = argparse.ArgumentParser(description="Draw the style pictures of the examples.")
    parser.add_argument("names", nargs="*", help=f"which to draw: {', '.join(STYLES)}; all if left out")
    parser.add_argument("--size", type=int, default=1024, help="side in pixels (256 to 4096)")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "styles", help="folder to save in")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.names if name not in STYLES]
    if unknown:
        parser.error(f"no such style: {', '.join(unknown)}; there are {', '.join(STYLES)}")
    if not 256 <= chosen.size <= 4096:
        parser.error("--size must be from 256 to 4096")
    chosen.out.mkdir(parents=True, exist_ok=True)
    for name in chosen.names or STYLES:
        path = chosen.out / f"{name}.jpg"
        draw(name, chosen.size).save(path, quality=88, optimize=True)
        sys.stdout.write(f"{path} ({path.stat().st_size / 1000:.0f} kB)\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
