"""Style as the whole distribution of the features, seen along random directions (Heitz et al. 2021).

A sliced Wasserstein loss for neural texture synthesis, arXiv 2006.07229. Along one direction a distribution is a sorted
list of numbers, and two are compared rank by rank; the mean over directions is 0 only where all of it agrees.
"""

from __future__ import annotations

import zlib

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.loss import Features, Loss
from impasto.losses.parametric.histogram import ascending, chosen, distance_to_matched, thinned


def random_directions(channels: int, count: int, generator: torch.Generator) -> Tensor:
    """Unit vectors drawn evenly from the sphere, (count, channels), float32, on the CPU: everywhere the same."""
    return functional.normalize(torch.randn(count, channels, generator=generator), dim=1)


def layer_generator(layer: str, seed: int) -> torch.Generator:
    """A generator of its own for each layer and seed."""
    return torch.Generator().manual_seed(zlib.crc32(f"{seed} {layer}".encode()))  # torch reads 32 bits of a seed


def sliced_quantiles(features: Tensor, directions: Tensor, guide: Tensor | None = None) -> Tensor:
    """What is kept of a style: its features along each direction in ascending order, thinned out.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        directions: (D, C).
        guide: which positions count, see `chosen`.

    Returns:
        (B, D, Q), Q the number of positions, at most `QUANTILES` of `histogram`.
    """
    return thinned([ascending(values) for values in _seen(features, directions, guide)])


def sliced_distance(features: Tensor, target: Tensor, directions: Tensor, guide: Tensor | None = None) -> Tensor:
    """Squared Wasserstein-2 distance along each direction, mean over directions.

    Args:
        features: (B, C, H, W), any floating type; computed in float32 at least.
        target: of `sliced_quantiles`, (B or 1, D, Q); read off in between where there are more positions than Q.
        directions: those of the target, (D, C).
        guide: which positions count, see `chosen`.

    Returns:
        (B,), 0 when both agree: exactly if there are as many positions as quantiles.
    """
    return distance_to_matched(_seen(features, directions, guide), target)


def _seen(features: Tensor, directions: Tensor, guide: Tensor | None) -> list[Tensor]:
    return [directions.to(values) @ values for values in chosen(features, guide)]


class SlicedLoss(Loss):
    """Distance of one layer's features to the style's along random directions, mean over directions and positions.

    The directions stay: a search for the minimum needs a loss that is the same at every step. A new loss with another
    seed every some steps shows it others; the paper draws new ones at every step.

    Args:
        layer: the encoder's tap.
        target: the style's features there, (B or 1, C, H, W); of them, `sliced_quantiles` are kept.
        directions: how many; as many as channels if None, as in the paper.
        seed: of the directions; every layer has its own.
        style_guide: which positions of the style count, (1 or B, 1, H, W); None for all.
        guide: which positions of the picture count, (1 or B, 1, H, W) at the map's size; None for all.
        relative: divide by the target's mean square along the directions, so that 1 is "as far as a map of zeros".
    """

    label = "style"
    target: Tensor
    directions: Tensor
    guide: Tensor | None

    def __init__(self, layer: str, target: Tensor, *, directions: int | None = None, seed: int = 0,
                 style_guide: Tensor | None = None, guide: Tensor | None = None,
                 relative: bool = False) -> None:  # fmt: skip
        super().__init__()
        self.layer, self.taps = layer, (layer,)
        channels = target.shape[1]
        drawn = random_directions(channels, directions or channels, layer_generator(layer, seed)).to(target.device)
        seen = sliced_quantiles(target.detach(), drawn, style_guide)
        for name, value in {"directions": drawn, "target": seen, "guide": guide}.items():
            self.register_buffer(name, value, persistent=False)
        self.scale = 1 / max(float(seen.square().mean()), 1e-20) if relative else 1.0

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        seen = features[self.layer]
        return self.scale * sliced_distance(seen, self.target, self.directions, self.guide).mean()
