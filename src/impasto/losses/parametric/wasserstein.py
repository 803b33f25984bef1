"""Style as a Gaussian: mean and covariance of the features, compared by the Wasserstein-2 distance.

Dowson and Landau 1982, The Frechet distance between multivariate normal distributions. As a style loss: K. Crowson's
style-transfer-pytorch. It is what moving one cloud of features onto another costs, if only mean and covariance count.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from impasto.losses.loss import Additive, Features, Places, tile_of, widen
from impasto.losses.parametric.gram import gram_sums

ITERATIONS = 12
"""Of Newton and Schulz's."""


class Gaussian(NamedTuple):
    """What is kept of a feature map: `mean` (B, C) and `covariance` (B, C, C)."""

    mean: Tensor
    covariance: Tensor


def gaussian(features: Tensor, guide: Tensor | None = None) -> Gaussian:
    """Mean and covariance of the channels over all positions, or over those that a guide points at.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        guide: how much each position counts, (1 or B, 1, H, W), at least 0; None for all alike.
    """
    return gaussian_of_sums(*gaussian_sums(features, guide))


def gaussian_sums(features: Tensor, guide: Tensor | None = None) -> tuple[Tensor, ...]:
    """Sums over positions that `gaussian_of_sums` takes: products (B, C, C), features (B, C), count (B, 1, 1)."""
    features = widen(features)
    products, count = gram_sums(features, guide)
    weighted = features if guide is None else features * guide.to(features)
    return products, weighted.sum((2, 3)), count


def gaussian_of_sums(products: Tensor, total: Tensor, count: Tensor) -> Gaussian:
    """The Gaussian of which `gaussian_sums` found these over all positions."""
    mean = total / count[..., 0]
    return Gaussian(mean, products / count - mean[:, :, None] * mean[:, None, :])


def matrix_root(matrix: Tensor, iterations: int = ITERATIONS) -> tuple[Tensor, Tensor]:
    """The square root of symmetric positive matrices (B, C, C), and its inverse, by Newton and Schulz's iteration.

    Products alone, which every device is quick at. What belongs to eigenvalues far below the largest (by more than
    2.25 to the power of `iterations`) has not come to its end, and is too small: in the inverse that is welcome.
    """
    size = matrix.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None]
    identity = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device).expand_as(matrix)
    root, inverse = matrix / size, identity
    for _ in range(iterations):
        step = 1.5 * identity - 0.5 * inverse @ root
        root, inverse = root @ step, step @ inverse
    return root * size.sqrt(), inverse / size.sqrt()


class _TraceOfRoot(torch.autograd.Function):
    """tr(M^1/2), whose gradient is M^-1/2 / 2, which the iteration finds besides: nothing goes back through it."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        root, inverse = matrix_root(matrix)
        ctx.save_for_backward(inverse)
        return _trace(root)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        return grad[:, None, None] * inverse / 2


def wasserstein_distance(found: Gaussian, target: Gaussian, root: Tensor | None = None) -> Tensor:
    """Squared Wasserstein-2 distance of two Gaussians.

    Args:
        found: of the picture.
        target: of the style.
        root: the square root of the target's covariance, if it is known already.

    Returns:
        (B,): |m1 - m2|^2 + tr(C1 + C2 - 2 (C2^1/2 C1 C2^1/2)^1/2), 0 when both agree, up to what the iteration for
        roots leaves.
    """
    if root is None:
        root = matrix_root(target.covariance)[0]
    middle = root @ found.covariance @ root
    shared: Tensor = _TraceOfRoot.apply((middle + middle.transpose(1, 2)) / 2)  # type: ignore[no-untyped-call]
    spread = _trace(found.covariance) + _trace(target.covariance) - 2 * shared
    return (found.mean - target.mean).square().sum(1) + spread


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


class WassersteinLoss(Additive):
    """Squared Wasserstein-2 distance of one layer's Gaussian to the style's, over the number of channels.

    Args:
        layer: the encoder's tap.
        target: the style's Gaussian there.
        guide: how much each position of the picture counts, (1, 1, H, W) at the map's size; None for all alike.
        relative: divide by the distance of the target from nothing at all, so that every layer has an equal voice.
    """

    label = "style"
    mean: Tensor
    covariance: Tensor
    root: Tensor
    rest: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Gaussian, *, guide: Tensor | None = None, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        target = Gaussian(*(t.detach() for t in target))
        root = matrix_root(target.covariance)[0]
        rest = wasserstein_distance(target, target, root)  # what the iteration leaves where there should be nothing
        kept = {"mean": target.mean, "covariance": target.covariance, "root": root, "rest": rest, "guide": guide}
        for name, value in kept.items():
            self.register_buffer(name, value, persistent=False)
        size = float((target.mean.square().sum(1) + _trace(target.covariance)).mean())
        self.scale = 1 / max(size, 1e-20) if relative else 1 / target.mean.shape[1]

    def sums(self, features: Features, places: Places | None = None) -> tuple[Tensor, ...]:
        """Those of `gaussian_sums`."""
        guide = None if self.guide is None else tile_of(self.guide, places, self.layer)
        return gaussian_sums(features[self.layer], guide)

    def of_sums(self, *sums: Tensor) -> Tensor:
        """A scalar, 0 at the target."""
        target = Gaussian(self.mean, self.covariance)
        distance = wasserstein_distance(gaussian_of_sums(*sums), target, self.root)
        return self.scale * (distance - self.rest).mean()
