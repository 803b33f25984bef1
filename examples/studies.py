"""Draws two sheets: textures from noise by every texture model, and what VGG-19's layers remember of a photo.

    python examples/studies.py textures -o docs/textures.jpg
    python examples/studies.py inversion -o docs/inversion.jpg

The second is laid out like figure 1 of Gatys, Ecker and Bethge 2015 (arXiv 1508.06576). Pictures are painted side by
side, `--jobs` at a time, which share the processor.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

import impasto
from impasto import GatysOptions, Picture
from impasto.api import TEXTURE_METHOD
from impasto.evaluation.sheet import make_sheet
from impasto.events import Done, Event
from impasto.image import resize
from impasto.machine import physical_cores
from impasto.methods import METHODS

HERE = Path(__file__).parent

MATERIALS = {
    "brick": (HERE / "textures" / "brick.jpg", (0, 0, 384)),
    "gravel": (HERE / "textures" / "gravel.jpg", (0, 0, 320)),
    "grass": (HERE / "textures" / "grass.jpg", (0, 0, 320)),
}
"""Name -> file, and the square of it that is shown: left, top, side."""

TILES = "tiled 2x2"

PHOTO = HERE / "photos" / "astronaut.jpg"
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def exemplar(name: str, size: int) -> Picture:
    """A square of a material at `size`."""
    path, (left, top, side) = MATERIALS[name]
    pixels = impasto.read(path).pixels[top : top + side, left : left + side]
    return Picture(resize(pixels, (size, size)))


def make_texture(name: str, method: str, *, size: int, steps: int | None) -> Picture:
    """A new picture of a material by one method's texture model; `TILES` is shown two by two, at half the scale."""
    options = METHODS[TEXTURE_METHOD if method == TILES else method].options_class.from_dict({"steps": steps})
    made = impasto.texture(exemplar(name, size), options=options, size=(size, size), tileable=method == TILES)
    print(name, method, flush=True)
    return Picture(np.tile(made.pixels, (2, 2, 1))) if method == TILES else made


def remember(layer: str, style: bool, *, size: int, steps: int | None) -> tuple[Picture, float]:
    """What a layer, or the statistics up to it, keep of the photo; and the relative feature error."""
    told: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, Done):
            told.update(event.losses)

    options = GatysOptions(steps=steps)
    made = impasto.reconstruct(photo(size), layer, options=options, style=style, on_event=listen)
    print(layer, "statistics" if style else f"{told[f'error {layer}']:.3%}", flush=True)
    return made, told.get(f"error {layer}", 0.0)


def photo(size: int) -> Picture:
    """The middle of the photo, a square of `size`."""
    pixels = impasto.read(PHOTO).pixels
    side = min(pixels.shape[:2])
    top, left = ((n - side) // 2 for n in pixels.shape[:2])
    return Picture(resize(pixels[top : top + side, left : left + side], (size, size)))


def side_by_side(jobs: int) -> ProcessPoolExecutor:
    """Processes that each have their part of the processor's cores."""
    return ProcessPoolExecutor(jobs, initializer=_take, initargs=(max(1, physical_cores() // jobs),))


def _take(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def draw_textures(size: int, steps: int | None, jobs: int) -> Picture:
    """A row a material: exemplar, what each texture model makes of noise, and the tile."""
    methods = [*(name for name, method in METHODS.items() if method.texture), TILES]
    pairs = [(name, method) for name in MATERIALS for method in methods]
    with side_by_side(jobs) as pool:
        make = partial(make_texture, size=size, steps=steps)
        made = dict(zip(pairs, pool.map(make, *zip(*pairs, strict=True)), strict=True))
    rows = [[exemplar(name, size), *(made[name, method] for method in methods)] for name in MATERIALS]
    return make_sheet(["exemplar", *methods], rows, cell=200)


def draw_inversion(size: int, steps: int | None, jobs: int) -> Picture:
    """A column a layer: what its features remember, and what the statistics up to it do."""
    with side_by_side(jobs) as pool:
        make = partial(remember, size=size, steps=steps)
        made = list(pool.map(make, LAYERS * 2, [False] * len(LAYERS) + [True] * len(LAYERS)))
    above, below = made[: len(LAYERS)], made[len(LAYERS) :]
    seen = photo(size)
    labels = ["photo", *(f"{layer}, error {error:.1%}" for layer, (_, error) in zip(LAYERS, above, strict=True))]
    return make_sheet(labels, [[seen, *(p for p, _ in above)], [seen, *(p for p, _ in below)]], cell=200)


def main() -> None:
    """Draws the sheet that is asked for."""
    parser = argparse.ArgumentParser(description="Draws textures from noise, or what layers remember.")
    parser.add_argument("what", choices=["textures", "inversion"])
    parser.add_argument("-o", "--output", type=Path, required=True, help="the sheet")
    parser.add_argument("--size", type=int, default=256, help="side of each picture in pixels")
    parser.add_argument("--steps", type=int, help="of each picture (default: the library's)")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    given = parser.parse_args()
    draw = draw_textures if given.what == "textures" else draw_inversion
    impasto.write(draw(given.size, given.steps, given.jobs), given.output, overwrite=True)


if __name__ == "__main__":
    main()
