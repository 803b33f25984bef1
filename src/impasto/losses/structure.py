"""What a photo shows, less its colours and strokes: lines, and which parts are alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.loss import IMAGE, Features, Loss, widen
from impasto.losses.nonparametric.earth_mover import POSITIONS, draw_positions, sample
from impasto.losses.nonparametric.matching import unit

FAINTEST = 1e-8
"""Mean square of a Laplacian below which a photo has no lines: far less than a step of 8 bits makes."""


def laplacian(image: Tensor) -> Tensor:
    """How much each pixel differs from its four neighbours, all channels together.

    Args:
        image: (B, C, H, W), any floating type; computed in float32 at least. Its border pixels are repeated.

    Returns:
        (B, 1, H, W), 0 on flat and on evenly rising ground.
    """
    total = functional.pad(widen(image).sum(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    inside = total[..., 1:-1, 1:-1]
    around = (total[..., :-2, 1:-1], total[..., 2:, 1:-1], total[..., 1:-1, :-2], total[..., 1:-1, 2:])
    return torch.stack([inside - neighbour for neighbour in around]).sum(0)


def pooled_laplacian(image: Tensor, pool: int) -> Tensor:
    """`laplacian` of the means over squares of `pool` pixels; those at the right and lower border may be cut."""
    image = widen(image)
    if pool > 1:
        image = functional.avg_pool2d(image, pool, ceil_mode=True, count_include_pad=False)
    return laplacian(image)


class LaplacianLoss(Loss):
    """Mean squared difference of the picture's Laplacians from the photo's, the mean of all pool sizes.

    Li, Xu, Nie and Chua 2017, Laplacian-steered neural style transfer (arXiv 1707.01253), equation 5; they sum.

    Args:
        target: the photo, (B, 3, H, W), RGB in [0, 1].
        pools: sides of the squares in pixels over which pictures are averaged first.
        relative: divide each pool's by the photo's own mean square, so that 1 is "no lines at all".
    """

    label = "laplacian"
    taps = (IMAGE,)

    def __init__(self, target: Tensor, *, pools: Sequence[int] = (4,), relative: bool = False) -> None:
        super().__init__()
        self.pools = tuple(pools)
        self.scales = []
        for pool in self.pools:
            lines = pooled_laplacian(target.detach(), pool)
            self.register_buffer(f"target{pool}", lines, persistent=False)
            self.scales.append(1 / max(float(lines.square().mean()), FAINTEST) if relative else 1.0)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 where both have the same lines."""
        terms = [
            scale * (pooled_laplacian(features[IMAGE], pool) - self.get_buffer(f"target{pool}")).square().mean()
            for pool, scale in zip(self.pools, self.scales, strict=True)
        ]
        return torch.stack(terms).mean()


def self_distances(x: Tensor) -> Tensor:
    """How unlike all pairs of (N, D) are, 1 - cos, each column over its sum: (N, N).

    A zero vector is as far from all others as one at right angles. 4 N^2 bytes for each step of the gradient.
    """
    directions = unit(x)
    distance = (1 - directions @ directions.T).clamp_min(0)
    return distance / distance.sum(0, keepdim=True).clamp_min(1e-5)


class SelfSimilarityLoss(Loss):
    """Which parts of one picture are alike and which are not, against the photo's, at the same fixed positions.

    Kolkin, Salavon and Shakhnarovich 2019 (STROTSS, arXiv 1904.12785), equation 8, times the number of positions, as in
    their code. Colours and strokes are free to change as long as they change alike. One picture at a time.

    Args:
        taps: the encoder's layers, and `IMAGE` where colours are a part of the hypercolumns.
        photo: its features, tap -> (1, C, H, W).
        positions: where to look, (N, 2), of `draw_positions`; 1,024 random ones if not given. Memory grows with N^2:
            some 30 MB for 1,024.
        scales: tap -> what its features are multiplied by, such as `even_scales`; None for 1.
        rounding: differences below it, of mean distances of 1, count by their square (Huber's loss): without, a picture
            that is the photo stands in a crease, out of which no line search finds.
    """

    label = "self-similarity"
    positions: Tensor
    target: Tensor

    def __init__(
        self,
        taps: Sequence[str],
        photo: Features,
        *,
        positions: Tensor | None = None,
        scales: Mapping[str, float] | None = None,
        rounding: float = 0.0,
    ) -> None:
        super().__init__()
        self.taps, self.scales, self.rounding = tuple(taps), scales, rounding
        chosen = draw_positions(POSITIONS) if positions is None else positions
        self.register_buffer("positions", chosen.to(photo[self.taps[0]].device), persistent=False)
        with torch.no_grad():
            self.register_buffer("target", self._distances(photo), persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar in [0, 2], 0 where the picture's parts are as much alike as the photo's."""
        found = self._distances(features)
        count = len(self.positions)
        return functional.smooth_l1_loss(count * found, count * self.target, beta=self.rounding)

    def _distances(self, features: Features) -> Tensor:
        return self_distances(sample({tap: features[tap] for tap in self.taps}, self.positions, scales=self.scales))
