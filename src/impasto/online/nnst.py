"""Kolkin, Kucera, Paris, Sykora, Shechtman and Shakhnarovich 2022: Neural neighbor style transfer (arXiv 2203.13215).

Every feature of the photo, all layers at once, is replaced by the painting's most like it, and the picture is found
that has these. At the result's own size that is the beginning; then each layer finds neighbours of its own.

In the preset "best" the photo's features have a small voice of their own, and colours are held to the painting's mean
and covariance all along, since cosines say nothing of them. "paper" has neither, and corrects the colours in the end;
below a strength of 0.5, which is the paper's, photo and colours go over into the photo's own.

Departures: the pixels are what is optimised, by L-BFGS, where the paper has a Laplacian pyramid and Adam; neighbours
are searched on the features' principal components, in a part of the painting's that is drawn once; colours are matched
linearly in the end, without the paper's filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Done, Event, Preview
from impasto.online.options import OnlineOptions

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.losses import Loss
    from impasto.online.look import Look, Region, Sample
    from impasto.online.memory import Kept
    from impasto.online.sight import Sight
    from impasto.picture import Picture

LAYERS = (
    "relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_1", "relu4_2", "relu4_3",
)  # fmt: skip
"""The paper's; of encoders that have none of these, their usual ones."""

STRIDE = 4
"""Pixels from one hypercolumn to the next."""

ANGLES = (0, 1, 2, 3)  # quarter turns of the painting
BANK = 8192  # of the painting's hypercolumns, drawn once
SPLIT_BANK = 2048  # of each layer's vectors, where every layer is by itself
MATCHED = 256  # principal components on which neighbours are searched
EVERY = 40
COPIES = 11  # of hypercolumns that a step holds at most: measured
PHOTO = 0.75
"""How much of what is replaced is the photo, at a strength of 0.5; the rest is the picture so far."""

PALETTE = 2.0  # weight of colours against neighbours
STYLE = 10.0
SMOOTH = 0.1


@dataclass(frozen=True, kw_only=True)
class NnstOptions(OnlineOptions):
    """What `nnst` understands: what every online method does."""


def paint(content: Picture, styles: Sequence[Picture], options: NnstOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, layers(options), options.content_layers)
    for event in easel.paint(
        "nnst", content, styles, options, sight, lambda look: objective(look, options), stop=stop, every=EVERY,
        kept=kept(sight, options),
    ):  # fmt: skip
        yield _recoloured(event, styles[0], options.strength) if _corrects(styles, options) else event


def _corrects(styles: Sequence[Picture], options: NnstOptions) -> bool:
    """Whether colours are matched in the end: the paper's way with one painting, whose colours are all wanted."""
    apart = options.mask or options.style_mask or options.semantic
    return options.preset == "paper" and options.keep_color == "none" and len(styles) == 1 and not apart


def _recoloured(event: Event, style: Picture, strength: float) -> Event:
    """With the painting's mean and covariance of colours; part of the way to them below a strength of 0.5."""
    from impasto.image import match_linear

    if not isinstance(event, Preview | Done):
        return event
    pixels = event.picture.pixels
    matched = pixels + min(1.0, 2 * strength) * (match_linear(pixels, style.pixels) - pixels)
    return replace(event, picture=event.picture.with_pixels(matched))


def layers(options: NnstOptions) -> tuple[str, ...]:
    """Those that the texture model reads."""
    from impasto.online.sight import those_of

    return options.style_layers or those_of(options.encoder, LAYERS)


def kept(sight: Sight, options: NnstOptions) -> Kept:
    """Hypercolumns of target and picture, what cosines make of them, the gradients of all maps, and the bank, twice.

    A painting is read at one angle at a time: all its maps, and its hypercolumns by layers, scaled, and all in one.
    """
    from impasto.online.memory import LOOK, Kept, bytes_of_maps

    width = sum(sight.encoder.channels(tap) for tap in sight.style)
    columns, maps = 4 * width / STRIDE**2, bytes_of_maps(sight, sight.style)
    return Kept(canvas=COPIES * columns + maps, reading=3 * columns + maps + LOOK, bank=4 * width * (2 * BANK + width))


def objective(look: Look, options: NnstOptions) -> Loss:
    """Photo against style; the paper's photo is in what is replaced, and nowhere else.

    That alone would never be the photo: what replaces it is the painting's. Below the paper's 0.5 features do the rest.
    """
    from impasto.losses import Sum, TotalVariation
    from impasto.online.balance import balanced, content_loss

    if options.preset == "paper":
        share = min(1.0, 2 * options.strength)
        terms = [share * look.everywhere(lambda region: texture(look, region, options))]
        if share < 1:
            terms.append((1 - share) / STYLE * content_loss(look))
        return Sum([*terms, options.tv * TotalVariation()] if options.tv else terms)
    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: NnstOptions) -> Loss:
    """All layers together; at the result's size, after a turn, each by itself; and the colours."""
    from impasto.losses import Sum

    neighbours = split if look.last and look.turn else joined
    colours = palette(look, region) if options.preset == "best" else []
    return Sum([neighbours(look, region, options), *(PALETTE * loss for loss in colours)])


def palette(look: Look, region: Region) -> list[Loss]:
    """How far colours are from each painting's, as Gaussians."""
    from impasto.losses import IMAGE, WassersteinLoss
    from impasto.losses.parametric.wasserstein import gaussian_of_sums, gaussian_sums

    guide = look.guides(region, (IMAGE,))[IMAGE]
    found = []
    for sample in region.samples:
        inside = look.sight.guides(sample.mask, (IMAGE,))[IMAGE]
        target = gaussian_of_sums(*gaussian_sums(look.sight.tensor(sample.pixels), inside))
        found.append(sample.share * WassersteinLoss(IMAGE, target, guide=guide, relative=True))
    return found


def joined(look: Look, region: Region, options: NnstOptions) -> Loss:
    """The paper's section 3.2: cosines to the hypercolumns that replace those of photo and picture, mixed."""
    from torch.nn import functional

    from impasto.losses import CosineLoss, hypercolumns
    from impasto.losses.nonparametric.matching import nearest, rows_of

    taps, (width, height) = look.sight.style, look.size
    size = (max(1, height // STRIDE), max(1, width // STRIDE))
    photo, painted = (hypercolumns(look.sight.look(p, taps), size) for p in (look.photo, look.painted))
    share = min(1.0, 2 * PHOTO * (1 - options.strength))
    query = rows_of(photo.lerp(painted, 1 - share))
    bank, basis, keys = look.once(("nnst", id(region)), lambda: _bank(look, region))
    found, _ = nearest((query - query.mean(0)) @ basis, keys)
    target = bank[found].T.reshape(1, -1, *size)
    guide = look.guides(region, ("image",))["image"]
    return CosineLoss(taps, target, guide=None if guide is None else functional.adaptive_avg_pool2d(guide, size))


def split(look: Look, region: Region, options: NnstOptions) -> Loss:
    """The paper's section 3.3: every layer finds its own neighbours, at every step."""
    from impasto.losses import NearestLoss, Sum

    guides = look.guides(region)
    banks = look.once(("split", id(region)), lambda: _split_banks(look, region))
    losses = [NearestLoss(tap, b, seed=options.seed + look.turn, guide=guides[tap]) for tap, b in banks.items()]
    return Sum([1 / len(losses) * loss for loss in losses])


def _bank(look: Look, region: Region) -> tuple[Tensor, Tensor, Tensor]:
    """Hypercolumns of the paintings (M, D), the directions that are searched along, and what is found along them."""
    import torch

    from impasto.losses import hypercolumns
    from impasto.losses.nonparametric.matching import principal, rows_of

    rows = []
    for sample in region.samples:
        for turned in _turned(sample, look):
            height, width = turned.pixels.shape[:2]
            size = (max(1, height // STRIDE), max(1, width // STRIDE))
            drawn = _drawn(look, turned, size, max(1, round(BANK * sample.share / len(ANGLES))))
            rows.append(rows_of(hypercolumns(look.style(turned), size))[drawn])  # of the rest no name: it is gone
    bank = torch.cat(rows)
    centred = bank - bank.mean(0)
    basis = principal(centred, MATCHED)
    return bank, basis, centred @ basis


def _split_banks(look: Look, region: Region) -> dict[str, Tensor]:
    import torch

    from impasto.losses.nonparametric.matching import rows_of

    rows: dict[str, list[Tensor]] = {tap: [] for tap in look.sight.style}
    for sample in region.samples:
        for turned in _turned(sample, look):
            for tap, seen in look.style(turned).items():
                most = max(1, round(SPLIT_BANK * sample.share / len(ANGLES)))
                chosen = _drawn(look, turned, (seen.shape[2], seen.shape[3]), most)
                rows[tap].append(rows_of(seen)[chosen])
    return {tap: torch.cat(found) for tap, found in rows.items()}


def _drawn(look: Look, sample: Sample, size: tuple[int, int], most: int) -> Tensor:
    """At most so many positions of a map of (height, width), inside the painting's mask if it has one."""
    import torch
    from torch.nn import functional

    from impasto.losses.nonparametric.matching import some_of

    if sample.mask is None:
        return some_of(size[0] * size[1], most)
    guide = functional.adaptive_avg_pool2d(torch.from_numpy(sample.mask)[None, None], size)
    return some_of(size[0] * size[1], most, guide=guide)


def _turned(sample: Sample, look: Look) -> list[Sample]:
    """The painting at four angles, as the paper has it, where it may be turned."""
    import numpy as np

    from impasto.online.look import Sample

    return [
        Sample(
            np.ascontiguousarray(np.rot90(sample.pixels, n)), sample.share,
            None if sample.mask is None else np.ascontiguousarray(np.rot90(sample.mask, n)),
        )
        for n in ((0,) if look.upright else ANGLES)
    ]  # fmt: skip
