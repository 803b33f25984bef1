"""Style as the histogram of every channel (Risser et al. 2017, Stable and controllable neural texture synthesis).

Their loss is how far the features are from themselves once their histogram has been matched to the style's, the matched
values being held. That is the squared Wasserstein-2 distance of both histograms, and holding the values changes nothing
about its gradient. The paper matches binned histograms (arXiv 1701.08893, section 4.3); here every value has its own
rank.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from impasto.losses.loss import Features, Loss, widen

QUANTILES = 4096
"""Most that are kept of a channel. A style with as many positions or fewer is kept whole."""


def channel_quantiles(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """What is kept of a style: each channel's values in ascending order, thinned out to `QUANTILES`.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        guide: which positions count, see `chosen`.

    Returns:
        (B, C, Q), Q the number of positions, at most `QUANTILES`.
    """
    return thinned([ascending(values) for values in chosen(features, guide)])


def histogram_distance(features: Tensor, target: Tensor, guide: Tensor | None = None) -> Tensor:
    """Squared Wasserstein-2 distance of each channel's histogram to the style's, mean over channels.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        target: of `channel_quantiles`, (B or 1, C, Q); read off in between where there are more positions than Q.
        guide: which positions count, see `chosen`.

    Returns:
        (B,), 0 when both agree: exactly if there are as many positions as quantiles.
    """
    return distance_to_matched(chosen(features, guide), target)


def chosen(features: Tensor, guide: Tensor | None = None) -> list[Tensor]:
    """The features of the positions that count, (C, N) of each picture: ranks have no weights.

    Args:
        features: (B, C, H, W); widened to float32 at least.
        guide: (1 or B, 1, H, W), at least 0; positions with less than half of its maximum do not count. None for all.
    """
    flat = widen(features).flatten(2)
    if guide is None:
        return list(flat.unbind())
    kept = (guide >= guide.amax((2, 3), keepdim=True) / 2).flatten(1).expand(len(flat), -1)
    return [sample[:, here] for sample, here in zip(flat, kept, strict=True)]


def distance_to_matched(values: list[Tensor], target: Tensor) -> Tensor:
    """Mean squared distance of the numbers to what they become when each row is matched to its quantiles.

    Args:
        values: (R, N) of each picture.
        target: (B or 1, R, Q), ascending.

    Returns:
        (B,).
    """
    wanted = target.expand(len(values), -1, -1)
    return torch.stack([(v - matched(v, q)).square().mean() for v, q in zip(values, wanted, strict=True)])


@torch.no_grad()
def matched(values: Tensor, quantiles: Tensor) -> Tensor:
    """What each value becomes when every row takes on the distribution that the quantiles are of, ranks kept.

    Args:
        values: (R, N). Equal values are ranked in a scattered order, so that a flat area does not become a ramp.
        quantiles: (R, Q), ascending; interpolated to N.

    Returns:
        (R, N), without a graph.
    """
    wanted = quantiles_of(quantiles, values.shape[1]).to(values)
    if values.device.type != "cpu" or values.dtype != torch.float32:
        return torch.empty_like(wanted).scatter_(1, values.sort(1).indices, wanted)
    found = np.empty(values.shape, np.float32)
    rows = zip(found, values.detach().contiguous().numpy(), wanted.contiguous().numpy(), strict=True)
    for row, line, ordered in rows:
        row[_order(line)] = ordered
    return torch.from_numpy(found)


@torch.no_grad()
def ascending(values: Tensor) -> Tensor:
    """Each row (..., N) sorted, without a graph; on a processor by NumPy, which is ten times quicker at it."""
    if values.device.type == "cpu":
        return torch.from_numpy(np.sort(values.detach().contiguous().numpy(), axis=-1))
    return values.sort(-1).values


def quantiles_of(ordered: Tensor, count: int) -> Tensor:
    """Ascending values (..., N) read off at `count` even places, linear in between: (..., count)."""
    n = ordered.shape[-1]
    if n == count:
        return ordered
    places = ((torch.arange(count, dtype=torch.float64) + 0.5) * (n / count) - 0.5).clamp(0, n - 1)
    below = places.floor().long()
    above = (below + 1).clamp_max(n - 1)
    share = (places - below).to(ordered)
    low, high = ordered[..., below.to(ordered.device)], ordered[..., above.to(ordered.device)]
    return low + share * (high - low)


def thinned(ordered: list[Tensor]) -> Tensor:
    """The quantiles (B, R, Q) of each picture's ascending values (R, N): Q is the most of all N, up to `QUANTILES`."""
    count = min(QUANTILES, max(values.shape[1] for values in ordered))
    return torch.stack([quantiles_of(values, count) for values in ordered])


def _order(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Places of the values (N,) in ascending order.

    A number and its place are sorted together as one 64-bit integer, for which NumPy has vector instructions: several
    times quicker than a sort that carries places along.
    """
    place, tie = _scattered(len(values))
    bits = values.view(np.int32)
    rising = bits ^ ((bits >> 31) & 0x7FFFFFFF)  # as integers in the order of the numbers, negative ones too
    keys = (rising.astype(np.int64) << 32) | tie
    keys.sort()
    order: npt.NDArray[np.int64] = place[keys & 0xFFFFFFFF]
    return order


@lru_cache(maxsize=8)
def _scattered(count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A fixed random order of so many places, and each place's number in it."""
    place = np.random.default_rng(0).permutation(count)
    return place, np.argsort(place)


class HistogramLoss(Loss):
    """Distance of one layer's histograms to the style's, mean over channels and positions.

    Args:
        layer: the encoder's tap.
        target: the style's features there, (B or 1, C, H, W); of them, `channel_quantiles` are kept.
        style_guide: which positions of the style count, (1 or B, 1, H, W); None for all.
        guide: which positions of the picture count, (1 or B, 1, H, W) at the map's size; None for all.
        relative: divide by the target's mean square, so that 1 is "as far as a map of zeros" on any layer.
    """

    label = "style"
    target: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Tensor, *, style_guide: Tensor | None = None, guide: Tensor | None = None,
                 relative: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        self.register_buffer("target", channel_quantiles(target.detach(), style_guide), persistent=False)
        self.register_buffer("guide", guide, persistent=False)
        self.scale = 1 / max(float(self.target.square().mean()), 1e-20) if relative else 1.0

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        return self.scale * histogram_distance(features[self.layer], self.target, self.guide).mean()
