"""Texture synthesis: from noise to a new picture of the same material, by a method's texture model alone.

Gatys, Ecker and Bethge 2015, Texture synthesis using convolutional neural networks (arXiv 1505.07376); from coarse to
fine, because layers see no further than their receptive fields, as in Gonthier, Gousseau and Ladjal 2022, High
resolution neural texture synthesis with long range constraints (arXiv 2008.01808).

A texture has a scale of its own: a canvas of twice the size shows twice as many bricks, not larger ones.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Event as StopSignal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from impasto.encoders import get_spec
from impasto.encoders.vgg import Padding
from impasto.errors import OptionError, PictureError
from impasto.events import Done, Event, Preview, Started
from impasto.image import fit, resize
from impasto.losses import IMAGE, Features, Loss, Sum, TotalVariation, widen
from impasto.online.balance import KeptWith, Texture
from impasto.online.look import Look, Region, Sample
from impasto.online.memory import NOTHING, Kept
from impasto.online.options import OnlineOptions, Quality
from impasto.online.painter import paint_pixels
from impasto.online.plan import Plan, Scale, Size, plan
from impasto.online.sight import Sight, open_eyes, pick_dtype, ready
from impasto.online.solo import TEXTURE, check_understood
from impasto.online.spot_noise import spot_noise
from impasto.options import check_blend
from impasto.picture import Picture, Pixels

LARGEST = 512
"""Long side, in pixels, at which an exemplar is read; smaller ones are taken as they are."""

LEAST = 32
"""Pixels of an exemplar's shorter side, so that the deepest layers see something."""

MOST = 4
"""An exemplar's longer side over its shorter one; of a longer strip the middle is used."""

COARSEST = 48
"""Pixels that an exemplar's shorter side keeps at the coarsest scale: what the deepest layers still see whole."""

PLACES = 0.5
"""Features that an exemplar has for each channel of a layer; a layer with fewer has no say at that scale. From their
statistics so few are known one by one: what is made of them is the exemplar itself, its parts in their places."""

STEPS: dict[Quality, int] = {"draft": 80, "good": 200, "best": 500}
"""More than for a photo, which is half painted before it is begun; noise is not."""

SMOOTH = 0.01
"""Total variation, on pixels in [0, 1], against a texture model of weight 1: takes out the grid that pooling leaves."""

FAINT = 0.01
"""Deviation of a mixture of channels, on pixels in [0, 1], below which an exemplar has none of it: grey stays grey."""

SIDES = 16, 32768
"""Least and most pixels of a result's side."""


@dataclass(frozen=True, eq=False)
class Palette:
    """The mean of the exemplars' colours, and the directions in which they differ from it.

    Attributes:
        mean: (3,).
        axes: (3, 3), one direction a column.
        spread: (3,), the deviation along each.
    """

    mean: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def of(cls, exemplars: Sequence[Pixels], shares: Sequence[float]) -> Palette:
        """That of exemplars (H, W, 3), each as its share has it."""
        colours = [e.reshape(-1, 3).astype(np.float64) for e in exemplars]
        mean = sum((share * c.mean(0) for share, c in zip(shares, colours, strict=True)), np.zeros(3))
        moved = [c - mean for c in colours]
        covariance = sum((share * c.T @ c / len(c) for share, c in zip(shares, moved, strict=True)), np.zeros((3, 3)))
        values, axes = np.linalg.eigh(covariance)
        return cls(mean, axes, np.sqrt(values.clip(0)))

    @property
    def full(self) -> bool:
        """Whether every colour can occur; in a grey exemplar only greys do."""
        return bool((self.spread > FAINT).all())

    def noise(self, size: Size, seed: int) -> Pixels:
        """White noise of these colours, (H, W, 3) for (width, height)."""
        white = np.random.default_rng(seed).standard_normal((size[1], size[0], 3))
        pixels: Pixels = (white * self.spread @ self.axes.T + self.mean).clip(0, 1).astype(np.float32)
        return pixels

    def nearest(self, pixels: Pixels) -> Pixels:
        """Pixels (H, W, 3) in the colours that the exemplars have."""
        if self.full:
            return pixels
        kept = self.axes * (self.spread > FAINT) @ self.axes.T
        found: Pixels = ((pixels - self.mean) @ kept + self.mean).clip(0, 1).astype(np.float32)
        return found


class _Tinted(nn.Module):
    """Shows an encoder the nearest colours of a palette, so that no gradient leads to others."""

    kept: Tensor
    mean: Tensor

    def __init__(self, palette: Palette, preprocess: nn.Module) -> None:
        super().__init__()
        kept = palette.axes * (palette.spread > FAINT) @ palette.axes.T
        self.register_buffer("kept", torch.tensor(kept, dtype=torch.float32), persistent=False)
        self.register_buffer("mean", torch.tensor(palette.mean, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.preprocess = preprocess

    def forward(self, image: Tensor) -> Tensor:
        shown: Tensor = self.preprocess(torch.einsum("bchw,cd->bdhw", image - self.mean, self.kept) + self.mean)
        return shown


class WrappedVariation(TotalVariation):
    """Total variation of a picture whose opposite borders are neighbours."""

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 for a flat picture."""
        image = widen(features[IMAGE])
        steps = [(image - image.roll(1, axis)).square().sum() for axis in (-2, -1)]
        return (steps[0] + steps[1]) / image.numel()


def synthesise(
    styles: Sequence[Picture],
    options: OnlineOptions,
    *,
    model: Texture,
    layers: Sequence[str] = (),
    every: int | None = None,
    kept: KeptWith | None = None,
    tiles: bool = False,
    name: str = "texture",
    size: Size | int | None = None,
    tileable: bool = False,
    stop: StopSignal,
) -> Iterator[Event]:
    """A new picture of the material that `styles` show.

    Args:
        styles: one exemplar or more, mixed as `options.blend` says. Those larger than `LARGEST` are shrunk to it.
        options: the method's; `style_scale` is the material's scale, 1 as it is in the exemplar.
        model: the method's texture model.
        layers: those it reads; the encoder's usual style layers if not given. `options.style_layers` go before.
        every: steps after which the loss is made anew, as for `easel.paint`.
        kept: what the model takes of memory besides its maps; see `balance.KeptWith`.
        tiles: whether the model can be seen in tiles, as for `easel.paint`.
        name: the method's, for `Started`.
        size: (width, height) of the result, or its long side in the first exemplar's shape; as large as that is read
            if not given.
        tileable: whether the result's opposite borders fit each other.
        stop: set to end with the best picture so far.

    Yields:
        Started, Progress, Preview, Notice, and Done with the picture.

    Raises:
        OptionError: when the blend or an option does not fit.
        PictureError: when an exemplar is too small.
        LimitError: when the result is too large for memory, or too small for the layers.
    """
    check_understood(options, TEXTURE, "a texture has no photo")
    shares = check_blend(options.blend, len(styles))
    exemplars = [read_at(style, options.style_scale) for style in styles]
    asked = _asked(size, styles[0].size)
    palette = Palette.of(exemplars, shares)
    sight, canvas_sight = _eyes(options, palette, layers, tileable=tileable)
    held = (kept(sight, options) if kept else NOTHING).with_styles([e.shape[0] * e.shape[1] for e in exemplars])
    stages = _plan(asked, exemplars, options, canvas_sight, every=every, kept=held, tiles=tiles, tileable=tileable)
    coarsest = stages.scales[0].size
    start = spot_noise(_seen_at(coarsest, asked, exemplars), shares, coarsest, options.seed)
    smooth = SMOOTH if options.tv is None else options.tv

    first: Look | None = None

    def loss_at(scale: Scale, painted: Pixels) -> Loss:
        nonlocal first
        if first is None or first.size != scale.size:
            seen = _seen_at(scale.size, asked, exemplars)
            region = Region(tuple(map(Sample, seen, shares)))
            last = scale.size == stages.scales[-1].size
            first = Look(_of_many(sight, seen), painted, (region,), painted, last=last, upright=True)
        look = dataclasses.replace(first, painted=painted, turn=scale.turn)
        loss = model(look, look.regions[0], options)
        return Sum([loss, smooth * (WrappedVariation() if tileable else TotalVariation())]) if smooth else loss

    yield Started(name, asked, stages.steps)
    blank = Picture(np.zeros((asked[1], asked[0], 3), np.float32))
    for event in paint_pixels(blank, start, stages, canvas_sight, loss_at, stop=stop):
        yield _finished(event, palette, tileable=tileable)


def _seen_at(size: Size, asked: Size, exemplars: Sequence[Pixels]) -> list[Pixels]:
    """The exemplars as large as a canvas of `size` shows them on its way to the size that is asked for."""
    zoom = math.sqrt(size[0] * size[1] / (asked[0] * asked[1]))
    return [_zoomed(exemplar, zoom) for exemplar in exemplars]


def _of_many(sight: Sight, exemplars: Sequence[Pixels]) -> Sight:
    """The sight with those layers only whose statistics are of many features; the first in any case."""
    least = min(math.prod(exemplar.shape[:2]) for exemplar in exemplars)
    encoder = sight.encoder
    several = [tap for tap in sight.style if least >= PLACES * encoder.channels(tap) * encoder.stride(tap) ** 2]
    return dataclasses.replace(sight, style=tuple(several) or sight.style[:1])


def _asked(size: Size | int | None, exemplar: Size) -> Size:
    asked = size if isinstance(size, tuple) else fit(exemplar, min(LARGEST, max(exemplar)) if size is None else size)
    if len(asked) != 2 or min(asked) < SIDES[0] or max(asked) > SIDES[1]:
        told = "x".join(str(side) for side in asked)
        raise OptionError(f"--size {told} is out of range; give WIDTHxHEIGHT from {SIDES[0]} to {SIDES[1]} each")
    return asked


def read_at(style: Picture, scale: float) -> Pixels:
    """An exemplar as a canvas will show it, (H, W, 3): at most `LARGEST` times `scale`.

    Raises:
        PictureError: when it is too small to show a texture.
    """
    most = MOST * min(style.size)
    top, left = (max(0, side - most) // 2 for side in style.pixels.shape[:2])
    pixels = style.pixels[top : top + most, left : left + most]
    seen = _zoomed(pixels, scale * min(1.0, LARGEST / max(pixels.shape[:2])))
    if min(seen.shape[:2]) < LEAST:
        raise PictureError(
            f"{style.name} shows no texture in {seen.shape[1]}x{seen.shape[0]} pixels; "
            f"mend: a picture of at least {LEAST}x{LEAST}, or a larger --style-scale"
        )
    return seen


def resize_wrapped(pixels: Pixels, size: Size) -> Pixels:
    """As `resize`, for pixels (H, W, 3) whose opposite borders are neighbours."""
    height, width = pixels.shape[:2]
    if (width, height) == tuple(size):
        return pixels
    down, across = _margin(height, size[1]), _margin(width, size[0])
    wide = np.pad(pixels, ((down, down), (across, across), (0, 0)), mode="wrap")
    grown = size[0] + 2 * across * size[0] // width, size[1] + 2 * down * size[1] // height
    top, left = down * size[1] // height, across * size[0] // width
    return resize(wide, grown)[top : top + size[1], left : left + size[0]]


def _margin(old: int, new: int) -> int:
    """How far to go on beyond a border: further than any filter reaches, and to where a whole pixel begins after."""
    whole = old // math.gcd(old, new)
    return whole * math.ceil(4 * max(1, old / new) / whole)


def _eyes(
    options: OnlineOptions, palette: Palette, layers: Sequence[str] = (), *, tileable: bool
) -> tuple[Sight, Sight]:
    """What looks at the exemplars, and what looks at the canvas."""
    sight = dataclasses.replace(open_eyes(options, options.style_layers or layers), content=())
    canvas = sight
    if tileable:
        # Zeros beyond an exemplar's border would be statistics that no canvas without a border can have, and its other
        # side a seam to be learnt: it is mirrored.
        sight, canvas = _bordered(options, sight, "reflect"), _bordered(options, sight, "circular")
    if palette.full:
        return sight, canvas
    encoder = copy.copy(canvas.encoder)
    tinted = _Tinted(palette, encoder.preprocess).to(sight.device)
    encoder._modules = {**encoder._modules, "preprocess": tinted}  # the copy's alone; all layers are shared
    return sight, dataclasses.replace(canvas, encoder=encoder)


def _bordered(options: OnlineOptions, sight: Sight, padding: Padding) -> Sight:
    """The sight with something else beyond the border, in every convolution."""
    spec = get_spec(options.encoder)
    if not spec.poolings:
        raise OptionError(f"{spec.name} cannot see a picture go on at its other border; mend: --encoder vgg19")
    encoder = ready(
        spec.name,
        pooling=options.pooling or "average",
        padding=padding,
        padding_at="all",
        device=sight.device,
        dtype=pick_dtype(options.precision, sight.device),
    )
    return dataclasses.replace(sight, encoder=encoder)


def _plan(
    asked: Size,
    exemplars: Sequence[Pixels],
    options: OnlineOptions,
    sight: Sight,
    *,
    every: int | None,
    kept: Kept,
    tiles: bool,
    tileable: bool,
) -> Plan:
    """Scales that begin where the exemplars are as small as the layers can see; a canvas that tiles is whole in all."""
    least = min(min(e.shape[:2]) for e in exemplars)
    count = options.scales or 1 + max(0, math.floor(math.log2(least / COARSEST)))
    steps = options.steps or STEPS[options.quality]
    chosen = dataclasses.replace(options, scales=count, steps=steps)
    stages = plan(asked, chosen, sight, every=every, kept=kept, tiles=tiles)
    if not tileable:
        return stages
    unit = max(sight.encoder.stride(tap) for tap in sight.style)
    scales = tuple(Scale((_whole(s.size[0], unit), _whole(s.size[1], unit)), s.steps) for s in stages.scales)
    return dataclasses.replace(stages, scales=scales, resize=resize_wrapped)


def _whole(side: int, unit: int) -> int:
    """The next multiple of `unit`, so that pooling leaves nothing over."""
    return -(-side // unit) * unit


def _zoomed(pixels: Pixels, zoom: float) -> Pixels:
    height, width = pixels.shape[:2]
    zoom = max(zoom, LEAST / min(height, width)) if min(height, width) >= LEAST else zoom
    return resize(pixels, (max(1, round(width * zoom)), max(1, round(height * zoom))))


def _finished(event: Event, palette: Palette, *, tileable: bool) -> Event:
    """An event whose picture has the exemplars' colours and, if it tiles, its border where it shows least."""
    if not isinstance(event, Preview | Done):
        return event
    pixels = palette.nearest(event.picture.pixels)
    return dataclasses.replace(event, picture=event.picture.with_pixels(calmest(pixels) if tileable else pixels))


def calmest(pixels: Pixels) -> Pixels:
    """A picture that tiles, pushed over its border until the smallest steps of all lie there.

    Any row and any column may be the first. Steps are not alike even in what has no seam: pooling sees the pixels in
    pairs, and between two pairs they are larger.
    """
    for axis in (0, 1):
        steps = np.abs(pixels - np.roll(pixels, 1, axis)).mean((1 - axis, 2))
        pixels = np.roll(pixels, -int(steps.argmin()), axis)
    return pixels
