"""Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization network.

Any photo in the style of any painting in one pass, by Magenta's published mobile networks. What we add to the paper:
pictures of any size, strength down to the photo itself, larger and smaller strokes, and the photo's colours if wanted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal
from typing import TYPE_CHECKING

import numpy as np

from impasto import image
from impasto.events import Done, Event, Started
from impasto.fast import engine
from impasto.fast.style_code import StyleCode, blend
from impasto.machine import check_memory
from impasto.options import Device, KeepColor, StylizeOptions, check_blend
from impasto.picture import Picture

if TYPE_CHECKING:
    import numpy.typing as npt

    Pixels = npt.NDArray[np.float32]
    Code = npt.NDArray[np.float32]

NAME = "fast"
STYLE_SIDE = 256  # short side of a painting as the prediction network saw them in training
LONGEST = 4  # a painting's longer side counts up to this many times the shorter one


@dataclass(frozen=True, kw_only=True)
class FastOptions(StylizeOptions):
    """What the fast method understands: what every method does.

    Example:
        >>> FastOptions(strength=0.7, style_scale=2).strength
        0.7
    """


def paint(
    content: Picture, styles: Sequence[Picture | StyleCode], options: FastOptions, *, stop: StopSignal
) -> Iterator[Event]:
    """Repaints a photo after one painting or several.

    Args:
        content: the photo, of any size.
        styles: one or more paintings, or codes of paintings that were encoded before; `options.blend` weighs them. With
            `keep_color` a painting takes on the photo's colours before it is read; with a code it is too late for that,
            and only the result does.
        options: see `FastOptions`.
        stop: once set before the work begins, the photo is given out as it is.

    Yields:
        Started, then Done.

    Raises:
        LimitError: when memory would not do; the message names the size that fits.
        OptionError: when weights and styles do not fit, or the device is not there.
        PictureError: when codes belong to different networks.

    Example:
        >>> photo = Picture(np.random.default_rng(0).random((24, 32, 3), np.float32))
        >>> *_, done = paint(photo, [photo], FastOptions(), stop=StopSignal())
        >>> done.picture.size
        (32, 24)
    """
    began = time.perf_counter()
    check_blend(options.blend, len(styles))
    photo = _at_size(content, options)
    yield Started(NAME, photo.size)
    painted, stopped = photo, stop.is_set()
    if options.strength > 0 and not stopped:
        codes = [s if isinstance(s, StyleCode) else _encode_for(photo, s, options) for s in styles]
        stopped = stop.is_set()
        if not stopped:
            code = blend(codes, options.blend).values
            painted = photo.with_pixels(_at_strength(photo, code, options))
    yield Done(painted, time.perf_counter() - began, stopped=stopped)


def encode(painting: Picture, *, device: Device = "auto") -> StyleCode:
    """The style of a painting, to be kept and reused.

    The whole painting is read, its short side at 256 pixels: the network averages its features over the painting, so
    that its shape does not matter, and 256 is the size it learned at.

    Raises:
        OptionError: when the device is not there.

    Example:
        >>> encode(Picture(np.zeros((300, 400, 3), np.float32))).values.shape
        (100,)
    """
    return StyleCode(engine.encode(_view(painting), device=device), name=painting.path.stem if painting.path else "")


def _encode_for(photo: Picture, painting: Picture, options: FastOptions) -> StyleCode:
    """A painting's code, the painting in the photo's colours first where these are to be kept."""
    seen = _in_colours(_view(painting), photo.pixels, options.keep_color)
    return encode(Picture(seen, path=painting.path), device=options.device)


def _at_strength(photo: Picture, code: Code, options: FastOptions) -> Pixels:
    """The photo painted, from itself (0) to the style (1), in even steps.

    The paper goes from the photo's own code to the style's, but the network given the photo's own code paints a
    softened, recoloured photo. What it gets wrong there is given back in the measure in which the photo is asked for:
    T(code(s)) + (1 - s) * (photo - T(own)).
    """
    strength, scale, device = options.strength, options.style_scale, options.device
    if strength == 1:
        return _in_colours(_in_strokes(photo.pixels, code, scale, device), photo.pixels, options.keep_color, after=True)
    own = engine.encode(_view(photo), device=device)
    painted = _in_strokes(photo.pixels, own + np.float32(strength) * (code - own), scale, device)
    painted += np.float32(1 - strength) * (photo.pixels - _in_strokes(photo.pixels, own, scale, device))
    return _in_colours(np.clip(painted, 0, 1), photo.pixels, options.keep_color, after=True)


def _in_strokes(photo: Pixels, code: Code, scale: float, device: Device) -> Pixels:
    """The photo painted with strokes of `scale` times the usual size.

    The network's strokes have a size in pixels. Smaller ones: paint a larger photo, shrink the result. Larger ones:
    paint a smaller photo, enlarge the result, and paint that once more, which turns its soft edges into strokes; the
    second coat fades in until the scale is 2, so that there is no jump at 1.
    """
    if scale == 1:
        return engine.paint(photo, code, device=device)
    height, width = photo.shape[:2]
    size = _scaled((width, height), scale)
    painted = image.resize(engine.paint(image.resize(photo, size), code, device=device), (width, height))
    if scale > 1:
        coat = engine.paint(painted, code, device=device)
        painted = painted + np.float32(min(1.0, math.log2(scale))) * (coat - painted)
    return painted


def _in_colours(pixels: Pixels, photo: Pixels, keep: KeepColor, *, after: bool = False) -> Pixels:
    """Pixels in the photo's colours by one rule; taking over lightness alone is only meant for the result, `after`."""
    if keep == "linear":
        return image.match_linear(pixels, photo)
    if keep == "histogram":
        return image.match_histogram(pixels, photo)
    return image.keep_luminance(pixels, photo) if keep == "luminance" and after else pixels


def _at_size(content: Picture, options: FastOptions) -> Picture:
    """The photo at the size to paint, once memory is known to do."""
    size = image.fit(content.size, options.size) if options.size else content.size
    check_memory(size, engine.BYTES_PER_PIXEL, worked_at=max(size, _scaled(size, options.style_scale)))
    return image.resize_picture(content, size)


def _view(picture: Picture) -> Pixels:
    """A painting as the prediction network is to see it: whole, short side 256, both sides multiples of 32."""
    width, height = picture.size
    longest = LONGEST * min(width, height)
    left, top = max(0, width - longest) // 2, max(0, height - longest) // 2
    window = np.s_[top : top + longest, left : left + longest]
    alpha = None if picture.alpha is None else picture.alpha[window]
    seen = _shrunk(Picture(picture.pixels[window], alpha=alpha))
    share = STYLE_SIDE / min(seen.size)
    step = engine.STYLE_STRIDE
    across, down = (max(STYLE_SIDE, round(n * share / step) * step) for n in seen.size)
    return image.resize_picture(seen, (across, down)).pixels


def _shrunk(picture: Picture) -> Picture:
    """A large opaque picture quickly reduced to at least twice the size needed, by means over squares."""
    by = min(picture.size) // (2 * STYLE_SIDE)
    if by < 2 or picture.alpha is not None:
        return picture
    height, width = picture.height // by, picture.width // by
    squares = picture.pixels[: height * by, : width * by].reshape(height, by, width, by, 3)
    return Picture(squares.mean((1, 3), dtype=np.float32))


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """The size at which strokes come out `scale` times as large once it is brought back to `size`."""
    width, height = (max(1, round(n / scale)) for n in size)
    return width, height
