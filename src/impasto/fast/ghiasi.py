"""Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization network.

Any photo in the style of any painting in one pass, by Magenta's published mobile networks. What we add to the paper:
pictures of any size, strength down to the photo itself, larger and smaller strokes, and the photo's colours if wanted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopSignal
from typing import TYPE_CHECKING

import numpy as np

from impasto import image
from impasto.errors import PictureError
from impasto.events import Done, Event, Started
from impasto.fast import engine
from impasto.fast.canvas import at_size, in_colours, in_strokes, result_size, scaled
from impasto.fast.engine import Pair
from impasto.fast.interruption import StoppedError, interruptible
from impasto.fast.session import MODEL_HELP
from impasto.fast.style_code import StyleCode, blend
from impasto.options import Device, StylizeOptions, check_blend, option
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
    """What the fast method understands: what every method does, and which pair of networks is to paint.

    Example:
        >>> FastOptions(strength=0.7, style_scale=2).strength
        0.7
    """

    model: Path | None = option(None, MODEL_HELP)


@dataclass(frozen=True, eq=False)
class Undercoat:
    """What the networks make of a photo in its own style: the same for every painting, and half the work.

    Attributes:
        code: the photo's own.
        pixels: float32 in [0, 1], shape (H, W, 3).
        style_scale: the size of the strokes that it was painted in.
    """

    code: Code
    pixels: Pixels
    style_scale: float

    @classmethod
    def of(cls, photo: Picture, options: FastOptions, pair: Pair | None = None) -> Undercoat:
        """That of a photo as large as the result will be, by the networks that `options` name if not by `pair`.

        Raises:
            OptionError: when the device is not there.
            ModelError: when `options.model` is no file of such networks.
        """
        pair = pair or engine.open_pair(options.model, device=options.device)
        code = engine.encode(_view(photo), pair=pair, device=options.device)
        return cls(code, _coat(photo, code, pair, options), options.style_scale)


def paint(
    content: Picture, styles: Sequence[Picture | StyleCode], options: FastOptions, *,
    undercoat: Undercoat | None = None, stop: StopSignal,
) -> Iterator[Event]:  # fmt: skip
    """Repaints a photo after one painting or several.

    Args:
        content: the photo, of any size.
        styles: one or more paintings, or codes of paintings that were encoded before; `options.blend` weighs them. With
            `keep_color` a painting takes on the photo's colours before it is read; with a code it is too late for that,
            and only the result does.
        options: see `FastOptions`.
        undercoat: the photo's at the result's size, of the same networks and strokes, where one is kept; a strength
            below 1 needs one.
        stop: once set before the end, the photo is given out as it is.

    Yields:
        Started, then Done.

    Raises:
        LimitError: when memory would not do; the message names the size that fits.
        OptionError: when weights and styles do not fit, or the device is not there.
        PictureError: when a code belongs to other networks.
        ModelError: when `options.model` is no file of such networks.

    Example:
        >>> photo = Picture(np.random.default_rng(0).random((24, 32, 3), np.float32))
        >>> *_, done = paint(photo, [photo], FastOptions(), stop=StopSignal())
        >>> done.picture.size
        (32, 24)
    """
    began = time.perf_counter()
    check_blend(options.blend, len(styles))
    pair = _pair_for(styles, options)
    beyond = scaled(result_size(content, options), options.style_scale)
    photo = at_size(content, options, pair.card.bytes_per_pixel, worked_at=beyond)
    yield Started(NAME, photo.size)
    painted, stopped = photo, stop.is_set()
    if options.strength > 0 and not stopped:
        try:
            with interruptible(stop):
                codes = [s if isinstance(s, StyleCode) else _encode_for(photo, s, pair, options) for s in styles]
                code = blend(codes, options.blend).values
                painted = photo.with_pixels(_at_strength(photo, code, pair, options, undercoat))
        except StoppedError:
            stopped = True
    yield Done(painted, time.perf_counter() - began, stopped=stopped)


def encode(painting: Picture, *, device: Device = "auto", model: Path | None = None) -> StyleCode:
    """The style of a painting, to be kept and reused.

    The whole painting is read, its short side at 256 pixels: the network averages its features over the painting, so
    that its shape does not matter, and 256 is the size it learned at.

    Args:
        painting: of any size.
        device: where to compute.
        model: the transfer network's file of an exported pair; the bundled pair without one.

    Raises:
        OptionError: when the device is not there.
        ModelError: when `model` is no file of such networks.

    Example:
        >>> encode(Picture(np.zeros((300, 400, 3), np.float32))).values.shape
        (100,)
    """
    return _encoded(painting, engine.open_pair(model, device=device), device)


def _encoded(painting: Picture, pair: Pair, device: Device) -> StyleCode:
    values = engine.encode(_view(painting), pair=pair, device=device)
    return StyleCode(values, name=painting.path.stem if painting.path else "", model=pair.model)


def _pair_for(styles: Sequence[Picture | StyleCode], options: FastOptions) -> Pair:
    """The networks to paint with: those asked for, else the bundled ones that saved codes belong to.

    Raises:
        PictureError: when a code belongs to other networks.
    """
    codes = [style for style in styles if isinstance(style, StyleCode)]
    pair = engine.open_pair(options.model, device=options.device)
    if options.model is None and codes:
        pair = next((p for p in engine.BUNDLED.values() if p.model == codes[0].model), pair)
    for code in codes:
        if code.model != pair.model or len(code.values) != pair.card.code:
            raise PictureError(
                f"the style {code.name or 'code'} is for the networks {code.model}, not for {pair.model}; "
                "mend: --model FILE of those, or impasto style encode PAINTING anew"
            )
    return pair


def _encode_for(photo: Picture, painting: Picture, pair: Pair, options: FastOptions) -> StyleCode:
    """A painting's code, the painting in the photo's colours first where these are to be kept."""
    seen = in_colours(_view(painting), photo.pixels, options.keep_color)
    return _encoded(Picture(seen, path=painting.path), pair, options.device)


def _at_strength(photo: Picture, code: Code, pair: Pair, options: FastOptions, undercoat: Undercoat | None) -> Pixels:
    """The photo painted, from itself (0) to the style (1), in even steps.

    The paper goes from the photo's own code to the style's, but the network given the photo's own code paints a
    softened, recoloured photo. What it gets wrong there is given back in the measure in which the photo is asked for:
    T(code(s)) + (1 - s) * (photo - T(own)).
    """
    strength = options.strength
    if strength == 1:
        painted = _coat(photo, code, pair, options)
    else:
        own = undercoat or Undercoat.of(photo, options, pair)
        if own.pixels.shape != photo.pixels.shape or own.style_scale != options.style_scale:
            raise ValueError("the undercoat is of another size, or of other strokes")
        painted = _coat(photo, own.code + np.float32(strength) * (code - own.code), pair, options)
        painted += np.float32(1 - strength) * (photo.pixels - own.pixels)
        painted = np.clip(painted, 0, 1)
    return in_colours(painted, photo.pixels, options.keep_color, after=True)


def _coat(photo: Picture, code: Code, pair: Pair, options: FastOptions) -> Pixels:
    """One pass of the transfer network, the paper's T, in strokes of the size that is asked for."""
    return in_strokes(
        lambda pixels: engine.paint(pixels, code, pair=pair, device=options.device), photo.pixels, options.style_scale
    )


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
    rows = picture.pixels[: height * by, : width * by].reshape(height, by, -1).sum(1)
    return Picture(rows.reshape(height, width, by, 3).sum(2) / np.float32(by * by))
