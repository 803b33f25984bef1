"""Style as a Gaussian: mean and covariance of the features, compared by the Wasserstein-2 distance.

Dowson and Landau 1982, The Frechet distance between multivariate normal distributions. As a style loss: K. Crowson's
style-transfer-pytorch. It is what moving one cloud of features onto another costs, if only mean and covariance count.

The distance asks for the trace of a matrix root, which is the sum of the singular values of a product of triangles:
tr (C1^1/2 C2 C1^1/2)^1/2 = |L1^T L2|, where C = L L^T. Taken from there nothing is squared, which in float32 keeps the
directions in which a style hardly varies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from impasto.losses.loss import Additive, Features, Places, tile_of, widen
from impasto.losses.parametric.gram import gram_sums

RIDGE = 1e-3
"""Variance that every direction has besides, in units of the style's mean square of a channel: directions in which
neither picture varies by that much do not matter, and no root has an infinite slope."""

LEAST_RIDGE = 1e-5  # likewise of the picture's, where the style is next to nothing
LEAST = 1e-5
"""The least singular value, relative to the matrix, that `newton_schulz` is made for."""

EXACT = 1e-8  # how far from 1 the iteration leaves the singular values of its result


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
    _, total, count = gaussian_sums(features, guide)
    mean = total / count[..., 0]
    products, total, count = gaussian_sums(features, guide, mean)
    return gaussian_of_sums(products, total, count, mean)


def gaussian_sums(features: Tensor, guide: Tensor | None = None, shift: Tensor | None = None) -> tuple[Tensor, ...]:
    """Sums over positions that `gaussian_of_sums` takes: products (B, C, C), features (B, C), count (B, 1, 1).

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        guide: how much each position counts, (1 or B, 1, H, W), at least 0; None for all alike.
        shift: taken off the features first, (B or 1, C). Near the mean, the covariance loses no digits to it.
    """
    features = widen(features)
    if shift is not None:
        features = features - shift[..., None, None]
    products, count = gram_sums(features, guide)
    weighted = features if guide is None else features * guide.to(features)
    return products, weighted.sum((2, 3)), count


def gaussian_of_sums(products: Tensor, total: Tensor, count: Tensor, shift: Tensor | None = None) -> Gaussian:
    """The Gaussian of which `gaussian_sums` found these over all positions, with the same `shift`."""
    mean = total / count[..., 0]
    covariance = products / count - mean[:, :, None] * mean[:, None, :]
    return Gaussian(mean if shift is None else mean + shift, covariance)


def wasserstein_distance(found: Gaussian, target: Gaussian) -> Tensor:
    """Squared Wasserstein-2 distance of two Gaussians, both with a little variance more in every direction (`RIDGE`).

    Args:
        found: of the picture.
        target: of the style; of one or of as many.

    Returns:
        (B,): |m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2), 0 when both agree, up to rounding (about 1e-6 of
        the traces). Not divided by anything.
    """
    ridge = torch.maximum(RIDGE * _size(target), LEAST_RIDGE * _size(found).detach()).clamp_min(1e-30)[:, None, None]
    identity = torch.eye(found.mean.shape[1], dtype=ridge.dtype, device=ridge.device)
    mine, theirs = found.covariance + ridge * identity, target.covariance + ridge * identity
    shared: Tensor = _TraceOfRoot.apply(mine, theirs)  # type: ignore[no-untyped-call]
    return (found.mean - target.mean).square().sum(1) + _trace(mine) + _trace(theirs) - 2 * shared


class _TraceOfRoot(torch.autograd.Function):
    """tr (C1^1/2 C2 C1^1/2)^1/2 as a function of C1.

    Its gradient is half the matrix that transports the one Gaussian onto the other, L1^-T Q L2^T with Q the orthogonal
    factor of L1^T L2: found on the way, so that nothing goes back through the iteration.
    """

    @staticmethod
    def forward(ctx: Any, mine: Tensor, theirs: Tensor) -> Tensor:
        first, second = _triangle(mine), _triangle(theirs)
        product = first.mT @ second
        factor = orthogonal_factor(product)
        ctx.save_for_backward(first, factor @ second.mT)
        return (factor * product).sum((1, 2))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        first, pulled = ctx.saved_tensors
        transport = torch.linalg.solve_triangular(first.mT, pulled, upper=True)
        return grad[:, None, None] * (transport + transport.mT) / 4, None


def orthogonal_factor(matrix: Tensor) -> Tensor:
    """Q of the polar decomposition M = Q P of matrices (B, C, C): the orthogonal matrix that is nearest.

    On a processor from the singular vectors, in half the time of `newton_schulz`, which is for all other devices.
    """
    if matrix.device.type != "cpu":
        return newton_schulz(matrix)
    if not bool(matrix.isfinite().all()):
        return torch.full_like(matrix, torch.nan)
    left, _, right = torch.linalg.svd(matrix)
    factor: Tensor = left @ right
    return factor


def newton_schulz(matrix: Tensor) -> Tensor:
    """The orthogonal factor by Newton and Schulz's iteration, X (3 - X^T X) / 2: products alone.

    Scaled so that small singular values grow by 2.6 a step instead of 1.5 (Chen and Chow 2014, A stable scaling of
    Newton-Schulz for improving the sign function computation of a Hermitian matrix).
    """
    factor: Tensor = matrix / matrix.flatten(1).norm(dim=1).clamp_min(1e-30)[:, None, None]
    for a in _scaling():
        factor = 1.5 * a * factor - 0.5 * a**3 * (factor @ (factor.mT @ factor))
    return factor


@lru_cache(maxsize=1)
def _scaling() -> tuple[float, ...]:
    """Each step's scaling, given that all singular values lie in [low, 1]."""
    low, found = LEAST, []
    while 1 - low > EXACT:
        a = (3 / (1 + low + low**2)) ** 0.5
        if low < 0.1:
            a *= 0.99  # what rounding puts above 1 must not change its sign
        low *= (3 * a - a**3 * low**2) / 2
        found.append(a)
    return tuple(found)


def _triangle(matrix: Tensor) -> Tensor:
    """L of M = L L^T; not finite, instead of an error, where M is not finite."""
    lower, failed = torch.linalg.cholesky_ex(matrix)
    return torch.where(failed[:, None, None] > 0, torch.nan, lower)


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=1, dim2=2).sum(1)


def _size(of: Gaussian) -> Tensor:
    """Mean square of a channel, (B,)."""
    return (of.mean.square().sum(1) + _trace(of.covariance)) / of.mean.shape[1]


class WassersteinLoss(Additive):
    """Squared Wasserstein-2 distance of one layer's Gaussian to the style's, over the number of channels.

    Args:
        layer: the encoder's tap.
        target: the style's Gaussian there.
        guide: how much each position of the picture counts, (1 or B, 1, H, W) at the map's size; None for all alike.
        relative: divide by the distance of a map of zeros instead, so that every layer has an equal voice.
    """

    label = "style"
    mean: Tensor
    covariance: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Gaussian, *, guide: Tensor | None = None, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        target = Gaussian(*(value.detach() for value in target))
        for name, value in {**target._asdict(), "guide": guide}.items():
            self.register_buffer(name, value, persistent=False)
        nothing = Gaussian(*(torch.zeros_like(value) for value in target))
        size = float(wasserstein_distance(nothing, target).mean()) if relative else target.mean.shape[1]
        self.scale = 1 / max(size, 1e-20)

    def sums(self, features: Features, places: Places | None = None) -> tuple[Tensor, ...]:
        """Those of `gaussian_sums` about the target's mean."""
        guide = None if self.guide is None else tile_of(self.guide, places, self.layer)
        return gaussian_sums(features[self.layer], guide, self.mean)

    def of_sums(self, *sums: Tensor) -> Tensor:
        """A scalar, 0 at the target."""
        products, total, count = sums
        found = gaussian_of_sums(products, total, count, self.mean)
        return self.scale * wasserstein_distance(found, Gaussian(self.mean, self.covariance)).mean()
