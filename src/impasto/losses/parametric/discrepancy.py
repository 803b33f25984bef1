"""Style as a distribution of features, compared by the maximum mean discrepancy (Li et al. 2017, arXiv 1701.01036).

Demystifying neural style transfer: matching Gram matrices is this discrepancy with the kernel (x . y)^2. Others make
other texture models: with x . y only the mean counts, with a Gaussian all of the distribution does.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.losses.loss import Features, Loss, widen
from impasto.losses.parametric.gram import gram_matrix
from impasto.losses.parametric.histogram import chosen

Kernel = Literal["linear", "polynomial", "gaussian"]

POSITIONS = 2048
"""Most of a map that the Gaussian kernel looks at: every two of them are compared."""

ROWS = 256
"""Rows of the kernel's matrix that are in memory at once: with `POSITIONS` columns, 2 MB, three times over."""


def kernel_statistics(features: Tensor, kernel: Kernel, guide: Tensor | None = None, seed: int = 0) -> Tensor:
    """What a kernel sees of a feature map.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        kernel: "linear": the mean, (B, C). "polynomial", of degree 2: the Gram matrix, (B, C, C). "gaussian": up to
            `POSITIONS` positions, (B, N, C), drawn anew for each seed and size, equal for equal ones.
        guide: how much each position counts, (1 or B, 1, H, W), at least 0; None for all alike. With "gaussian",
            positions with less than half of its maximum do not count.
        seed: of the positions.

    Raises:
        OptionError: on another kernel.
    """
    if kernel == "polynomial":
        return gram_matrix(features, guide)
    if kernel == "linear":
        features = widen(features)
        if guide is None:
            return features.mean((2, 3))
        guide = guide.to(features)
        return (features * guide).sum((2, 3)) / guide.sum((2, 3))
    if kernel != "gaussian":
        raise OptionError(f"there is no kernel {kernel!r}; there are {', '.join(get_args(Kernel))}")
    found = chosen(features, guide)
    count = min(POSITIONS, *(sample.shape[1] for sample in found))
    return torch.stack([sample[:, _drawn(sample, count, seed)].T for sample in found])


def _drawn(sample: Tensor, count: int, seed: int) -> Tensor:
    """Which `count` of the positions of (C, N) are looked at."""
    everything = torch.randperm(sample.shape[1], generator=torch.Generator().manual_seed(seed))
    return everything[:count].to(sample.device)


def kernel_discrepancy(found: Tensor, target: Tensor, bandwidth: Tensor | None = None) -> Tensor:
    """Squared maximum mean discrepancy of the distributions that two statistics are of.

    Args:
        found: the picture's statistics, for a kernel whose features are finite: (B, C) or (B, C, C).
        target: the style's, of as many pictures or of one. Samples (B, N, C) with a bandwidth.
        bandwidth: of the Gaussian kernel exp(-|x - y|^2 / (2 bandwidth^2)), (B or 1,); None for the other kernels.

    Returns:
        (B,), 0 when both agree. With the polynomial kernel C^2 times `gram_distance`. With the Gaussian one the mean
        over all pairs, that of a position with itself among them, so that it is never negative.
    """
    if bandwidth is None:
        return (found - target).square().flatten(1).sum(1)
    b = len(found)
    target, bandwidth = target.expand(b, -1, -1), bandwidth.expand(b)
    own = _kernel_mean(found, found.detach(), bandwidth)
    own = 2 * own - own.detach()  # either side of a pair pulls; the function knows of one
    return own + _kernel_mean(target, target, bandwidth) - 2 * _kernel_mean(found, target, bandwidth)


def median_bandwidth(samples: Tensor) -> Tensor:
    """The median distance of every two samples, (B, N, C) to (B,); the mean where more than half of them are equal."""
    few = samples[:, : POSITIONS // 4]
    apart = torch.cdist(few, few).flatten(1)
    median, mean = apart.median(1).values, apart.mean(1)
    width = torch.where(median > 0, median, mean)
    size = samples.square().sum(2).mean(1).sqrt()
    return torch.maximum(width, 1e-3 * size).clamp_min(1e-6)


class _KernelMean(torch.autograd.Function):
    """Mean of a Gaussian kernel over all pairs, as a function of the first sample: its gradient is found on the way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, bandwidth: Tensor) -> Tensor:
        rate = 0.5 / bandwidth.square()[:, None, None]
        values, gradients = [], []
        far = y.square().sum(2)[:, None, :]
        for first in range(0, x.shape[1], ROWS):
            rows = x[:, first : first + ROWS]
            apart = (rows.square().sum(2, keepdim=True) + far).baddbmm_(rows, y.mT, alpha=-2).clamp_min_(0)
            near = apart.mul_(-rate).exp_()
            weight = near.sum(2, keepdim=True)
            values.append(weight.sum((1, 2)))
            gradients.append(2 * rate * (near @ y - weight * rows))
        pairs = x.shape[1] * y.shape[1]
        ctx.save_for_backward(torch.cat(gradients, 1) / pairs)
        return torch.stack(values).sum(0) / pairs

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad[:, None, None] * gradient, None, None


def _kernel_mean(x: Tensor, y: Tensor, bandwidth: Tensor) -> Tensor:
    centre = y.detach().mean(1, keepdim=True)  # distances between large numbers would lose their digits
    found: Tensor = _KernelMean.apply(x - centre, y - centre, bandwidth)  # type: ignore[no-untyped-call]
    return found


class DiscrepancyLoss(Loss):
    """Squared maximum mean discrepancy of one layer's features and the style's.

    Args:
        layer: the encoder's tap.
        target: the style's features there, (B or 1, C, H, W); of them, `kernel_statistics` are kept.
        kernel: "linear", "polynomial" or "gaussian"; the last with the median of the style's distances as bandwidth.
        seed: of the positions that the Gaussian kernel looks at; a new loss with another seed looks at others.
        style_guide: how much each position of the style counts, (1 or B, 1, H, W); None for all alike.
        guide: how much each position of the picture counts, (1 or B, 1, H, W) at the map's size; None for all alike.
        relative: divide by the discrepancy of a map of zeros, so that every layer has an equal voice.
    """

    label = "style"
    target: Tensor
    bandwidth: Tensor | None
    guide: Tensor | None

    def __init__(self, layer: str, target: Tensor, *, kernel: Kernel = "gaussian", seed: int = 0,
                 style_guide: Tensor | None = None, guide: Tensor | None = None,
                 relative: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.layer, self.taps, self.kernel, self.seed = layer, (layer,), kernel, seed
        seen = kernel_statistics(target.detach(), kernel, style_guide, seed)
        bandwidth = median_bandwidth(seen) if kernel == "gaussian" else None
        for name, value in {"target": seen, "bandwidth": bandwidth, "guide": guide}.items():
            self.register_buffer(name, value, persistent=False)
        nothing = kernel_discrepancy(torch.zeros_like(seen), seen, bandwidth).mean() if relative else 1.0
        self.scale = 1 / max(float(nothing), 1e-20)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        found = kernel_statistics(features[self.layer], self.kernel, self.guide, self.seed)
        return self.scale * kernel_discrepancy(found, self.target, self.bandwidth).mean()
