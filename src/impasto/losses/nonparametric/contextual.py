"""Style as context: features of the picture and of the painting that are nearer to each other than to all others.

Mechrez, Talmi and Zelnik-Manor 2018, The contextual loss for image transformation with non-aligned data (arXiv
1803.02077).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from impasto.losses.loss import Features, Loss, widen
from impasto.losses.nonparametric.matching import CHUNK_BYTES, rows_of, some_of, unit

BANDWIDTH = 0.2
"""h of the paper's equation 3: its value for style, 0.1 to 0.5 elsewhere."""

EPSILON = 1e-5
"""Of the paper's equation 2."""

POSITIONS = 1024
"""Of either picture. The paper's code takes 65 x 65."""


def contextual_similarity(
    x: Tensor, y: Tensor, *, bandwidth: float = BANDWIDTH, chunk_bytes: int = CHUNK_BYTES
) -> Tensor:
    """How much of the target is met: mean_j max_i CX_ij (the paper's equations 2 to 5).

    Args:
        x: features of the picture, (N, D), any floating type; computed in float32 at least.
        y: of the target, (M, D). Both are centred on its mean.
        bandwidth: how much nearer is "nearer"; smaller is sharper.
        chunk_bytes: bound on an N x M matrix. What is larger goes through in strips of whole rows, which the gradient
            computes once more instead of keeping them.

    Returns:
        A scalar in (0, 1], 1 when all of y, no two alike, are among x, which has nothing else.
    """
    y = widen(y)
    mean = y.mean(0)
    x, y = unit(widen(x) - mean), unit(y - mean)
    strips = torch.split(x, max(1, chunk_bytes // (4 * len(y))))
    if len(strips) == 1:
        return _strip(x, y, bandwidth).mean()
    found: list[Tensor] = [
        checkpoint(_strip, s, y, bandwidth, use_reentrant=False, preserve_rng_state=False) for s in strips
    ]
    return torch.stack(found).amax(0).mean()


def _strip(x: Tensor, y: Tensor, bandwidth: float) -> Tensor:
    """For each target (M,) the best of some unit vectors (n, D)."""
    distance = (1 - x @ y.T).clamp_min(0)
    relative = distance / (distance.amin(1, keepdim=True) + EPSILON)
    return torch.softmax(-relative / bandwidth, 1).amax(0)


class ContextualLoss(Loss):
    """-log of how much of one layer's target is met, less what is left where the picture is the target.

    One picture at a time.

    Args:
        layer: the encoder's tap; relu3_2 and relu4_2 in the paper.
        target: the painting's features there, (1, C, H, W) of any size.
        bandwidth: see `contextual_similarity`.
        most: positions of either picture, drawn once and for all.
        seed: of the draw.
        guide: how much each position counts, (1, 1, H, W) at the map's size, and so how likely it is to be drawn; None
            for all alike.
    """

    label = "contextual"
    target: Tensor
    rest: Tensor
    guide: Tensor | None

    def __init__(
        self,
        layer: str,
        target: Tensor,
        *,
        bandwidth: float = BANDWIDTH,
        most: int = POSITIONS,
        seed: int = 0,
        guide: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.layer, self.taps, self.bandwidth, self.most, self.seed = layer, (layer,), bandwidth, most, seed
        rows = rows_of(target.detach())
        kept = rows[some_of(len(rows), most, seed=seed).to(rows.device)]
        rest = contextual_similarity(kept, kept, bandwidth=bandwidth)
        for name, value in {"target": kept, "rest": rest, "guide": guide}.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 at the target."""
        rows = rows_of(features[self.layer])
        here = some_of(len(rows), self.most, seed=self.seed, guide=self.guide).to(rows.device)
        found = contextual_similarity(rows[here], self.target, bandwidth=self.bandwidth)
        return self.rest.to(found).log() - found.clamp_min(1e-30).log()
