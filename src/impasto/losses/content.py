"""What a photo shows: the feature maps themselves (Gatys et al. 2015, equation 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.losses.loss import Additive, Features, Loss, Places, pieces, tile_of, widen

NORMAL_EPS = 1e-5  # added to variances; far below those of a living channel


def feature_distance(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two feature maps.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        target: the same shape.

    Returns:
        A scalar, 0 when both are equal. Gatys et al. 2015 sum and halve instead; their public code takes the mean.
    """
    return (widen(features) - widen(target)).square().mean()


def normalised_features(features: Tensor) -> Tensor:
    """Each channel of each picture with mean 0 and deviation 1: what is where, in whatever colours and contrast.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.

    Returns:
        The same shape. A channel that is the same everywhere is 0.
    """
    wide = widen(features)
    centred = wide - wide.mean((2, 3), keepdim=True)
    return centred * torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + NORMAL_EPS)


def normalised_distance(features: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two feature maps, (B, C, H, W) each, once both are normalised.

    A style may then change colours and contrast without being held back (Park and Lee 2019, Arbitrary style transfer
    with style-attentional networks).

    Returns:
        (B,), 0 when the maps agree, 2 when they are unrelated.
    """
    many = max(len(features), len(target))
    pairs = zip(*(pieces(maps.expand(many, -1, -1, -1)) for maps in (features, target)), strict=True)
    found = [(normalised_features(a) - normalised_features(b)).square().flatten(1).mean(1) for a, b in pairs]
    return torch.cat(found)


class ContentLoss(Additive):
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

    def sums(self, features: Features, places: Places | None = None) -> tuple[Tensor, ...]:
        """The sum of squared differences, and how many there are."""
        seen, target = widen(features[self.layer]), widen(tile_of(self.target, places, self.layer))
        return (seen - target).square().sum(), seen.new_tensor(seen.numel())

    def of_sums(self, *sums: Tensor) -> Tensor:
        """A scalar, 0 at the target."""
        total, count = sums
        return self.scale * total / count


class NormalisedContentLoss(Loss):
    """Distance of one layer's normalised features to the photo's.

    Args:
        layer: the encoder's tap.
        target: the photo's features there, (B, C, H, W).
    """

    label = "content"
    target: Tensor

    def __init__(self, layer: str, target: Tensor) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", target.detach(), persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        return normalised_distance(features[self.layer], self.target).mean()
