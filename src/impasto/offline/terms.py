"""Terms of losses that several papers' trainings share, as means over a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from impasto.losses import (
    Moments,
    channel_moments,
    gram_distance,
    gram_matrix,
    relative_distance,
    relative_moment_distance,
)


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """What the paintings of a batch look like to texture models.

    Attributes:
        grams: tap -> Gram matrices, (B, C, C), or (1, C, C) for all samples.
        moments: tap -> means and deviations, (B, C) each, or (1, C).
    """

    grams: Mapping[str, Tensor]
    moments: Mapping[str, Moments]

    @classmethod
    @torch.no_grad()
    def of(cls, maps: Mapping[str, Tensor]) -> Self:
        """Of feature maps, tap -> (B, C, H, W), the shallowest first."""
        return cls(
            {tap: gram_matrix(features) for tap, features in maps.items()},
            {tap: channel_moments(features) for tap, features in maps.items()},
        )

    @classmethod
    def join(cls, targets: list[Self]) -> Self:
        """Several of one sample each, as one batch."""
        first = targets[0]
        return cls(
            {tap: torch.cat([t.grams[tap] for t in targets]) for tap in first.grams},
            {
                tap: Moments(*(torch.cat(parts) for parts in zip(*(t.moments[tap] for t in targets), strict=True)))
                for tap in first.moments
            },
        )

    def pick(self, rows: Tensor) -> Self:
        """Those of some samples, (n,) int64, in this order."""
        return type(self)(
            {tap: gram[rows.to(gram.device)] for tap, gram in self.grams.items()},
            {tap: Moments(*(part[rows.to(part.device)] for part in m)) for tap, m in self.moments.items()},
        )

    @torch.no_grad()
    def nearest(self, seen: Mapping[str, Tensor]) -> int:
        """Which of the samples' Gram matrices are most like those of one picture."""
        found = [relative_distance(gram, gram_matrix(seen[tap])) for tap, gram in self.grams.items()]
        return int(torch.stack(found).sum(0).argmin())

    def gram_residuals(self, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tap -> relative difference of the Gram matrices, mean over samples: 0 agrees, about 1 is unrelated.

        One voice a layer and a sample (Cheng et al. 2021, arXiv 2104.10064): with one weight on absolute differences
        the loudest painting and the loudest layer are all that is learnt, and the deep layers, which know the
        strokes, are not heard.
        """
        return {tap: relative_distance(gram_matrix(seen[tap]), gram).mean() for tap, gram in self.grams.items()}

    def gram_distances(self, seen: Mapping[str, Tensor], *, by_channels: bool = False) -> dict[str, Tensor]:
        """Tap -> mean squared difference of the Gram matrices.

        Args:
            seen: feature maps of the same samples.
            by_channels: divide the matrices by their number of channels first.
        """
        return {
            tap: gram_distance(gram_matrix(seen[tap]), gram) / (gram.shape[-1] ** 2 if by_channels else 1)
            for tap, gram in self.grams.items()
        }

    def moment_residual(self, seen: Mapping[str, Tensor]) -> Tensor:
        """Relative difference of means and deviations: sum over taps, mean over samples."""
        found = [relative_moment_distance(channel_moments(seen[tap]), m).mean() for tap, m in self.moments.items()]
        return torch.stack(found).sum()
