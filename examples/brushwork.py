"""A small paint box: noise, flow fields, bristle strokes, relief lighting, paper.

Pictures are float32 arrays of shape (n, n, 3) in [0, 1]. Places are given in units of the side, x to the right and
y down; stroke sizes are given in thousandths of the side, so that a picture looks the same at any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]
Field = NDArray[np.floating]
Mask = NDArray[np.floating] | NDArray[np.bool_]
Rng = np.random.Generator


# Numbers and colours


def smooth(low: float, high: float, value: Field) -> Array:
    """Rises smoothly from 0 at `low` to 1 at `high`."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def rgb(code: str) -> Array:
    """The colour of a six-digit hexadecimal code."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / 255.0


def palette(codes: str) -> Array:
    """Colours of a space-separated list of hexadecimal codes, one a row."""
    return np.stack([rgb(code) for code in codes.split()])


def ramp(value: Field | float, codes: str) -> Array:
    """Colours of a gradient, evenly spaced stops, read at `value` in [0, 1]."""
    stops = palette(codes)
    places = np.linspace(0.0, 1.0, len(stops))
    return np.stack([np.interp(value, places, stops[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def lay(under: Array, over: Array, mask: Mask) -> Array:
    """Lays one colour field over another where the mask is 1."""
    m = np.asarray(mask, np.float32)[..., None]
    return np.asarray(under * (1.0 - m) + over * m, np.float32)


def luma(picture: Array) -> Array:
    """Lightness of a picture, in [0, 1]."""
    return np.asarray(picture @ np.array([0.30, 0.59, 0.11], np.float32), np.float32)


# Fields


def places(n: int) -> tuple[Array, Array]:
    """The x and y of every pixel, in units of the side."""
    line = (np.arange(n, dtype=np.float32) + 0.5) / n
    x, y = np.meshgrid(line, line)
    return np.asarray(x, np.float32), np.asarray(y, np.float32)


def noise(rng: Rng, n: int, rows: float, columns: float | None = None) -> Array:
    """Smooth noise of about [-1, 1] with so many cells down and across."""
    down, across = max(2, round(rows)), max(2, round(rows if columns is None else columns))
    small = rng.uniform(-1.0, 1.0, (down + 1, across + 1)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((n, n), Image.Resampling.BICUBIC), np.float32)


def fbm(rng: Rng, n: int, cells: float, octaves: int = 5, gain: float = 0.5) -> Array:
    """Fractal noise of about [-1, 1]: octaves of `noise`, each finer and weaker."""
    total, weight, norm = np.zeros((n, n), np.float32), 1.0, 0.0
    for octave in range(octaves):
        total += weight * noise(rng, n, min(cells * 2**octave, n / 2))
        norm, weight = norm + weight, weight * gain
    return np.asarray(1.6 * total / norm, np.float32)


def blur(field: Array, radius: float) -> Array:
    """Gaussian blur by Fourier transform, edges mirrored; `radius` in pixels."""
    pad = int(3 * radius) + 2
    wide = np.pad(field, pad, mode="reflect") if pad < min(field.shape) else np.pad(field, pad, mode="edge")
    fy = np.fft.fftfreq(wide.shape[0])[:, None]
    fx = np.fft.rfftfreq(wide.shape[1])[None, :]
    low = np.exp(-2.0 * (np.pi * radius) ** 2 * (fy**2 + fx**2))
    soft = np.fft.irfft2(np.fft.rfft2(wide) * low, s=wide.shape)
    return np.asarray(soft[pad:-pad, pad:-pad], np.float32)


def slope(field: Array) -> tuple[Array, Array]:
    """Rate of change across and down, per pixel."""
    down, across = np.gradient(field)
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def along(field: Array, radius: float) -> Array:
    """Angle of the level lines of a field: strokes that follow its contours."""
    pad = int(4 * radius) + 4
    wide = np.pad(field, pad, mode="reflect", reflect_type="odd")
    across, down = slope(blur(wide, radius))
    return np.asarray(np.arctan2(across, -down)[pad:-pad, pad:-pad], np.float32)


def wavy(rng: Rng, value: Field, base: float, height: float, waves: float) -> Array:
    """A rolling outline such as a row of hills: y for every x in `value`."""
    total = np.zeros_like(np.asarray(value, np.float32))
    for k in range(1, 6):
        total += np.sin(value * waves * k * 2.1 + rng.uniform(0, 6.28)).astype(np.float32) / k**1.3
    return np.asarray(base + height * total / 1.6, np.float32)


def swirl(x: Array, y: Array, base: tuple[float, float], eddies: Sequence[tuple[float, float, float, float]]) -> Array:
    """Angle of a stream with eddies, each (x, y, reach, strength); negative strength turns the other way."""
    vx, vy = np.full_like(x, base[0]), np.full_like(y, base[1])
    for cx, cy, reach, strength in eddies:
        dx, dy = x - cx, y - cy
        far = np.sqrt(dx * dx + dy * dy) + 1e-4
        pull = strength * np.exp(-((far / reach) ** 2))
        vx += -dy / far * pull
        vy += dx / far * pull
    return np.asarray(np.arctan2(vy, vx), np.float32)


# Strokes


@dataclass(frozen=True)
class Brush:
    """One size of brush and how it is handled.

    Attributes:
        width: Width of a stroke, thousandths of the side.
        length: Length of a stroke, thousandths of the side.
        gap: Mean distance between strokes, thousandths of the side.
        value: How much the lightness of a stroke differs from the scene's.
        hue: How much its hue differs.
        opacity: 1 hides what lies below.
        body: Thickness of the paint.
        shake: How much its angle differs from the field's, in radians.
        accents: Share of strokes that take an accent colour.
        mix: How far towards the accent those strokes go.
    """

    width: float
    length: float
    gap: float
    value: float = 0.06
    hue: float = 0.04
    opacity: float = 1.0
    body: float = 1.0
    shake: float = 0.12
    accents: float = 0.0
    mix: float = 0.5


def bristle_bank(rng: Rng, count: int = 40, long: int = 160, wide: int = 56, dry: float = 0.25) -> Array:
    """Prints of a bristle brush: (count, long, wide, 3) holding opacity, thickness and tint."""
    bank = np.zeros((count, long, wide, 3), np.float32)
    u = np.linspace(0.0, 1.0, long, dtype=np.float32)[:, None]
    v = np.linspace(-1.0, 1.0, wide, dtype=np.float32)[None, :]
    for k in range(count):
        hair = _stretch(rng, (4, wide // 2), (long, wide)) * 0.6 + _stretch(rng, (3, wide // 5), (long, wide)) * 0.7
        rough = _stretch(rng, (long // 4, wide // 3), (long, wide))
        tail = 0.93 - 0.17 * np.abs(rng.normal(0, 1)) * 0.5 + 0.13 * hair[:1]
        head = 0.06 + 0.04 * hair[1:2] + 0.05 * v**2
        edge = 1.0 - np.abs(v + 0.06 * _stretch(rng, (6, 2), (long, wide))) + 0.10 * hair
        cover = smooth(0.04, 0.20, edge) * smooth(0.0, 0.05, u - head) * smooth(0.0, 0.07, tail - u)
        starved = smooth(0.45, 1.0, u) * dry * 2.0
        cover *= 1.0 - smooth(0.25, 0.75, rough * 0.5 + hair * 0.6 + starved - 0.25) * min(1.0, dry * 2.4)
        ridge = np.exp(-(((np.abs(v) - 0.78) / 0.13) ** 2)) * 0.45
        pile = np.exp(-(((tail - u) / 0.06) ** 2)) * 0.5 + np.exp(-(((u - head) / 0.05) ** 2)) * 0.25
        thick = 0.45 + 0.55 * hair + ridge + pile + 0.12 * rough
        bank[k] = np.stack([cover, np.clip(thick, 0.02, 2.0), hair + 0.3 * rough], axis=-1)
    bank[:, [0, -1]] = 0.0
    bank[:, :, [0, -1]] = 0.0
    return bank


def dab_bank(rng: Rng, count: int = 40, side: int = 40) -> Array:
    """Prints of a round dab with an uneven rim, in the form of `bristle_bank`."""
    line = np.linspace(-1.12, 1.12, side, dtype=np.float32)
    v, u = np.meshgrid(line, line)
    bank = np.zeros((count, side, side, 3), np.float32)
    for k in range(count):
        rough = _stretch(rng, (4, 4), (side, side))
        far = np.sqrt(u * u + v * v) + 0.16 * rough
        thick = 0.35 + 0.5 * np.exp(-(((far - 0.72) / 0.2) ** 2)) + 0.25 * _stretch(rng, (9, 9), (side, side))
        bank[k] = np.stack([smooth(1.0, 0.82, far), np.clip(thick, 0.02, 2), rough], axis=-1)
    bank[:, [0, -1]] = 0.0
    bank[:, :, [0, -1]] = 0.0
    return bank


def knife_bank(rng: Rng, count: int = 40, long: int = 120, wide: int = 80) -> Array:
    """Prints of a palette knife: flat slabs, ragged ends, a ridge of paint along one side."""
    bank = np.zeros((count, long, wide, 3), np.float32)
    u = np.linspace(0.0, 1.0, long, dtype=np.float32)[:, None]
    v = np.linspace(-1.0, 1.0, wide, dtype=np.float32)[None, :]
    for k in range(count):
        ragged = _stretch(rng, (3, 22), (long, wide)) * 0.10
        skip = _stretch(rng, (8, 18), (long, wide)) * 0.6 + _stretch(rng, (30, 36), (long, wide)) * 0.5
        streak = _stretch(rng, (3, 28), (long, wide))
        cover = smooth(0.03, 0.05, 1.0 - np.abs(v) + 0.02 * skip) * smooth(0.04, 0.06, u)
        cover *= smooth(0.0, 0.02, 0.86 + ragged - u)
        cover *= 1.0 - smooth(0.15, 0.35, skip + 1.3 * u - 1.1)
        side = 1.0 if rng.random() < 0.5 else -1.0
        ridge = np.exp(-(((v * side - 0.9) / 0.06) ** 2)) * 1.0 + np.exp(-(((0.84 + ragged - u) / 0.03) ** 2)) * 0.8
        thick = 0.5 + 0.14 * streak + ridge + 0.1 * skip
        bank[k] = np.stack([cover, np.clip(thick, 0.02, 2.0), streak + 0.4 * skip], axis=-1)
    bank[:, [0, -1]] = 0.0
    bank[:, :, [0, -1]] = 0.0
    return bank


def _stretch(rng: Rng, cells: tuple[int, int], shape: tuple[int, int]) -> Array:
    """Noise of about [-1, 1] on a grid of cells stretched over a shape."""
    small = rng.uniform(-1.0, 1.0, (max(2, cells[0]), max(2, cells[1]))).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize(shape[::-1], Image.Resampling.BICUBIC), np.float32)


class Canvas:
    """Paint on a support: a colour and a thickness for every pixel."""

    def __init__(self, ground: Array) -> None:
        self.color: Array = np.array(ground, np.float32)
        self.height: Array = np.zeros(ground.shape[:2], np.float32)
        self.n: int = ground.shape[0]

    def stroke(
        self,
        at: tuple[float, float],
        angle: float,
        size: tuple[float, float],
        color: Array,
        print_: Array,
        bend: float = 0.0,
        opacity: float = 1.0,
        body: float = 1.0,
        tint: float = 0.06,
    ) -> None:
        """Lays one stroke: centre and size (length, width) in pixels; `bend` is its curvature, per pixel."""
        x, y = at
        length, width = size
        reach = 0.5 * np.hypot(length, width) + abs(bend) * length * length / 8.0 + 1.0
        x0, x1 = max(0, int(x - reach)), min(self.n, int(x + reach) + 2)
        y0, y1 = max(0, int(y - reach)), min(self.n, int(y + reach) + 2)
        if x0 >= x1 or y0 >= y1:
            return
        dx = np.arange(x0, x1, dtype=np.float32)[None, :] - np.float32(x)
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - np.float32(y)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        ahead = dx * c + dy * s
        aside = dy * c - dx * s - np.float32(0.5 * bend) * ahead * ahead
        long, wide = print_.shape[:2]
        u = np.clip((ahead / np.float32(length) + 0.5) * long, 0, long - 1).astype(np.int32)
        v = np.clip((aside / np.float32(width) + 0.5) * wide, 0, wide - 1).astype(np.int32)
        mark = print_[u, v]
        cover = (mark[..., 0] * np.float32(opacity))[..., None]
        paint = color + mark[..., 2:3] * np.float32(tint)
        patch = self.color[y0:y1, x0:x1]
        patch += (paint - patch) * cover
        relief = self.height[y0:y1, x0:x1]
        relief += (mark[..., 1] * np.float32(body) + 0.35 * relief - relief) * cover[..., 0]


def vary(rng: Rng, colors: Array, value: float, hue: float) -> Array:
    """Shifts each colour of a list a little: lightness, warm against cool, green against violet, saturation."""
    m = len(colors)
    axes = np.array([[1.0, 0.95, 0.85], [1.0, 0.1, -1.1], [0.6, -0.8, 0.6]], np.float32)
    amounts = rng.normal(0.0, 1.0, (m, 3)) * np.array([value, hue, hue])
    grey = colors.mean(axis=1, keepdims=True)
    livelier = grey + (colors - grey) * (1.0 + rng.normal(0.0, 1.6 * hue, (m, 1)))
    return np.asarray(np.clip(livelier + amounts @ axes, 0.0, 1.0), np.float32)


def scatter(rng: Rng, n: int, gap: float) -> tuple[Array, Array]:
    """Places in pixels on a jittered grid that overhangs the edges, in random order."""
    count = max(2, int(n / gap) + 2)
    i, j = np.meshgrid(np.arange(count), np.arange(count))
    xs = (i.ravel() - 0.5 + rng.uniform(-0.7, 0.7, i.size)) * n / (count - 1.5)
    ys = (j.ravel() - 0.5 + rng.uniform(-0.7, 0.7, i.size)) * n / (count - 1.5)
    order = rng.permutation(i.size)
    return xs[order].astype(np.float32), ys[order].astype(np.float32)


def cover(
    canvas: Canvas,
    scene: Array,
    angle: Array,
    brush: Brush,
    bank: Array,
    rng: Rng,
    where: Field | None = None,
    accents: Array | None = None,
    order: Field | None = None,
) -> None:
    """Covers a canvas with strokes that take colour from a scene and direction from a field of angles.

    Args:
        canvas: What is painted on.
        scene: Colour wanted at each pixel.
        angle: Direction wanted at each pixel, radians.
        brush: Size and handling.
        bank: Prints to choose from.
        rng: Source of chance.
        where: Probability of a stroke at each pixel; everywhere if left out.
        accents: Colours of which some strokes take one instead of the scene's.
        order: Strokes where this is low are laid first; at random if left out.
    """
    n = canvas.n
    unit = n / 1000.0
    xs, ys = scatter(rng, n, brush.gap * unit)
    px, py = np.clip(xs, 0, n - 1).astype(int), np.clip(ys, 0, n - 1).astype(int)
    if where is not None:
        keep = rng.random(len(xs)) < where[py, px]
        xs, ys, px, py = xs[keep], ys[keep], px[keep], py[keep]
    if order is not None:
        rank = np.argsort(order[py, px] + rng.normal(0, 0.04, len(xs)), kind="stable")
        xs, ys, px, py = xs[rank], ys[rank], px[rank], py[rank]
    colors = vary(rng, scene[py, px], brush.value, brush.hue)
    if accents is not None and brush.accents > 0:
        chosen = rng.random(len(xs)) < brush.accents
        other = vary(rng, accents[rng.integers(0, len(accents), int(chosen.sum()))], brush.value, brush.hue)
        colors[chosen] = (1.0 - brush.mix) * colors[chosen] + brush.mix * other
    turns = angle[py, px] + rng.normal(0, brush.shake, len(xs))
    lengths = brush.length * unit * rng.uniform(0.7, 1.3, len(xs))
    widths = brush.width * unit * rng.uniform(0.75, 1.25, len(xs))
    bends = _bends(angle, xs, ys, angle[py, px], lengths)
    prints = rng.integers(0, len(bank), len(xs))
    for k in range(len(xs)):
        canvas.stroke(
            (float(xs[k]), float(ys[k])),
            float(turns[k]),
            (float(lengths[k]), float(widths[k])),
            colors[k],
            bank[prints[k]],
            float(bends[k]),
            brush.opacity,
            brush.body,
            0.5 * brush.value + 0.02,
        )


def _bends(angle: Array, xs: Field, ys: Field, turns: Field, lengths: Field) -> Array:
    """Curvature of the field's path through each place, per pixel."""
    n = angle.shape[0]
    step = lengths / 3.0
    ends = []
    for sign in (-1.0, 1.0):
        px = np.clip(xs + sign * step * np.cos(turns), 0, n - 1).astype(int)
        py = np.clip(ys + sign * step * np.sin(turns), 0, n - 1).astype(int)
        ends.append(angle[py, px])
    turn = ends[1] - ends[0]
    turn = (turn + np.pi / 2) % np.pi - np.pi / 2
    return np.asarray(np.clip(turn / (2 * step), -1.1 / lengths, 1.1 / lengths), np.float32)


# Light, canvas, paper


def weave(rng: Rng, n: int, threads: float = 260.0) -> Array:
    """Relief of a woven canvas, in [0, 1], its threads a little uneven."""
    x, y = places(n)
    a = x * threads + 0.5 * fbm(rng, n, 12, 3)
    b = y * threads + 0.5 * fbm(rng, n, 12, 3)
    over = (np.floor(a) + np.floor(b)) % 2
    warp = np.sin(np.pi * (a % 1)) * (0.5 + 0.5 * np.sin(np.pi * (b % 1)))
    weft = np.sin(np.pi * (b % 1)) * (0.5 + 0.5 * np.sin(np.pi * (a % 1)))
    return np.asarray(np.where(over > 0, warp, weft) * (1 + 0.2 * noise(rng, n, 180)), np.float32)


def paper(rng: Rng, n: int, coarse: float = 150.0) -> Array:
    """Relief of rough paper, about [-1, 1]."""
    return np.asarray(0.6 * fbm(rng, n, coarse, 3, 0.7) + 0.4 * noise(rng, n, n / 2.5), np.float32)


def lit(color: Array, height: Array, strength: float = 0.5, gloss: float = 0.10) -> Array:
    """Lights a relief from the upper left: shading, a little gloss on the ridges."""
    n = color.shape[0]
    across, down = slope(blur(height, 0.7 * n / 1024))
    scale = n / 1024.0
    facing = (across * 0.62 + down * 0.78) * scale
    shade = np.tanh(facing * strength * 3.0) * 0.34
    shine = smooth(0.10, 0.34, facing * strength) * gloss
    pit = np.clip(height - blur(height, 5 * scale), -0.6, 0.6) * 0.10
    out = color * (1.0 + shade + pit)[..., None] + shine[..., None]
    return np.asarray(np.clip(out, 0.0, 1.0), np.float32)


def grade(picture: Array, contrast: float = 1.0, saturation: float = 1.0, lift: float = 0.0) -> Array:
    """Adjusts contrast about the middle and saturation."""
    grey = luma(picture)[..., None]
    out = grey + (picture - grey) * saturation
    return np.asarray(np.clip((out - 0.5) * contrast + 0.5 + lift, 0.0, 1.0), np.float32)
