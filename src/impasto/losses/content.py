"""What a photo shows: the feature maps themselves (Gatys et al. 2015, equation 1)."""

from __future__ import annotations

from torch import Tensor

from impasto.losses.loss import Features, Loss, widen


def feature_distance(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two feature maps.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        target: the same shape.

    Returns:
        A scalar, 0 when both are equal. Gatys et al. 2015 sum and halve instead; their public code takes the mean.
    """
    return (widen(features) - widen(target)).square().mean()


class ContentLoss(Loss):
    """Distance of one layer's features to the photo's.

    Args:
        layer: the encoder's tap, relu4_2 in the paper.
        target: the photo's features there, (B, C, H, W).
        relative: divide by the target's mean square, so that 1 is "as far as nothing at all" on any encoder.
    """

    label = "content"
    target: Tensor

    def __init__(self, layer: str, target: Tensor, *, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", target.detach(), persistent=False)
        self.scale = 1 / max(float(widen(self.target).square().mean()), 1e-12) if relative else 1.0

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        return self.scale * feature_distance(features[self.layer], self.target)
