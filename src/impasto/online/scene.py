"""What an online method paints from: photo and paintings at the right sizes and in the right colours, and a start."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopSignal

import numpy as np

from impasto.controls import check_masks, controlled
from impasto.errors import OptionError
from impasto.events import Done, Event, Preview
from impasto.image import (
    fit,
    keep_luminance,
    label_regions,
    luminance,
    match_histogram,
    match_linear,
    partition,
    read,
    read_map,
    read_mask,
    resize,
    resize_picture,
)
from impasto.image import linear_to_srgb as encode
from impasto.online.look import Region, Sample
from impasto.online.options import OnlineOptions
from impasto.options import KeepColor, check_blend
from impasto.picture import Picture, Pixels

Size = tuple[int, int]

LEAST_STYLE = 32
"""Pixels of a style's shorter side, so that the deepest layers see something."""

FEW = 16
"""Pixels below which a mask says nothing of colours."""

MOST_STYLE = 4
"""A style's longer side over its shorter one; of a longer strip the middle is used."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the canvas, whatever its size.

    Attributes:
        styles: (number of the painting, share, which part of it counts or None for all), shares summing to 1.
        mask: where on the canvas, (H, W) of the result's size; None for everywhere.
    """

    styles: tuple[tuple[int, float, Pixels | None], ...]
    mask: Pixels | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything a loss is built from.

    Attributes:
        content: the photo at the result's size, with alpha and metadata.
        photo: what of it is painted: its pixels, or their grey when only luminance is painted.
        styles: the paintings, each at its own size, in the colours that are wanted.
        parts: the parts of the canvas, and what each is painted after.
        start: where to begin.
        style_scale: size of strokes, 1 as they are when painting and photo have the same area.
        keep_color: the rule.
        notices: what the user should know.
    """

    content: Picture
    photo: Pixels
    styles: tuple[Pixels, ...]
    parts: tuple[Part, ...]
    start: Pixels
    style_scale: float
    keep_color: KeepColor
    notices: tuple[str, ...] = ()

    def photo_at(self, size: Size) -> Pixels:
        """The photo at (width, height)."""
        return self.photo if size == self.content.size else resize(self.photo, size)

    def regions_at(self, size: Size) -> tuple[Region, ...]:
        """The parts of a canvas of (width, height), with the paintings as seen beside it: of its area at scale 1."""
        beside_it = [resize(style, beside(style, size, self.style_scale)) for style in self.styles]
        return tuple(
            Region(
                tuple(Sample(beside_it[n], s, _as_large(mask, beside_it[n])) for n, s, mask in part.styles if s > 0),
                None if part.mask is None else resize(part.mask, size),
            )
            for part in self.parts
        )

    def in_style_colours(self, strength: float = 1.0) -> Pixels:
        """The photo with the mean and covariance of the paintings' colours, in each part those of its own.

        Args:
            strength: part of the way to them, in [0, 1].
        """
        made = np.zeros_like(self.photo)
        covered = np.zeros((*self.photo.shape[:2], 1), np.float32)
        for part in self.parts:
            where = np.ones_like(covered) if part.mask is None else part.mask[..., None]
            seen = [(share, _inside(self.styles[n], mask)) for n, share, mask in part.styles]
            made += where * sum((share * match_linear(self.photo, style) for share, style in seen), np.float32(0))
            covered += where
        made += (1 - covered).clip(0, 1) * self.photo
        found: Pixels = self.photo + strength * (made - self.photo)
        return found

    def finish(self, event: Event) -> Event:
        """An event whose picture has its final colours."""
        if self.keep_color != "luminance" or not isinstance(event, Preview | Done):
            return event
        painted = event.picture
        photo = self.photo_colours(painted.size)
        return dataclasses.replace(event, picture=painted.with_pixels(keep_luminance(painted.pixels, photo)))

    def photo_colours(self, size: Size) -> Pixels:
        """The photo in its own colours at (width, height)."""
        return self.content.pixels if size == self.content.size else resize(self.content.pixels, size)


def result_size(content: Picture, options: OnlineOptions) -> Size:
    """(width, height) of the result."""
    return fit(content.size, options.size or max(content.size))


def prepare(content: Picture, styles: Sequence[Picture], options: OnlineOptions) -> Scene:
    """Brings photo and paintings to their sizes and colours, and makes the start.

    Raises:
        OptionError: when the blend does not fit the paintings.
        PictureError: when `--init` names a file that cannot be read.
    """
    photo = resize_picture(content, result_size(content, options))
    parts, remarks = divide(photo.size, styles, options)
    rule = options.keep_color
    pixels = _grey(photo.pixels) if rule == "luminance" else photo.pixels
    return Scene(
        content=photo,
        photo=pixels,
        styles=tuple(recolour(_middle(s.pixels), _meant(pixels, parts, n), rule) for n, s in enumerate(styles)),
        parts=parts,
        start=_start(photo, pixels, styles, options),
        style_scale=options.style_scale,
        keep_color=rule,
        notices=(*remarks, *_soft(styles, photo.size, options.style_scale)),
    )


def divide(canvas: Size, styles: Sequence[Picture], options: OnlineOptions) -> tuple[tuple[Part, ...], list[str]]:
    """The parts of the canvas that masks or semantic maps make, and what there is to remark on them.

    Raises:
        OptionError: when masks, maps and paintings do not fit each other.
        PictureError: when one cannot be read.
    """
    shares = check_blend(options.blend, len(styles))
    check_masks(options, len(styles))
    if options.semantic:
        return _by_colour(canvas, styles, options)
    inside, remarks = [], []
    for path, style in zip(options.style_mask, styles, strict=False):
        mask, told = read_mask(path, style.size)
        inside.append(_middle(mask))
        remarks += told
    masks = partition([read_mask(path, canvas)[0] for path in options.mask])[0] if options.mask else []
    every = [(n, share, inside[n] if inside else None) for n, share in enumerate(shares)]
    if len(masks) < 2:
        return (Part(tuple(every), *masks),), remarks
    return tuple(Part(((n, 1.0, seen),), mask) for (n, _, seen), mask in zip(every, masks, strict=True)), remarks


def _by_colour(canvas: Size, styles: Sequence[Picture], options: OnlineOptions) -> tuple[tuple[Part, ...], list[str]]:
    """What two maps paint in one colour belongs together (Champandard 2016, arXiv 1603.01768)."""
    sizes = canvas, styles[0].size
    (photo, first), (painting, second) = (read_map(*given) for given in zip(options.semantic, sizes, strict=True))
    labels, remarks = label_regions(photo, painting)
    parts = tuple(Part(((0, 1.0, _middle(there)),), here) for here, there in labels)
    return parts, [*first, *second, *remarks]


def _meant(photo: Pixels, parts: Sequence[Part], style: int) -> Pixels:
    """The pixels of the photo that this painting is for, (H, W, 3) or (K, 1, 3)."""
    own = [part.mask for part in parts if any(n == style for n, _, _ in part.styles)]
    masks = [mask for mask in own if mask is not None]
    where = np.sum(masks, axis=0) > 0.5 if masks else np.zeros(0, bool)
    return photo if len(masks) < len(own) or where.sum() < FEW else photo[where][:, None]


def recolour(style: Pixels, photo: Pixels, rule: KeepColor) -> Pixels:
    """The painting in the colours that will be wanted of it (Gatys et al. 2016, arXiv 1606.05897).

    Args:
        style: (H, W, 3).
        photo: (H', W', 3); already grey when the rule is "luminance".
        rule: "linear" and "histogram" give the painting the photo's colours; "luminance" leaves only light and dark,
            with the photo's mean and spread, so that no stroke is invented to make up for a darker painting.
    """
    if rule == "linear":
        return match_linear(style, photo)
    if rule == "histogram":
        return match_histogram(style, photo)
    if rule == "luminance":
        grey = _grey(style)
        matched = (grey - grey.mean()) * (photo.std() / max(float(grey.std()), 1e-6)) + photo.mean()
        clipped: Pixels = np.clip(matched, 0, 1).astype(np.float32)
        return clipped
    return style


def beside(style: Pixels, canvas: Size, scale: float) -> Size:
    """(width, height) of a painting whose area is the canvas's, times `scale` each way."""
    height, width = style.shape[:2]
    zoom = scale * math.sqrt(canvas[0] * canvas[1] / (width * height))
    zoom = max(zoom, LEAST_STYLE / min(width, height))
    return max(1, round(width * zoom)), max(1, round(height * zoom))


def _inside(style: Pixels, mask: Pixels | None) -> Pixels:
    """The pixels of a painting that its mask lets through, (H, W, 3) or (K, 1, 3)."""
    return style if mask is None or (mask > 0.5).sum() < FEW else style[mask > 0.5][:, None]


def _as_large(mask: Pixels | None, painting: Pixels) -> Pixels | None:
    return None if mask is None else resize(mask, (painting.shape[1], painting.shape[0]))


def _middle(style: Pixels) -> Pixels:
    """The painting, or the middle of a long strip."""
    most = MOST_STYLE * min(style.shape[:2])
    top, left = (max(0, n - most) // 2 for n in style.shape[:2])
    return style[top : top + most, left : left + most]


def _start(photo: Picture, pixels: Pixels, styles: Sequence[Picture], options: OnlineOptions) -> Pixels:
    apart = bool(options.style_mask or options.semantic or options.mix_scales)  # which the fast method does not know
    usual = "fast" if options.quality == "draft" and not apart else "content"
    init = usual if options.init is None else options.init
    if init == "fast" and apart:
        raise OptionError("--init fast goes with no --style-mask, --semantic or --mix-scales; mend: --init content")
    if init == "content":
        return pixels
    if init == "noise":
        noise = np.random.default_rng(options.seed).normal(0.5, 0.15, pixels.shape)
        start = np.clip(noise, 0, 1).astype(np.float32)
    elif init == "fast":
        start = _fast(photo, styles, options)
    elif not init.strip():
        raise OptionError("--init is empty; give content, noise, fast, or an image file")
    else:
        start = resize(read(Path(init)).pixels, photo.size)
    return _grey(start) if options.keep_color == "luminance" else start


def _fast(photo: Picture, styles: Sequence[Picture], options: OnlineOptions) -> Pixels:
    """What the fast method makes of it, each painting in its own mask; the photo at a strength of 0."""
    from impasto.fast.ghiasi import FastOptions, paint

    apart = options.mask if len(options.mask) > 1 else ()
    quick = FastOptions(
        strength=min(1.0, 2 * options.strength), blend=options.blend, style_scale=options.style_scale,
        keep_color=options.keep_color, mask=apart,
    )  # fmt: skip
    *_, done = controlled(paint, photo, styles, quick, regions=False, stop=StopSignal())
    return done.picture.pixels if isinstance(done, Done) else photo.pixels


def _grey(pixels: Pixels) -> Pixels:
    grey: Pixels = np.repeat(encode(luminance(pixels))[..., None], 3, 2)
    return grey


def _soft(styles: Sequence[Picture], canvas: Size, scale: float) -> list[str]:
    """Remarks on paintings with too few pixels for this canvas."""
    remarks = []
    for style in styles:
        width, _ = beside(style.pixels, canvas, scale)
        if width > 1.5 * style.width:
            remarks.append(
                f"{style.name} has only {style.width}x{style.height} pixels; strokes will be soft at this size"
            )
    return remarks
