"""Our settings against each paper's own, on the same photo and painting with as many steps: seconds, metrics, a sheet.

Style is judged by the sliced Wasserstein distance on an encoder that no method looks with, and by Gram residuals of
VGG-16; the photo by Ghiasi's content loss. Lower is nearer. Both presets run in turn, in one process.

    python benchmarks/best_vs_paper.py [--size 256] [--steps 100] [--methods w2,nnst] [-o sheet.png]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from threading import Event as StopSignal
from typing import get_args

from impasto.evaluation.judge import call_judge, compare
from impasto.evaluation.sheet import Cell, make_grid
from impasto.events import Done
from impasto.image import fit, read, resize, resize_picture, write
from impasto.methods import METHODS, Method, run
from impasto.online.options import Preset
from impasto.online.scene import beside
from impasto.picture import Picture

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def presets(method: Method) -> tuple[str, ...]:
    """Those of a method; none where it has no preset."""
    return next((spec.choices for spec in method.options_class.specs() if spec.name == "preset"), ())


def main() -> None:
    """Prints one line a method and preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=EXAMPLES / "photos" / "chelsea.jpg")
    parser.add_argument("--painting", type=Path, default=EXAMPLES / "styles" / "lily-window.jpg")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--methods", default=",".join(m.name for m in METHODS.values() if len(presets(m)) > 1))
    parser.add_argument("-o", "--output", type=Path, help="a sheet of the pictures")
    given = parser.parse_args()

    photo, painting, judge = read(given.photo), read(given.painting), call_judge()
    photo = resize_picture(photo, fit(photo.size, given.size))
    seen = judge.look(photo), judge.look(Picture(resize(painting.pixels, beside(painting.pixels, photo.size, 1.0))))
    cells = [Cell(photo, "photo", given.photo.stem), Cell(painting, "painting", given.painting.stem)]
    for name in given.methods.split(","):
        for preset in get_args(Preset):
            options = METHODS[name].options_class.from_dict(
                {"size": given.size, "steps": given.steps, "preset": preset}
            )
            began = time.perf_counter()
            *_, done = run(photo, [painting], options, stop=StopSignal())
            seconds = time.perf_counter() - began
            assert isinstance(done, Done)
            values = compare(judge.look(done.picture), *seen)
            told = "  ".join(f"{metric} {value:.4g}" for metric, value in values.items())
            print(f"{name:10} {preset:6} {seconds:6.1f} s  {told}", flush=True)
            cells.append(Cell(done.picture, f"{name}, {preset}", f"{seconds:.0f} s"))
    if given.output:
        write(make_grid(cells, box=photo.size), given.output, overwrite=True)


if __name__ == "__main__":
    main()
