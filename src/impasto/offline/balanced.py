"""What the trainings of Johnson, Dumoulin and Ghiasi share: content, Gram matrices, and two ways to weigh them.

"paper" is each paper's own loss, whose one balance fits few paintings. "balanced" measures every layer and every
painting by its own size, so that one balance fits all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from impasto.errors import OptionError
from impasto.offline.recipe import Batch, Reading, TrainOptions
from impasto.offline.steering import SteeredRecipe, Steering
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from impasto.offline.perception import Perception
    from impasto.offline.terms import StyleTarget

StyleLoss = Literal["balanced", "paper"]


@dataclass(frozen=True)
class PaperWeights:
    """A paper's loss, on raw features of VGG-16 whose input counts from 0 to 255.

    Attributes:
        content: of the mean squared difference of features.
        style: of the mean squared difference of Gram matrices, for each layer.
        by_channels: Gram matrices are divided by the number of channels, too.
        tv: of total variation, on pixels in [0, 1].
        tv_summed: total variation is the sum over a picture instead of the mean.
    """

    content: float
    style: float
    by_channels: bool = False
    tv: float = 0.0
    tv_summed: bool = False


@dataclass(frozen=True, kw_only=True)
class BalancedTrainOptions(TrainOptions):
    """What every training on Gram matrices understands."""

    loss: StyleLoss = option("balanced", "equal voices for all layers and paintings, or the paper's loss")
    style_weight: float = option(10.0, "balanced: weight of the Gram matrices", low=0, high=1e9)
    moment_weight: float = option(2.0, "balanced: weight of the features' means and deviations", low=0, high=1e9)
    content_weight: float = option(2.0, "balanced: weight of the photo's normalised features", low=0, high=1e9)
    content_target: float = option(
        0.0, "balanced: raw content loss (relu3_3 of VGG-16) to steer the content's weight to; 0 leaves it",
        low=0, high=1e12,
    )  # fmt: skip
    layer_weights: tuple[float, ...] = option(
        (), "balanced: voice of each style layer, the shallowest first; equal ones when left out", low=0, high=1e6
    )
    tv_weight: float = option(0.0, "balanced: weight of total variation", low=0, high=1e9)


class BalancedRecipe(SteeredRecipe):
    """A paper's training that is all but its network and its paintings. A new one fills in `repaint` and `target`.

    Args:
        options: the paper's own.
        device: where batches will be.
        dtype: of the loss network.
        perception: eyes of one's own instead of `options.encoder`.

    Attributes:
        paper: the paper's weights.
        pooling: of its loss network.
        steering: the content's weight in the balanced loss.

    Raises:
        OptionError: when there are not as many layer weights as style layers.
        ModelError: when the loss network's weights cannot be had.
    """

    paper: ClassVar[PaperWeights]
    pooling: ClassVar[Literal["max", "average"]] = "average"
    options: BalancedTrainOptions

    def __init__(
        self,
        options: BalancedTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        super().__init__(options, device=device, dtype=dtype)
        from impasto.offline.perception import open_perception

        pooling = self.pooling if options.loss == "paper" else "average"
        self.perception = perception or open_perception(options, device=device, dtype=dtype, pooling=pooling)
        self.steering = Steering(options.content_weight, 0.0 if options.loss == "paper" else options.content_target)
        taps, voices = self.perception.style, options.layer_weights
        if voices and len(voices) != len(taps):
            raise OptionError(f"--layer-weights has {len(voices)} numbers for {len(taps)} layers: {', '.join(taps)}")
        self._voices = dict(zip(taps, voices or (1.0,) * len(taps), strict=True))

    def repaint(self, batch: Batch) -> Tensor:
        """The batch's photos, painted by the network, (n, 3, crop, crop)."""
        raise NotImplementedError

    def target(self, batch: Batch) -> StyleTarget:
        """What the batch's pictures should look like to the style taps."""
        raise NotImplementedError

    def read(self, batch: Batch) -> Reading:
        """The loss of a batch."""
        from impasto.offline.perception import RAW_STRIDE, half, raw_content

        eyes = self.perception
        raw = eyes.at_stride(RAW_STRIDE)
        with half(self.device, self.dtype):
            painted = self.repaint(batch).float()
        seen = eyes.look(painted, eyes.all)
        photo = eyes.remember(batch.content, (*eyes.content, raw))
        target = self.target(batch)
        residuals = target.gram_residuals(seen)
        paper = self.options.loss == "paper"
        terms = self._paper(target, seen, photo) if paper else self._balanced(target, residuals, seen, photo)
        terms |= self._smoothness(painted)
        observed = {f"gram_{tap}": residual.detach() for tap, residual in residuals.items()}
        if not paper:
            observed["content_weight"] = painted.new_tensor(self.steering.weight)
        return Reading(terms, observed | {"raw_content": raw_content(seen, photo, raw)})

    def _balanced(
        self,
        target: StyleTarget,
        residuals: Mapping[str, Tensor],
        seen: Mapping[str, Tensor],
        photo: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        from impasto.losses import normalised_distance

        layers = self.perception.content
        content = sum(normalised_distance(seen[tap], photo[tap]).mean() for tap in layers) / len(layers)
        style = sum(self._voices[tap] * residual for tap, residual in residuals.items())
        return {
            "style": self.options.style_weight * cast("Tensor", style),
            "moments": self.options.moment_weight * target.moment_residual(seen),
            "content": self.steering.weight * cast("Tensor", content),
        }

    def _paper(self, target: StyleTarget, seen: Mapping[str, Tensor], photo: Mapping[str, Tensor]) -> dict[str, Tensor]:
        from impasto.losses import feature_distance

        content = sum(feature_distance(seen[tap], photo[tap]) for tap in self.perception.content)
        style = sum(target.gram_distances(seen, by_channels=self.paper.by_channels).values())
        return {
            "content": self.paper.content * cast("Tensor", content),
            "style": self.paper.style * cast("Tensor", style),
        }

    def _smoothness(self, painted: Tensor) -> dict[str, Tensor]:
        from impasto.losses import total_variation

        paper = self.options.loss == "paper"
        weight = self.paper.tv if paper else self.options.tv_weight
        if paper and self.paper.tv_summed:
            weight *= painted[0].numel()
        return {"tv": weight * total_variation(painted)} if weight else {}
