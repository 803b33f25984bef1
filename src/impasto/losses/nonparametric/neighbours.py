"""Style as nearest neural neighbours: every feature of the picture is replaced by the painting's most like it.

Kolkin, Kucera, Paris, Sykora, Shechtman and Shakhnarovich 2022, Neural neighbor style transfer (arXiv 2203.13215).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.loss import Features, Loss, widen
from impasto.losses.nonparametric.matching import alone, cosine_distance, nearest, rows_of

SIDE = 64
"""Positions along the longer side of the grid that `NearestLoss` looks at."""


def hypercolumns(features: Features, size: tuple[int, int], *, scales: Mapping[str, float] | None = None) -> Tensor:
    """All layers at every position, one above the other.

    Args:
        features: tap -> (1, C, H, W), any floating type; computed in float32 at least.
        size: (height, width) to which every map is resized, bilinearly.
        scales: tap -> what its map is multiplied by; None for one over its channels, as in the paper.

    Returns:
        (1, D, height, width), D the channels of all taps, in the mapping's order.
    """
    resized = []
    for tap, found in features.items():
        scale = 1 / found.shape[1] if scales is None else scales[tap]
        found = widen(found)
        if found.shape[2:] != size:
            found = functional.interpolate(found, size, mode="bilinear", align_corners=False)
        resized.append(scale * found)
    return torch.cat(resized, 1)


class CosineLoss(Loss):
    """Mean of 1 - cos between the picture's hypercolumns and fixed ones.

    One picture at a time.

    Args:
        taps: the encoder's layers, in the target's order.
        target: (1, D, H, W); its size is the one that every map is resized to.
        guide: how much each position counts, (1, 1, H, W) at the target's size; None for all alike.
        scales: see `hypercolumns`.
    """

    label = "neighbours"
    target: Tensor
    guide: Tensor | None

    def __init__(
        self,
        taps: Sequence[str],
        target: Tensor,
        *,
        guide: Tensor | None = None,
        scales: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.taps, self.scales = tuple(taps), scales
        self.register_buffer("target", target.detach(), persistent=False)
        self.register_buffer("guide", guide, persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar in [0, 2], 0 at the target, up to the length of its vectors."""
        height, width = self.target.shape[2:]
        found = hypercolumns({tap: features[tap] for tap in self.taps}, (height, width), scales=self.scales)
        distance = cosine_distance(rows_of(found), rows_of(self.target))
        return _mean(distance, None if self.guide is None else self.guide.flatten())


class NearestLoss(Loss):
    """Mean distance of one layer's features from the painting's nearest, matched at every call. One picture at a time.

    What the paper ends with: layer by layer, on a grid of positions.

    Args:
        layer: the encoder's tap.
        bank: the painting's features there, (M, C). Both sides are centred on its mean.
        side: positions along the longer side of the grid.
        seed: of the grid's offset. The paper draws a new one at each step; here it stays, so that the loss is a
            function of the picture.
        guide: how much each position counts, (1, 1, H, W) at the map's size; None for all alike.
    """

    label = "neighbours"
    mean: Tensor
    bank: Tensor
    guide: Tensor | None

    def __init__(
        self, layer: str, bank: Tensor, *, side: int = SIDE, seed: int = 0, guide: Tensor | None = None
    ) -> None:
        super().__init__()
        self.layer, self.taps, self.side = layer, (layer,), side
        bank = widen(bank.detach())
        for name, value in {"mean": bank.mean(0), "bank": bank - bank.mean(0), "guide": guide}.items():
            self.register_buffer(name, value, persistent=False)
        down, across = torch.rand(2, generator=torch.Generator().manual_seed(seed)).tolist()
        self.offset = (down, across)

    def forward(self, features: Features) -> Tensor:
        """A scalar in [0, 2], 0 where every vector is one of the bank's."""
        found = alone(features[self.layer])
        step = -(-max(found.shape[1:]) // self.side)
        down, across = (
            slice(min(int(o * step), n - 1), None, step) for o, n in zip(self.offset, found.shape[1:], strict=True)
        )
        rows = found[:, down, across].flatten(1).T - self.mean
        index, _ = nearest(rows, self.bank)
        guide = None if self.guide is None else self.guide[0, 0, down, across].flatten()
        return _mean(cosine_distance(rows, self.bank[index]), guide)


def _mean(distance: Tensor, guide: Tensor | None) -> Tensor:
    if guide is None:
        return distance.mean()
    guide = guide.to(distance)
    return (guide * distance).sum() / guide.sum().clamp_min(1e-20)
