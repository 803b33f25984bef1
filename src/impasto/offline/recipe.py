"""What a paper fills in to have its network trained: options, a network, and the terms of its loss.

The trainer knows steps, optimisers, checkpoints and devices, and no paper; a recipe knows its paper, and no loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from impasto.options import Device, Options, option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Precision = Literal["auto", "fp32", "bf16"]


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """What every training run understands. Importing it needs no torch."""

    content: tuple[Path, ...] = option((), "photographs: folders, text files of paths, webdataset .tar shards")
    style: tuple[Path, ...] = option((), "paintings: likewise, or one image")
    out: Path = option(Path("run"), "folder of the run: checkpoints, log, sheets, the finished network")
    steps: int = option(40_000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    time_limit: str = option("", "save and stop after this long, such as 90s, 9m or 2h; the same command goes on")
    batch: int = option(4, "crops an update, over all processes together", low=1, high=4096)
    crop: int = option(256, "side of the square crops in pixels", low=32, high=2048)
    late: float = option(0.0, "share of the updates, the last ones, with larger crops; 0 for none", low=0, high=1)
    late_crop: int = option(0, "side of those crops, fewer a batch; 0 for half as much again", low=0, high=4096)
    rate: float = option(1e-3, "largest step size of Adam", low=1e-8, high=1)
    warmup: int = option(100, "updates over which the step size rises", low=0, high=1_000_000)
    clip: float = option(1.0, "largest norm of the gradient; 0 for no limit", low=0, high=1e6)
    ema: float = option(0.999, "decay of the weights' moving average, which is what is kept; 0 for none", low=0, high=1)
    encoder: str = option("vgg16", "the pretrained network that the losses look with")
    device: Device = option("auto", "where to compute")
    precision: Precision = option("auto", "number format; auto takes bf16 where the hardware has it")
    compile: bool = option(False, "on a GPU: spend minutes on compiling, then take less time for every update")
    seed: int = option(0, "of weights, crops and colours", low=0, high=2**32 - 1)
    log_every: int = option(10, "updates between lines of the log", low=1, high=1_000_000)
    sheet_every: int = option(500, "updates between sample sheets, 0 for none", low=0, high=100_000_000)
    checkpoint_every: int = option(200, "updates between checkpoints", low=1, high=100_000_000)


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's share of one update's pictures.

    Attributes:
        content: (n, 3, crop, crop), float32 RGB in [0, 1], on the device.
        style: likewise.
        index: each sample's place in the whole batch over all processes, (n,), int64, on the CPU; what is done to
            every eighth sample is done to those whose index says so, whoever holds them.
        step: updates made before this one.
        seed: of whatever a recipe draws for this update; the same in every process.
        whole: samples of this update's whole batch; late ones may hold fewer than `options.batch`.
    """

    content: Tensor
    style: Tensor
    index: Tensor
    step: int
    seed: int
    whole: int


@dataclass(frozen=True, eq=False)
class Reading:
    """What one forward pass says.

    Attributes:
        terms: each weighted term of the loss, a float32 scalar, mean over the samples; the loss is their sum.
        observed: what is logged and steered by, but not part of the loss.
    """

    terms: Mapping[str, Tensor]
    observed: Mapping[str, Tensor] = field(default_factory=dict)


class Recipe:
    """Base of every paper's training. A new one sets `network` and fills in `read` and `paint`.

    Args:
        options: the paper's own options.
        device: where batches will be.
        dtype: what frozen encoders compute in (bfloat16 or float32); losses stay in float32.

    Attributes:
        name: what `impasto train` calls it.
        network: what is trained; parameters that do not require a gradient stay as they are.
    """

    name: ClassVar[str]
    network: nn.Module

    def __init__(self, options: TrainOptions, *, device: torch.device, dtype: torch.dtype) -> None:
        self.options, self.device, self.dtype = options, device, dtype

    def read(self, batch: Batch) -> Reading:
        """The loss of a batch, term by term."""
        raise NotImplementedError

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """What `network`, this recipe's or its moving average, makes of photo and painting (1, 3, H, W), for sheets."""
        raise NotImplementedError

    def files(self) -> Mapping[str, Path]:
        """Options that name a finished network -> its file; a run goes on with the same one only."""
        return {}

    def paces(self) -> Mapping[str, float]:
        """Names of parameters -> factors of their step sizes; 1 for those that are not named."""
        return {}

    def steer(self, seen: Mapping[str, float]) -> None:
        """Adapts its own weights to what was just read, averaged over all processes; nothing by default."""

    def state(self) -> dict[str, float]:
        """What `steer` has changed, for the checkpoint."""
        return {}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes `state` back."""

    def about(self) -> dict[str, object]:
        """What the finished network's file says of itself beside its architecture, such as the names of its styles."""
        return {}
