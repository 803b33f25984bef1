"""Painting in tiles against painting at once: peak memory, seconds a step, and how far the gradients are apart.

Each way runs in a process of its own, since a process does not give its peak back: the same picture, the same loss
(gatys or w2 with its preset "best"), and as many evaluations as asked for, of which the fastest is told. Then one more
process has both gradients at once. At a size where only tiles fit, leave the comparison out.

    python benchmarks/print_size.py [--size 1024] [--tile 256] [--method gatys] [--steps 2] [--only tiled]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import time
from pathlib import Path

from impasto.image import fit, read, resize
from impasto.losses import Loss
from impasto.machine import kept_memory
from impasto.online import gatys, w2
from impasto.online.evaluation import Evaluation, TiledEvaluation
from impasto.online.look import Look, Region, Sample
from impasto.online.memory import Memory
from impasto.online.scene import beside
from impasto.online.sight import Sight, open_eyes
from impasto.picture import Pixels

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PHOTO, PAINTING = EXAMPLES / "photos" / "raccoon.jpg", EXAMPLES / "styles" / "starry-hills.jpg"
OBJECTIVES = {"gatys": (gatys.objective, gatys.GatysOptions), "w2": (w2.objective, w2.W2Options)}


def prepared(method: str, side: int) -> tuple[Sight, Loss, Pixels]:
    """What looks, the loss, and the photo at (H, W, 3) with `side` pixels on its long side."""
    objective, options_class = OBJECTIVES[method]
    options = options_class(device="cpu", precision="fp32")
    sight = open_eyes(options)
    photo, painting = read(PHOTO).pixels, read(PAINTING).pixels
    size = fit((photo.shape[1], photo.shape[0]), side)
    photo = resize(photo, size)
    region = Region((Sample(resize(painting, beside(painting, size, 1.0))),))
    return sight, objective(Look(sight, photo, (region,), photo), options), photo


def evaluation(sight: Sight, loss: Loss, tile: int | None) -> Evaluation:
    """At once, or in tiles."""
    return Evaluation(sight.encoder, loss) if tile is None else TiledEvaluation(sight.encoder, loss, tile=tile)


def measure(method: str, side: int, tile: int | None, steps: int) -> None:
    """Prints what one way takes."""
    with kept_memory():
        sight, loss, photo = prepared(method, side)
        evaluate, pixels, seconds = evaluation(sight, loss, tile), sight.tensor(photo), []
        for _ in range(steps):
            began = time.perf_counter()
            evaluate(pixels)
            seconds.append(time.perf_counter() - began)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    size = photo.shape[1], photo.shape[0]
    told = Memory(sight, "lbfgs").of(size, tile) / 1e9
    how = "at once" if tile is None else f"tiles of {tile}"
    print(
        f"{method} {size[0]}x{size[1]}, {how}: {peak / 1e9:.2f} GB at most, {min(seconds):.1f} s an evaluation; "
        f"a whole run is estimated at {told:.2f} GB besides the program",
        flush=True,
    )


def compare(method: str, side: int, tile: int) -> None:
    """Prints how far both gradients are apart."""
    sight, loss, photo = prepared(method, side)
    (value, gradient), (other, found) = (evaluation(sight, loss, t)(sight.tensor(photo) * 0.9) for t in (None, tile))
    apart = float((found - gradient).norm() / gradient.norm())
    print(f"relative difference: loss {abs(other - value) / abs(value):.1e}, gradient {apart:.1e}")


def main() -> None:
    """Runs each part in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--method", choices=sorted(OBJECTIVES), default="gatys")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--only", choices=["tiled", "whole"])
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ways = {"tiled": args.tile, "whole": None}
    jobs = [
        context.Process(target=measure, args=(args.method, args.size, tile, args.steps))
        for name, tile in ways.items()
        if args.only in (None, name)
    ]
    if args.only is None:
        jobs.append(context.Process(target=compare, args=(args.method, args.size, args.tile)))
    for job in jobs:
        job.start()
        job.join()
        if job.exitcode:
            raise SystemExit(job.exitcode)


if __name__ == "__main__":
    main()
