"""Gatys against PyPI's pastiche, on pastiche's own loss: time of a step, and time to the loss of its last step.

Both paint the same photo after the same painting at the same size, each in a process of its own, taking turns: whoever
has used less time goes next while the other waits, so that a noisy machine is noisy for both. The yardstick is
pastiche's own loss (its layers, weights and weights file), which impasto's "paper" preset optimises a hundred times of.
Pastiche's own function, in float32, reads both pictures so far, whatever number format ours is painted in, while no
clock runs; and at the end both 8-bit pictures as they were saved.

    python benchmarks/gatys_vs_pastiche.py [--size 512] [--steps 300] [--ours 300] [--precision auto] [--out FOLDER]

`race_plot.py` draws its traces. Needs: pip install "impasto[bench]".
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pastiche.pastiche import VGG_MEAN, PasticheArtist, save_image

import impasto
from impasto.image import fit, read, resize, write
from impasto.methods import run
from impasto.picture import Picture, Pixels

HERE = Path(__file__).resolve().parent.parent / "examples"

EVERY = 2
"""Steps at the full size between two looks at each one's picture."""

Steps = Callable[..., Iterator[tuple[int, Callable[[], float]]]]
"""Each step's size, and what tells the loss after it: asked while the clock stands."""


class Runner:
    """One contestant in its own process, advanced a step at a time."""

    def __init__(self, name: str, steps: Steps, *args: Any) -> None:
        self.name = name
        self.times: list[float] = []
        self.sizes: list[int] = []
        self.losses: list[float] = []
        self.over = False
        context = multiprocessing.get_context("spawn")
        self._line, end = context.Pipe()
        self._process = context.Process(target=_take_turns, args=(end, steps, args), daemon=True)
        self._process.start()
        end.close()

    @property
    def seconds(self) -> float:
        """Of its own, so far."""
        return sum(self.times)

    def advance(self) -> None:
        """One step, timed."""
        self._line.send("go")
        answer = self._line.recv()
        if answer is None:
            self.over = True
            self._process.join()
            return
        spent, size, loss = answer
        self.times.append(spent)
        self.sizes.append(size)
        self.losses.append(loss)

    def until(self, loss: float, size: int) -> float | None:
        """Seconds until the loss at the full size was first seen to be at most this."""
        passed = 0.0
        for spent, at, value in zip(self.times, self.sizes, self.losses, strict=True):
            passed += spent
            if at == size and value <= loss:
                return passed
        return None


def _take_turns(line: Connection, steps: Steps, args: tuple[Any, ...]) -> None:
    running = steps(*args)
    while line.recv() == "go":
        start = time.perf_counter()
        found = next(running, None)
        spent = time.perf_counter() - start
        line.send(None if found is None else (spent, found[0], found[1]()))
        if found is None:
            return


def pastiche_steps(
    photo: Path, painting: Path, steps: int, saved: Path, size: int
) -> Iterator[tuple[int, Callable[[], float]]]:
    """Pastiche as its own command line runs it. Its loss is of the picture before the step, so it is asked anew."""
    artist = PasticheArtist(str(photo), [str(painting)], device="cpu")

    @torch.no_grad()
    def loss() -> float:
        return float(artist._calc_loss())

    for made in range(1, steps + 1):
        artist.draw()
        yield size, loss if made % EVERY == 0 or made == steps else partial(float, "inf")
    save_image(artist.pastiche, str(saved))


def our_steps(
    photo: Path, painting: Path, options: impasto.GatysOptions, saved: Path
) -> Iterator[tuple[int, Callable[[], float]]]:
    """Impasto through its front door."""
    judge = Judge(photo, painting)
    for event in run(read(photo), [read(painting)], options, stop=threading.Event()):
        if isinstance(event, impasto.Progress) and event.step % EVERY:
            yield max(event.size), partial(float, "inf")
        if isinstance(event, impasto.Preview):
            at = max(event.picture.size)
            yield at, partial(judge.loss, event.picture.pixels) if at == options.size else partial(float, "inf")
        if isinstance(event, impasto.Done):
            write(event.picture, saved, overwrite=True)


class Judge:
    """Pastiche's own loss, as a function of pixels."""

    def __init__(self, photo: Path, painting: Path) -> None:
        self._materials = str(photo), [str(painting)]
        self._artist: PasticheArtist | None = None

    @torch.no_grad()
    def loss(self, pixels: Pixels) -> float:
        """That of pixels (H, W, 3) in [0, 1]."""
        if self._artist is None:  # not before it is asked, while no clock runs
            self._artist = PasticheArtist(*self._materials, device="cpu")
        image = torch.from_numpy(pixels[..., ::-1].transpose(2, 0, 1) * 255.0)[None]
        self._artist.pastiche = image - torch.tensor(VGG_MEAN).view(3, 1, 1)
        return float(self._artist._calc_loss())


def yardstick(photo: Path, painting: Path, picture: Path) -> float:
    """Pastiche's own loss of a saved picture."""
    return float(PasticheArtist(str(photo), [str(painting)], init=str(picture), device="cpu").loss)


def prepare(source: Path, size: tuple[int, int], target: Path) -> None:
    """The middle of a picture at exactly this size, so that neither contestant has anything to resize."""
    picture = read(source)
    zoom = max(size[0] / picture.width, size[1] / picture.height)
    wide = max(size[0], round(picture.width * zoom)), max(size[1], round(picture.height * zoom))
    pixels = resize(picture.pixels, wide)
    x, y = (wide[0] - size[0]) // 2, (wide[1] - size[1]) // 2
    cut = np.ascontiguousarray(pixels[y : y + size[1], x : x + size[0]])
    write(Picture(cut), target, overwrite=True)


def race(first: Runner, second: Runner) -> None:
    """Whoever has used less time goes next, until both are over."""
    while not (first.over and second.over):
        running = [r for r in (first, second) if not r.over]
        min(running, key=lambda r: r.seconds).advance()


def main() -> None:
    """Runs the race and prints what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, default=HERE / "photos" / "astronaut.jpg")
    parser.add_argument("--style", type=Path, default=HERE / "styles" / "dusk-ribbons.jpg")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=300, help="pastiche's steps")
    parser.add_argument("--ours", type=int, default=300, help="our steps, at all scales together")
    parser.add_argument("--precision", default="auto", help="our number format: auto, fp32 or bf16")
    parser.add_argument("--out", type=Path, default=None, help="keep pictures and traces here")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="impasto-bench-"))
    out.mkdir(parents=True, exist_ok=True)
    photo, painting = out / "photo.png", out / "painting.png"
    size = fit((4, 3), chosen.size)
    prepare(chosen.content, size, photo)
    prepare(chosen.style, size, painting)
    options = impasto.GatysOptions(
        preset="paper", size=chosen.size, steps=chosen.ours, precision=chosen.precision, preview_every=EVERY
    )
    theirs = Runner("pastiche", pastiche_steps, photo, painting, chosen.steps, out / "pastiche.png", chosen.size)
    ours = Runner("impasto", our_steps, photo, painting, options, out / "impasto.png")
    race(theirs, ours)
    goal = theirs.losses[-1]
    saved = {n: yardstick(photo, painting, out / f"{n}.png") for n in ("pastiche", "impasto")}
    full = [t for t, at in zip(ours.times, ours.sizes, strict=True) if at == chosen.size][1:]
    step, our_step = statistics.mean(theirs.times[1:]), statistics.mean(full)  # means: our steps are not alike
    reached = ours.until(goal, chosen.size)
    report = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "size": size,
        "pastiche": {"steps": chosen.steps, "seconds": theirs.seconds, "step": step, "loss": goal},
        "impasto": {"steps": len(ours.times), "seconds": ours.seconds, "step at full size": our_step},
        "loss of the saved pictures": saved,
        "step ratio, pastiche / impasto, at full size": step / our_step,
        "step ratio, pastiche / impasto, mean of all scales": statistics.mean(theirs.times)
        / statistics.mean(ours.times),
        "seconds to pastiche's last loss": reached,
        "share of pastiche's time": reached / theirs.seconds if reached else None,
    }
    print(json.dumps(report, indent=2))
    traces = {r.name: {"seconds": r.times, "size": r.sizes, "loss": r.losses} for r in (theirs, ours)}
    (out / "race.json").write_text(json.dumps({"report": report, "traces": traces}))
    print(f"pictures and traces: {out}")


if __name__ == "__main__":
    main()
