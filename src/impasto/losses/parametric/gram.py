"""Style as texture: which features occur together, wherever they are (Gatys et al. 2015, equations 3 to 5)."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.losses.loss import Features, Loss, widen


def gram_matrix(features: Tensor) -> Tensor:
    """Mean product of every two channels over all positions.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.

    Returns:
        (B, C, C). Divided by H * W, so that pictures of different sizes can be compared.
    """
    flat = widen(features).flatten(2)
    return torch.bmm(flat, flat.transpose(1, 2)) / flat.shape[2]


def gram_distance(gram: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two Gram matrices (B, C, C): a scalar, 0 when both are equal."""
    return (gram - target).square().mean()


class GramLoss(Loss):
    """Distance of one layer's Gram matrix to the style's.

    Args:
        layer: the encoder's tap.
        target: the style's Gram matrix there, (B, C, C). Of several styles: their weighted mean, which has the
            same gradient as the weighted sum of one loss each.
        relative: divide by the target's mean square, so that every layer and every style has an equal voice.
    """

    label = "style"
    target: Tensor

    def __init__(self, layer: str, target: Tensor, *, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", target.detach(), persistent=False)
        self.scale = 1 / max(float(self.target.square().mean()), 1e-20) if relative else 1.0

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        return self.scale * gram_distance(gram_matrix(features[self.layer]), self.target)
