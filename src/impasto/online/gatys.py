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
from typing import TYPE_CHECKING, Literal

from impasto.events import Event, Notice, Started
from impasto.online.options import OnlineOptions
from impasto.options import check_blend, option

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.encoders.encoder import Encoder
    from impasto.losses import Loss
    from impasto.online.scene import Scene, Size
    from impasto.online.sight import Sight
    from impasto.picture import Picture

Preset = Literal["best", "paper"]

PAPER_STYLE = 1e3  # each layer's weight is this over its squared number of channels; the content's is 1
BEST_STYLE = 10.0  # against a content weight of 1, both relative
BEST_LAYERS = (0.25, 1.0, 1.0, 1.5, 0.5)  # the shallowest layer first; the deepest is the least sure of itself
BEST_SMOOTH = 0.2  # total variation, on pixels in [0, 1]


@dataclass(frozen=True, kw_only=True)
class GatysOptions(OnlineOptions):
    """What `gatys` understands."""

    preset: Preset = option("best", "our weights for the best picture, or the paper's, which leave little of the photo")
    style_layers: tuple[str, ...] = option((), "layers whose Gram matrices make the style; the encoder's usual ones")
    content_layers: tuple[str, ...] = option((), "layers whose features make the content; the encoder's usual ones")
    tv: float | None = option(None, "weight of total variation; the preset's if not given", low=0, high=1e6)


def paint(
    content: Picture,
    styles: Sequence[Picture],
    options: GatysOptions,
    *,
    stop: StopSignal,
    encoder: Encoder | None = None,
) -> Iterator[Event]:
    """Paints `content` after `styles`.

    Args:
        content: the photo, (H, W, 3).
        styles: one painting or more, of any size.
        options: see `GatysOptions`.
        stop: set to end with the best picture so far.
        encoder: any encoder, such as a `ModuleEncoder` around a network of one's own, in place of `options.encoder`.

    Yields:
        Started, Progress, Preview, Notice, and Done with the picture.

    Raises:
        OptionError: when a layer, a blend or a device does not fit.
        LimitError: when memory would not do; the message names the size that would.
    """
    from impasto.online.painter import paint_pixels, plan
    from impasto.online.scene import prepare, result_size
    from impasto.online.sight import open_eyes

    shares = check_blend(options.blend, len(styles))
    sight = open_eyes(
        options, options.style_layers, options.content_layers, faithful=options.preset == "paper", encoder=encoder
    )
    stages = plan(result_size(content, options), options, sight)
    scene = prepare(content, styles, options)
    yield Started("gatys", scene.content.size, stages.steps)
    yield from (Notice(text) for text in scene.notices)

    def loss_at(size: Size) -> Loss:
        return objective(scene, size, shares, sight, options)

    for event in paint_pixels(scene.content, scene.start, stages, sight, loss_at, stop=stop):
        yield scene.finish(event)


def objective(scene: Scene, size: Size, shares: Sequence[float], sight: Sight, options: GatysOptions) -> Loss:
    """The paper's equation 7, `alpha * content + beta * style`, for a canvas of (width, height)."""
    from impasto.losses import ContentLoss, GramLoss, Sum, TotalVariation, gram_matrix

    best = options.preset == "best"
    photo = sight.look(scene.photo_at(size), sight.content)
    grams: dict[str, Tensor] = {}
    for share, style in zip(shares, scene.styles_at(size), strict=True):
        for layer, seen in sight.look(style, sight.style).items():
            grams[layer] = share * gram_matrix(seen) + grams.get(layer, 0)
    alpha, beta = 2 * (1 - options.strength), 2 * options.strength
    terms = [alpha / len(photo) * ContentLoss(layer, seen, relative=best) for layer, seen in photo.items()]
    terms += [
        beta * weight * GramLoss(layer, gram, relative=best)
        for (layer, gram), weight in zip(grams.items(), _layer_weights(grams, best), strict=True)
    ]
    smooth = options.tv if options.tv is not None else beta * BEST_SMOOTH if best else 0.0
    return Sum([*terms, smooth * TotalVariation()] if smooth else terms)


def _layer_weights(grams: dict[str, Tensor], best: bool) -> list[float]:
    if not best:
        return [PAPER_STYLE / gram.shape[-1] ** 2 for gram in grams.values()]
    weights = [BEST_LAYERS[min(i, len(BEST_LAYERS) - 1)] for i in range(len(grams))]
    return [BEST_STYLE * w / sum(weights) for w in weights]
