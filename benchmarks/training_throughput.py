"""Images a second in training: our loop against a plain one of the same network, loss and batches, on this processor.

    python benchmarks/training_throughput.py --content PHOTOS --style PAINTINGS [--recipe impasto] [--rounds 5]

Ours is what `impasto train` runs: a step of `Learner` on channels-last arrays, the encoder through Winograd or bf16,
memory kept between updates, a fused Adam. The plain loop is what one would write first: float32, contiguous arrays,
`nn.Conv2d` in the encoder, a default Adam. Each lives in a process of its own and they take turns, so that whatever
else the machine does meets both alike; the figures are medians over rounds, and so is the ratio.

Weights of the loss network are looked up as always; `--encoder vgg19` comes with the torch extra.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from impasto.encoders import load_encoder
from impasto.encoders.device import pick_dtype
from impasto.machine import kept_memory, physical_cores
from impasto.offline.feed import Feed
from impasto.offline.learner import BETAS, Learner
from impasto.offline.perception import Perception
from impasto.offline.pictures import Pictures
from impasto.offline.processes import Crew
from impasto.offline.recipe import Batch, TrainOptions
from impasto.offline.recipes import RECIPES

CPU = torch.device("cpu")
WARM = 2  # updates of each before anything counts
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


class PlainPerception(Perception):
    """The same eyes without help: contiguous arrays, torch's own convolutions."""

    def look(self, pictures: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """As the class it stands for, on contiguous arrays."""
        found: dict[str, Tensor] = self.encoder(pictures.contiguous(), tuple(dict.fromkeys(taps)))
        return found


def ours(name: str, options: TrainOptions) -> Callable[[Batch], object]:
    """One update of the product's trainer."""
    recipe = RECIPES[name].recipe_class(options, device=CPU, dtype=pick_dtype(options.precision, CPU))
    return Learner(recipe, options, Crew(0, 1, CPU)).update


def plain(name: str, options: TrainOptions) -> Callable[[Batch], object]:
    """One update of a plain float32 loop, moving average included."""
    recipe: Any = RECIPES[name].recipe_class(options, device=CPU, dtype=torch.float32)
    eyes = recipe.perception
    pooling = "average" if any(isinstance(module, nn.AvgPool2d) for module in eyes.encoder.modules()) else "max"
    encoder = load_encoder(options.encoder, pooling=pooling)
    recipe.perception = PlainPerception(encoder, style=eyes.style, content=eyes.content)
    network: nn.Module = recipe.network.train()
    optimiser = torch.optim.Adam(network.parameters(), lr=options.rate, betas=BETAS)
    average = {key: value.clone() for key, value in network.state_dict().items()}

    def update(batch: Batch) -> float:
        rows = {"content": batch.content.contiguous(), "style": batch.style.contiguous()}
        optimiser.zero_grad()
        loss = sum(recipe.read(dataclasses.replace(batch, **rows)).terms.values())
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        optimiser.step()
        with torch.no_grad():
            for key, value in network.state_dict().items():
                average[key].lerp_(value, 1 - options.ema) if value.is_floating_point() else average[key].copy_(value)
        return float(loss.detach())

    return update


LOOPS = {"ours": ours, "plain": plain}


def work(line: Connection, loop: str, name: str, options: TrainOptions, threads: int) -> None:
    """Makes as many updates as it is told to, and tells how long they took."""
    torch.set_num_threads(threads)
    torch.manual_seed(options.seed)
    pictures = Pictures(options)
    update = LOOPS[loop](name, options)
    share = slice(0, options.batch)
    albums = pictures.open(options.crop)
    feed = Feed(*albums, batch=options.batch, crop=options.crop, seed=0, share=share, device=CPU)
    with closing(pictures), closing(feed), memory(loop):
        batches = feed.batches(0, options.steps)
        for count in iter(line.recv, 0):
            start = time.perf_counter()
            for _ in range(count):
                update(next(batches))
            line.send(time.perf_counter() - start)


def memory(loop: str) -> Any:
    """What the product does about memory; the plain loop does nothing."""
    return kept_memory() if loop == "ours" else nullcontext()


def race(name: str, options: TrainOptions, *, rounds: int, updates: int, threads: int) -> dict[str, list[float]]:
    """Images a second of each loop, round by round."""
    context = multiprocessing.get_context("spawn")
    lines, processes = {}, []
    for loop in LOOPS:
        lines[loop], end = context.Pipe()
        processes.append(context.Process(target=work, args=(end, loop, name, options, threads), daemon=True))
        processes[-1].start()
        end.close()
    found: dict[str, list[float]] = {loop: [] for loop in LOOPS}
    for number in range(rounds + 1):
        for loop in turns(number):
            lines[loop].send(updates if number else WARM)
            seconds = lines[loop].recv()
            if number:
                found[loop].append(options.batch * updates / seconds)
    for loop, process in zip(LOOPS, processes, strict=True):
        lines[loop].send(0)
        process.join()
    return found


def turns(number: int) -> Iterator[str]:
    """Who goes first changes from round to round."""
    return iter(LOOPS if number % 2 else reversed(LOOPS))


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": physical_cores(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "torch": torch.__version__,
        "precision": str(pick_dtype("auto", CPU)).removeprefix("torch."),
    }


def main() -> None:
    """Runs the race and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, nargs="+", default=[EXAMPLES / "photos"])
    parser.add_argument("--style", type=Path, nargs="+", default=[EXAMPLES / "styles"])
    parser.add_argument("--recipe", choices=list(RECIPES), default="impasto")
    parser.add_argument("--encoder", default="vgg16")
    parser.add_argument("--size", default="small", help="of the network, where the recipe has sizes")
    for flag, usual in (("batch", 4), ("crop", 256), ("rounds", 5), ("updates", 3), ("threads", physical_cores())):
        parser.add_argument(f"--{flag}", type=int, default=usual)
    asked = parser.parse_args()
    options_class = RECIPES[asked.recipe].options_class
    sized = {"size": asked.size} if any(spec.name == "size" for spec in options_class.specs()) else {}
    options = options_class.from_dict(
        {
            "content": asked.content, "style": asked.style, "encoder": asked.encoder, "batch": asked.batch,
            "crop": asked.crop, "steps": 1_000_000, "device": "cpu", **sized,
        }
    )  # fmt: skip
    found = race(asked.recipe, options, rounds=asked.rounds, updates=asked.updates, threads=asked.threads)
    ratios = [a / b for a, b in zip(found["ours"], found["plain"], strict=True)]
    told = {loop: round(statistics.median(pace), 3) for loop, pace in found.items()}
    told |= {"ratio": round(statistics.median(ratios), 3), "ratios": [round(r, 3) for r in ratios]}
    told |= {"recipe": asked.recipe, "batch": asked.batch, "crop": asked.crop, "machine": machine(asked.threads)}
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
