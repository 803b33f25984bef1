"""Gatys, Ecker and Bethge 2015: A neural algorithm of artistic style (arXiv 1508.06576; CVPR 2016).

The picture whose features agree with the photo's in a deep layer, and whose feature correlations, the Gram matrices,
agree with the painting's in five layers. Found by gradient descent on the pixels.

Two presets. "paper" is the objective of the authors' public code, with its weights. "best" asks every layer and every
picture for relative agreement instead of absolute, so that one balance fits all of them.
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

    from impasto.encoders.encoder import Encoder
    from impasto.losses import Loss
    from impasto.online.look import Look, Region
    from impasto.picture import Picture

PAPER_STYLE = 1e3  # each layer's weight is this over its squared number of channels; the content's is 1
STYLE = 10.0  # against a content weight of 1, both relative
LAYERS = (0.25, 1.0, 1.0, 1.5, 0.5)  # the shallowest layer first; the deepest is the least sure of itself
SMOOTH = 0.2  # total variation, on pixels in [0, 1]
TILES = True  # all of it is sums over positions, or reads the picture itself


@dataclass(frozen=True, kw_only=True)
class GatysOptions(OnlineOptions):
    """What `gatys` understands: what every online method does. The paper's weights leave little of the photo."""


def paint(
    content: Picture,
    styles: Sequence[Picture],
    options: GatysOptions,
    *,
    stop: StopSignal,
    encoder: Encoder | None = None,
) -> Iterator[Event]:
    """Paints `content` after `styles`; see `easel.paint`.

    Args:
        content: the photo, (H, W, 3).
        styles: one painting or more, of any size.
        options: see `OnlineOptions`.
        stop: set to end with the best picture so far.
        encoder: any encoder, such as a `ModuleEncoder` around a network of one's own, in place of `options.encoder`.
    """
    from impasto.online import easel
    from impasto.online.sight import open_eyes

    sight = open_eyes(
        options, options.style_layers, options.content_layers, faithful=options.preset == "paper", encoder=encoder
    )
    yield from easel.paint(
        "gatys", content, styles, options, sight, lambda look: objective(look, options), stop=stop, tiles=TILES
    )


def objective(look: Look, options: GatysOptions) -> Loss:
    """The paper's equation 7."""
    from impasto.online.balance import balanced, content_loss

    if options.preset == "paper":
        return balanced(look, texture, options, style=1, smooth=0, content=content_loss(look, relative=False))
    return balanced(look, texture, options, style=STYLE, smooth=SMOOTH)


def texture(look: Look, region: Region, options: GatysOptions) -> Loss:
    """The paper's equation 5: a weighted sum over layers of the distances between Gram matrices."""
    from impasto.losses import GramLoss, Sum
    from impasto.losses.parametric.gram import gram_sums

    best = options.preset == "best"
    grams: dict[str, Tensor] = {}
    for sample in region.samples:
        for layer, (total, count) in look.gather(sample, gram_sums).items():
            grams[layer] = sample.share * total / count + grams.get(layer, 0)
    guides = look.guides(region)
    return Sum([
        weight * GramLoss(layer, gram, guide=guides[layer], relative=best)
        for (layer, gram), weight in zip(grams.items(), _layer_weights(grams, best), strict=True)
    ])  # fmt: skip


def _layer_weights(grams: dict[str, Tensor], best: bool) -> list[float]:
    if not best:
        return [PAPER_STYLE / gram.shape[-1] ** 2 for gram in grams.values()]
    weights = [LAYERS[min(i, len(LAYERS) - 1)] for i in range(len(grams))]
    return [w / sum(weights) for w in weights]
