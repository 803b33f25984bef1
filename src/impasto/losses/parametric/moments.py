"""Style as the mean and the spread of every channel (Huang and Belongie 2017, equation 13).

Blind to which features go together, which a Gram matrix sees; in return it costs next to nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from impasto.losses.loss import Features, Loss, pieces, widen
from impasto.losses.relative import relative_distance

VARIANCE_FLOOR = 1e-5  # the authors' code; keeps the root's gradient finite where a channel is silent


class Moments(NamedTuple):
    """What is kept of a feature map: `mean` and `deviation` of each channel, (B, C) each."""

    mean: Tensor
    deviation: Tensor


def channel_moments(features: Tensor, guide: Tensor | None = None) -> Moments:
    """Mean and standard deviation of each channel of each picture, or of what a guide points at.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least. The variance is the unbiased one;
            of a single position it is 0.
        guide: how much each position counts, (1 or B, 1, H, W), at least 0; None for all alike.
    """
    if guide is not None:
        flat = widen(features).flatten(2)
        return _guided_moments(flat, guide.to(flat).flatten(2))
    mean, variance = _MeanAndVariance.apply(features)  # type: ignore[no-untyped-call]
    return Moments(mean, torch.sqrt(variance + VARIANCE_FLOOR))


class _MeanAndVariance(torch.autograd.Function):
    """Of each channel, in the pieces of `pieces`.

    The way back is one product and one sum a feature, in the order of memory that the features came in.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        found = [_mean_and_squares(widen(piece)) for piece in pieces(features)]
        mean, squares = (torch.cat(part) for part in zip(*found, strict=True))
        ctx.save_for_backward(features, mean)
        return mean, squares / _freedom(features)

    @staticmethod
    def backward(ctx: Any, mean_slope: Tensor, variance_slope: Tensor) -> Tensor:
        features, mean = ctx.saved_tensors
        slope = 2 * variance_slope / _freedom(features)
        start = mean_slope / (features.shape[2] * features.shape[3]) - slope * mean
        found, done = torch.empty_like(features), 0
        for piece in pieces(features):
            rows = slice(done, done + len(piece))
            found[rows] = torch.addcmul(start[rows, :, None, None], widen(piece), slope[rows, :, None, None])
            done += len(piece)
        return found


def _mean_and_squares(wide: Tensor) -> tuple[Tensor, Tensor]:
    """Of (B, C, H, W): the means, and the sums of the squared differences from them, (B, C) each."""
    mean = wide.mean((2, 3), keepdim=True)
    return mean.flatten(1), (wide - mean).square().sum((2, 3))


def _freedom(features: Tensor) -> int:
    """By how much the sum of squares is divided: one less than there are positions, but not by 0."""
    return max(1, features.shape[2] * features.shape[3] - 1)


def _guided_moments(flat: Tensor, guide: Tensor) -> Moments:
    """Of (B, C, N), weighted by (1 or B, 1, N); with equal weights the moments without any."""
    count = guide.sum(2)
    mean = (flat * guide).sum(2) / count
    spread = ((flat - mean[..., None]).square() * guide).sum(2)
    freedom = count - guide.square().sum(2) / count  # N - 1 for equal weights of 1, 0 for a single position
    variance = spread / torch.where(freedom > 1e-6 * count, freedom, count)
    return Moments(mean, torch.sqrt(variance + VARIANCE_FLOOR))


def moment_distance(found: Moments, target: Moments) -> Tensor:
    """Mean squared difference of the means plus that of the deviations: (B,), 0 when both are equal."""
    return (found.mean - target.mean).square().mean(1) + (found.deviation - target.deviation).square().mean(1)


def relative_moment_distance(found: Moments, target: Moments) -> Tensor:
    """`relative_distance` of the means plus that of the deviations: (B,), 0 when both are equal, at most 4."""
    return relative_distance(found.mean, target.mean) + relative_distance(found.deviation, target.deviation)


class MomentLoss(Loss):
    """Distance of one layer's moments to the style's.

    Args:
        layer: the encoder's tap.
        target: the style's moments there.
        guide: how much each position of the picture counts, (1 or B, 1, H, W) at the map's size; None for all alike.
        relative: measure each sample's difference by the size of both, so that layers and styles have equal voices.
    """

    label = "moments"
    mean: Tensor
    deviation: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Moments, *, guide: Tensor | None = None, relative: bool = False) -> None:
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.distance = relative_moment_distance if relative else moment_distance
        for name, value in target._asdict().items():
            self.register_buffer(name, value.detach(), persistent=False)
        self.register_buffer("guide", guide, persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        target = Moments(self.mean, self.deviation)
        return self.distance(channel_moments(features[self.layer], self.guide), target).mean()
