"""Style as earth to be moved: the relaxed earth mover's distance between two sets of features.

Kolkin, Salavon and Shakhnarovich 2019, Style transfer by relaxed optimal transport and self-similarity (STROTSS, arXiv
1904.12785). Every feature of the picture goes to its nearest of the painting, and every one of the painting's comes
from its nearest of the picture; the dearer of both counts. Either alone would be had by using one brush stroke for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from impasto.losses.loss import IMAGE, Features, Loss, widen
from impasto.losses.nonparametric.matching import CHUNK_BYTES, alone, cosine_distance, cosines, some_of, two_sided

POSITIONS = 1024
"""Of the picture, at each step of the paper; its painting has 5,000."""

SMOOTH = 1e-8
"""Under the root of Euclidean distances of colours in [0, 1]: their gradient ends where both are equal."""

DARK = 1 / 16
"""Length of a colour in [0, 1] below which its hue fades: that of a pixel at exactly black turns infinitely fast, and
one such pixel would outweigh all the others' gradients."""

Metric = Literal["cosine", "euclidean+cosine"]


def draw_positions(count: int, *, seed: int = 0, guide: Tensor | None = None) -> Tensor:
    """Random positions of a picture, (count, 2): (down, across) in [0, 1], the same for the same seed.

    Args:
        count: how many.
        seed: of the draw.
        guide: how much each position counts, (1, 1, H, W) at any size, and so how likely it is; None for all alike.
            Guided positions do not repeat before all have been drawn: at most H * W.
    """
    inside = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    if guide is None:
        return inside
    height, width = guide.shape[2:]
    cell = some_of(height * width, count, seed=seed, guide=guide)
    corner = torch.stack([cell // width, cell % width], 1)
    return (corner + inside[: len(cell)]) / torch.tensor([height, width])


def sample(features: Features, positions: Tensor, *, scales: Mapping[str, float] | None = None) -> Tensor:
    """Hypercolumns at some positions: each layer's feature there, one after the other, bilinearly.

    Args:
        features: tap -> (1, C, H, W), any floating type; computed in float32 at least.
        positions: (N, 2), see `draw_positions`.
        scales: tap -> what its features are multiplied by; None for 1.

    Returns:
        (N, D), D the channels of all taps, in the mapping's order.
    """
    found = []
    for tap, layer in features.items():
        grid = (2 * positions.to(widen(layer)) - 1).flip(1)[None, :, None]
        here = functional.grid_sample(
            alone(layer)[None], grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        found.append((1.0 if scales is None else scales[tap]) * here[0, :, :, 0].T)
    return torch.cat(found, 1)


def even_scales(features: Features) -> dict[str, float]:
    """What to multiply each layer by so that the mean square of its features is 1: tap -> number."""
    return {tap: float(widen(f).square().mean().clamp_min(1e-20).rsqrt()) for tap, f in features.items()}


def _distance(x: Tensor, y: Tensor, metric: Metric) -> Tensor:
    """Of each pair, (N, D) to (N,)."""
    if metric == "cosine":
        return cosine_distance(x, y)
    squares = (x - y).square().sum(1)
    apart: Tensor = squares / ((squares + SMOOTH).sqrt() + SMOOTH**0.5)  # sqrt(squares + s) - sqrt(s), unrounded
    return cosine_distance(x, y, DARK) + apart


def _near_and_aligned(x: Tensor, y: Tensor) -> Tensor:
    apart: Tensor = torch.cdist(widen(x), widen(y))
    return cosines(x, y, DARK) - apart


def relaxed_earth_movers(x: Tensor, y: Tensor, metric: Metric = "cosine", *, chunk_bytes: int = CHUNK_BYTES) -> Tensor:
    """The larger of mean_i min_j d(x_i, y_j) and mean_j min_i d(x_i, y_j) (the paper's equation 6).

    Args:
        x: (N, D), any floating type; computed in float32 at least.
        y: (M, D).
        metric: "cosine" for features; the Euclidean distance besides for colours, of which a dark and a bright one may
            point the same way.
        chunk_bytes: bound on what the search holds at once. Indices of the nearest are found without a gradient, and
            the N + M chosen distances computed again with one.

    Returns:
        A scalar, 0 when both are the same set.
    """
    x, y = widen(x), widen(y)
    to_y, to_x = two_sided(x, y, cosines if metric == "cosine" else _near_and_aligned, chunk_bytes=chunk_bytes)
    return torch.maximum(_distance(x, y[to_y], metric).mean(), _distance(x[to_x], y, metric).mean())


def moment_matching(x: Tensor, y: Tensor, *, relative: bool = False) -> Tensor:
    """Mean absolute difference of the means, plus that of the covariances (the paper's equation 7).

    Args:
        x: (N, D), any floating type; computed in float32 at least.
        y: (M, D).
        relative: divide each by the mean absolute value of y's, so that the size of features does not matter.
    """
    return _apart(_moments(x), _moments(y), relative=relative)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and covariance (D, D) of (N, D)."""
    mean = widen(x).mean(0)
    centred = widen(x) - mean
    return mean, centred.T @ centred / len(x)


def _apart(found: tuple[Tensor, Tensor], wanted: tuple[Tensor, Tensor], *, relative: bool) -> Tensor:
    sizes = [target.abs().mean().clamp_min(1e-20) if relative else 1.0 for target in wanted]
    terms = [(a - b).abs().mean() / size for a, b, size in zip(found, wanted, sizes, strict=True)]
    return torch.stack(terms).sum()


def palette_distance(x: Tensor, y: Tensor) -> Tensor:
    """The relaxed earth mover's distance of colours (N, 3) and (M, 3), RGB in [0, 1].

    The paper turns them into decorrelated axes first. Those are at right angles, and neither of both distances knows
    how the axes are turned: it comes to the same without.
    """
    return relaxed_earth_movers(x, y, "euclidean+cosine")


class StrotssStyleLoss(Loss):
    """The paper's style loss at fixed positions of one picture: earth mover's, moments, and the palette.

    Moments are relative here: the paper's are as large as its encoder's features, which are about 1.

    Args:
        taps: the encoder's layers, and `IMAGE` where colours are a part of the hypercolumns.
        bank: hypercolumns of the painting, (M, D), of `sample` with the same scales.
        colours: of the painting, (M', 3); None for no palette.
        positions: where to look, (N, 2), of `draw_positions`: guided ones are how a guide gets its say.
        scales: tap -> what its features are multiplied by, such as `even_scales`; without, the layer whose features
            are largest decides alone.
        palette: what the palette counts beside the other two: one over the content's weight, at most 1, in the paper.
    """

    label = "earth mover"
    bank: Tensor
    mean: Tensor
    covariance: Tensor
    colours: Tensor | None
    positions: Tensor

    def __init__(
        self,
        taps: Sequence[str],
        bank: Tensor,
        *,
        positions: Tensor,
        colours: Tensor | None = None,
        scales: Mapping[str, float] | None = None,
        palette: float = 1.0,
    ) -> None:
        super().__init__()
        self.layers, self.scales, self.palette = tuple(taps), scales, palette
        self.taps = tuple(dict.fromkeys([*taps, IMAGE])) if colours is not None else self.layers
        kept = {"bank": bank.detach(), "colours": None if colours is None else colours.detach()}
        kept |= dict(zip(("mean", "covariance"), _moments(bank.detach()), strict=True))  # once, not at every step
        for name, value in {**kept, "positions": positions}.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 where the picture's samples are the bank."""
        found = sample({tap: features[tap] for tap in self.layers}, self.positions, scales=self.scales)
        total = relaxed_earth_movers(found, self.bank)
        total = total + _apart(_moments(found), (self.mean, self.covariance), relative=True)
        if self.colours is not None:
            colours = sample({IMAGE: features[IMAGE]}, self.positions)
            total = total + self.palette * palette_distance(colours, self.colours)
        return total
