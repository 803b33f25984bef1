"""What a layer remembers: from noise to a picture with the same features, or with the same statistics of them.

Mahendran and Vedaldi 2015, Understanding deep image representations by inverting them (arXiv 1412.0035), and figure 1
of Gatys, Ecker and Bethge 2015 (arXiv 1508.06576). One scale only: a smaller copy of the picture would tell about it
what the layer itself has forgotten.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from threading import Event as StopSignal

import numpy as np

from impasto.encoders import get_spec
from impasto.errors import LimitError, OptionError
from impasto.events import Done, Event, Started
from impasto.image import fit, resize
from impasto.losses import ContentLoss, Loss, Sum, TotalVariation
from impasto.online.balance import KeptWith, Texture
from impasto.online.look import Look, Region, Sample
from impasto.online.memory import NOTHING
from impasto.online.options import OnlineOptions
from impasto.online.painter import paint_pixels
from impasto.online.plan import Scale, plan
from impasto.online.sight import Sight, open_eyes
from impasto.online.solo import FEATURES, STATISTICS, check_understood
from impasto.online.texture import Palette
from impasto.picture import Picture, Pixels

SMOOTH, GROWTH = 3e-3, 1.5
"""Total variation, on pixels in [0, 1], against a relative feature distance of weight 1: this much times a power of the
stride beyond 1, because a layer that looks from afar does not say what lies between its points."""

NOISE = 0.5, 0.01
"""Mean and deviation of the start: nearly grey, because grain that a layer hardly sees would never leave."""

ERROR = "error"
"""A result's losses tell each layer's relative feature error under this word and the layer's name."""


def invert(
    image: Picture,
    layers: Sequence[str],
    options: OnlineOptions,
    *,
    model: Texture | None = None,
    every: int | None = None,
    kept: KeptWith | None = None,
    tiles: bool = False,
    name: str = "reconstruct",
    stop: StopSignal,
) -> Iterator[Event]:
    """The picture whose features at `layers` are those of `image`, or whose statistics are.

    Args:
        image: what is remembered; shrunk to `options.size` on its long side, never enlarged.
        layers: the encoder's taps. With a model and one layer: the usual style layers up to that one.
        options: encoder, steps, seed, ...; `tv` in place of a smoothness that grows with the layers' strides.
        model: a method's texture model, whose statistics are to agree; None for the features themselves.
        every: steps after which the model's loss is made anew, as for `easel.paint`.
        kept: what the model takes besides its maps; see `balance.KeptWith`.
        tiles: whether the model can be seen in tiles, as for `easel.paint`.
        name: what is run, for `Started`.
        stop: set to end with the best picture so far.

    Yields:
        Started, Progress, Preview, Notice, and Done with the picture. For features its losses hold each layer's
        relative error |f - g| / |g| as well, 0 for a perfect memory, under "error " and the layer's name.

    Raises:
        OptionError: on an unknown layer, or an option that means nothing here.
        LimitError: when the image is too large for memory, or too small for the layers.
    """
    known = FEATURES if model is None else STATISTICS
    check_understood(options, known, "there is one picture, and no painting", own=model is not None)
    if not layers:
        raise OptionError("give at least one layer, such as --layer relu3_1")
    pixels = resize(image.pixels, fit(image.size, min(options.size or max(image.size), max(image.size))))
    canvas = Picture(pixels)
    sight = _eyes(layers, options, statistics=model is not None)
    _check_size(canvas, sight, image)
    stages = plan(
        canvas.size,
        dataclasses.replace(options, scales=options.scales or 1),
        sight,
        every=every,
        kept=(kept(sight, options) if kept else NOTHING).beside(1, 1),
        tiles=tiles or model is None,
    )
    start = _noise(pixels, options.seed, statistics=model is not None)

    first: Look | None = None

    def loss_at(scale: Scale, painted: Pixels) -> Loss:
        nonlocal first
        if first is None or first.size != scale.size:
            seen = resize(pixels, scale.size)
            photo = seen if model is None else painted  # statistics are all there is to go by
            first = Look(
                sight, photo, (Region((Sample(seen),)),), painted, last=scale.size == canvas.size, upright=True
            )
        if model is None:
            return _memory(sight, first.photo, options)
        look = dataclasses.replace(first, painted=painted, turn=scale.turn)
        loss = model(look, look.regions[0], options)
        return Sum([loss, options.tv * TotalVariation()]) if options.tv else loss

    yield Started(name, canvas.size, stages.steps)
    for event in paint_pixels(canvas, start, stages, sight, loss_at, stop=stop):
        told = isinstance(event, Done) and model is None
        yield _with_errors(event, canvas, sight) if told else event


def _noise(pixels: Pixels, seed: int, *, statistics: bool) -> Pixels:
    """Where to begin: nearly grey, or, for statistics, which have no slope there, in the picture's colours."""
    if statistics:
        return Palette.of([pixels], [1.0]).noise((pixels.shape[1], pixels.shape[0]), seed)
    noise: Pixels = np.random.default_rng(seed).normal(*NOISE, pixels.shape).clip(0, 1).astype(np.float32)
    return noise


def feature_errors(sight: Sight, found: Pixels, target: Pixels) -> dict[str, float]:
    """Each content layer's relative error, |features of `found` - features of `target`| over |those of `target`|."""
    one, other = (sight.look(pixels, sight.content) for pixels in (found, target))
    return {
        tap: float((one[tap].float() - other[tap].float()).norm() / other[tap].float().norm().clamp_min(1e-12))
        for tap in sight.content
    }


def _memory(sight: Sight, pixels: Pixels, options: OnlineOptions) -> Loss:
    """Feature distances, each in units of its layer, and smoothness."""
    targets = sight.look(pixels, sight.content)
    terms: list[Loss] = [1 / len(targets) * ContentLoss(tap, seen, relative=True) for tap, seen in targets.items()]
    least = min(sight.encoder.stride(tap) for tap in sight.content)  # what one layer still sees needs no guess
    smooth = SMOOTH * (least - 1) ** GROWTH if options.tv is None else options.tv
    return Sum([*terms, smooth * TotalVariation()] if smooth else terms)


def _eyes(layers: Sequence[str], options: OnlineOptions, *, statistics: bool) -> Sight:
    sight = open_eyes(options, *((layers, ()) if statistics else ((), layers)))
    if not statistics:
        return dataclasses.replace(sight, style=())
    if len(sight.style) == 1:
        order, (layer,) = sight.encoder.layers, sight.style
        usual = [tap for tap in get_spec(options.encoder).style if order.index(tap) < order.index(layer)]
        return dataclasses.replace(sight, style=(*usual, layer), content=())
    return dataclasses.replace(sight, content=())


def _check_size(canvas: Picture, sight: Sight, image: Picture) -> None:
    """Raises a LimitError when the canvas, which is `image` or a smaller copy of it, is too small for the layers."""
    least = max(sight.encoder.layer(tap).least for tap in (*sight.style, *sight.content))
    if min(canvas.size) < least:
        larger = f"--size {math.ceil(least * max(image.size) / min(image.size))}"
        raise LimitError(
            f"{canvas.width}x{canvas.height} is too small for {sight.encoder.name}'s "
            f"{(*sight.style, *sight.content)[-1]}; mend: "
            + (larger if min(image.size) >= least else f"a picture of at least {least}x{least}")
        )


def _with_errors(event: Event, canvas: Picture, sight: Sight) -> Event:
    assert isinstance(event, Done)  # noqa: S101 - the caller asked
    errors = feature_errors(sight, event.picture.pixels, canvas.pixels)
    losses = {**event.losses, **{f"{ERROR} {tap}": error for tap, error in errors.items()}}
    return dataclasses.replace(event, losses=losses)
