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

READ = 256  # side of the paintings that published predictors learnt to read; at another size they say other things

TrunkName = Literal["inception-v3", "mobilenet-v2", "efficientnet-lite0"]


@dataclass(frozen=True, kw_only=True)
class GhiasiTrainOptions(BalancedTrainOptions):
    """What `impasto train ghiasi` understands.

    The authors' code: batch 8 at 256 pixels, millions of steps of 1e-5. Our network starts with scales of 1 instead of
    0 and takes larger steps; 1e-3 would make a pretrained trunk forget. With `start`, steps are relative to the size of
    each parameter (Shazeer and Stern 2018, arXiv 1804.04235), and 1e-3 is a good one.
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
        from impasto.offline.networks.ghiasi import GhiasiNetwork

        self.network = GhiasiNetwork(width=options.width, trunk=options.trunk, far=options.far, painter=options.painter)
        self._paces: dict[str, float] = {}
        if options.start:
            self._begin_with(options.start)
        elif options.pretrained:
            self.network.load_trunk()
        self.network.to(device)

    def _begin_with(self, path: Path) -> None:
        """Takes over a finished network, whose batch norms keep their statistics.

        Its predictor stays: the smallest steps in its many layers move all codes at once, farther than the painter can
        follow.
        """
        from impasto.offline.weights import load_network

        found = load_network(path, expected="ghiasi").network.state_dict()
        ours = self.network.state_dict()
        fits = all(name in ours and ours[name].shape == tensor.shape for name, tensor in found.items())
        if not fits or any(not name.startswith("transfer.far.") for name in ours.keys() - found.keys()):
            raise ModelError(
                f"{path} is a network of another shape; mend: its own --width, --trunk, --painter and --far"
            )
        self.network.load_state_dict(found, strict=False)
        self._paces = {name: float(tensor.double().square().mean().sqrt()) for name, tensor in found.items()}
        self.network.hold_batch_norms()
        self.network.prediction.requires_grad_(False)

    def paces(self) -> dict[str, float]:
        """What was taken over moves by shares of its own size, which in Magenta's networks differ a hundredfold."""
        return {name: pace for name, pace in self._paces.items() if pace > 0}

    def repaint(self, batch: Batch) -> Tensor:
        """Each photo in the style of the painting beside it."""
        code = self.network.encode(as_read(batch.style) if self.options.start else batch.style)
        painted: Tensor = self.network(batch.content, code)
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
            painted: Tensor = network(photo, cast("GhiasiNetwork", network).encode(painting))
        return painted.float()


def as_read(paintings: Tensor) -> Tensor:
    """Square paintings (N, 3, S, S) at the size that published predictors know."""
    from torch.nn import functional

    if paintings.shape[-1] == READ:
        return paintings
    return functional.interpolate(paintings, (READ, READ), mode="bilinear", antialias=True)
