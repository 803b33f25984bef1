"""Is --strength one knob? Every online method on the same pairs, and how far its picture is from photo and painting.

At 0.5 the distances to the photo should be alike for all methods, sizes and encoders; that is what each method's weight
was chosen for.

    python benchmarks/strength.py [--size 256] [--steps 100] [--strengths 0.3,0.5,0.8] [--methods gatys,w2]
"""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

import torch

from impasto.encoders import load_encoder
from impasto.events import Done
from impasto.image import fit, read, resize, resize_picture
from impasto.losses import gram_matrix
from impasto.methods import METHODS, run
from impasto.picture import Pixels

EXAMPLES = Path(__file__).parents[1] / "examples"
PAIRS = (("raccoon", "starry-hills"), ("coffee", "woodcut-wave"))
STYLE, CONTENT = ("relu1_1", "relu2_1", "relu3_1", "relu4_1"), "relu4_2"


def main() -> None:
    """Prints one line a method and strength."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--strengths", default="0.5")
    parser.add_argument("--methods", default=",".join(m.name for m in METHODS.values() if m.extra == "torch"))
    chosen = parser.parse_args()
    encoder = load_encoder("vgg19", pooling="average")

    def look(pixels: Pixels) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            return encoder(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], (*STYLE, CONTENT))

    print(f"{'method':12} {'strength':>8} {'photo':>7} {'style':>7}   (relative squared distances; 1 = nothing alike)")
    for name in chosen.methods.split(","):
        for strength in map(float, chosen.strengths.split(",")):
            found = []
            for photo_name, style_name in PAIRS:
                photo = read(EXAMPLES / "photos" / f"{photo_name}.jpg")
                photo = resize_picture(photo, fit(photo.size, chosen.size))
                painting = read(EXAMPLES / "styles" / f"{style_name}.jpg")
                options = METHODS[name].options_class.from_dict(
                    {"size": chosen.size, "steps": chosen.steps, "strength": strength}
                )
                *_, done = run(photo, [painting], options, stop=threading.Event())
                assert isinstance(done, Done)
                seen, target, texture = map(
                    look, (done.picture.pixels, photo.pixels, resize(painting.pixels, photo.size))
                )
                content = (seen[CONTENT] - target[CONTENT]).square().mean() / target[CONTENT].square().mean()
                grams = [(gram_matrix(seen[t]), gram_matrix(texture[t])) for t in STYLE]
                style = sum(float((a - b).square().sum() / b.square().sum()) for a, b in grams) / len(grams)
                found.append((float(content), style))
            content, style = (sum(column) / len(found) for column in zip(*found, strict=True))
            print(f"{name:12} {strength:8.2f} {content:7.3f} {style:7.3f}", flush=True)


if __name__ == "__main__":
    main()
