"""Kolkin, Salavon and Shakhnarovich 2019: Style transfer by relaxed optimal transport and self-similarity (STROTSS).

arXiv 1904.12785. The photo is held by which of its parts are alike, not by what they look like: colours and strokes are
free to change as long as they change alike. The style is a set of hypercolumns, moved onto the picture's like earth.

The preset "paper" has the paper's weights and numbers of positions. "best" gives the photo twice the weight, looks at
half the positions in half the time, and rounds off what L-BFGS cannot get out of.

It begins with the photo in the painting's colours: which parts are alike does not say what colours they have, and those
that the picture began with would stay. The paper begins with the painting's mean colour.

Departures: the pixels are what is optimised, by L-BFGS, at positions that stay for some steps; the paper has a
Laplacian pyramid, RMSprop, and new positions at every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnlineOptions

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.losses import Loss
    from impasto.online.look import Look, Region
    from impasto.online.memory import Kept
    from impasto.online.sight import Sight
    from impasto.picture import Picture

LAYERS = (
    "relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_3", "relu5_3",
)  # fmt: skip
"""The paper's, besides the colours; of encoders that have none of these, their usual ones."""

POSITIONS, PAPER_POSITIONS = 512, 1024  # of the picture, redrawn at each turn
BANK, PAPER_BANK = 2048, 5000  # hypercolumns of the paintings
EVERY = 10
COVARIANCES = 8  # copies of one that a step holds: the bank's, the picture's, their difference and gradients
COARSE_CONTENT = 16.0
COARSE_SIDE = 64
"""The photo's weight against the style's is 16 at 64 pixels and half of it at each doubling (the paper's section 3)."""

STYLE, PAPER_STYLE = 0.3, 1.0  # the paper's leaves few photos to be known again
ROUNDING, PAPER_ROUNDING = 0.05, 0.0  # of self-similarity
SMOOTH = 0.05
PALETTE = 2.0  # weight of the colours' mean and covariance, at every size


@dataclass(frozen=True, kw_only=True)
class StrotssOptions(OnlineOptions):
    """What `strotss` understands: what every online method does."""


def paint(content: Picture, styles: Sequence[Picture], options: StrotssOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, layers(options), options.content_layers)
    yield from easel.paint(
        "strotss", content, styles, options, sight, lambda look: objective(look, options), stop=stop, every=EVERY,
        kept=kept(sight, options), begin=lambda scene: scene.in_style_colours(min(1.0, 2 * options.strength)),
    )  # fmt: skip


def layers(options: StrotssOptions) -> tuple[str, ...]:
    """Those that the texture model reads."""
    from impasto.online.sight import those_of

    return options.style_layers or those_of(options.encoder, LAYERS)


def kept(sight: Sight, options: StrotssOptions) -> Kept:
    """Every map of the photo and of the paintings, the gradients of two losses that take samples, and covariances."""
    from impasto.online.memory import Kept, bytes_of_maps

    maps, width = bytes_of_maps(sight, sight.style), sum(sight.encoder.channels(tap) for tap in sight.style)
    return Kept(canvas=3 * maps, style=maps, bank=4 * width * (COVARIANCES * width + PAPER_BANK))


def objective(look: Look, options: StrotssOptions) -> Loss:
    """The paper's equation 4."""
    from impasto.losses import IMAGE, SelfSimilarityLoss
    from impasto.losses.nonparametric.earth_mover import draw_positions
    from impasto.online.balance import balanced

    taps = (IMAGE, *look.sight.style)
    photo, scales = look.once("photo", lambda: _photo(look))
    paper = options.preset == "paper"
    positions = draw_positions(PAPER_POSITIONS if paper else POSITIONS, seed=options.seed + look.turn)
    rounding = PAPER_ROUNDING if paper else ROUNDING
    content = SelfSimilarityLoss(taps, photo, positions=positions, scales=scales, rounding=rounding)
    style = (PAPER_STYLE if paper else STYLE) / _content_weight(look)
    return balanced(look, texture, options, style=style, smooth=0 if paper else SMOOTH, content=content)


def texture(look: Look, region: Region, options: StrotssOptions) -> Loss:
    """The paper's equations 6 and 7: earth mover's distance, moments, palette."""
    from impasto.losses import IMAGE, StrotssStyleLoss, Sum
    from impasto.losses.nonparametric.earth_mover import draw_positions
    from impasto.online.nnst import palette

    paper = options.preset == "paper"
    most = PAPER_BANK if paper else BANK
    bank, colours, scales = look.once(("strotss", id(region)), lambda: _bank(look, region, most))
    guide = look.guides(region, (IMAGE,))[IMAGE]
    positions = draw_positions(PAPER_POSITIONS if paper else POSITIONS, seed=options.seed + look.turn, guide=guide)
    weight = _content_weight(look)
    style = StrotssStyleLoss(
        (IMAGE, *look.sight.style), bank, colours=colours, positions=positions, scales=scales, palette=1 / weight,
    )  # fmt: skip
    return style if paper else Sum([style, *(PALETTE * weight * loss for loss in palette(look, region))])


def _content_weight(look: Look) -> float:
    return max(1.0, COARSE_CONTENT * COARSE_SIDE / max(look.size))


def _photo(look: Look) -> tuple[dict[str, Tensor], dict[str, float]]:
    from impasto.losses import IMAGE
    from impasto.losses.nonparametric.earth_mover import even_scales

    photo = {IMAGE: look.sight.tensor(look.photo), **look.content(look.sight.style)}
    return photo, even_scales(photo)


def _bank(look: Look, region: Region, most: int) -> tuple[Tensor, Tensor, dict[str, float]]:
    """Hypercolumns of the paintings (M, D), their colours (M, 3), and what each layer is multiplied by."""
    import torch

    from impasto.losses import IMAGE
    from impasto.losses.nonparametric.earth_mover import draw_positions, even_scales, sample

    taps = (IMAGE, *look.sight.style)
    seen = [(s, look.style(s, taps)) for s in region.samples]
    scales = even_scales(seen[0][1])
    places = [
        draw_positions(max(1, round(most * s.share)), guide=look.sight.guides(s.mask, (IMAGE,))[IMAGE]) for s, _ in seen
    ]
    bank = torch.cat([sample(maps, at, scales=scales) for (_, maps), at in zip(seen, places, strict=True)])
    colours = torch.cat([sample({IMAGE: maps[IMAGE]}, at) for (_, maps), at in zip(seen, places, strict=True)])
    return bank, colours, scales
