"""What every method of one pass does around its network: size, memory, strokes, colours, and the photo mixed in."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from threading import Event as StopSignal
from typing import TYPE_CHECKING

import numpy as np

from impasto import image
from impasto.events import Done, Event, Started
from impasto.fast.interruption import StoppedError, interruptible
from impasto.machine import check_memory
from impasto.options import KeepColor, StylizeOptions
from impasto.picture import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]
    Coat = Callable[[Pixels], Pixels]
    """A network with its style chosen: photo -> picture of the same size."""

Size = tuple[int, int]

PIXELS_HELP = "how far from the photo (0) to the style (1); mixes pixels, where other methods mix styles"


def at_size(content: Picture, options: StylizeOptions, bytes_per_pixel: float, *, worked_at: Size = (0, 0)) -> Picture:
    """The photo at the size to paint, once memory is known to do.

    Args:
        content: the photo.
        options: its `size` is used.
        bytes_per_pixel: what the network takes.
        worked_at: (width, height) that the network will see on the way there, where that is more.

    Raises:
        LimitError: when memory would not do; the message names the size that fits.
    """
    size = result_size(content, options)
    check_memory(size, bytes_per_pixel, worked_at=max(size, worked_at, key=math.prod))
    return image.resize_picture(content, size)


def result_size(content: Picture, options: StylizeOptions) -> Size:
    """(width, height) of the result."""
    return image.fit(content.size, options.size) if options.size else content.size


def repaint(
    name: str, content: Picture, options: StylizeOptions, coat: Coat, *, bytes_per_pixel: float, stop: StopSignal
) -> Iterator[Event]:
    """The events of a method whose network carries its styles inside: strength mixes the pixels of photo and painting.

    Such a network has no way back to the photo, nor anything in between that it was trained for.
    """
    began = time.perf_counter()
    scaled_to = scaled(result_size(content, options), options.style_scale)
    photo = at_size(content, options, bytes_per_pixel, worked_at=scaled_to)
    yield Started(name, photo.size)
    painted, stopped = photo, stop.is_set()
    if options.strength > 0 and not stopped:
        try:
            with interruptible(stop):
                pixels = in_strokes(coat, photo.pixels, options.style_scale)
            pixels = photo.pixels + np.float32(options.strength) * (pixels - photo.pixels)
            pixels = in_colours(np.clip(pixels, 0, 1), photo.pixels, options.keep_color, after=True)
            painted = photo.with_pixels(pixels)
        except StoppedError:
            stopped = True
    yield Done(painted, time.perf_counter() - began, stopped=stopped)


def in_strokes(coat: Coat, photo: Pixels, scale: float) -> Pixels:
    """The photo painted with strokes of `scale` times the usual size.

    The network's strokes have a size in pixels. Smaller ones: paint a larger photo, shrink the result. Larger ones:
    paint a smaller photo, enlarge the result, and paint that once more, which turns its soft edges into strokes; the
    second coat fades in until the scale is 2, so that there is no jump at 1.
    """
    if scale == 1:
        return coat(photo)
    height, width = photo.shape[:2]
    size = scaled((width, height), scale)
    painted = image.resize(coat(image.resize(photo, size)), (width, height))
    if scale > 1:
        painted = painted + np.float32(min(1.0, math.log2(scale))) * (coat(painted) - painted)
    return painted


def in_colours(pixels: Pixels, photo: Pixels, keep: KeepColor, *, after: bool = False) -> Pixels:
    """Pixels in the photo's colours by one rule; taking over lightness alone is only meant for the result, `after`."""
    if keep == "linear":
        return image.match_linear(pixels, photo)
    if keep == "histogram":
        return image.match_histogram(pixels, photo)
    return image.keep_luminance(pixels, photo) if keep == "luminance" and after else pixels


def scaled(size: Size, scale: float) -> Size:
    """The size at which strokes come out `scale` times as large once it is brought back to `size`."""
    width, height = (max(1, round(n / scale)) for n in size)
    return width, height
