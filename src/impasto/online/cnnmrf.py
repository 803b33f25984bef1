"""Li and Wand 2016: Combining Markov random fields and convolutional neural networks (CNNMRF, arXiv 1601.04589).

Every patch of the picture's features is like some patch of the painting's. What a painting shows in one place stays
together: an eye becomes an eye, where a Gram matrix would scatter its strokes.

The preset "paper" matches at every step, on a painting at three angles and three scales; "best" at three angles, and
every few steps: matches hardly change in between, and cost as much as the encoder. And it holds the colours to the
painting's mean and covariance, without which few patches make pale pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnlineOptions

if TYPE_CHECKING:
    from impasto.losses import Loss
    from impasto.losses.nonparametric.patches import PatchBank
    from impasto.online.look import Look, Region, Sample
    from impasto.online.memory import Kept
    from impasto.online.sight import Sight
    from impasto.picture import Picture

STYLE_LAYERS = ("relu3_1", "relu4_1")
"""The paper's; of other encoders, the two deepest but one of their usual layers."""

ANGLES = (-7.5, 0.0, 7.5)  # degrees
ZOOMS = (0.95, 1.0, 1.05)
EVERY = 10
SIDE = 3  # of a patch, in positions
MOST = 6000
"""Patches of the paintings a layer: about as many as a picture of 512x384 has itself."""

PALETTE = 2.0  # weight of colours against patches, which are matched where colours are hardly seen
STYLE = 2.0
SMOOTH = 0.2


@dataclass(frozen=True, kw_only=True)
class CnnmrfOptions(OnlineOptions):
    """What `cnnmrf` understands: what every online method does."""


def paint(content: Picture, styles: Sequence[Picture], options: CnnmrfOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, layers(options), options.content_layers)
    yield from easel.paint(
        "cnnmrf", content, styles, options, sight, lambda look: objective(look, options), stop=stop,
        every=every(options), kept=kept(sight, options),
    )  # fmt: skip


def layers(options: CnnmrfOptions) -> tuple[str, ...]:
    """Those that the texture model reads."""
    from impasto.encoders import get_spec
    from impasto.online.sight import those_of

    return options.style_layers or those_of(options.encoder, STYLE_LAYERS) or get_spec(options.encoder).style[-3:-1]


def every(options: CnnmrfOptions) -> int:
    """Steps with the same matches."""
    return 1 if options.preset == "paper" else EVERY


def kept(sight: Sight, options: CnnmrfOptions) -> Kept:
    """Maps of the paintings at all angles: as they are seen, in one bank, and centred; the picture's, while matched."""
    from impasto.online.memory import PIXEL, Kept, bytes_of_maps

    maps = bytes_of_maps(sight, sight.style)
    turned = len(ANGLES) * (len(ZOOMS) if options.preset == "paper" else 1)
    return Kept(canvas=4 * maps, style=turned * (2 * maps + PIXEL), reading=turned * maps)


def objective(look: Look, options: CnnmrfOptions) -> Loss:
    """The paper's equation 1: patches, photo, smoothness."""
    from impasto.online.balance import balanced

    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: CnnmrfOptions) -> Loss:
    """The paper's equation 2: how far every patch is from the one most like it, a layer's mean each."""
    from impasto.losses import PatchLoss, Sum
    from impasto.online.nnst import palette

    guides = look.guides(region)
    banks = look.once(("cnnmrf", id(region)), lambda: _banks(look, region, options))
    terms: list[Loss] = [
        1 / len(banks) * PatchLoss(tap, bank, guide=guides[tap], every=2 * EVERY) for tap, bank in banks.items()
    ]
    if options.preset == "best":
        terms += [PALETTE * loss for loss in palette(look, region)]
    return Sum(terms)


def _banks(look: Look, region: Region, options: CnnmrfOptions) -> dict[str, PatchBank]:
    from impasto.losses import PatchBank

    zooms = ZOOMS if options.preset == "paper" else (1.0,)
    seen = [(s, look.style(turned)) for s in region.samples for turned in _turned(s, look, zooms)]
    found, width, height = {}, *look.size
    for tap, here in look.sight.map_sizes(height, width, look.sight.style).items():
        maps = [maps[tap] for _, maps in seen]
        side = min(SIDE, *here, *(n for m in maps for n in m.shape[2:]))  # of a small picture's deep layers
        guides = [look.sight.guides(sample.mask, (tap,))[tap] for sample, _ in seen]
        shares = [sample.share for sample, _ in seen]
        found[tap] = PatchBank(maps, size=side, shares=shares, guides=guides, most=MOST)
    return found


def _turned(sample: Sample, look: Look, zooms: Sequence[float]) -> list[Sample]:
    """A painting at several angles and scales, if it may be turned; beyond its border lies its mirror image."""
    from impasto.image import turn
    from impasto.online.look import Sample

    if look.upright or sample.mask is not None:  # a mask says where things are
        return [sample]
    return [Sample(turn(sample.pixels, angle, zoom), sample.share) for angle in ANGLES for zoom in zooms]
