"""Sliced Wasserstein distance between the features of two pictures (Heitz et al. 2021, A sliced Wasserstein loss ...).

Two pictures have the same style when their features have the same distribution. Seen along one direction that is two
sorted lists of numbers; many random directions see all of it, where a Gram matrix sees products of two channels only.
On taps that training never looked at, it says whether a network learned a style or its loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses import random_directions, widen
from impasto.losses.parametric.histogram import ascending, quantiles_of

ENCODER = "vgg19"
TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # VGG-16's last layers of a block are what trainers look at
DIRECTIONS = 64
QUANTILES = 1024
SEED = 20_21


@dataclass(frozen=True, eq=False)
class Profile:
    """A picture's features along fixed directions.

    Attributes:
        quantiles: tap -> (B, directions, quantiles), ascending.
        spread: tap -> (B,), the features' root mean square deviation along the directions.
    """

    quantiles: Mapping[str, Tensor]
    spread: Mapping[str, Tensor]


def profile(maps: Mapping[str, Tensor], *, directions: int = DIRECTIONS, seed: int = SEED) -> Profile:
    """What `sliced_wasserstein` compares, computed once a picture.

    Args:
        maps: tap -> (B, C, H, W), any sizes.
        directions: how many; the same number for both pictures.
        seed: of the directions; likewise.

    Example:
        >>> profile({"relu1_1": torch.rand(1, 4, 5, 6)}, directions=8).quantiles["relu1_1"].shape
        torch.Size([1, 8, 1024])
    """
    quantiles, spread = {}, {}
    for tap, features in maps.items():
        flat = widen(features).flatten(2)
        sides = random_directions(flat.shape[1], directions, torch.Generator().manual_seed(seed))
        seen = sides.to(flat) @ flat
        quantiles[tap] = quantiles_of(ascending(seen), QUANTILES)
        spread[tap] = seen.var(-1, correction=0).mean(-1).sqrt()
    return Profile(quantiles, spread)


def sliced_wasserstein(found: Profile, style: Profile) -> Tensor:
    """Distance of a restyled picture's features to the painting's, mean over the taps, sample by sample.

    At each tap: the root mean square over directions of the 2-Wasserstein distance along it, divided by the painting's
    spread along the same directions, so that every layer counts alike.

    Args:
        found: the restyled picture's profile.
        style: the painting's, made with the same directions and seed.

    Returns:
        (B,), 0 for equal distributions; 1 is as far off as the painting's features are from their own mean.

    Raises:
        ValueError: when there are no taps.

    Example:
        >>> painting = profile({"relu1_1": torch.rand(1, 4, 8, 8)})
        >>> sliced_wasserstein(painting, painting).item()
        0.0
    """
    if not style.quantiles:
        raise ValueError("a distance of no layers")
    distances = []
    for tap, target in style.quantiles.items():
        apart = (found.quantiles[tap] - target).square().mean((1, 2)).sqrt()
        distances.append(apart / style.spread[tap].clamp_min(1e-12))
    return torch.stack(distances).mean(0)
