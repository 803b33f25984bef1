"""Normalisation by what was seen so far, the same in training and in use."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn


class RunningNorm(nn.Module):
    """`(x - mean) / sqrt(var + eps)` with the running mean and variance of each feature, in both modes.

    In training the batch first moves the statistics, then is normalised by them. So a batch of one is as good as any,
    nothing changes between training and use, and several processes with a share of a batch each do what one would with
    the whole. The variance is that around the running mean: what differs between batches counts as well.

    Buffers as those of `torch.nn.BatchNorm1d(features, affine=False)`, so that either's state fills the other.

    Args:
        features: F.
        momentum: weight of a new batch, once more than 1 / momentum have been seen; before, all weigh the same, so
            that the start, zero mean and unit variance, leaves no trace.

    Shapes: (N, F) -> (N, F).
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, features: int, *, momentum: float = 0.01, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.register_buffer("running_mean", torch.zeros(features))
        self.register_buffer("running_var", torch.ones(features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Normalises x."""
        if self.training:
            self._learn(x)
        return (x - self.running_mean) * torch.rsqrt(self.running_var + self.eps)

    @torch.no_grad()
    def _learn(self, x: Tensor) -> None:
        """Moves the statistics towards those of the whole batch, over all processes."""
        away = x.to(self.running_mean.dtype) - self.running_mean  # sums of small numbers lose less than those of large
        count = away.new_full((1,), len(away))
        sums = torch.cat([away.sum(0), away.square().sum(0), count])
        if distributed.is_available() and distributed.is_initialized():
            distributed.all_reduce(sums)
        first, second = (sums[:-1] / sums[-1]).chunk(2)
        self.num_batches_tracked += 1
        weight = (1 / self.num_batches_tracked.to(sums.dtype)).clamp(min=self.momentum)
        self.running_mean += weight * first
        moved = (1 - weight) * self.running_var + weight * second - (weight * first).square()
        self.running_var.copy_(moved.clamp(min=0))
