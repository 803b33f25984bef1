"""Two decorated panels: a gilded tree of spirals and a still life broken into facets."""

from __future__ import annotations

import numpy as np
from brushwork import (
    Array,
    Brush,
    Canvas,
    Rng,
    bristle_bank,
    cover,
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
    weave,
)
from prints import Points, flat, inked

Drawing = list[tuple[Points, float]]


def ring(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0, corners: int = 40) -> Points:
    """Outline of an ellipse, or of a polygon if it has few corners."""
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    u, v = rx * np.cos(t), ry * np.sin(t)
    xs, ys = cx + u * np.cos(turn) - v * np.sin(turn), cy + u * np.sin(turn) + v * np.cos(turn)
    return [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]


# The gilded panel


def gilded_tree(n: int, rng: Rng) -> Array:
    """A tree of spirals on gold leaf over a meadow of mosaic and flowers."""
    x, y = places(n)
    leaf_x = np.floor(x * 11 + 0.05 * noise(rng, n, 30)).astype(int)
    leaf_y = np.floor(y * 11 + 0.05 * noise(rng, n, 30)).astype(int)
    tone = rng.uniform(-0.12, 0.12, (16, 16))[leaf_y % 16, leaf_x % 16]
    worn = fbm(rng, n, 7, 6, 0.62)
    color = ramp(0.52 + tone + 0.34 * worn, "5a3a12 8f641c bf8f2c ddb548 f0d478 fbeeb0")
    color = lay(
        color, ramp(0.5 + 0.5 * worn, "5a2416 8a3a20"), smooth(0.52, 0.75, -worn + 0.2 * noise(rng, n, 120)) * 0.8
    )
    height = (0.12 * worn + 0.05 * noise(rng, n, 200)).astype(np.float32)
    flecks: Drawing = []
    for _ in range(1500):
        cx, cy = rng.uniform(0, 1, 2)
        size = rng.uniform(0.002, 0.006)
        flecks.append((ring(cx, cy, size, size, rng.uniform(0, 3), int(rng.choice([3, 4, 16]))), 1.0))
    color, height = _gild(color, height, inked(n, flecks, fill=True), "fff0b0", 0.5)
    color, height = _meadow(color, height, rng)
    color, height = _branches(color, height, rng)
    height += 0.06 * weave(rng, n, 210)
    return lit(grade(color, 1.04, 1.06), height, 0.55, 0.14)


def _gild(color: Array, height: Array, mask: Array, code: str, raised: float) -> tuple[Array, Array]:
    """Lays one colour in relief."""
    n = color.shape[0]
    uneven = 0.9 + 0.1 * noise(np.random.default_rng(int(mask.sum())), n, 70)
    paint = np.asarray(flat(code, color) * uneven[..., None], np.float32)
    return lay(color, paint, mask), np.asarray(height + raised * mask, np.float32)


def _spiral(cx: float, cy: float, r: float, start: float, turns: float, way: float) -> Points:
    """A spiral that winds in from its rim."""
    t = np.linspace(0, 1, 90)
    radius = r * (1 - t) ** 0.85
    xs = cx + radius * np.cos(start + way * turns * 2 * np.pi * t)
    ys = cy + radius * np.sin(start + way * turns * 2 * np.pi * t)
    return [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]


def _bough(path: Points, rng: Rng) -> Points:
    """A curve from the trunk that runs smoothly into the rim of a spiral."""
    (x1, y1), (x2, y2) = path[0], path[1]
    x0, y0 = 0.5 + 0.10 * (x1 - 0.5), 0.74 - 0.22 * float(rng.random())
    back = 0.16 / (float(np.hypot(x2 - x1, y2 - y1)) + 1e-6)
    hx, hy = x1 - (x2 - x1) * back, y1 - (y2 - y1) * back
    curve: Points = []
    for t in np.linspace(0.0, 1.0, 50):
        a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
        curve.append((float(a * x0 + b * x0 + c * hx + d * x1), float(a * y0 + b * (y0 - 0.2) + c * hy + d * y1)))
    return curve


def _branches(color: Array, height: Array, rng: Rng) -> tuple[Array, Array]:
    """Trunk and spirals: packed circles, each wound in, dark ground, gold core, small eyes and triangles between."""
    n = color.shape[0]
    circles: list[tuple[float, float, float]] = []
    for size in (0.135, 0.105, 0.078, 0.055, 0.036, 0.024):
        for _ in range(240):
            cx, cy = rng.uniform(0.0, 1.0), rng.uniform(-0.02, 0.70)
            if cy + size < 0.76 and all(np.hypot(cx - ox, cy - oy) > 0.93 * (size + o) for ox, oy, o in circles):
                circles.append((float(cx), float(cy), size))
    t = np.linspace(0, 1, 90)
    trunk = [(0.5 + 0.025 * float(np.sin(5 * s)), 1.0 - 0.55 * float(s)) for s in t]
    wide = [(*p, 0.052 * (1 - (i / 90) ** 1.6) + 0.006) for i, p in enumerate(trunk)]
    stem = inked(n, [(ring(px, py, w, 0.014), 1.0) for px, py, w in wide], fill=True)
    dark: Drawing = []
    core: Drawing = []
    for cx, cy, r in circles:
        start = float(np.arctan2(0.55 - cy, 0.5 - cx) + rng.normal(0, 0.3))
        path = _spiral(cx, cy, r, start, 1.4 + 16 * r, float(rng.choice([-1.0, 1.0])))
        dark.append((path, 3.5 + 62 * r))
        core.append((path, 1.0 + 26 * r))
        if r > 0.075:
            bough = _bough(path, rng)
            dark.append((bough, 2.0 + 44 * r))
            core.append((bough, 0.6 + 16 * r))
    color, height = _gild(color, height, np.maximum(inked(n, dark), stem), "2f1a10", 0.5)
    color, height = _gild(color, height, inked(n, core), "d9a63a", 0.5)
    x, y = places(n)
    bark = smooth(0.1, 0.5, np.sin(y * 160 + 5 * noise(rng, n, 14)) * np.sin(x * 210 + 4 * noise(rng, n, 14))) * stem
    color, height = _gild(color, height, np.asarray(bark, np.float32), "c08a3a", 0.3)
    for code, scale in (("1a1010", 1.0), ("f5eed8", 0.72), ("2a4f8f", 0.45), ("120c10", 0.24)):
        eyes = [(ring(cx, cy, 0.34 * r * scale, 0.22 * r * scale, 3 * cx), 1.0) for cx, cy, r in circles if r > 0.03]
        color, height = _gild(color, height, inked(n, eyes, fill=True), code, 0.25)
    leaves: dict[str, Drawing] = {"b0402a": [], "2f6a5a": [], "e8d8b0": [], "1c1a3a": [], "6a3a7a": []}
    for _ in range(330):
        cx, cy, size = rng.uniform(0, 1), rng.uniform(0, 0.72), rng.uniform(0.005, 0.011)
        shape = ring(cx, cy, size, 0.6 * size, rng.uniform(0, 3), int(rng.choice([3, 4, 20])))
        leaves[str(rng.choice(list(leaves)))].append((shape, 1.0))
    for code, shapes in leaves.items():
        color, height = _gild(color, height, inked(n, shapes, fill=True), code, 0.35)
    return color, height


def _meadow(color: Array, height: Array, rng: Rng) -> tuple[Array, Array]:
    """The ground: rows of patterned patches, then flowers with rings and petals."""
    n = color.shape[0]
    shapes: dict[str, Drawing] = {}
    hues = [
        "1f4a3a",
        "3a6a4a",
        "6a8a3a",
        "2a3f7a",
        "7a3a6a",
        "b5502f",
        "e0c060",
        "f0e6c8",
        "1a1420",
        "c88a9a",
        "8a9ac0",
    ]
    where = 0.72
    while where < 1.02:
        tall = rng.uniform(0.018, 0.040)
        at = -0.02
        while at < 1.02:
            wide = rng.uniform(0.018, 0.06)
            top = where + 0.045 * float(np.sin(at * 4.2 + 0.6)) + rng.normal(0, 0.003)
            a, b = (str(h) for h in rng.choice(hues, 2, replace=False))
            box = [(at, top), (at + wide, top), (at + wide, top + tall * 1.25), (at, top + tall * 1.25)]
            shapes.setdefault("0" + a, []).append((box, 1.0))
            shapes.setdefault("1" + b, []).extend(_motif(rng, at, top, wide, tall))
            at += wide
        where += tall
    for code in sorted(shapes):
        color, height = _gild(
            color, height, inked(n, shapes[code], fill=True), code[1:], 0.15 if code[0] == "0" else 0.3
        )
    for _ in range(210):
        cx, cy = rng.uniform(0, 1), 0.74 + 0.27 * rng.random() ** 0.8
        r = rng.uniform(0.006, 0.014) * (0.6 + 2.4 * (cy - 0.72))
        petals = int(rng.integers(5, 9))
        turn = rng.uniform(0, 6)
        code = str(rng.choice(["f6efe0", "e8a0a8", "f0c83a", "d0503a", "9aa8e0", "f09a3a", "b070b0"]))
        rim = [(ring(cx, cy, 1.9 * r, 1.9 * r), 1.0)]
        if rng.random() < 0.6:
            color, height = _patch(color, height, rim, "1c3a2a", (cx, cy, 3 * r), 0.1)
        spokes = [turn + 6.2832 * k / petals for k in range(petals)]
        heads = [(ring(cx + r * np.cos(s), cy + r * np.sin(s), 0.75 * r, 0.42 * r, s), 1.0) for s in spokes]
        color, height = _patch(color, height, heads, code, (cx, cy, 3 * r), 0.4)
        color, height = _patch(color, height, [(ring(cx, cy, 0.4 * r, 0.4 * r), 1.0)], "5a2a14", (cx, cy, 3 * r), 0.3)
    return color, height


def _patch(
    color: Array, height: Array, shapes: Drawing, code: str, spot: tuple[float, float, float], raised: float
) -> tuple[Array, Array]:
    """Fills shapes within a small square about a spot (x, y, half a side), in place."""
    n = color.shape[0]
    cx, cy, r = spot
    side = max(4, int(2 * r * n))
    x0, y0 = int((cx - r) * n), int((cy - r) * n)
    local = [([((px * n - x0) / side, (py * n - y0) / side) for px, py in points], w) for points, w in shapes]
    mask = inked(side, local, fill=True)
    left, top = max(0, -x0), max(0, -y0)
    right, foot = min(side, n - x0), min(side, n - y0)
    if right <= left or foot <= top:
        return color, height
    cut = mask[top:foot, left:right]
    view = color[y0 + top : y0 + foot, x0 + left : x0 + right]
    view += (rgb(code) - view) * cut[..., None]
    height[y0 + top : y0 + foot, x0 + left : x0 + right] += raised * cut
    return color, height


def _motif(rng: Rng, at: float, top: float, wide: float, tall: float) -> Drawing:
    """A small pattern for one patch: rings, triangles, stripes, chequers or an eye."""
    kind = rng.integers(0, 5)
    cx, cy = at + wide / 2, top + tall / 2
    if kind == 0:
        return [(ring(at + wide * (k + 0.5) / 3, cy, wide / 8, wide / 8), 1.0) for k in range(3)]
    if kind == 1:
        return [
            (
                [
                    (at + wide * k / 4, top + tall),
                    (at + wide * (k + 1) / 4, top + tall),
                    (at + wide * (k + 0.5) / 4, top),
                ],
                1.0,
            )
            for k in range(4)
        ]
    if kind == 2:
        return [
            (
                [
                    (at + wide * k / 5, top),
                    (at + wide * (k + 0.5) / 5, top),
                    (at + wide * (k + 0.5) / 5, top + tall),
                    (at + wide * k / 5, top + tall),
                ],
                1.0,
            )
            for k in range(5)
        ]
    if kind == 3:
        u, v = wide / 4, tall / 2
        cells = [(i, j) for i in range(4) for j in range(2) if (i + j) % 2]
        return [(ring(at + (i + 0.5) * u, top + (j + 0.5) * v, 0.6 * u, 0.6 * u, 0.785, 4), 1.0) for i, j in cells]
    return [(ring(cx, cy, wide / 2.4, tall / 2.6), 1.0)]


# The faceted still life


def facets(n: int, rng: Rng) -> Array:
    """A guitar, a bottle and a glass on a table, seen from several sides at once."""
    x, y = places(n)
    scene = ramp(0.45 + 0.4 * fbm(rng, n, 4, 4), "3a352c 5c5442 7f7355 a08f68")
    angle = (0.6 * fbm(rng, n, 3, 2)).astype(np.float32)
    grain, drawn = fbm(rng, n, 30, 2), np.zeros((n, n), np.float32)
    warm = ["7a5526", "a87a35", "c99c52", "e0c184", "8c4f28", "efe0b8"]
    cool = ["3c4a4a", "5d6f6c", "8b9a8e", "2a2f33", "b9bfae", "4f5a3e"]
    for k in range(230):
        spread = 0.30 if k > 70 else 0.48
        cx, cy = (
            float(np.clip(rng.normal(0.5, spread), -0.05, 1.05)),
            float(np.clip(rng.normal(0.5, spread), -0.05, 1.05)),
        )
        size = float(rng.uniform(0.05, 0.16) if k > 70 else rng.uniform(0.16, 0.34))
        turn = float(rng.choice([0.35, -0.55, 1.15, 1.57, -0.2, 0.8]) + rng.normal(0, 0.08))
        near = np.exp(-(((cx - 0.47) / 0.24) ** 2) - ((cy - 0.52) / 0.30) ** 2)
        code = str(rng.choice(warm if rng.random() < 0.18 + 0.75 * near else cool))
        corner = _shard(rng, cx, cy, size, turn)
        mask = inked(n, [(corner, 1.0)], fill=True)
        side = turn + 1.57 * float(rng.integers(0, 4))
        across = ((x - cx) * np.cos(side) + (y - cy) * np.sin(side)) / size
        shade = ramp(0.5 + 0.42 * across + 0.06 * grain, "1d1a18 " + code + " " + code + " f3e8c8")
        fade = smooth(-1.0, 0.3, across) * rng.uniform(0.75, 1.0)
        scene = lay(scene, shade, mask * fade)
        angle = np.where(mask > 0.5, turn, angle).astype(np.float32)
        if rng.random() < 0.75:
            rim = corner[: int(rng.integers(2, len(corner) + 1))]
            pressed = inked(n, [(rim, float(rng.uniform(1.2, 3.0)))])
            drawn = np.maximum(drawn * (1 - 0.85 * mask * fade), pressed).astype(np.float32)
    scene, motif = _still_life(scene, rng)
    canvas = Canvas(scene)
    bank = bristle_bank(rng)
    for brush in (
        Brush(30, 66, 15, 0.04, 0.015, body=0.8, shake=0.12, opacity=0.9),
        Brush(15, 30, 9, 0.05, 0.02, body=1.0, shake=0.14, opacity=0.9),
        Brush(10, 19, 8.0, 0.055, 0.02, body=1.0, shake=0.15, opacity=0.9),
    ):
        cover(canvas, scene, angle, brush, bank, rng)
    drawn = np.maximum(drawn, inked(n, motif)) * smooth(-0.75, -0.1, fbm(rng, n, 50, 3)) * 0.85
    color = lay(0.6 * canvas.color + 0.4 * scene, flat("17130f", scene), drawn)
    glint = np.roll(drawn, (int(2.5 * n / 1024) + 1,) * 2, (0, 1)) * (1 - drawn) * 0.35
    color = lay(color, flat("f5ecd2", scene), glint)
    out = lit(color, canvas.height + 0.12 * weave(rng, n) + 0.2 * drawn, 0.5, 0.06)
    return grade(out, 1.08, 1.05)


def _shard(rng: Rng, cx: float, cy: float, size: float, turn: float) -> Points:
    """Outline of one facet: a slanted four-sided or three-sided piece, sometimes with a round side."""
    kind = rng.random()
    if kind < 0.22:
        return ring(cx, cy, size, size * float(rng.uniform(0.4, 0.8)), turn, 3)
    if kind < 0.36:
        return ring(cx, cy, size, size, turn, 28)[:15]
    long, short, skew = size, size * float(rng.uniform(0.35, 0.8)), float(rng.uniform(-0.5, 0.5)) * size
    local = [(-long + skew, -short), (long + skew, -short * 0.7), (long - skew, short), (-long - skew, short * 0.8)]
    c, s = float(np.cos(turn)), float(np.sin(turn))
    return [(cx + u * c - v * s, cy + u * s + v * c) for u, v in local]


def _still_life(scene: Array, rng: Rng) -> tuple[Array, Drawing]:
    """Hints of the things on the table: shifted pieces of their outlines, strings, grain, a newspaper's grey."""
    n = scene.shape[0]
    x, y = places(n)
    lines: Drawing = []
    for dx, dy, lean, part in [(0.0, 0.0, 0.5, 1.0), (0.07, -0.03, 0.62, 0.55), (-0.06, 0.05, 0.36, 0.5)]:
        t = np.linspace(-0.2, 6.3 * part, 90)
        r = 0.150 + 0.050 * np.cos(2 * t) + 0.024 * np.cos(t)
        u, v = 1.45 * r * np.cos(t), r * np.sin(t)
        xs, ys = 0.44 + dx + u * np.cos(lean) - v * np.sin(lean), 0.56 + dy + u * np.sin(lean) + v * np.cos(lean)
        body = [(float(a), float(b)) for a, b in zip(xs, ys, strict=True)]
        lines.append((body, 4.0))
        if part == 1.0:
            wood = ramp(0.5 + 0.5 * np.sin((x * 0.9 - y * 0.5) * 260 + 6 * fbm(rng, n, 4, 3)), "8a5a2a b98545 d8ac68")
            scene = lay(scene, wood, inked(n, [(body, 1.0)], fill=True) * 0.55 * smooth(-0.3, 0.3, noise(rng, n, 4)))
    scene = lay(scene, flat("15110e", scene), inked(n, [(ring(0.47, 0.57, 0.052, 0.045), 1.0)], fill=True) * 0.9)
    lines += [(ring(0.47, 0.57, r, 0.87 * r)[: 24 + 5 * k], 2.0) for k, r in enumerate((0.062, 0.070, 0.079))]
    for k in range(6):
        shift = 0.011 * (k - 2.5)
        lines.append(([(0.36 - shift * 0.7, 0.47 + shift), (0.62 - shift * 0.7, 0.70 + shift)], 1.0))
        lines.append(([(0.30 - shift * 0.8, 0.42 + shift), (0.08 - 0.8 * shift, 0.20 + shift)], 1.0))
    lines += [([(0.30 - 0.034, 0.452), (0.05, 0.235)], 3.0), ([(0.335, 0.405), (0.105, 0.16)], 3.0)]
    bottle = [
        (0.70, 0.78),
        (0.70, 0.42),
        (0.735, 0.36),
        (0.735, 0.20),
        (0.785, 0.20),
        (0.785, 0.36),
        (0.83, 0.42),
        (0.83, 0.70),
    ]
    lines += [
        (bottle, 3.6),
        ([(a + 0.045, b + 0.02) for a, b in bottle[:5]], 2.0),
        (ring(0.76, 0.20, 0.026, 0.010), 2.5),
    ]
    glass = inked(n, [(bottle, 1.0)], fill=True) * smooth(-0.4, 0.4, noise(rng, n, 5)) * 0.7
    scene = lay(scene, ramp((x - 0.70) / 0.13, "d0d8b8 5a6f4a 26352a 4a5f3f"), glass)
    lines += [(ring(0.24, 0.80, 0.062, 0.020), 2.5), ([(0.178, 0.80), (0.20, 0.93), (0.28, 0.93), (0.302, 0.80)], 2.5)]
    print_ = smooth(0.1, 0.5, noise(rng, n, 180, 240)) * smooth(0.2, 0.6, np.sin((y + 0.25 * x) * 420))
    sheet = inked(n, [([(0.50, 0.80), (0.88, 0.74), (0.93, 0.95), (0.55, 0.99)], 1.0)], fill=True)
    scene = lay(scene, lay(flat("e6dcc0", scene), flat("2a2622", scene), print_ * 0.8), sheet * 0.7)
    return lay(scene, flat("cfc3a0", scene), np.clip(paper(rng, n) - 0.6, 0, 1)), lines
