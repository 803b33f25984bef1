"""Painting by feature transforms: encoder, transform and decoder in one file; what AdaIN and WCT have in common."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from threading import Event as StopSignal
from typing import TYPE_CHECKING

import numpy as np

from impasto import image
from impasto.events import Done, Event, Started
from impasto.fast.canvas import at_size, in_colours, result_size
from impasto.fast.interruption import StoppedError, interruptible
from impasto.fast.session import Network
from impasto.options import StylizeOptions, check_blend
from impasto.picture import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]

Size = tuple[int, int]

LEAST_STYLE = 32  # pixels of a painting's shorter side, so that features have something to be a statistic of
MOST_STYLE = 4  # a painting's longer side over its shorter one; of a longer strip the middle is used


def paint_features(
    name: str,
    network: Network,
    content: Picture,
    styles: Sequence[Picture],
    options: StylizeOptions,
    *,
    stop: StopSignal,
) -> Iterator[Event]:
    """Repaints a photo by giving its features the paintings' statistics.

    Strength 1 is the paper's picture, and what lies below is mixed among the features. There the papers' strength 0
    is the photo encoded and decoded, which is softer than the photo: what that gets wrong is given back in the measure
    in which the photo is asked for.

    Args:
        name: the method's.
        network: photo, painting, weights and strength -> picture.
        content: the photo.
        styles: one painting or more; of several, all but the first are cut to its shape.
        options: `style_scale` is the paintings' size beside the photo, 1 for the same area.
        stop: once set before the end, the photo is given out as it is.

    Raises:
        OptionError: when weights and styles do not fit.
        LimitError: when memory would not do; the message names the size that fits.
    """
    began = time.perf_counter()
    shares = check_blend(options.blend, len(styles))
    used = [(style, share) for style, share in zip(styles, shares, strict=True) if share > 0]
    seen = _beside(used[0][0].size, result_size(content, options), options.style_scale)
    photo = at_size(content, options, network.card.bytes_per_pixel, worked_at=_batched(seen, len(used)))
    yield Started(name, photo.size)
    painted, stopped = photo, stop.is_set()
    if options.strength > 0 and not stopped:
        paintings = np.stack([_seen(style, seen, photo, options) for style, _ in used])
        told = {"painting": paintings.transpose(0, 3, 1, 2), "weights": np.array([w for _, w in used], np.float32)}
        try:
            with interruptible(stop):
                painted = photo.with_pixels(_at_strength(network, photo.pixels, told, options))
        except StoppedError:
            stopped = True
    yield Done(painted, time.perf_counter() - began, stopped=stopped)


def _at_strength(network: Network, photo: Pixels, told: dict[str, Pixels], options: StylizeOptions) -> Pixels:
    """T(s) + (1 - s) * (photo - T(0)), in the colours that are wanted."""
    told["painting"] = np.ascontiguousarray(told["painting"])
    painted = network.paint(photo, strength=np.array([options.strength], np.float32), **told)
    if options.strength < 1:
        own = network.paint(photo, strength=np.zeros(1, np.float32), **told)
        painted = np.clip(painted + np.float32(1 - options.strength) * (photo - own), 0, 1)
    return in_colours(painted, photo, options.keep_color, after=True)


def _seen(style: Picture, size: Size, photo: Picture, options: StylizeOptions) -> Pixels:
    """A painting at its size and in its colours, cut to that size's shape."""
    width, height = style.size
    across, down = min(width, round(height * size[0] / size[1])), min(height, round(width * size[1] / size[0]))
    left, top = (width - max(1, across)) // 2, (height - max(1, down)) // 2
    cut = style.pixels[top : top + max(1, down), left : left + max(1, across)]
    return in_colours(image.resize(np.ascontiguousarray(cut), size), photo.pixels, options.keep_color)


def _beside(style: Size, canvas: Size, scale: float) -> Size:
    """(width, height) of a painting of the canvas's area, times `scale` each way; the middle of a long strip."""
    width, height = (min(n, MOST_STYLE * min(style)) for n in style)
    zoom = scale * math.sqrt(math.prod(canvas) / (width * height))
    zoom = max(zoom, LEAST_STYLE / min(width, height))
    return max(LEAST_STYLE, round(width * zoom)), max(LEAST_STYLE, round(height * zoom))


def _batched(size: Size, count: int) -> Size:
    """One picture of as many pixels as `count` of that size."""
    return size[0], size[1] * count
