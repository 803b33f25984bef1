"""Johnson et al. 2016, Perceptual losses for real-time style transfer and super-resolution (arXiv 1603.08155).

One network, one style. It learns on photographs alone: their content is to stay, and the Gram matrices are to become
those of one painting. With the instance norm of Ulyanov et al. 2016 (arXiv 1607.08022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from impasto.offline.balanced import BalancedRecipe, BalancedTrainOptions, PaperWeights
from impasto.offline.recipe import Batch
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.perception import Perception
    from impasto.offline.terms import StyleTarget


@dataclass(frozen=True, kw_only=True)
class JohnsonTrainOptions(BalancedTrainOptions):
    """What `impasto train johnson` understands.

    The paper: batch 4, 40 000 steps of 1e-3 at 256 pixels, width 1, hours on a GPU. The defaults take about half an
    hour on two processor cores.
    """

    steps: int = option(2000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    crop: int = option(128, "side of the square crops in pixels", low=32, high=2048)
    width: float = option(0.5, "multiple of the paper's 32, 64, 128 channels", low=0.03, high=8)
    style_size: int = option(384, "long side of the painting in pixels: the size of the strokes", low=64, high=4096)


class JohnsonRecipe(BalancedRecipe):
    """Trains a `JohnsonNetwork` for one painting.

    Args:
        options: see `JohnsonTrainOptions`.
        device: where batches will be.
        dtype: of the loss network.
        perception: eyes of one's own instead of `options.encoder`.

    Raises:
        OptionError: when `--style` is not one painting.
        PictureError: when it cannot be read.
        ModelError: when the loss network's weights cannot be had.
    """

    name: ClassVar[str] = "johnson"
    # The authors' code (fast-neural-style): content relu3_3, style relu1_2 2_2 3_3 4_3, Gram / (C H W); the total
    # variation of bytes, summed over a batch of 4
    paper = PaperWeights(content=1.0, style=5.0, by_channels=True, tv=4 * 1e-6 * 255**2, tv_summed=True)
    pooling = "max"
    options: JohnsonTrainOptions

    def __init__(
        self,
        options: JohnsonTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        from impasto.offline.networks.johnson import JohnsonNetwork
        from impasto.offline.paintings import read_paintings
        from impasto.offline.terms import StyleTarget

        (painting,) = read_paintings(options.style, size=options.style_size, device=device, most=1)
        super().__init__(options, device=device, dtype=dtype, perception=perception)
        self.style = painting.name
        self._target = StyleTarget.of(self.perception.remember(painting.pixels, self.perception.style))
        self.network = JohnsonNetwork(width=options.width).to(device)

    def repaint(self, batch: Batch) -> Tensor:
        """The photos in the one style there is."""
        painted: Tensor = self.network(batch.content)
        return painted

    def target(self, batch: Batch) -> StyleTarget:
        """The painting; those of the batch are not looked at."""
        return self._target

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo in the one style there is, whatever the painting."""
        from impasto.offline.perception import half

        with half(self.device, self.dtype):
            painted: Tensor = network(photo)
        return painted.float()

    def about(self) -> dict[str, object]:
        """The painting's name."""
        return {"styles": [self.style]}
