"""Huang and Belongie 2017, Arbitrary style transfer in real-time with adaptive instance normalization.

(arXiv 1703.06868.) The encoder is given, the transfer is a formula; all that is learnt is a decoder that makes pictures
of features whose means and deviations are a painting's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from impasto.errors import OptionError
from impasto.offline.recipe import Batch, Reading, Recipe, TrainOptions
from impasto.offline.schedule import stages
from impasto.options import option

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from impasto.offline.perception import Perception

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
"""Section 5.1: style is compared at all four; features are exchanged, and content compared, at the last."""


@dataclass(frozen=True, kw_only=True)
class AdaInTrainOptions(TrainOptions):
    """What `impasto train adain` understands.

    The authors' code: batch 8 at 256 pixels, 160 000 steps of 1e-4 over 1 + 5e-5 times the step. Ours falls as a
    cosine and goes lower, so that half the steps do.
    """

    batch: int = option(8, "crops an update, over all processes together", low=1, high=4096)
    steps: int = option(80_000, "updates in all; the schedule ends there", low=1, high=100_000_000)
    rate: float = option(1e-4, "largest step size of Adam", low=1e-8, high=1)
    encoder: Literal["vgg19", "vgg16"] = option("vgg19", "the pretrained network that is decoded, and that looks")
    layer: Literal["relu1_1", "relu2_1", "relu3_1", "relu4_1"] = option("relu4_1", "whose features are decoded")
    style_weight: float = option(10.0, "weight of the features' means and deviations; the paper's", low=0, high=1e9)
    content_weight: float = option(1.0, "weight of the features that were asked for; the paper's", low=0, high=1e9)


class AdaInRecipe(Recipe):
    """Trains an `AdaInDecoder`.

    The paper's VGG-19 has its weights scaled so that every layer's mean activation is 1; ours is left as it is, and
    its features are divided by that mean where they are compared.

    Args:
        options: see `AdaInTrainOptions`.
        device: where batches will be.
        dtype: of the encoder.
        perception: eyes of one's own instead of `options.encoder`; mean activations of the layers must be known.

    Raises:
        ModelError: when the encoder's weights cannot be had.
    """

    name: ClassVar[str] = "adain"
    options: AdaInTrainOptions

    def __init__(
        self,
        options: AdaInTrainOptions,
        *,
        device: torch.device,
        dtype: torch.dtype,
        perception: Perception | None = None,
    ) -> None:
        super().__init__(options, device=device, dtype=dtype)
        from impasto.offline.networks.adain import AdaInDecoder
        from impasto.offline.perception import open_perception

        layers, last = LAYERS[: LAYERS.index(options.layer) + 1], (options.layer,)
        self.perception = perception or open_perception(
            options, device=device, dtype=dtype, pooling="max", style=layers, content=last
        )
        multiple = 2 ** (len(layers) - 1)
        for stage in stages(options):
            if stage.crop % multiple:
                raise OptionError(f"crops of {stage.crop} do not suit {options.layer}; give a multiple of {multiple}")
        self._scale = {tap: self.perception.encoder.mean_activation(tap) for tap in layers}
        self.network = AdaInDecoder(encoder=options.encoder, layer=options.layer).to(device)

    def read(self, batch: Batch) -> Reading:
        """The loss of a batch (equations 11 to 13)."""
        import torch

        from impasto.losses import channel_moments, moment_distance, widen
        from impasto.offline.networks.adain import adain
        from impasto.offline.perception import half

        eyes, last = self.perception, self.options.layer
        style = eyes.remember(batch.style, eyes.style)
        wanted = adain(eyes.remember(batch.content, [last])[last], style[last])
        with half(self.device, self.dtype):
            painted = self.network(wanted).float()
        seen = eyes.look(painted, eyes.style)
        apart = (widen(seen[last]) - widen(wanted)) / self._scale[last]
        found = [
            moment_distance(channel_moments(seen[tap] / scale), channel_moments(style[tap] / scale)).mean()
            for tap, scale in self._scale.items()
        ]
        terms = {
            "content": self.options.content_weight * apart.square().mean(),
            "style": self.options.style_weight * torch.stack(found).sum(),
        }
        return Reading(terms, {f"moments_{tap}": m.detach() for tap, m in zip(self._scale, found, strict=True)})

    def paint(self, network: nn.Module, photo: Tensor, painting: Tensor) -> Tensor:
        """The photo with its features' means and deviations exchanged for the painting's."""
        from impasto.offline.networks.adain import adain
        from impasto.offline.perception import half

        last = self.options.layer
        content, style = (self.perception.remember(picture, [last])[last] for picture in (photo, painting))
        with half(self.device, self.dtype):
            painted: Tensor = network(adain(content, style))
        return painted.float()

    def about(self) -> dict[str, object]:
        """How the encoder pools; which encoder and layer it is, the network says."""
        return {"pooling": "max"}
