"""Style as texture: which features occur together, wherever they are (Gatys et al. 2015, equations 3 to 5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from impasto.losses.loss import Additive, Features, Loss, Places, tile_of, widen
from impasto.losses.relative import relative_distance

PARTS = 4
"""In which the positions of a single picture are added up, since a product of one matrix keeps one core busy."""


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Mean product of every two channels over all positions, or over those that a guide points at.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        guide: how much each position counts, (1 or B, 1, H, W), at least 0; None for all alike (Gatys et al. 2017,
            Controlling perceptual factors in neural style transfer, equation 6).

    Returns:
        (B, C, C). Divided by the positions that count, so that pictures of different sizes can be compared.
    """
    total, count = gram_sums(features, guide)
    return total / count


def gram_sums(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The sums whose quotient is `gram_matrix`: products (B, C, C), and how many positions count, (B, 1, 1)."""
    if guide is None:
        count = torch.tensor(features.shape[2] * features.shape[3], device=features.device)
        count = count.to(torch.promote_types(features.dtype, torch.float32)).expand(len(features), 1, 1)
    else:
        features = widen(features)
        guide = guide.to(features).expand(len(features), -1, -1, -1)
        features, count = features * guide.sqrt(), guide.sum((2, 3))[..., None]
    total: Tensor = _Gram.apply(features)  # type: ignore[no-untyped-call]
    return total, count


class _Gram(torch.autograd.Function):
    """One product back instead of the two that F times F transposed would take, in the features' own memory order.

    The matrices are float32 at least; what goes back to half precise features is multiplied in half precision too, and
    added up in float32.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        flat = widen(features).flatten(2).transpose(1, 2)
        b, n, c = flat.shape
        if b > 1 or n < PARTS * c:
            return torch.bmm(flat.transpose(1, 2), flat)
        rest = flat[:, n - n % PARTS :]
        parts = flat[:, : n - n % PARTS].reshape(PARTS, -1, c)
        return torch.bmm(parts.transpose(1, 2), parts).sum(0, keepdim=True) + torch.bmm(rest.transpose(1, 2), rest)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        positions = features.flatten(2).transpose(1, 2)
        both = (grad + grad.transpose(1, 2)).to(features.dtype)
        b, c, h, w = features.shape
        return torch.bmm(positions, both).view(b, h, w, c).permute(0, 3, 1, 2)


def gram_distance(gram: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference of two Gram matrices (B, C, C): a scalar, 0 when both are equal."""
    return (gram - target).square().mean()


class GramLoss(Additive):
    """Distance of one layer's Gram matrix to the style's.

    Args:
        layer: the encoder's tap.
        target: the style's Gram matrix there, (B, C, C). Of several styles: their weighted mean, which has the
            same gradient as the weighted sum of one loss each.
        guide: how much each position of the picture counts, (1, 1, H, W) at the map's size; None for all alike.
        relative: divide by the target's mean square, so that every layer and every style has an equal voice.
    """

    label = "style"
    target: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Tensor, *, guide: Tensor | None = None, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", target.detach(), persistent=False)
        self.register_buffer("guide", guide, persistent=False)
        self.scale = 1 / max(float(self.target.square().mean()), 1e-20) if relative else 1.0

    def sums(self, features: Features, places: Places | None = None) -> tuple[Tensor, ...]:
        """Those of `gram_sums`."""
        return gram_sums(features[self.layer], None if self.guide is None else tile_of(self.guide, places, self.layer))

    def of_sums(self, *sums: Tensor) -> Tensor:
        """A scalar, 0 at the target."""
        total, count = sums
        return self.scale * gram_distance(total / count, self.target)


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
