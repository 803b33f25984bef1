"""Gatys against PyPI's pastiche, on pastiche's own loss: time of a step, and time to the loss of its last step.

Both paint the same photo after the same painting at the same size, each in a process of its own, taking turns: whoever
has used less time goes next while the other waits, so that a noisy machine is noisy for both. The yardstick is
pastiche's own loss (its layers, weights and weights file): impasto's "paper" preset optimises a hundred times that, in
float32 here, which gives its curve. At the end pastiche's own function reads both 8-bit pictures as they were saved.

    python benchmarks/gatys_vs_pastiche.py [--size 512] [--steps 300] [--ours 300] [--out FOLDER]

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
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pastiche.pastiche import PasticheArtist, save_image

import impasto
from impasto.image import fit, read, resize, write
from impasto.methods import run
from impasto.picture import Picture

HERE = Path(__file__).resolve().parent.parent / "examples"


class Runner:
    """One contestant in its own process: a generator of (size, loss) that is advanced a step at a time."""

    def __init__(self, name: str, steps: Callable[..., Iterator[tuple[int, float]]], *args: Any) -> None:
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
        """Seconds until the loss at the full size first was at most this."""
        passed = 0.0
        for spent, at, value in zip(self.times, self.sizes, self.losses, strict=True):
            passed += spent
            if at == size and value <= loss:
                return passed
        return None


def _take_turns(line: Connection, steps: Callable[..., Iterator[tuple[int, float]]], args: tuple[Any, ...]) -> None:
    running = steps(*args)
    while line.recv() == "go":
        start = time.perf_counter()
        found = next(running, None)
        line.send(None if found is None else (time.perf_counter() - start, *found))
        if found is None:
            return


def pastiche_steps(photo: Path, painting: Path, steps: int, saved: Path, size: int) -> Iterator[tuple[int, float]]:
    """Pastiche as its own command line runs it: (size, loss) after each step."""
    artist = PasticheArtist(str(photo), [str(painting)], device="cpu")
    for _ in range(steps):
        artist.draw()
        yield size, artist.loss
    save_image(artist.pastiche, str(saved))


def our_steps(photo: Path, painting: Path, options: impasto.GatysOptions, saved: Path) -> Iterator[tuple[int, float]]:
    """Impasto through its front door: (size, loss in pastiche's units) after each step."""
    for event in run(read(photo), [read(painting)], options, stop=threading.Event()):
        if isinstance(event, impasto.Progress):
            yield max(event.size), event.losses["total"] / 100  # pastiche's content weight is .01, the paper's is 1
        if isinstance(event, impasto.Done):
            write(event.picture, saved, overwrite=True)


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
    parser.add_argument("--out", type=Path, default=None, help="keep pictures and traces here")
    chosen = parser.parse_args()
    out = chosen.out or Path(tempfile.mkdtemp(prefix="impasto-bench-"))
    out.mkdir(parents=True, exist_ok=True)
    photo, painting = out / "photo.png", out / "painting.png"
    size = fit((4, 3), chosen.size)
    prepare(chosen.content, size, photo)
    prepare(chosen.style, size, painting)
    options = impasto.GatysOptions(preset="paper", size=chosen.size, steps=chosen.ours, precision="fp32")
    theirs = Runner("pastiche", pastiche_steps, photo, painting, chosen.steps, out / "pastiche.png", chosen.size)
    ours = Runner("impasto", our_steps, photo, painting, options, out / "impasto.png")
    race(theirs, ours)
    goal = theirs.losses[-1]
    saved = {n: yardstick(photo, painting, out / f"{n}.png") for n in ("pastiche", "impasto")}
    full = [t for t, at in zip(ours.times, ours.sizes, strict=True) if at == chosen.size][1:]
    step = statistics.median(theirs.times[1:])
    reached = ours.until(goal, chosen.size)
    report = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "size": size,
        "pastiche": {"steps": chosen.steps, "seconds": theirs.seconds, "step": step, "loss": goal},
        "impasto": {"steps": len(ours.times), "seconds": ours.seconds, "step at full size": statistics.median(full)},
        "loss of the saved pictures": saved,
        "step ratio, pastiche / impasto, at full size": step / statistics.median(full),
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
