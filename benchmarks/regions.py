"""Does a style's texture stay inside its mask? Two paintings, a half of the photo each, and what each half looks like.

Each half's Gram matrices are compared with its own painting's and with the other's, and with those of the same half
when its painting has the whole photo to itself: as far from its own as that, and as far from the other, is no leak.
The strip of 32 pixels beside the border is looked at by itself, where a leak would be.

    python benchmarks/regions.py [--method gatys] [--size 512] [--steps 120] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np
import torch

from impasto.encoders import load_encoder
from impasto.events import Done
from impasto.image import fit, read, resize, resize_picture, write
from impasto.losses import gram_matrix
from impasto.methods import METHODS, run
from impasto.picture import Picture, Pixels

EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTO, STYLES = "raccoon", ("lily-window", "gold-mosaic")
TAPS = ("relu1_1", "relu2_1", "relu3_1")
STRIP = 32


def halves(picture: Picture, folder: Path) -> list[Path]:
    """Two masks, left and right, as files."""
    paths = []
    for name, lit in (("left", slice(0, picture.width // 2)), ("right", slice(picture.width // 2, None))):
        mask = np.zeros((picture.height, picture.width, 3), np.float32)
        mask[:, lit] = 1
        paths.append(folder / f"{name}.png")
        write(Picture(mask), paths[-1], overwrite=True)
    return paths


def main() -> None:
    """Prints a line for each half and each strip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="gatys")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--out", type=Path, default=None, help="keep masks and pictures here")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="impasto-regions-"))
    out.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder("vgg19", pooling="average")
    photo = read(EXAMPLES / "photos" / f"{PHOTO}.jpg")
    photo = resize_picture(photo, fit(photo.size, chosen.size))
    paintings = [read(EXAMPLES / "styles" / f"{name}.jpg") for name in STYLES]

    def grams(pixels: Pixels) -> list[torch.Tensor]:
        with torch.no_grad():
            seen = encoder(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], TAPS)
        return [gram_matrix(seen[tap]) for tap in TAPS]

    def paint(name: str, styles: list[Picture], **values: object) -> Pixels:
        options = {"size": chosen.size, "steps": chosen.steps, **values}
        *_, done = run(photo, styles, METHODS[chosen.method].options_class.from_dict(options), stop=threading.Event())
        assert isinstance(done, Done)
        write(done.picture, out / f"{name}.png", overwrite=True)
        return done.picture.pixels

    both = paint("both", paintings, mask=[str(path) for path in halves(photo, out)])
    alone = [paint(name, [painting]) for name, painting in zip(STYLES, paintings, strict=True)]
    targets = [grams(resize(p.pixels, fit(p.size, chosen.size))) for p in paintings]

    def distances(pixels: Pixels) -> list[float]:
        found = grams(np.ascontiguousarray(pixels))
        return [
            sum(float((a - b).square().sum() / b.square().sum()) for a, b in zip(found, target, strict=True))
            / len(TAPS)
            for target in targets
        ]

    middle = photo.width // 2
    places = {"left": (0, middle), "right": (middle, None), "left strip": (middle - STRIP, middle)}
    places["right strip"] = (middle, middle + STRIP)
    print(f"{'':12} {'own':>8} {'other':>8} {'own, alone':>11} {'other, alone':>13}   (relative squared distances)")
    for name, (start, end) in places.items():
        own = 0 if name.startswith("left") else 1
        here, there = distances(both[:, start:end]), distances(alone[own][:, start:end])
        print(f"{name:12} {here[own]:8.3f} {here[1 - own]:8.3f} {there[own]:11.3f} {there[1 - own]:13.3f}")
    print(f"pictures: {out}")


if __name__ == "__main__":
    main()
