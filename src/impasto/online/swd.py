"""Heitz, Vanhoey, Chambon and Belcour 2021: A sliced Wasserstein loss for neural texture synthesis (arXiv 2006.07229).

The whole distribution of the features, not a summary of it: seen along random directions, sorted numbers are compared
with sorted numbers. Every convolution of the encoder up to its fourth block is asked.

The preset "paper" pools by averages, weighs all layers alike and draws as many directions as there are channels; it
has no photo and no scales, so those are Gatys'. "best" draws as many as can be sorted in about the encoder's time, and
others every few steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.events import Event
from impasto.online.options import OnlineOptions

if TYPE_CHECKING:
    from impasto.losses import Loss
    from impasto.online.look import Look, Region
    from impasto.online.memory import Kept
    from impasto.online.sight import Sight
    from impasto.picture import Picture

LAYERS = (
    "relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu3_4",
    "relu4_1", "relu4_2", "relu4_3", "relu4_4",
)  # fmt: skip
"""The paper's; of encoders that have none of these, their usual ones."""

BEST_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu3_3", "relu4_1", "relu4_3")
"""Half of them, at less than half of the time: what the others see is in their neighbours as well."""

EVERY = 15
"""Steps with the same directions: enough for L-BFGS to follow, few enough to see the distribution from all sides."""

SORTED = 1 << 20
"""Numbers that are sorted a layer and step; at least `LEAST` directions are looked along."""

LEAST = 16
SEEN = 4  # copies of what is sorted
STYLE = 30.0
SMOOTH = 0.2


@dataclass(frozen=True, kw_only=True)
class SwdOptions(OnlineOptions):
    """What `swd` understands: what every online method does."""


def paint(content: Picture, styles: Sequence[Picture], options: SwdOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`."""
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(options, layers(options), options.content_layers)
    yield from easel.paint(
        "swd", content, styles, options, sight, lambda look: objective(look, options), stop=stop, every=EVERY,
        kept=kept(sight, options),
    )  # fmt: skip


def layers(options: SwdOptions) -> tuple[str, ...]:
    """Those that the texture model reads."""
    from impasto.online.sight import those_of

    wanted = LAYERS if options.preset == "paper" else BEST_LAYERS
    return options.style_layers or those_of(options.encoder, wanted)


def kept(sight: Sight, options: SwdOptions) -> Kept:
    """Every map of the paintings; of the picture, what is seen along all directions, sorted and compared."""
    from impasto.online.memory import Kept, bytes_of_maps

    encoder, item = sight.encoder, 4 * SEEN
    maps = bytes_of_maps(sight, sight.style)
    if options.preset == "paper":
        return Kept(
            canvas=item * sum(encoder.channels(tap) / encoder.stride(tap) ** 2 for tap in sight.style), style=maps
        )
    least = sum(min(LEAST, encoder.channels(tap)) / encoder.stride(tap) ** 2 for tap in sight.style)
    return Kept(canvas=item * least, style=maps, bank=item * SORTED * len(sight.style))


def objective(look: Look, options: SwdOptions) -> Loss:
    """Photo against style."""
    from impasto.online.balance import balanced

    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: SwdOptions) -> Loss:
    """The paper's equation 6: the sum of the layers' distances, along directions of this turn's own."""
    from impasto.losses import SlicedLoss, Sum

    guides = look.guides(region)
    terms: list[Loss] = []
    for sample in region.samples:
        marks = look.sight.guides(sample.mask, look.sight.style)
        for tap, seen in look.once(id(sample), partial(look.style, sample)).items():
            channels, positions = seen.shape[1], seen.shape[2] * seen.shape[3]
            count = channels if options.preset == "paper" else min(channels, max(LEAST, SORTED // positions))
            loss = SlicedLoss(
                tap, seen, directions=count, seed=options.seed + look.turn, style_guide=marks[tap], guide=guides[tap],
                relative=True,
            )  # fmt: skip
            terms.append(sample.share / len(look.sight.style) * loss)
    return Sum(terms)
