"""Style as a Markov random field: every patch of the picture is like some patch of the painting.

Li and Wand 2016, Combining Markov random fields and convolutional neural networks (CNNMRF, arXiv 1601.04589).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from impasto.errors import LimitError, OptionError
from impasto.losses.loss import Features, Loss, widen
from impasto.losses.nonparametric.matching import CHUNK_BYTES, COUNTS, nearest, principal, rows_of, some_of

KEPT = 64
"""Channels on which patches are matched: the principal ones of the paintings. Differences are taken on all channels.

Of a photo's patches at VGG-19's relu3_1 and relu4_1, 85 and 79 percent find the match that all channels find; the
others find one nearly as good, so that the mean cosine is 0.5 percent less. With 32 it is 60 percent.
"""


def patch_places(height: int, width: int, size: int = 3, stride: int = 1) -> Tensor:
    """Which positions of a map each patch covers: (N, size * size), as y * width + x, row by row.

    The last row and column are always covered, whatever the stride.

    Raises:
        LimitError: when the map is smaller than a patch.
    """
    if min(height, width) < size:
        raise LimitError(
            f"a feature map of {width}x{height} is too small for patches of {size}x{size}; give a larger picture"
        )
    tops, lefts = (torch.tensor([*range(0, n - size, stride), n - size]) for n in (height, width))
    corner = tops[:, None] * width + lefts
    inside = torch.arange(size)[:, None] * width + torch.arange(size)
    return corner.flatten()[:, None] + inside.flatten()


def patches(features: Tensor, size: int = 3, stride: int = 1) -> Tensor:
    """All patches of a map.

    Args:
        features: (1, C, H, W), any floating type; computed in float32 at least.
        size: side of a patch, in positions.
        stride: from one patch to the next; a last one at the border is always there.

    Returns:
        (N, C * size * size), channel by channel.

    Raises:
        LimitError: when the map is smaller than a patch.
    """
    height, width = features.shape[2:]
    places = patch_places(height, width, size, stride).to(features.device)
    return rows_of(features)[places].transpose(1, 2).flatten(1)


class PatchBank(nn.Module):
    """The patches of one or several paintings, to be matched and copied.

    Held are the maps themselves and, for matching, each patch on the `kept` principal channels: 4 * kept * size^2
    bytes a patch.

    Args:
        maps: (1, C, H, W) each: a painting, or several, or one at several scales and angles.
        size: side of a patch, in positions.
        stride: from one patch to the next.
        shares: each map's part of the bank; None for every patch of every map. Those of the map that is scarcest for
            its share are all kept, the others are thinned out by a draw that is always the same.
        guides: how much each position of each map counts, (1, 1, H, W) of its size, None for all alike: only patches
            that lie in it by half are kept, or those that touch it where none does.
        most: patches to keep; None for all.
        centred: compare what differs from the paintings' mean feature, not the features themselves, of which no two
            are far apart behind a ReLU. The paper does not.
        kept: channels to match on.
    """

    rows: Tensor
    places: Tensor
    mean: Tensor
    basis: Tensor
    keys: Tensor

    def __init__(
        self,
        maps: Sequence[Tensor],
        *,
        size: int = 3,
        stride: int = 1,
        shares: Sequence[float] | None = None,
        guides: Sequence[Tensor | None] | None = None,
        most: int | None = None,
        centred: bool = True,
        kept: int = KEPT,
    ) -> None:
        super().__init__()
        self.size = size
        rows = [rows_of(m.detach()) for m in maps]
        places = [
            _guided(patch_places(m.shape[2], m.shape[3], size, stride), guide, 0.5)
            for m, guide in zip(maps, guides or [None] * len(maps), strict=True)
        ]
        chosen = _in_proportion([len(p) for p in places], shares, most)
        starts = torch.tensor([0, *[len(r) for r in rows]]).cumsum(0)
        whole = torch.cat(rows)
        held = torch.cat([p[c] + start for p, c, start in zip(places, chosen, starts, strict=False)])
        mean = whole.mean(0) * centred
        kept_buffers = {"rows": whole, "places": held.to(whole.device), "mean": mean}
        for name, value in {**kept_buffers, "basis": principal(whole - mean, kept)}.items():
            self.register_buffer(name, value, persistent=False)
        self.register_buffer("keys", self.vectors(whole, self.places), persistent=False)
        self.mean_square = float(whole.square().mean())

    def vectors(self, rows: Tensor, places: Tensor) -> Tensor:
        """What patches are matched by: features (P, C) at places (N, size^2), as (N, D)."""
        return ((rows - self.mean) @ self.basis)[places].flatten(1)

    def match(self, vectors: Tensor, *, chunk_bytes: int = CHUNK_BYTES) -> Tensor:
        """For each of (N, D), made by `vectors`, the patch that is most like it, (N,)."""
        return nearest(vectors, self.keys, chunk_bytes=chunk_bytes)[0]


def _guided(places: Tensor, guide: Tensor | None, least: float = COUNTS) -> Tensor:
    """Those of (N, size^2) whose positions count so much in the mean; those that count anywhere, or all, if none do."""
    if guide is None or guide.is_meta:
        return places
    counts = widen(guide.detach()).flatten().cpu()[places]
    for wanted in (counts.mean(1) >= least, counts.amax(1) >= COUNTS):
        if bool(wanted.any()):
            return places[wanted]
    return places


def _in_proportion(counts: Sequence[int], shares: Sequence[float] | None, most: int | None) -> list[Tensor]:
    """Which of so many patches of each map to keep."""
    shares = list(map(float, counts)) if shares is None else shares
    voiced = [(c, s) for c, s in zip(counts, shares, strict=True) if s > 0]
    if not voiced:
        raise OptionError("the shares of the paintings are all 0; give at least one that is more")
    whole = min(c / s for c, s in voiced)
    if most is not None:
        whole = min(whole, most / sum(s for _, s in voiced))
    return [some_of(c, max(1, round(s * whole)) if s > 0 else 0) for c, s in zip(counts, shares, strict=True)]


class PatchLoss(Loss):
    """Mean squared difference of each patch of the picture from its match, over the bank's mean square.

    Where patches overlap, each position counts once, and its gradient is the mean over the patches that cover it, as in
    the paper. The sum over patches is then that of the distance from the mean of their matches, and a constant: one
    map, however many patches. Matches are held constant in the gradient. One picture at a time.

    Args:
        layer: the encoder's tap, relu3_1 and relu4_1 in the paper.
        bank: the paintings' patches there.
        stride: from one patch of the picture to the next.
        guide: how much each position counts, (1, 1, H, W) at the map's size; None for all alike.
        every: patches are matched anew at every so many calls. With 1 the loss is a function of the picture. With more
            it is, in between, the distance to the matches of a moment ago, and changes at each new match by a jump.
    """

    label = "patches"
    guide: Tensor | None
    weight: Tensor

    def __init__(
        self,
        layer: str,
        bank: PatchBank,
        *,
        stride: int = 2,
        guide: Tensor | None = None,
        every: int = 1,
    ) -> None:
        super().__init__()
        self.layer, self.taps, self.bank = layer, (layer,), bank
        self.stride, self.every = stride, every
        self.register_buffer("guide", guide, persistent=False)
        self.scale = 1 / max(bank.mean_square, 1e-20)
        self._calls = 0
        self._held: tuple[Tensor, Tensor, Tensor] | None = None

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 where every patch is one of the bank's.

        Raises:
            LimitError: when the map is smaller than a patch.
        """
        rows = rows_of(features[self.layer])
        if self._held is None or self._calls % self.every == 0 or self._held[0].shape != rows.shape:
            self._held = self.matched(features[self.layer])
        self._calls += 1
        wanted, rest, weight = self._held
        squares = (rows - wanted).square().mean(1) + rest
        return self.scale * (weight * squares).sum() / weight.sum().clamp_min(1e-20)

    @torch.no_grad()
    def matched(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the matches of a map (1, C, H, W) say of its positions, H * W of them, row by row.

        Returns:
            The mean of what is wanted there (H * W, C), its variance (H * W,), and how much the position counts, 0
            where no patch lies.
        """
        rows = rows_of(features)
        places = self._places(features.shape[2], features.shape[3]).to(rows.device)
        match = self.bank.match(self.bank.vectors(rows, places))
        total, squares = torch.zeros_like(rows), torch.zeros_like(rows)
        cover = rows.new_zeros(len(rows))
        for here, there in zip(places.T, self.bank.places[match].T, strict=True):
            apart = self.bank.rows[there].to(rows) - rows[here]  # what is small near the end stays exact
            total.index_add_(0, here, apart)
            squares.index_add_(0, here, apart.square())
            cover.index_add_(0, here, torch.ones_like(here, dtype=rows.dtype))
        mean, size = total / cover.clamp_min(1)[:, None], squares / cover.clamp_min(1)[:, None]
        weight = (cover > 0).to(rows)
        if self.guide is not None:
            weight = weight * self.guide.flatten().to(rows)
        return rows + mean, (size - mean.square()).clamp_min(0).mean(1), weight

    def _places(self, height: int, width: int) -> Tensor:
        """The picture's patches, without those that no guide points at."""
        return _guided(patch_places(height, width, self.bank.size, self.stride), self.guide, COUNTS / self.bank.size**2)
