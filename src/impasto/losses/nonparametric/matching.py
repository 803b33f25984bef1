"""Which vector of a bank is most like another: the one search that every non-parametric texture model uses.

Similarity is the cosine of the angle between two vectors. Products are taken tile by tile, so that the memory they
need is a number of bytes that is stated beforehand, however large the picture and the paintings are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.losses.loss import widen

CHUNK_BYTES = 64 << 20
"""What the tiles of a search may take at once."""

ROUNDS = 4  # of subspace iteration: a search needs most of what varies, not the last digits

COUNTS = 1e-3
"""Positions whose guide is less than this have no say in what is sampled or matched: soft edges still do."""

FAINT = 1e-12
"""Length below which a vector of features is taken for none."""

Scores = Callable[[Tensor, Tensor], Tensor]
"""(n, D), (m, D) -> (n, m): the larger, the more alike."""


def unit(vectors: Tensor, faint: float = FAINT) -> Tensor:
    """Vectors (..., D) at length 1, float32 at least; those shorter than `faint` fade to nothing.

    The gradient is at most 1 / faint: it is how fast a short vector turns.
    """
    vectors = widen(vectors)
    length: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / length.clamp_min(faint)


def cosine_distance(x: Tensor, y: Tensor, faint: float = FAINT) -> Tensor:
    """1 - cos of each pair, (..., D) to (...): exactly 0 where both are equal, also where both are nothing at all."""
    return (unit(x, faint) - unit(y, faint)).square().sum(-1) / 2


def cosines(x: Tensor, y: Tensor, faint: float = FAINT) -> Tensor:
    """The cosine of every x (N, D) with every y (M, D): (N, M)."""
    return unit(x, faint) @ unit(y, faint).T


@torch.no_grad()
def principal(rows: Tensor, kept: int) -> Tensor:
    """The directions (C, kept) in which rows (P, C) vary most; all of them, as they are, when there are no more.

    Found by subspace iteration (Halko, Martinsson and Tropp 2011, arXiv 0909.4061): a tenth of the time of all
    eigenvectors where a few of thousands are wanted. Together they span the space; they are in no order.
    """
    channels = rows.shape[1]
    if channels <= kept:
        return torch.eye(channels, dtype=rows.dtype, device=rows.device)
    covariance = rows.T @ rows
    directions = torch.randn(channels, kept, generator=torch.Generator().manual_seed(0)).to(covariance)
    for _ in range(ROUNDS):
        directions = torch.linalg.qr(covariance @ directions).Q
    return directions


def tile_side(dimensions: int, chunk_bytes: int) -> int:
    """How many queries meet how many of the bank at once: n^2 products and two n x D operands, in float32."""
    return max(1, int(math.sqrt(dimensions**2 + chunk_bytes / 4)) - dimensions)


@torch.no_grad()
def nearest(queries: Tensor, bank: Tensor, *, chunk_bytes: int = CHUNK_BYTES) -> tuple[Tensor, Tensor]:
    """For each query the vector of the bank with the highest cosine similarity.

    Args:
        queries: (N, D), any floating type; computed in float32 at least. Not centred here.
        bank: (M, D), M at least 1.
        chunk_bytes: bound on what is held at once besides arguments and results.

    Returns:
        Indices (N,) and similarities (N,), float32. Of several alike the first. A zero vector has
        similarity 0 to everything. Nothing here has a gradient.

    Example:
        >>> import torch
        >>> nearest(torch.tensor([[0.0, 2.0]]), torch.eye(2))
        (tensor([1]), tensor([1.]))
    """
    best = queries.new_full((len(queries),), -torch.inf, dtype=widen(queries[:0]).dtype)
    index = torch.zeros(len(queries), dtype=torch.long, device=queries.device)
    for rows, columns, scores in _tiles(queries, bank, cosines, chunk_bytes):
        value, at = scores.max(1)
        better = value > best[rows]
        index[rows] = torch.where(better, at + columns.start, index[rows])
        best[rows] = torch.where(better, value, best[rows])
    return index, best.float()


@torch.no_grad()
def two_sided(
    x: Tensor, y: Tensor, scores: Scores = cosines, *, chunk_bytes: int = CHUNK_BYTES
) -> tuple[Tensor, Tensor]:
    """For each x (N, D) the best y (M, D), and for each y the best x, in one sweep.

    Only indices, under no_grad: the caller computes the chosen pairs' distances again, with a gradient. That is the
    gradient of a minimum, and nothing of size N x M is kept for it.

    Returns:
        Indices into y (N,), and into x (M,).
    """
    best = [v.new_full((len(v),), -torch.inf, dtype=widen(v[:0]).dtype) for v in (x, y)]
    index = [torch.zeros(len(v), dtype=torch.long, device=v.device) for v in (x, y)]
    for rows, columns, found in _tiles(x, y, scores, chunk_bytes):
        for side, here, there in ((0, rows, columns), (1, columns, rows)):
            value, at = found.max(1 - side)
            better = value > best[side][here]
            index[side][here] = torch.where(better, at + there.start, index[side][here])
            best[side][here] = torch.where(better, value, best[side][here])
    return index[0], index[1]


def _tiles(x: Tensor, y: Tensor, scores: Scores, chunk_bytes: int) -> Iterator[tuple[slice, slice, Tensor]]:
    side = tile_side(x.shape[1], chunk_bytes)
    for top in range(0, len(x), side):
        rows = slice(top, min(top + side, len(x)))
        for left in range(0, len(y), side):
            columns = slice(left, min(left + side, len(y)))
            yield rows, columns, scores(x[rows], y[columns])


def some_of(count: int, most: int, *, seed: int = 0, guide: Tensor | None = None) -> Tensor:
    """At most `most` of `count` positions, in order, drawn without repetition: the same for the same seed.

    Args:
        count: how many there are.
        most: how many are wanted.
        seed: of the draw.
        guide: how much each position counts, any shape of `count` numbers, and so how likely it is to be drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    if guide is None:
        return torch.randperm(count, generator=generator)[:most].sort().values
    weight = guide.flatten().double().cpu()
    weight = weight * (weight >= COUNTS)
    if not bool(weight.any()):
        weight = torch.ones_like(weight)
    # Efraimidis and Spirakis 2006: the largest of log(u) / w are a draw without repetition in proportion to w
    keys = torch.rand(count, generator=generator, dtype=torch.float64).clamp_min(1e-300).log() / weight
    return keys.topk(min(most, int((weight > 0).sum()))).indices.sort().values


def alone(features: Tensor) -> Tensor:
    """The map (C, H, W) of a batch of one, float32 at least.

    Raises:
        OptionError: on more than one: a picture's matches are its own.
    """
    if len(features) != 1:
        raise OptionError(f"this loss takes one picture at a time, not a batch of {len(features)}")
    return widen(features[0])


def rows_of(features: Tensor) -> Tensor:
    """The vector at every position: (1, C, H, W) to (H * W, C), row by row."""
    return alone(features).flatten(1).T
