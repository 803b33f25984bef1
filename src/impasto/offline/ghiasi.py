"""Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization network.

(arXiv 1705.06830.) Two networks learn together: one predicts a style code from a painting, the other repaints photos
with it. After enough paintings the first knows what to say of those that it has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from impasto.errors import ModelError
from impasto.offline.balanced import BalancedRecipe, BalancedTrainOptions, PaperWeights
from impasto.offline.recipe import Batch
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.networks.ghiasi import GhiasiNetwork
    from impasto.offline.perception import Perception
    from impasto.offline.terms import StyleTarget

FAR = "transfer.far."  # what the names of a far path's parameters begin with
READ = 256  # side of the paintings that published predictors learnt to read; at another size they say other things

TrunkName = Literal["inception-v3", "mobilenet-v2", "efficientnet-lite0"]


@dataclass(frozen=True, kw_only=True)
class GhiasiTrainOptions(BalancedTrainOptions):
    """What `impasto train ghiasi` understands.

    The authors' code: batch 8 at 256 pixels, millions of steps of 1e-5. Our network starts with scales of 1 instead of
    0 and takes larger steps; 1e-3 would make a pretrained trunk forget. With `start`, steps are relative to the size
    that each parameter had in the finished network, in the idea of Shazeer and Stern 2018 (arXiv 1804.04235), who
    follow the size as it changes.
    """

    batch: int = option(8, "crops an update, over all processes together", low=1, high=4096)
    steps: int = option(200_000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    rate: float = option(3e-4, "largest step size of Adam", low=1e-8, high=1)
    warmup: int = option(500, "updates over which the step size rises", low=0, high=1_000_000)
    width: float = option(1.0, "multiple of the paper's 32, 64, 128 channels", low=0.03, high=8)
    trunk: TrunkName = option("inception-v3", "what the style predictor looks with")
    pretrained: bool = option(True, "begin with a trunk that knows ImageNet")
    far: int = option(0, "residual blocks that see a sixteenth of the size; 0 is the paper's", low=0, high=64)
    painter: Literal["paper", "swift"] = option("paper", "what repaints: the paper's network, or a quicker one")
    start: Path | None = option(None, "begin with this finished network, of the same width and trunk")


class GhiasiRecipe(BalancedRecipe):
    """Trains a `GhiasiNetwork`: predictor and painter together.

    Args:
        options: see `GhiasiTrainOptions`.
        device: where batches will be.
        dtype: of the loss network.
        perception: eyes of one's own instead of `options.encoder`.

    Raises:
        ModelError: when the weights of the loss network, or of the trunk, cannot be had, or the network to begin with
            does not fit.
    """

    name: ClassVar[str] = "ghiasi"
    # The authors' code (Magenta): content relu3_3, style relu1_2 2_2 3_3 4_3, Gram / (H W), average pooling; their
    # total variation of 1e4 halves its squares
    paper = PaperWeights(content=1.0, style=0.5e-3, tv=1e4 / 2)
    options: GhiasiTrainOptions
    network: GhiasiNetwork

    def __init__(
        self,
        options: GhiasiTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        super().__init__(options, device=device, dtype=dtype, perception=perception)
        from impasto.offline.networks.ghiasi import CODE, GhiasiNetwork
        from impasto.offline.weights import load_network

        found: GhiasiNetwork | None = None
        if options.start:
            found = cast("GhiasiNetwork", load_network(options.start, expected="ghiasi").network)
        code = cast("int", found.arguments["code"]) if found else CODE
        self.network = GhiasiNetwork(
            width=options.width, trunk=options.trunk, code=code, far=options.far, painter=options.painter
        )
        self._paces: dict[str, float] = {}
        if found is not None:
            self._begin_with(found)
        elif options.pretrained:
            self.network.load_trunk()
        self.network.to(device)

    def _begin_with(self, finished: GhiasiNetwork) -> None:
        """Takes over a finished network, whose batch norms keep their statistics.

        Its predictor stays: the smallest steps in its many layers move all codes at once, farther than the painter can
        follow.
        """
        theirs, ours = finished.state_dict(), self.network.state_dict()
        fits = all(name in ours and ours[name].shape == tensor.shape for name, tensor in theirs.items())
        new = ours.keys() - theirs.keys()
        far = {name for name in ours if name.startswith(FAR)}
        if not fits or (new and new != far):  # a far path is new as a whole or not at all: only then is it silent
            told = {name: finished.arguments[name] for name in ("width", "trunk", "painter", "far")}
            flags = " ".join(f"--{name} {value}" for name, value in told.items())
            raise ModelError(f"{self.options.start} is a network of another shape; mend: {flags}")
        self.network.load_state_dict(theirs, strict=False)
        self._paces = {name: _pace(tensor) for name, tensor in theirs.items() if bool(tensor.any())}
        self.network.learn_on()

    def paces(self) -> dict[str, float]:
        """What was taken over moves by shares of the size that it had, which differs from layer to layer.

        What is new, or zero, has no size to go by and moves as in any training.
        """
        return self._paces

    def repaint(self, batch: Batch) -> Tensor:
        """Each photo in the style of the painting beside it."""
        painted: Tensor = self.network(batch.content, self._read(self.network, batch.style))
        return painted

    def target(self, batch: Batch) -> StyleTarget:
        """The paintings of the batch."""
        from impasto.offline.terms import StyleTarget

        return StyleTarget.of(self.perception.remember(batch.style, self.perception.style))

    def about(self) -> dict[str, object]:
        """What it began with."""
        return {"start": self.options.start.name} if self.options.start else {}

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo in the painting's style."""
        from impasto.offline.perception import half

        with half(self.device, self.dtype):
            painted: Tensor = network(photo, self._read(cast("GhiasiNetwork", network), painting))
        return painted.float()

    def _read(self, network: GhiasiNetwork, paintings: Tensor) -> Tensor:
        return network.encode(as_read(paintings) if self.options.start else paintings)

    def files(self) -> dict[str, Path]:
        """The network to begin with."""
        return {"start": self.options.start} if self.options.start else {}


def _pace(tensor: Tensor) -> float:
    """Root mean square, rounded to a power of 2: few different ones make few groups for the optimiser."""
    return float(2.0 ** tensor.double().square().mean().sqrt().log2().round())


def as_read(paintings: Tensor) -> Tensor:
    """Square paintings (N, 3, S, S) at the size that published predictors know."""
    from torch.nn import functional

    if paintings.shape[-1] == READ:
        return paintings
    return functional.interpolate(paintings, (READ, READ), mode="bilinear", antialias=True)
