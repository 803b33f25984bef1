"""Style as texture: which features occur together, wherever they are (Gatys et al. 2015, equations 3 to 5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impasto.losses.loss import Features, Loss, widen
from impasto.losses.relative import relative_distance


def gram_matrix(features: Tensor) -> Tensor:
    """Mean product of every two channels over all positions.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.

    Returns:
        (B, C, C). Divided by H * W, so that pictures of different sizes can be compared.
    """
    gram: Tensor = _Gram.apply(widen(features))  # type: ignore[no-untyped-call]
    return gram


class _Gram(torch.autograd.Function):
    """One product back instead of the two that F times F transposed would take, in the features' own memory order."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        flat = features.flatten(2)
        return torch.bmm(flat, flat.transpose(1, 2)) / flat.shape[2]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        positions = features.flatten(2).transpose(1, 2)
        both = (grad + grad.transpose(1, 2)) / positions.shape[1]
        b, c, h, w = features.shape
        return torch.bmm(positions, both).view(b, h, w, c).permute(0, 3, 1, 2)


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


class BalancedGramLoss(Loss):
    """One layer's Gram matrix against the style's, each sample's difference measured by the size of both.

    Unlike `GramLoss(relative=True)`, at most 2 however far off the picture is, and each of several targets has its own
    voice.

    Args:
        layer: the encoder's tap.
        target: the styles' Gram matrices there, (B, C, C), or (1, C, C) for all samples.
    """

    label = "style"
    target: Tensor

    def __init__(self, layer: str, target: Tensor) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", target.detach(), persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        return relative_distance(gram_matrix(features[self.layer]), self.target).mean()
