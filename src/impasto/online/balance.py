"""Photo against style: the one sum that every method minimises (Gatys et al. 2015, equation 7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from impasto.losses import ContentLoss, Loss, Sum, TotalVariation
from impasto.online.look import Look, Region
from impasto.online.memory import Kept
from impasto.online.options import OnlineOptions
from impasto.online.sight import Sight

Texture = Callable[[Look, Region, Any], Loss]
"""(look, region, the method's options) -> how far the region is from the paintings' texture."""

KeptWith = Callable[[Sight, Any], Kept]
"""(what looks, the method's options) -> what the texture model takes of memory besides the photo's content maps."""


def content_loss(look: Look, *, relative: bool = True) -> Loss:
    """The photo's features, each layer with the same part of the weight.

    Args:
        look: whose content layers are read.
        relative: 1 is "as far as nothing at all", in every layer of every encoder.
    """
    photo = look.content()
    return Sum([1 / len(photo) * ContentLoss(layer, seen, relative=relative) for layer, seen in photo.items()])


def balanced(
    look: Look, texture: Texture, options: OnlineOptions, *, style: float, smooth: float, content: Loss | None = None
) -> Loss:
    """`alpha * content + beta * style + beta * smoothness`.

    `options.strength` moves weight from one to the other: alpha is 2 (1 - strength), beta is 2 strength. With losses
    that are relative to their targets, one balance fits every size, picture and encoder, and `style` makes it the
    same for every method: at 0.5 their pictures are about as far from the photo (`benchmarks/strength.py`).

    Args:
        look: photo and paintings at one size.
        texture: the method's texture model.
        options: strength; `tv` in place of `smooth`.
        style: weight of the texture model against a content weight of 1.
        smooth: weight of total variation, on pixels in [0, 1].
        content: what holds the photo; `content_loss` if not given.
    """
    alpha, beta = 2 * (1 - options.strength), 2 * options.strength
    terms = [alpha * (content or content_loss(look))]
    terms.append(beta * style * look.everywhere(lambda region: texture(look, region, options)))
    smooth = options.tv if options.tv is not None else beta * smooth
    return Sum([*terms, smooth * TotalVariation()] if smooth else terms)
