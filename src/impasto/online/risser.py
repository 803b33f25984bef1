"""Risser, Wilmot and Barnes 2017: Stable and controllable neural texture synthesis (arXiv 1701.08893).

A Gram matrix does not fix how strong a feature is where it occurs: many faint ones count as much as a few strong ones,
and optimisation wanders between them. The paper adds each channel's histogram in a shallow and in a deep layer.

There is no preset "paper": it tunes its weights in the course of each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnePreset, OnlineOptions
from impasto.options import option

if TYPE_CHECKING:
    from impasto.losses import Loss
    from impasto.online.look import Look, Region
    from impasto.online.memory import Kept
    from impasto.online.sight import Sight
    from impasto.picture import Picture

HISTOGRAM_LAYERS = ("relu1_1", "relu4_1")
"""The paper's; the first and the last but one of the style layers where an encoder has others."""

HISTOGRAM = 1.0  # against a weight of 1 for all Gram matrices together, both relative
COPIES = 4  # of the maps whose histograms are compared
STYLE = 8.0
SMOOTH = 0.2


@dataclass(frozen=True, kw_only=True)
class RisserOptions(OnlineOptions):
    """What `risser` understands: what every online method does."""

    preset: OnePreset = option("best", "our settings for the best picture; the paper tunes its own in each run")


def paint(content: Picture, styles: Sequence[Picture], options: RisserOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, options.style_layers, options.content_layers)
    yield from easel.paint(
        "risser", content, styles, options, sight, lambda look: objective(look, options), stop=stop,
        kept=kept(sight, options),
    )  # fmt: skip


def kept(sight: Sight, options: RisserOptions) -> Kept:
    """The maps whose histograms are compared: as they are, sorted, matched, the difference, and its gradients."""
    from impasto.online.memory import LOOK, Kept, bytes_of_maps

    maps = bytes_of_maps(sight, _histogram_layers(sight))
    return Kept(canvas=COPIES * maps, reading=2 * maps + LOOK)


def _histogram_layers(sight: Sight) -> list[str]:
    usual = sight.style
    return [tap for tap in HISTOGRAM_LAYERS if tap in usual] or [usual[0], usual[-2:][0]]


def objective(look: Look, options: RisserOptions) -> Loss:
    """Photo against style."""
    from impasto.online.balance import balanced

    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: RisserOptions) -> Loss:
    """The paper's equation 9 without the photo: Gram matrices and histograms."""
    from impasto.losses import HistogramLoss, Sum
    from impasto.online import gatys

    found = _histogram_layers(look.sight)
    guides = look.guides(region, found)
    terms: list[Loss] = [gatys.texture(look, region, gatys.GatysOptions())]
    for sample in region.samples:
        marks = look.sight.guides(sample.mask, found)
        for tap, seen in look.style(sample, found).items():
            weight = sample.share * HISTOGRAM / len(found)
            terms.append(weight * HistogramLoss(tap, seen, style_guide=marks[tap], guide=guides[tap], relative=True))
    return Sum(terms)
