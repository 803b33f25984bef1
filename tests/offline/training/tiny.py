"""The smallest recipe there is: two convolutions and a batch norm that learn to paint a photo in the painting's mean.

python tiny.py OPTIONS.json        trains, as the tests that kill, or that need several processes, start it
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from impasto.events import Notice, Trained, TrainingEvent
from impasto.offline.recipe import Batch, Reading, Recipe, TrainOptions
from impasto.offline.recipes import RECIPES, Row
from impasto.offline.weights import NETWORKS
from impasto.options import option


@dataclass(frozen=True, kw_only=True)
class TinyTrainOptions(TrainOptions):
    """What the smallest recipe understands."""

    crop: int = option(32, "side of the crops", low=32, high=64)
    steps: int = option(12, "updates in all", low=1, high=1000)
    warmup: int = option(3, "updates over which the step size rises", low=0, high=100)
    sheet_every: int = option(0, "updates between sheets", low=0, high=1000)
    log_every: int = option(1, "updates between lines", low=1, high=1000)
    checkpoint_every: int = option(4, "updates between checkpoints", low=1, high=1000)
    spoil: tuple[int, ...] = option((), "updates whose loss is no number", low=0, high=1000)
    pace: float = option(1.0, "of the first convolution", low=0, high=1)
    start: Path | None = option(None, "a file that the run is told by")
    normed: bool = option(True, "with a batch norm, whose statistics depend on who is in the batch")


class TinyNetwork(nn.Module):
    """Photo and a mean colour -> picture."""

    def __init__(self, *, width: int = 4, normed: bool = True) -> None:
        super().__init__()
        self.arguments: dict[str, object] = {"width": width, "normed": normed}
        self.first = nn.Conv2d(6, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if normed else nn.Identity()
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, photo: Tensor, colour: Tensor) -> Tensor:
        both = torch.cat([photo, colour.expand_as(photo)], 1)
        painted: Tensor = torch.sigmoid(self.last(torch.relu(self.norm(self.first(both)))))
        return painted


class TinyRecipe(Recipe):
    """L1 to the photo in the painting's mean colour; noise, so that randomness counts; a weight that is steered."""

    name: ClassVar[str] = "tiny"

    def __init__(self, options: TinyTrainOptions, *, device: torch.device, dtype: torch.dtype) -> None:
        super().__init__(options, device=device, dtype=dtype)
        self.network = TinyNetwork(normed=options.normed)
        self.spoil, self.pace, self.start = options.spoil, options.pace, options.start
        self.weight = 1.0

    def read(self, batch: Batch) -> Reading:
        mean = batch.style.mean((2, 3), keepdim=True)
        target = (batch.content + mean) / 2
        noise = torch.randn(batch.content.shape[1:], device=self.device)  # the same for all samples and processes
        painted = self.network(batch.content + 0.05 * noise, mean)
        likeness = (painted - target).abs().mean()
        if batch.step in self.spoil:
            likeness = likeness * torch.nan
        calm = 0.1 * painted.diff(dim=-1).square().mean()
        return Reading({"likeness": self.weight * likeness, "calm": calm}, {"raw": likeness})

    def steer(self, seen: Mapping[str, float]) -> None:
        self.weight *= 1 + 0.1 * min(1.0, seen["raw"])

    def paces(self) -> dict[str, float]:
        return {"first.weight": self.pace}

    def files(self) -> dict[str, Path]:
        return {"start": self.start} if self.start else {}

    def state(self) -> dict[str, float]:
        return {"weight": self.weight}

    def restore(self, state: Mapping[str, float]) -> None:
        self.weight = state["weight"]

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        painted: Tensor = network(photo, painting.mean((2, 3), keepdim=True))
        return painted

    def about(self) -> dict[str, object]:
        return {"of": "the tests"}


ROW = Row("tiny", "nobody: the tests' own", __name__, "TinyTrainOptions", "TinyRecipe")
NETWORK = f"{__name__}:TinyNetwork"


def draw_pictures(folder: Path, count: int, *, size: tuple[int, int] = (56, 44), seed: int = 0) -> Path:
    """A folder of soft random pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"p{number:02d}.jpg", quality=92)
    return folder


def losses(run: Path) -> list[tuple[int, float]]:
    """(step, loss) of every line of a run's log."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def finish(events: object) -> tuple[Trained, list[TrainingEvent]]:
    """Lets a run go to its end."""
    found: list[TrainingEvent] = list(events)  # type: ignore[call-overload]
    done = found[-1]
    assert isinstance(done, Trained)
    return done, found


def notices(events: list[TrainingEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


if __name__ == "__main__":
    from impasto.offline.trainer import run

    RECIPES["tiny"] = ROW
    NETWORKS["tiny"] = NETWORK
    torch.set_num_threads(1)
    from threading import Event

    for _ in run(TinyRecipe, TinyTrainOptions.from_dict(json.loads(Path(sys.argv[1]).read_text())), stop=Event()):
        pass
