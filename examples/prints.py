"""Pictures made by other hands than the brush's: mosaic, glass, woodcut, etching, washes, gold, facets."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from brushwork import (
    Array,
    Field,
    Rng,
    along,
    blur,
    fbm,
    grade,
    lay,
    lit,
    noise,
    paper,
    places,
    ramp,
    rgb,
    smooth,
    vary,
    wavy,
)
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Points = list[tuple[float, float]]
Labels = NDArray[np.int32]


def flat(code: str, like: Array) -> Array:
    """One colour over a whole picture."""
    return np.asarray(np.broadcast_to(rgb(code), like.shape), np.float32)


def inked(n: int, lines: Iterable[tuple[Points, float]], fill: bool = False) -> Array:
    """A mask of polylines (or filled outlines), points in units of the side, widths in thousandths."""
    sheet = Image.new("L", (2 * n, 2 * n))
    pen = ImageDraw.Draw(sheet)
    for points, width in lines:
        scaled = [(x * 2 * n, y * 2 * n) for x, y in points]
        if fill:
            pen.polygon(scaled, fill=255)
        else:
            pen.line(scaled, fill=255, width=max(1, round(width * n / 500)), joint="curve")
    small = sheet.resize((n, n), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / np.float32(255.0)


# Pieces of stone and glass


def pieces(
    rng: Rng, angle: Array, gap: float, rounds: int = 5, square: float = 0.85
) -> tuple[Labels, Array, Array, Array]:
    """Parts a picture into pieces that follow a field of angles (centroidal Voronoi, a square metric).

    Returns:
        The piece of every pixel, each pixel's distance to the rim of its piece, and the centres' x and y in pixels.
    """
    n = angle.shape[0]
    count = int(n / gap) + 1
    i, j = np.meshgrid(np.arange(count), np.arange(count))
    xs = ((i.ravel() + 0.5 + rng.uniform(-0.4, 0.4, i.size)) * n / count).astype(np.float32)
    ys = ((j.ravel() + 0.5 + rng.uniform(-0.4, 0.4, i.size)) * n / count).astype(np.float32)
    x, y = (side * n for side in places(n))
    for left in range(rounds, -1, -1):
        label, rim = _claim(angle, xs, ys, gap, square)
        if left:
            size = np.maximum(np.bincount(label.ravel(), minlength=len(xs)), 1)
            xs = (np.bincount(label.ravel(), x.ravel(), len(xs)) / size).astype(np.float32)
            ys = (np.bincount(label.ravel(), y.ravel(), len(ys)) / size).astype(np.float32)
    return label, rim, xs, ys


def _claim(angle: Array, xs: Array, ys: Array, gap: float, square: float) -> tuple[Labels, Array]:
    """Gives every pixel to the nearest centre."""
    n = angle.shape[0]
    best = np.full((n, n), 1e9, np.float32)
    second = np.full((n, n), 1e9, np.float32)
    label = np.zeros((n, n), np.int32)
    reach = int(2.2 * gap) + 1
    for k in range(len(xs)):
        cx, cy = int(xs[k]), int(ys[k])
        x0, x1, y0, y1 = max(0, cx - reach), min(n, cx + reach), max(0, cy - reach), min(n, cy + reach)
        turn = angle[min(max(cy, 0), n - 1), min(max(cx, 0), n - 1)]
        dx = np.arange(x0, x1, dtype=np.float32)[None, :] - xs[k]
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - ys[k]
        a = np.abs(dx * np.cos(turn) + dy * np.sin(turn))
        b = np.abs(dy * np.cos(turn) - dx * np.sin(turn))
        far = square * np.maximum(a, b) + (1 - square) * np.sqrt(a * a + b * b)
        first, next_, mine = best[y0:y1, x0:x1], second[y0:y1, x0:x1], label[y0:y1, x0:x1]
        nearer = far < first
        np.copyto(next_, np.where(nearer, first, np.minimum(next_, far)))
        np.copyto(first, far, where=nearer)
        mine[nearer] = k
    return label, np.asarray(np.minimum(second - best, gap), np.float32)


def gold_mosaic(n: int, rng: Rng) -> Array:
    """A vine with pomegranates and a peacock-blue river in stone and gold glass."""
    scene, angle, gold = _vine(n, rng)
    label, rim, xs, ys = pieces(rng, angle, 10.5 * n / 1024)
    px, py = np.clip(xs, 0, n - 1).astype(int), np.clip(ys, 0, n - 1).astype(int)
    colors = vary(rng, scene[py, px], 0.06, 0.035)
    shiny = gold[py, px] > 0.5
    colors[shiny] *= rng.choice([0.62, 0.8, 1.0, 1.12, 1.3], (int(shiny.sum()), 1), p=[0.1, 0.2, 0.35, 0.25, 0.1])
    tilt = rng.normal(0, 1, (2, len(xs))).astype(np.float32)
    x, y = (side * n for side in places(n))
    scale = 1024.0 / n
    plane = (tilt[0][label] * (x - xs[label]) + tilt[1][label] * (y - ys[label])) * 0.035 * scale
    shown = smooth(1.4, 3.4, (rim + 0.9 * noise(rng, n, n / 7)) * scale)
    stone = colors[label] * (1 + 0.07 * fbm(rng, n, 90, 3))[..., None]
    grout = ramp(0.5 + 0.5 * fbm(rng, n, 120, 3), "2e261e 574a3a 85755c")
    color = lay(grout, np.asarray(stone, np.float32), shown)
    height = shown * (0.9 + plane + 0.06 * fbm(rng, n, 100, 2)) + 0.05 * noise(rng, n, n / 3)
    out = lit(color, height, 0.55, 0.12)
    gleam = smooth(0.9, 2.2, (tilt[0] + tilt[1])[label]) * gold * shown
    return lay(out, ramp(0.4 + 0.6 * smooth(-0.4, 0.6, plane), "f4cf62 fff3c0"), gleam * 0.65)


def _vine(n: int, rng: Rng) -> tuple[Array, Array, Array]:
    """The mosaic's cartoon: colours, the run of the rows, and where there is gold."""
    x, y = places(n)
    scene = ramp(0.5 + 0.5 * fbm(rng, n, 6, 3), "b5862a d9ab3c ecc65a f6dd8a")
    gold = np.ones((n, n), np.float32)
    run = np.hypot(x - 0.5, y - 0.35)
    for cx, cy, way in [(0.27, 0.26, 1), (0.73, 0.26, -1), (0.24, 0.66, -1), (0.76, 0.66, 1)]:
        dx, dy = (x - cx) * way, y - cy
        far = np.hypot(dx, dy)
        spiral = (far / 0.074 - np.arctan2(dy, dx) / (2 * np.pi)) % 1.0
        vine = smooth(0.21, 0.19, np.abs(spiral - 0.5)) * (far < 0.215) * (far > 0.055)
        run = np.where(far < 0.225, far - 0.074 * np.arctan2(dy, dx) / (2 * np.pi), run)
        scene = lay(scene, ramp(1 - np.abs(spiral - 0.5) * 4.6, "0a2a2a 0f3f38 1f5f40 3f8a4a"), vine)
        gold *= 1 - vine
        fruit = np.hypot(dx, dy * 0.92) / 0.062
        seed = 0.5 + 0.5 * np.sin(fruit * 9 + np.arctan2(dy, dx) * 6)
        scene = lay(scene, ramp(1.1 - fruit + 0.22 * seed, "4a0f1a 8f1a24 c9402f ef8a50 fbd9a0"), fruit < 1)
        gold *= fruit >= 1
        for k in range(9):
            turn = k * 0.698 + 0.2
            u = (dx - 0.205 * np.cos(turn)) * np.cos(turn + 0.9) + (dy - 0.205 * np.sin(turn)) * np.sin(turn + 0.9)
            v = (dy - 0.205 * np.sin(turn)) * np.cos(turn + 0.9) - (dx - 0.205 * np.cos(turn)) * np.sin(turn + 0.9)
            leaf = np.hypot(u / 0.048, v / 0.024) < 1
            scene = lay(scene, ramp(0.5 + v / 0.03, "0a2440 0f4a6a 1f7f7a 5fb89a"), leaf)
            gold *= ~leaf
    wave = y - 0.88 - 0.018 * np.sin(x * 19) - 0.008 * np.sin(x * 47 + 1)
    water = ramp(0.5 + 0.5 * np.sin(wave * 150), "0f2450 1c4a8f 2f86b5 8fd0d0 f0f0e0")
    scene, run, gold = lay(scene, water, wave > 0), np.where(wave > 0, wave, run), gold * (wave <= 0)
    frame = np.minimum(np.minimum(x, 1 - x), y)
    band = frame < 0.052
    beads = 0.5 + 0.5 * np.sin((x + y) * 95)
    trim = lay(ramp(beads, "6a1420 b0302f e8d9b0"), flat("1c3f8a", scene), np.abs(frame - 0.026) < 0.010)
    scene, gold = lay(scene, trim, band), gold * ~band
    run = np.where(band, frame, run)
    return scene, along(run.astype(np.float32), 3 * n / 1000), gold.astype(np.float32)


def stained_glass(n: int, rng: Rng) -> Array:
    """A sun over lilies and water in leaded glass, light coming through."""
    x, y = places(n)
    color, region = _window(n, rng)
    angle = np.arctan2(y - 0.34, x - 0.62).astype(np.float32)
    label, _, xs, _ = pieces(rng, angle, 66 * n / 1024, 4, 0.35)
    both = label + len(xs) * region
    names, index = np.unique(both, return_inverse=True)
    index = index.reshape(n, n)
    ids = index.ravel()
    mean = np.stack([np.bincount(ids, color[..., c].ravel()) / np.bincount(ids) for c in range(3)], axis=-1)
    shade = vary(rng, mean.astype(np.float32), 0.07, 0.06)
    glass = 0.72 * shade[index] + 0.28 * color
    turn = rng.uniform(0, np.pi, len(names))[index]
    streak = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 190 + 5 * fbm(rng, n, 7, 4))
    depth = 0.94 + 0.15 * streak + 0.26 * fbm(rng, n, 12, 5) + 0.12 * fbm(rng, n, 110, 2)
    glow = np.exp(-((np.hypot(x - 0.62, y - 0.34) / 0.5) ** 2)) * 0.15
    seam = np.zeros((n, n), np.float32)
    seam[1:] += index[1:] != index[:-1]
    seam[:, 1:] += index[:, 1:] != index[:, :-1]
    near = blur(np.minimum(seam, 1.0), 3.2 * n / 1024)
    outline = np.zeros((n, n), np.float32)
    outline[1:] += region[1:] != region[:-1]
    outline[:, 1:] += region[:, 1:] != region[:, :-1]
    near = near + 0.30 * blur(np.minimum(outline, 1.0), 4.4 * n / 1024)
    wobble = 1 + 0.25 * fbm(rng, n, 40, 2)
    lead = smooth(0.085, 0.115, near * wobble)
    dusk = 1.0 - 0.55 * smooth(0.005, 0.09, blur(lead, 6 * n / 1024))
    glass = np.clip(glass ** (0.85 + 0.25 * dusk[..., None]) * (depth * (0.72 + 0.4 * dusk) + glow)[..., None], 0, 1)
    metal = ramp(0.4 + 0.4 * fbm(rng, n, 60, 3), "0b0a0c 1d1c20 3d3c40")
    came = lit(lay(np.asarray(glass, np.float32), metal, lead), lead * 1.6 + 0.12 * fbm(rng, n, 45, 3), 0.4, 0.10)
    return grade(came, 1.05, 1.15)


def _window(n: int, rng: Rng) -> tuple[Array, Labels]:
    """The window's cartoon: colours and numbered regions."""
    x, y = places(n)
    sun = np.hypot(x - 0.62, y - 0.34)
    rays = np.floor((np.arctan2(y - 0.34, x - 0.62) / (2 * np.pi) + 0.5) * 22).astype(np.int32)
    color = ramp(sun / 0.75 + 0.10 * (rays % 2), "ffe9a0 f9c04a f08a3a c8506a 6a4a9a 2a3f8f 16245f")
    region = 10 + rays
    region = np.where(sun < 0.26, 40 + rays // 2, region)
    color = lay(color, ramp(sun / 0.26 + 0.15 * (rays % 2), "fff6d0 ffd85a f59a2a d9482a"), sun < 0.26)
    region, color = np.where(sun < 0.12, 60, region), lay(color, ramp(sun / 0.12, "fffbe8 ffe070"), sun < 0.12)
    for k, (base, codes) in enumerate([(0.55, "3f2f7a 6a4fa8"), (0.62, "1f4f6a 2f8a8a"), (0.69, "1f5a3a 5fa04a")]):
        hill = y > wavy(rng, x, base, 0.04, 3.0 + k)
        color, region = lay(color, ramp((y - base) * 6, codes), hill), np.where(hill, 61 + k, region)
    for k in range(5):
        water = y > 0.76 + 0.052 * k + 0.012 * np.sin(x * (13 - k) + 2.1 * k)
        code = ["1c4f9a", "2f86c0", "1a3f7f", "5fb8c8", "24609f", "173a78", "3f9ab8"][k]
        color, region = lay(color, flat(code, color), water), np.where(water, 70 + k, region)
    for cx, top, size in [(0.16, 0.40, 0.12), (0.33, 0.56, 0.085), (0.86, 0.58, 0.10)]:
        stem = (np.abs(x - cx - 0.03 * np.sin((y - top) * 7)) < 0.012) & (y > top)
        color, region = lay(color, flat("3f9a4a", color), stem), np.where(stem, 80, region)
        for k, turn in enumerate((-2.75, -0.39, -2.2, -0.94, -1.57)):
            u = (x - cx) * np.cos(turn) + (y - top) * np.sin(turn)
            v = (y - top) * np.cos(turn) - (x - cx) * np.sin(turn)
            petal = (np.abs(v) < 0.30 * size * np.sin(np.pi * np.clip(u / (1.5 * size), 0, 1) ** 1.4)) & (u > 0)
            color = lay(color, ramp(u / size / 1.5, "e0507a f6a8c0 fff0f0"), petal)
            region = np.where(petal, 81 + k, region)
        for k, side in enumerate((-1.0, 1.0)):
            u, v = (y - top - 1.4 * size) / (3.0 * size), (x - cx) * side
            leaf = np.abs(v - 0.25 * size - 0.5 * size * (1 - u)) < 0.22 * size * np.sin(np.pi * np.clip(u, 0, 1))
            color, region = lay(color, ramp(u, "8fc85a 2f8a4a 14503a"), leaf), np.where(leaf, 88 + k, region)
    return color, region.astype(np.int32)


# Blocks and plates


def woodcut_wave(n: int, rng: Rng) -> Array:
    """Breaking waves before a white mountain, printed from wood blocks in Prussian blue."""
    x, y = places(n)
    sheet = ramp(0.5 + 0.5 * fbm(rng, n, 5, 4), "e4d3ae ecdfc0 f1e7cf")
    grain = _wood(n, rng)
    bands = smooth(0.17, 0.0, y) * 0.8 + smooth(0.16, 0.52, y) * 0.42
    color = lay(sheet, ramp(y * 1.6, "24406a 9fa89f d8b890 e9c8a0"), np.clip(bands * (0.9 + 0.12 * grain), 0, 1))
    disc = smooth(0.0, 0.003, 0.062 - np.hypot(x - 0.83, y - 0.17))
    color = lay(color, flat("c8452f", color), disc * (0.86 + 0.12 * grain))
    line = np.exp(-(((np.hypot(x - 0.83, y - 0.17) - 0.062) / 0.0016) ** 2)) * 0.4
    peak = y - 0.47 - 0.020 * np.abs(noise(rng, n, 10, 40)) * (y < 0.5) + 0.235 * np.exp(-np.abs(x - 0.60) / 0.135)
    mount = smooth(0, 0.003, peak) * (y < 0.66)
    snow = smooth(0.0, 0.004, 0.37 + 0.035 * np.abs(np.sin(x * 71)) * np.abs(np.sin(x * 23 + 1)) - y)
    stone = lay(ramp((y - 0.30) * 3.2, "203a66 4a6a90 a9b8b0"), flat("f3ead6", color), snow)
    color, line = lay(color, stone, mount), np.maximum(line, np.exp(-((peak / 0.0022) ** 2)) * (y < 0.6))
    waves = [
        (0.56, 0.06, 0.30, 0.80, 0.10, 1.1, 0.7),
        (0.66, 0.20, 0.17, 0.30, 0.17, 2.6, 1.0),
        (0.76, 0.13, 0.14, 0.72, 0.11, 2.5, 0.8),
        (0.88, 0.10, 0.20, 0.40, 0.09, 2.3, 0.8),
        (1.00, 0.10, 0.16, 0.90, 0.09, 2.4, 0.8),
    ]
    for k, wave in enumerate(waves):
        color, line = _breaker(color, line, wave, k, grain, rng)
    spray = inked(n, _drops(rng, 420), fill=True)
    color = lay(color, flat("f3ead6", color), spray)
    key = np.clip(line * (0.92 + 0.25 * noise(rng, n, 160)), 0, 1)
    color = lay(color, flat("12203f", color), key)
    fibre = 1 + 0.025 * noise(rng, n, 300, 40) + 0.025 * paper(rng, n, 120)
    return lit(color * fibre[..., None], 0.20 * paper(rng, n, 200) - 0.25 * key, 0.22, 0.0)


def _wood(n: int, rng: Rng) -> Array:
    """Grain of a cherry block, about [-1, 1]."""
    x, y = places(n)
    rings = np.hypot((x - 0.3) * 0.16, y - 1.6 + 0.05 * fbm(rng, n, 2, 3))
    return np.asarray(0.6 * np.sin(rings * 330 + 2 * noise(rng, n, 9, 2)) + 0.6 * noise(rng, n, 380, 14), np.float32)


def _drops(rng: Rng, count: int) -> list[tuple[Points, float]]:
    """Outlines of drops of spray above the waves."""
    drops: list[tuple[Points, float]] = []
    turns = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for _ in range(count):
        cx, cy = rng.normal(0.42, 0.20), rng.normal(0.50, 0.11)
        r = rng.uniform(0.0012, 0.0042)
        drops.append(([(cx + r * float(np.cos(t)), cy + r * float(np.sin(t))) for t in turns], 1.0))
    return drops


def _breaker(color: Array, line: Array, wave: tuple[float, ...], k: int, grain: Array, rng: Rng) -> tuple[Array, Array]:
    """Prints one wave: (base, height, breadth, middle, reach of the curl, turn of the curl, size of the foam)."""
    base, tall, broad, middle, reach, turn, froth = wave
    n = color.shape[0]
    x, y = places(n)
    hx, hy = middle + 0.62 * broad, base - 0.72 * tall
    dx, dy = x - hx, y - hy
    far = np.hypot(dx, dy)
    twist = turn * smooth(1.0, 0.0, far / reach)
    wx = hx + dx * np.cos(twist) + dy * np.sin(twist)
    wy = hy + dy * np.cos(twist) - dx * np.sin(twist)
    swell = base - tall * np.exp(-(((wx - middle) / broad) ** 2)) + 0.012 * np.sin(wx * 16 + k)
    depth = wy - swell
    body = smooth(0.0, 0.0022, depth)
    stripe = np.sin(
        (depth * 34 + 0.25 * noise(rng, n, 6)) ** 0.9 * 6.28 if k < 0 else depth * 150 + 1.2 * noise(rng, n, 5)
    )
    tone = ramp(np.clip(depth * 3.3 + 0.05 * grain, 0, 1), "7fa3b5 3f6f9a 1f4a80 16376a 10264f")
    ink = lay(tone, flat("dfe3d3", color), smooth(0.42, 0.62, stripe) * smooth(0.30, 0.10, depth) * 0.92)
    ink = lay(ink, flat("122a55", color), smooth(0.55, 0.75, -stripe) * smooth(0.36, 0.1, depth) * 0.8)
    ink = np.asarray(ink * (1 + 0.05 * grain)[..., None], np.float32)
    fingers = 0.5 + 0.5 * np.sin(wx * 150 + 4 * noise(rng, n, 9) + k)
    small = 0.5 + 0.5 * np.sin(wx * 410 + wy * 240 + 5 * noise(rng, n, 20))
    crest = np.exp(-(((wx - middle - 0.3 * broad) / (0.9 * broad)) ** 2))
    hang = froth * (0.008 + 0.050 * crest * (0.30 + 0.55 * fingers**1.5 + 0.25 * small))
    foam_rim = depth - hang
    foam = smooth(0.0015, -0.0015, foam_rim) * body
    inner = np.exp(-((np.sin((depth / hang) * 7 + 3 * fingers + 2 * noise(rng, n, 40)) / 0.25) ** 2)) * foam * 0.45
    ink = lay(ink, lay(flat("f5eedd", color), flat("9fbcc4", color), inner), foam)
    edge = np.exp(-((depth / 0.0020) ** 2)) + np.exp(-((foam_rim / 0.0017) ** 2)) * body * smooth(0.004, 0.012, hang)
    line = np.maximum(line * (1 - body), np.clip(edge, 0, 1))
    return lay(color, ink, body), np.asarray(line, np.float32)


def etching(n: int, rng: Rng) -> Array:
    """A ruined tower above a wooded valley, etched in crossing lines on warm paper."""
    tone, run = _valley(n, rng)
    rough = np.clip(0.67 * tone + 0.06 * fbm(rng, n, 30, 3), 0, 1)
    layers = [(0.78, 0.0, 4.4), (0.47, 0.85, 4.2), (0.33, -0.7, 4.2), (0.21, 1.5, 4.2), (0.10, 0.35, 3.8)]
    plate = np.zeros((n, n), np.float32)
    for limit, turn, gap in layers:
        plate = 1 - (1 - plate) * (1 - 0.9 * inked(n, _hatch(rng, rough, run + turn, limit, gap)))
    edge = np.hypot(*np.gradient(blur(tone, 1.2 * n / 1024))) * n / 1024
    plate = np.maximum(plate, smooth(0.07, 0.14, edge * (1 + 0.8 * noise(rng, n, 190))) * 0.7)
    plate = blur(plate, 0.5 * n / 1024)
    x, y = places(n)
    sheet = ramp(0.55 + 0.4 * fbm(rng, n, 4, 5), "d9c39a e6d5b3 efe3c9")
    film = 0.10 * smooth(-0.2, 0.9, fbm(rng, n, 3, 5)) + 0.05 * smooth(
        0.35, 0.55, np.maximum(np.abs(x - 0.5), np.abs(y - 0.5))
    )
    foxing = smooth(0.45, 0.9, fbm(rng, n, 45, 4)) * 0.20
    sheet = lay(sheet, flat("a8763f", sheet), np.clip(foxing, 0, 1))
    sheet = lay(sheet, flat("5a4630", sheet), film)
    color = lay(
        sheet, ramp(0.5 + 0.5 * noise(rng, n, 60), "1a120d 33241a"), np.clip(plate * (0.93 + 0.1 * paper(rng, n)), 0, 1)
    )
    return lit(color, 0.16 * paper(rng, n, 190) + 0.2 * plate, 0.25, 0.0)


def _hatch(rng: Rng, tone: Array, angle: Array, limit: float, gap: float) -> Iterable[tuple[Points, float]]:
    """Lines that follow the angles, drawn only where the tone is darker than a limit."""
    n = tone.shape[0]
    unit = n / 1000.0
    count = int(n / (gap * unit * 2.0))
    i, j = np.meshgrid(np.arange(count), np.arange(count))
    x = ((i.ravel() + rng.uniform(0, 1, i.size)) * n / count).astype(np.float32)
    y = ((j.ravel() + rng.uniform(0, 1, i.size)) * n / count).astype(np.float32)
    steps, track, dark = 16, [], []
    lean = rng.normal(0, 0.06, len(x))
    for _ in range(steps):
        px, py = np.clip(x, 0, n - 1).astype(int), np.clip(y, 0, n - 1).astype(int)
        track.append(np.stack([x, y], axis=-1) / n)
        dark.append(tone[py, px] < limit + rng.normal(0, 0.03, len(x)))
        turn = angle[py, px] + lean
        x, y = x + 3.2 * unit * np.cos(turn), y + 3.2 * unit * np.sin(turn)
    paths, keep = np.stack(track, axis=1), np.stack(dark, axis=1)
    for path, mask in zip(paths, keep, strict=True):
        stop = steps if mask.all() else int(np.argmin(mask))
        if stop >= 3:
            weight = 0.65 + 0.8 * (
                limit - float(tone[min(int(path[0, 1] * n), n - 1), min(int(path[0, 0] * n), n - 1)])
            )
            yield [(float(a), float(b)) for a, b in path[:stop]], float(np.clip(weight, 0.5, 1.6))


def _valley(n: int, rng: Rng) -> tuple[Array, Array]:
    """The etching's subject: tone in [0, 1] and the run of its lines."""
    x, y = places(n)
    puff = fbm(rng, n, 3, 5)
    tone = 0.88 + 0.42 * puff - 0.30 * smooth(0.40, 0.0, y)
    run = along(puff + 1.2 * y, 14 * n / 1024)
    for k, (base, tall, waves) in enumerate([(0.44, 0.07, 4.0), (0.52, 0.06, 3.2), (0.62, 0.05, 2.6)]):
        deep = y - wavy(rng, x, base, tall, waves) - 0.012 * fbm(rng, n, 20, 3)
        hill = deep > 0
        folds = fbm(rng, n, 9, 4)
        tone = np.where(hill, 0.70 - 0.10 * k + 0.45 * folds + 0.7 * deep, tone)
        run = np.where(hill, 0.7 - 0.5 * k + 0.9 * folds, run)
    bluff = y > 0.66 - 0.30 * smooth(0.62, 0.30, x) + 0.06 * fbm(rng, n, 7, 4)
    rocks = fbm(rng, n, 8, 5)
    tone = np.where(bluff, 0.60 + 0.75 * rocks + 0.25 * (x - 0.4), tone)
    run = np.where(bluff, 1.25 + 1.0 * fbm(rng, n, 5, 3), run)
    for cx, w, top, foot in [(0.20, 0.062, 0.13, 0.44), (0.31, 0.045, 0.24, 0.46), (0.105, 0.035, 0.27, 0.44)]:
        ragged = top + 0.025 * np.abs(noise(rng, n, 4, 40)) + 0.018 * (np.floor((x - cx) / w * 3.5) % 2)
        wall = (np.abs(x - cx) < w) & (y > ragged) & (y < foot)
        course = 0.06 * np.sign(np.sin(y * 330)) * np.sign(np.sin(x * 240 + 3 * np.floor(y * 105)))
        tone = np.where(wall, 0.82 - 0.62 * smooth(-0.5, 1.0, (x - cx) / w) + course + 0.16 * fbm(rng, n, 24, 3), tone)
        run = np.where(wall, np.where(x > cx, 1.57, 0.06), run)
        for wy in (top + 0.10, top + 0.19):
            gap = (np.hypot((x - cx + 0.3 * w) / 0.010, np.minimum(y - wy, 0) / 0.013) < 1) & (y < wy + 0.03) & wall
            tone = np.where(gap, 0.04, tone)
    for k in range(90):
        cx = rng.uniform(0, 1)
        cy, r = 0.68 + 0.0038 * k + 0.04 * np.sin(cx * 7), rng.uniform(0.02, 0.065)
        far = np.hypot(x - cx, (y - cy) * 1.15) / r + 0.40 * fbm(rng, n, 34, 4)
        crown = far < 1
        light = 0.50 - 0.44 * ((x - cx) + (y - cy)) / r + 0.40 * fbm(rng, n, 44, 3)
        tone = np.where(crown, light, tone)
        run = np.where(crown, 0.9 + 1.9 * noise(rng, n, 46), run)
    return np.asarray(np.clip(tone, 0.02, 1.2), np.float32), np.asarray(run, np.float32)


# Washes


def watercolour(n: int, rng: Rng) -> Array:
    """A lake town in the mist: some sixty transparent washes on rough paper."""
    x, y = places(n)
    tooth = paper(rng, n, 130)
    film = np.zeros((n, n, 3), np.float32)
    sky = smooth(-0.4, 0.5, fbm(rng, n, 3, 5) + 0.35 - 0.9 * y)
    film += _wash(rng, sky * smooth(0.62, 0.2, y), "6f9ac8", tooth, 0.6, 0.1)
    film += _wash(rng, smooth(0.0, 0.7, fbm(rng, n, 2.5, 5) + 0.5 - np.abs(y - 0.40) * 3.2), "f0a878", tooth, 0.7, 0.1)
    film += _wash(rng, smooth(0.0, 0.6, fbm(rng, n, 3, 5) - 0.3 + 0.6 * smooth(0.3, 0, y)), "6a5a90", tooth, 0.4, 0.4)
    for k, code in enumerate(("a8b8cc", "7f96b8", "5f7f9f", "3f6f7a")):
        top = wavy(rng, x, 0.36 + 0.055 * k, 0.09 - 0.015 * k, 3.6 + k) + 0.010 * fbm(rng, n, 16, 4)
        body = smooth(0.0, 0.004, y - top) * smooth(0.56 + 0.012 * k, 0.40 + 0.045 * k, y + 0.04 * fbm(rng, n, 6, 3))
        film += _wash(rng, body, code, tooth, 0.75 + 0.12 * k, 0.9)
    lake = smooth(0.0, 0.006, y - 0.605 - 0.003 * noise(rng, n, 3, 30))
    film += _wash(rng, lake * smooth(-0.5, 0.3, fbm(rng, n, 3, 4) + 0.3), "5f9ab0", tooth, 0.55, 0.5)
    for _ in range(34):
        cy, long, cx = 0.63 + 0.37 * rng.random() ** 1.4, rng.uniform(0.05, 0.22), rng.uniform(0, 1)
        ripple = 0.004 * noise(rng, n, 30, 14)
        streak = 1 - np.hypot((x - cx) / long, (y - cy + ripple) / (0.003 + 0.026 * (cy - 0.6)))
        body = smooth(0.0, 0.12, streak - 0.25 + 0.75 * fbm(rng, n, 34, 3))
        film += _wash(rng, body, str(rng.choice(["3f6f9a", "2f5a7a", "5f8f8a", "6a6a9a", "c88a6a"])), tooth, 0.4, 0.8)
    film = _town(film, rng, tooth)
    for cx, cy, r, code in [
        (0.08, 0.47, 0.13, "3f6a3a"),
        (0.20, 0.53, 0.09, "7a8a2f"),
        (0.94, 0.50, 0.10, "2f5f4a"),
        (0.86, 0.55, 0.06, "b8862f"),
        (0.02, 0.58, 0.09, "2a4a4a"),
    ]:
        for size in (1.0, 0.7, 0.45):
            far = np.hypot(x - cx + 0.02 * (1 - size), (y - cy) * 1.1) / (r * size) + 0.55 * fbm(rng, n, 13, 4)
            film += _wash(rng, smooth(1.0, 0.93, far), code, tooth, 0.42, 0.9)
            image = (
                np.hypot(x - cx, (1.215 - y - cy) * 0.8) / (r * size)
                + 0.4 * fbm(rng, n, 30, 3)
                + 0.25 * noise(rng, n, 60, 4)
            )
            film += _wash(rng, smooth(1.0, 0.75, image) * lake, code, tooth, 0.32, 0.3)
    spots = inked(n, [(p, w) for p, w in _drops(rng, 60)], fill=True)
    film += _wash(rng, blur(spots, 1.0), "4a5a8a", tooth, 0.6, 0.6)
    sheet = np.broadcast_to(rgb("faf5e8"), film.shape)
    out = sheet * np.exp(-film)
    return lit(grade(np.asarray(out, np.float32), 1.08, 1.15), 0.32 * tooth, 0.28, 0.0)


def _wash(rng: Rng, mask: Field, code: str, tooth: Array, strength: float, rim: float) -> Array:
    """Optical density of one wash: it pools at its rim, blooms where wet, and settles into the paper."""
    n = tooth.shape[0]
    wet = np.asarray(mask, np.float32)
    pool = (
        np.clip(wet - blur(wet, 5.5 * n / 1024), 0, 1) * 1.5 * rim
        + np.clip(wet - blur(wet, 1.6 * n / 1024), 0, 1) * rim
    )
    drift = 0.78 + 0.42 * fbm(rng, n, 3.5, 4)
    front = fbm(rng, n, 4, 4)
    bloom = 0.30 * smooth(0.25, 0.32, front) * np.exp(-np.clip(front - 0.3, 0, 1) * 9)
    grains = 1.0 - 0.30 * tooth - 0.16 * fbm(rng, n, 120, 2)
    load = wet * np.clip(drift + bloom, 0.1, 2) * np.clip(grains, 0.3, 1.8) + pool
    absorb = -np.log(np.clip(rgb(code), 0.03, 0.97))
    return np.asarray(np.clip(load, 0, 2)[..., None] * absorb * strength, np.float32)


def _town(film: Array, rng: Rng, tooth: Array) -> Array:
    """Adds the washes of a row of houses and towers on the far shore, and their images in the lake."""
    n = tooth.shape[0]
    x, y = places(n)
    at = 0.24
    while at < 0.80:
        wide, tall = rng.uniform(0.022, 0.05), rng.uniform(0.05, 0.11)
        if rng.random() < 0.2:
            wide, tall = 0.017, rng.uniform(0.16, 0.22)
        cx = at + wide / 2
        uneven = 0.0035 * noise(rng, n, 30)
        wall = smooth(0.0, 0.003, wide / 2 - np.abs(x - cx) + uneven) * smooth(0, 0.003, y - 0.606 + tall) * (y < 0.606)
        slope_ = np.abs(x - cx + uneven) * (1.0 if tall < 0.13 else 3.2)
        crown = 0.606 - tall - 0.6 * wide * (1.0 if tall < 0.13 else 3.0) + slope_
        roof = smooth(0.0, 0.003, y - crown) * (y < 0.606 - tall + uneven) * (np.abs(x - cx) < 0.56 * wide)
        code = str(rng.choice(["e8b878", "d8905f", "e8d0a0", "c87f6a", "b8a8a0"]))
        film = film * (1 - 0.92 * np.maximum(wall, roof))[..., None]
        film += _wash(rng, wall, code, tooth, 0.9, 0.8) + _wash(
            rng, roof, str(rng.choice(["a84a2f", "8a4a4a", "5a4a6a"])), tooth, 1.0, 0.8
        )
        shade = wall * smooth(-0.1, 0.2, (x - cx) / wide)
        film += _wash(rng, shade, "8080b0", tooth, 0.5, 0.5)
        panes = wall * smooth(0.55, 0.7, np.sin((x - at) * 420)) * smooth(0.35, 0.6, np.sin(y * 300))
        film += _wash(rng, panes, "3a3a5a", tooth, 0.9, 0.2)
        image = (
            smooth(0, 0.012, wide / 2 - np.abs(x - cx + 0.008 * noise(rng, n, 110, 4)))
            * (y > 0.606)
            * smooth(0.606 + 1.5 * tall, 0.6 + 0.4 * tall, y)
        )
        film += _wash(rng, image, code, tooth, 0.55, 0.3) + _wash(
            rng, image * smooth(0.2, 0.8, noise(rng, n, 120, 6)), "5a6a90", tooth, 0.5, 0.3
        )
        at += wide * rng.uniform(0.85, 1.25)
    return film
