"""Pictures painted in strokes: oil, points, knife, pastel. Each takes the side in pixels and a source of chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from brushwork import (
    Array,
    Brush,
    Canvas,
    Field,
    Rng,
    along,
    blur,
    bristle_bank,
    cover,
    dab_bank,
    fbm,
    grade,
    knife_bank,
    lay,
    lit,
    luma,
    noise,
    palette,
    paper,
    places,
    ramp,
    rgb,
    slope,
    smooth,
    swirl,
    wavy,
    weave,
)

OIL = (
    Brush(62, 170, 26, 0.04, 0.03, body=0.5),
    Brush(30, 120, 14, 0.06, 0.04, body=0.8),
    Brush(17, 78, 10, 0.07, 0.05, body=1.0, accents=0.03),
    Brush(9, 44, 6.5, 0.08, 0.05, body=1.1, accents=0.05),
)


def busy(scene: Array, floor: float, reach: float = 6.0) -> Array:
    """Where a scene has edges: 1 at the strongest, `floor` in the calm parts."""
    n = scene.shape[0]
    across, down = slope(blur(luma(scene), 1.5))
    edges = blur(np.hypot(across, down).astype(np.float32), reach * n / 1000)
    return np.asarray(np.clip(floor + edges / np.percentile(edges, 92), 0.0, 1.0), np.float32)


def oil(
    rng: Rng,
    scene: Array,
    angle: Array,
    ground: str,
    brushes: Sequence[Brush] = OIL,
    accents: str = "",
    calm: float = 0.45,
    order: Field | None = None,
) -> Canvas:
    """Paints a scene from the broadest brush to the finest, which only goes where there is something to see."""
    n = scene.shape[0]
    canvas = Canvas(lay(np.broadcast_to(rgb(ground), scene.shape), scene, np.full((n, n), 0.15)))
    bank = bristle_bank(rng)
    extra = palette(accents) if accents else None
    for k, brush in enumerate(brushes):
        where = busy(scene, calm) if k >= 2 else None
        cover(canvas, scene, angle, brush, bank, rng, where, extra, order)
    return canvas


def starry_hills(n: int, rng: Rng) -> Array:
    """A wheat field, hills and a village under a turning night sky, in thick oil."""
    x, y = places(n)
    stars = [(0.84, 0.15, 0.085), (0.10, 0.10, 0.035), (0.27, 0.19, 0.028), (0.47, 0.08, 0.034), (0.66, 0.07, 0.024)]
    stars += [(0.07, 0.36, 0.026), (0.73, 0.33, 0.030), (0.93, 0.42, 0.024), (0.55, 0.20, 0.02), (0.36, 0.05, 0.018)]
    eddies = [(0.40, 0.33, 0.16, 3.0), (0.62, 0.41, 0.11, -2.6), (0.16, 0.52, 0.12, -1.6)]
    eddies += [(sx, sy, 2.1 * r, 2.5) for sx, sy, r in stars]
    angle = swirl(x, y, (1.0, -0.25), eddies)
    sky = ramp(0.20 + 0.62 * y + 0.20 * fbm(rng, n, 5, 4), "07123a 10246b 1b47a0 2f78bd 63aecb a9d3c4")
    for cx, cy, reach, _ in eddies[:3]:
        far = np.hypot(x - cx, y - cy)
        turn = np.arctan2(y - cy, x - cx)
        band = 0.5 + 0.5 * np.sin(far / reach * 15 - 1.0 * turn)
        sky = lay(
            sky,
            ramp(1 - far / reach / 1.6, "2a66b0 7fbcd0 d9e6c4"),
            band * smooth(1.25 * reach, 0.4 * reach, far) * 0.8,
        )
    for sx, sy, r in stars:
        far = np.hypot(x - sx, y - sy) / r
        rings = smooth(2.9, 0.6, far) * (0.72 + 0.28 * np.cos(far * 5.2))
        sky = lay(sky, ramp(far / 2.6, "fffbe0 ffe37a f5bc2f c3cf7c 78b8b8 3f7fbe"), rings)
    scene, order = sky, np.zeros((n, n), np.float32)
    for k, (base, codes) in enumerate(
        [(0.60, "14306e 2c62a2 5a8fb4"), (0.655, "10264d 1f4f74 3e7f7e"), (0.71, "0e2434 1f5148 5f8a4a")]
    ):
        top = wavy(rng, x, base, 0.035, 3.5)
        hill = smooth(0.0, 0.006, y - top)
        scene = lay(scene, ramp((y - top) / 0.12 + 0.25 * fbm(rng, n, 14, 3), codes), hill)
        angle = np.where(hill > 0.5, along(y - top + 0.012 * fbm(rng, n, 9, 2), 2), angle).astype(np.float32)
        order = np.where(hill > 0.5, 0.2 * k + 0.2, order).astype(np.float32)
    scene, order = _village(scene, order, x, y, rng)
    top = wavy(rng, x, 0.80, 0.022, 2.4)
    field = smooth(0.0, 0.01, y - top)
    wheat = ramp(0.5 + 0.34 * fbm(rng, n, 8, 4) + 0.8 * (0.88 - y), "4a2f14 8a5a1a c98a1e e9b93a f8e08a")
    scene = lay(scene, wheat, field)
    angle = np.where(field > 0.5, -1.45 + 0.75 * fbm(rng, n, 4, 3), angle).astype(np.float32)
    scene, angle, order = _cypress(scene, angle, np.where(field > 0.5, 0.8, order).astype(np.float32), rng)
    canvas = oil(rng, scene, angle, "1a2148", OIL, "f2c94c e8efd0 1a2a7a 6fc2c9", 0.6, order)
    return lit(canvas.color, canvas.height, 0.62, 0.13)


def _village(scene: Array, order: Array, x: Array, y: Array, rng: Rng) -> tuple[Array, Array]:
    """Sets a few houses and a church along the foot of the hills."""
    houses = [
        (float(cx), 0.775 + rng.uniform(-0.012, 0.012), rng.uniform(0.018, 0.032))
        for cx in np.arange(0.30, 0.95, 0.055)
    ]
    for cx, cy, w in houses:
        wall = (np.abs(x - cx) < w) & (np.abs(y - cy) < 0.7 * w)
        roof = (np.abs(x - cx) < 1.15 * w * (y - cy + 1.7 * w) / w) & (y > cy - 1.7 * w) & (y <= cy - 0.7 * w)
        scene = lay(scene, np.broadcast_to(ramp(rng.random(), "2c4a78 4b6c8c 8fa39a"), scene.shape), wall)
        scene = lay(scene, np.broadcast_to(ramp(rng.random(), "3a2a4a 7a3b32 24304f"), scene.shape), roof)
        pane = (np.abs(x - cx - 0.3 * w) < 0.26 * w) & (np.abs(y - cy) < 0.32 * w)
        scene = lay(scene, np.broadcast_to(rgb("ffd24a"), scene.shape), pane)
        order = np.where(wall | roof, 0.7, order).astype(np.float32)
    spire = (np.abs(x - 0.52) < 0.016 * (y - 0.60) / 0.14) & (y > 0.60) & (y < 0.78)
    return lay(scene, ramp((x - 0.50) / 0.03, "5f7fa0 22325f"), spire), np.where(spire, 0.72, order).astype(np.float32)


def _cypress(scene: Array, angle: Array, order: Array, rng: Rng) -> tuple[Array, Array, Array]:
    """Stands two dark flames of cypress at the left."""
    n = scene.shape[0]
    x, y = places(n)
    for cx, top, foot, wide in [(0.235, 0.40, 0.98, 0.040), (0.155, 0.22, 1.02, 0.066)]:
        t = np.clip((y - top) / (foot - top), 0, 1)
        lick = 0.022 * noise(rng, n, 16, 5) + 0.012 * noise(rng, n, 40, 12)
        sway = cx + 0.018 * np.sin(y * 13)
        body = smooth(
            0.0, 0.006, wide * np.clip(np.sin(np.pi * t**0.62), 0, 1) ** 0.8 + lick * (t > 0.01) - np.abs(x - sway)
        )
        body *= (y > top) & (y < foot)
        dark = ramp(0.42 + 0.5 * noise(rng, n, 9, 30) + 2.5 * (x - sway), "081410 12301f 23502b 4a6b2c 8a7a35")
        scene = lay(scene, dark, body)
        lean = -1.57 + 5.0 * (x - sway) + 0.35 * np.sin(y * 26 + x * 18)
        angle = np.where(body > 0.5, lean, angle).astype(np.float32)
        order = np.where(body > 0.5, 1.0, order).astype(np.float32)
    return scene, angle, order


def river(n: int, rng: Rng) -> Array:
    """A river bank on a summer afternoon, in points of broken colour."""
    x, y = places(n)
    scene = ramp(y / 0.42 + 0.12 * fbm(rng, n, 4, 4), "6f9fd0 9cc0dc d6dfd8 f6e3bd f7d3a4")
    cloud = smooth(0.10, 0.5, fbm(rng, n, 4, 5) - np.abs(y - 0.17) * 2.2)
    scene = lay(scene, ramp(y / 0.3, "fff6e6 f3d6cf d9bcd6"), cloud)
    water = smooth(0, 0.004, y - wavy(rng, x, 0.445, 0.006, 3))
    ripples = noise(rng, n, 120, 16) * 0.5 + noise(rng, n, 46, 8) * 0.5
    scene = lay(scene, ramp((y - 0.44) / 0.34 + 0.22 * ripples, "f3dcb4 a9c7d8 6fa3cf 4a7fc0 35589f 2d4487"), water)
    far = smooth(0.0, 0.012, y - wavy(rng, x, 0.40, 0.02, 5) - 0.012 * fbm(rng, n, 22, 3)) * (y < 0.452)
    scene = lay(scene, ramp(0.5 + 0.5 * fbm(rng, n, 18, 3), "3f5f8c 5f8f7a 93b06a c9bd7a"), far)
    glow = np.exp(-(((x - 0.63) / 0.05) ** 2)) * smooth(0.45, 0.5, y) * smooth(0.9, 0.6, y)
    scene = lay(scene, np.broadcast_to(rgb("ffe9a8"), scene.shape), np.clip(glow * (0.5 + ripples), 0, 1))
    for cx, base, size in [(0.78, 0.462, 0.085), (0.50, 0.458, 0.05), (0.62, 0.45, 0.025)]:
        sail = (
            (x > cx) & (x - cx < size * (y - base + 3.2 * size) / (3.2 * size)) & (y < base) & (y > base - 3.2 * size)
        )
        scene = lay(scene, ramp((x - cx) / size, "fffaf0 e9c9a0"), sail)
        image = (x > cx) & (x - cx < size * (base + 3.0 * size - y) / (3.0 * size)) & (y > base) & (y < base + 3 * size)
        scene = lay(scene, np.broadcast_to(rgb("f5e3cc"), scene.shape), image * smooth(-0.3, 0.5, ripples) * 0.7)
        hull = (np.abs(x - cx) < 1.1 * size) & (np.abs(y - base) < 0.10 * size)
        scene = lay(scene, np.broadcast_to(rgb("5a2f3f"), scene.shape), hull)
    bank = smooth(0.0, 0.01, y - wavy(rng, x, 0.80, 0.012, 3) - 0.42 * np.clip(x - 0.34, 0, 1) + 0.06)
    grass = ramp(0.5 + 0.35 * fbm(rng, n, 9, 4) - 0.6 * (y - 0.88), "274a3f 3f7a3f 7fae3c bfd04a f0df6a")
    shade = smooth(0.0, 0.35, fbm(rng, n, 4, 3) + 0.5 * smooth(0.5, 0.0, x))
    scene = lay(scene, lay(grass, ramp(x * 2, "1f3060 2c5a5c 3f7a5a"), shade * 0.75), bank)
    scene = _leaves(scene, rng)
    return _dots(scene, along(luma(scene), 8 * n / 1000), rng)


def _leaves(scene: Array, rng: Rng) -> Array:
    """Hangs a tree over the left of the river bank."""
    n = scene.shape[0]
    x, y = places(n)
    for cx, wide in [(0.13, 0.026), (0.27, 0.014)]:
        trunk = smooth(0.0, 0.005, wide * (0.8 + 0.6 * np.abs(y - 0.55)) - np.abs(x - cx - 0.03 * np.sin(5 * y)))
        scene = lay(scene, ramp((x - cx) / wide * 0.5 + 0.5, "c98a4a 7a4a55 2f2550"), trunk * (y > 0.2) * (y < 0.83))
    lumps = [(0.05, 0.10, 0.20), (0.25, 0.06, 0.17), (0.42, 0.12, 0.10), (0.10, 0.30, 0.15), (0.30, 0.24, 0.11)]
    lumps += [(0.93, 0.37, 0.05), (0.86, 0.39, 0.035), (0.99, 0.36, 0.06), (0.02, 0.46, 0.09)]
    for cx, cy, r in lumps:
        far = np.hypot(x - cx, (y - cy) * 1.25) / r + 0.32 * fbm(rng, n, 18, 3)
        light = 0.5 - 1.6 * ((x - cx) * -0.4 + (y - cy)) / r * 0.35 + 0.35 * fbm(rng, n, 24, 3)
        scene = lay(scene, ramp(light, "1c2a5a 1f5a4f 3f8a45 93b83c f0d85a"), smooth(1.0, 0.86, far))
    return scene


def _dots(scene: Array, angle: Array, rng: Rng) -> Array:
    """Lays three sizes of dab, some in the complement of the colour wanted."""
    n = scene.shape[0]
    canvas = Canvas(np.broadcast_to(rgb("e9ddc4"), scene.shape))
    bank = dab_bank(rng)
    lively = grade(scene, 1.0, 1.08)
    extra = palette("f29b3a f6d34a e0607a 6a5ac0 3f6fd0 3fa08a fff3d0")
    cover(canvas, lively, angle, Brush(19, 21, 10.5, 0.04, 0.03, body=0.4, shake=1.0), bank, rng)
    cover(
        canvas,
        lively,
        angle,
        Brush(13, 15, 8, 0.05, 0.045, body=0.6, shake=0.6, accents=0.22, mix=0.35),
        bank,
        rng,
        None,
        extra,
    )
    cover(
        canvas, lively, angle, Brush(8.6, 10.4, 7, 0.06, 0.06, body=0.8, accents=0.3, mix=0.4), bank, rng, None, extra
    )
    return lit(canvas.color, canvas.height + 0.08 * weave(rng, n), 0.30, 0.04)


def fauve(n: int, rng: Rng) -> Array:
    """A southern harbour road in flat loaded strokes of pure orange, violet and green."""
    x, y = places(n)
    scene = ramp(y / 0.42 + 0.16 * fbm(rng, n, 3, 3), "3f9fb8 8fcfc0 f3d98a f7a86a f0789a")
    angle = (0.25 * np.sin(5 * x) + 0.5 * fbm(rng, n, 3, 2)).astype(np.float32)
    layers = [
        (0.36, 0.05, 4.0, "5a3fa8 8a5ac8 c98ad0"),
        (0.43, 0.04, 5.0, "2a4fb8 3f7fd0 f0709a"),
        (0.50, 0.03, 3.0, "e0482a f58a2a ffc93f"),
        (0.585, 0.035, 3.6, "0f6f4f 2fa05a b8d03f"),
        (0.68, 0.04, 2.8, "d02f4f f0702f f9b03a"),
        (0.80, 0.05, 2.2, "1f7a55 5fb04a e8dc4a"),
    ]
    for base, tall, waves, codes in layers:
        top = wavy(rng, x, base, tall, waves)
        hill = smooth(0.0, 0.004, y - top)
        patch = np.round((0.5 + 0.6 * fbm(rng, n, 5, 2)) * 5) / 5
        scene = lay(scene, ramp(0.7 * patch + 1.2 * (y - top), codes), hill)
        rim = np.exp(-(((y - top) / 0.005) ** 2))
        scene = lay(scene, np.broadcast_to(rgb("1c1a5a"), scene.shape), rim * 0.85)
        turn = along(y - 1.3 * top + 0.02 * fbm(rng, n, 5, 2), 2) + 0.7 * (patch - 0.5)
        angle = np.where(hill > 0.5, turn, angle).astype(np.float32)
    middle = 0.50 + 0.16 * np.sin(7.0 * (y - 0.62)) * smooth(0.6, 0.9, y)
    edge = np.abs(x - middle) - 0.36 * np.clip(y - 0.60, 0, 1) ** 1.25
    road = smooth(0.004, -0.004, edge) * (y > 0.6)
    scene = lay(scene, ramp(0.5 + 0.5 * fbm(rng, n, 6, 2) + (x - middle), "f9d0b0 f59ab0 c080d8 8f6ad0"), road)
    angle = np.where(road > 0.5, 0.3 * noise(rng, n, 5), angle).astype(np.float32)
    scene, angle = _pines(scene, angle, rng)
    brushes = (
        Brush(66, 120, 30, 0.04, 0.05, body=0.5, shake=0.3),
        Brush(38, 82, 18, 0.06, 0.06, body=0.9, shake=0.22, accents=0.05),
        Brush(24, 62, 14, 0.06, 0.06, body=1.1, shake=0.18, accents=0.06),
        Brush(12, 40, 9, 0.06, 0.05, body=1.1, accents=0.04),
    )
    canvas = oil(
        rng, grade(scene, 1.0, 0.92), angle, "f3e3c0", brushes, "f0d060 c8406a 3a58b0 2a9080 e8803a f0d8c0", 0.35
    )
    bare = smooth(0.05, 0.5, fbm(rng, n, 60, 3) - 0.35) * 0.35
    color = lay(canvas.color, np.broadcast_to(rgb("f3e6c8"), scene.shape), bare * smooth(0.7, 0.3, canvas.height))
    return lit(color, canvas.height + 0.06 * weave(rng, n), 0.5, 0.08)


def _pines(scene: Array, angle: Array, rng: Rng) -> tuple[Array, Array]:
    """Frames the fauve road with trees: red trunks, lumps of green, blue and violet leaf."""
    n = scene.shape[0]
    x, y = places(n)
    trees = [(0.12, 0.95, 0.17, 0.026), (0.86, 0.90, 0.20, 0.024), (0.72, 0.70, 0.40, 0.010), (0.31, 0.72, 0.42, 0.011)]
    for cx, foot, top, wide in trees:
        sway = cx + 0.7 * wide * np.sin((y - top) * 9)
        trunk = (np.abs(x - sway) < wide * (0.5 + 0.7 * (y - top))) & (y > top) & (y < foot)
        scene = lay(scene, ramp((x - sway) / wide * 0.7 + 0.5, "ff9a3a d0342f 4a1f7a"), trunk)
        angle = np.where(trunk, 1.5, angle).astype(np.float32)
        for _ in range(7):
            lx, ly = cx + rng.normal(0, 3.2 * wide), top + rng.normal(0.3 * wide, 1.9 * wide)
            r = wide * rng.uniform(2.2, 4.2)
            far = np.hypot(x - lx, (y - ly) * 1.5) / r + 0.12 * noise(rng, n, 16)
            leaf = smooth(1.0, 0.95, far)
            light = 0.5 + 0.5 * ((lx - x) + (ly - y) * 1.5) / r + 0.2 * noise(rng, n, 12)
            scene = lay(scene, ramp(light, "1f2a80 0f6a5a 2f9f4a a8d03a f8ec7a"), leaf)
            scene = lay(scene, np.broadcast_to(rgb("171a55"), scene.shape), np.exp(-(((far - 1.0) / 0.05) ** 2)) * 0.8)
            angle = np.where(leaf > 0.5, 0.7 * np.arctan2(y - ly, x - lx) + 0.9 * noise(rng, n, 9), angle).astype(
                np.float32
            )
    return scene, angle


def ribbons(n: int, rng: Rng) -> Array:
    """A fjord at dusk in long anxious ribbons of vermilion, ochre and blue-green."""
    x, y = places(n)
    bend = y + 0.045 * np.sin(4.2 * x + 1.0) + 0.030 * np.sin(9 * x - 6 * y) + 0.06 * fbm(rng, n, 2.5, 2)
    fire = 0.5 + 0.5 * np.sin(bend * 52 + 2.0 * fbm(rng, n, 3, 2))
    heat = np.clip(0.15 + 0.5 * fire + 0.5 * bend + 0.15 * fbm(rng, n, 6, 3), 0, 1)
    scene = ramp(heat, "7a1a24 b52a1f d9481f ec7a22 f5a93a f7d06a e8c890")
    scene = lay(scene, np.broadcast_to(rgb("5a86a0"), scene.shape), smooth(0.90, 1.0, np.sin(bend * 27 + 1.5)) * 0.75)
    flow = bend
    shore = 0.44 + 0.05 * np.sin(3.2 * x + 0.6) + 0.02 * np.sin(9 * x)
    wet = smooth(-0.004, 0.004, y - shore)
    eddy = np.hypot(x - 0.66, (y - 0.66) * 1.35) + 0.04 * np.sin(6 * x + 8 * y) + 0.05 * fbm(rng, n, 2.5, 2)
    cold = 0.5 + 0.5 * np.sin(eddy * 58)
    sea = ramp(0.1 + 0.62 * cold + 0.2 * fbm(rng, n, 7, 3), "0c1a33 16384f 1f5f6a 4a8a7a a3ad72 e0b860")
    sea = lay(sea, np.broadcast_to(rgb("c0562f"), scene.shape), smooth(0.93, 1.0, np.sin(eddy * 29 + 2.0)) * 0.7)
    scene = lay(scene, sea, wet)
    flow = np.where(wet > 0.5, eddy, flow).astype(np.float32)
    angle = along(flow, 4 * n / 1000)
    pier = smooth(-0.003, 0.003, y - 1.02 + 0.62 * (0.62 - x)) * smooth(0.66, 0.60, x + 0.2 * (y - 0.8))
    plank = 0.5 + 0.5 * np.sin(((y - 1.02) / (x - 1.35)) * 240)
    wood = ramp(0.65 * plank + 0.2 + 0.2 * fbm(rng, n, 8, 3), "2a1518 6a3320 a8602a d29a52 8a9a8a")
    scene = lay(scene, wood, pier)
    angle = np.where(pier > 0.5, np.arctan2(y - 1.02, x - 1.35), angle).astype(np.float32)
    for shift in (0.0, 0.085):
        rail = np.exp(-(((y - 0.94 - shift + 0.62 * (0.62 - x)) / 0.009) ** 2)) * smooth(0.72, 0.66, x)
        scene = lay(scene, ramp(0.5 + 0.5 * noise(rng, n, 30), "2f1612 7a3a1f c98a4a"), rail)
        angle = np.where(rail > 0.4, np.arctan(0.62), angle).astype(np.float32)
    brushes = (
        Brush(40, 240, 22, 0.04, 0.03, body=0.4, shake=0.05),
        Brush(20, 200, 13, 0.06, 0.05, body=0.6, shake=0.05),
        Brush(11, 150, 11, 0.06, 0.04, body=0.8, shake=0.06, accents=0.04),
        Brush(6, 90, 9, 0.07, 0.04, body=0.8, shake=0.06, accents=0.08),
    )
    canvas = oil(rng, scene, angle, "a8794a", brushes, "f9d87a 8a1a2a 2a6a7a e8e0b0", 0.6)
    return lit(canvas.color, canvas.height + 0.10 * weave(rng, n), 0.34, 0.05)


def knife_sea(n: int, rng: Rng) -> Array:
    """A breaking sea under a torn sky, laid on with a palette knife."""
    x, y = places(n)
    storm = fbm(rng, n, 3, 5)
    scene = ramp(0.25 + 0.75 * y / 0.45 + 0.42 * storm, "2a3550 4a5f80 7f93a8 c3b8b0 f0d2a8 fbe9c8")
    angle = (0.5 * np.sin(4 * x + 2) - 0.3 + 0.9 * fbm(rng, n, 3, 2)).astype(np.float32)
    light = np.exp(-(((x - 0.64) / 0.16) ** 2) - ((y - 0.37) / 0.06) ** 2)
    scene = lay(scene, np.broadcast_to(rgb("ffd98f"), scene.shape), light * 0.9)
    for k in range(7):
        top = 0.43 + 0.014 * k + 0.0125 * k * k
        swell = wavy(rng, x, top, 0.008 + 0.007 * k, 5.0 - 0.5 * k)
        deep = y - swell
        thick = 0.03 + 0.022 * k
        water = ramp(deep / thick / 1.6 + 0.22 * fbm(rng, n, 9, 3), "9fd0c8 3f9a9f 1f6a86 16466f 0f2a4f 0a1a36")
        scene = lay(scene, water, smooth(0.0, 0.004, deep))
        foam = smooth(0.1, 0.4, fbm(rng, n, 10, 4) + 0.75 - np.abs(deep - 0.1 * thick) / thick * 2.4)
        white = ramp(0.8 - deep / thick * 0.5 + 0.2 * noise(rng, n, 40), "7fb0c0 cfe3df fffaf0 ffe9d0")
        scene = lay(scene, white, foam * smooth(-0.02, 0.0, deep) * (0.45 + 0.09 * k))
        turn = along(deep + 0.25 * thick * fbm(rng, n, 6, 2), 3)
        angle = np.where(deep > -0.004, turn, angle).astype(np.float32)
    rock = smooth(
        0.0,
        0.02,
        y - 0.72 - 0.55 * np.clip(0.75 - x, -1, 1) ** 2 * -1 - 0.5 * np.abs(x - 0.03) + 0.06 * fbm(rng, n, 8, 4) - 0.12,
    )
    stone = ramp(0.5 + 0.5 * fbm(rng, n, 9, 4) - (x - 0.1), "120f1a 2a2430 54433f 8a6a50 c99a6a")
    scene = lay(scene, stone, rock)
    brushes = (
        Brush(95, 190, 34, 0.04, 0.025, body=0.7, shake=0.2),
        Brush(58, 130, 25, 0.05, 0.03, body=1.0, shake=0.2, accents=0.04, mix=0.35),
        Brush(34, 84, 19, 0.05, 0.03, body=1.2, shake=0.22, accents=0.05, mix=0.35),
        Brush(17, 46, 13, 0.05, 0.03, body=1.3, shake=0.25, accents=0.10),
    )
    canvas = Canvas(np.broadcast_to(rgb("6a4a3a"), scene.shape))
    bank = knife_bank(rng)
    extra = palette("fff6e0 f2b880 5fc0b8 20305f c0705a")
    for k, brush in enumerate(brushes):
        cover(canvas, scene, angle, brush, bank, rng, busy(scene, 0.05, 5) if k > 1 else None, extra)
    return lit(grade(canvas.color, 1.05, 1.05), canvas.height, 0.75, 0.16)


def pastel(n: int, rng: Rng) -> Array:
    """A jug of peonies in soft pastel on blue-grey paper."""
    x, y = places(n)
    scene = ramp(0.5 + 0.5 * fbm(rng, n, 3, 4) + 0.5 * (x - 0.5), "3a4a68 5a6f86 8a94a0 b89aa0 d8b8a0")
    table = smooth(0.0, 0.02, y - 0.76 - 0.05 * x)
    cloth = ramp(0.5 + 0.45 * fbm(rng, n, 5, 4) + 0.3 * (x - 0.5), "5a3a4a a0604f d89a6a f0cfa0 f9ead0")
    scene = lay(scene, cloth, table)
    angle = np.where(table > 0.5, 0.1 + 0.7 * fbm(rng, n, 3, 2), 0.9 + 0.7 * fbm(rng, n, 2.5, 2)).astype(np.float32)
    shadow = smooth(1.0, 0.4, np.hypot((x - 0.66) / 0.22, (y - 0.86) / 0.045))
    scene = lay(scene, np.broadcast_to(rgb("4a3f6a"), scene.shape), shadow * 0.8)
    t = np.clip((y - 0.58) / 0.32, 0, 1)
    jug = (
        smooth(0.0, 0.008, 0.085 + 0.07 * np.sin(np.pi * t**0.8) - np.abs(x - 0.5)) * (y > 0.58) * smooth(0.91, 0.90, y)
    )
    glaze = ramp(0.55 - 2.6 * (x - 0.46) + 0.1 * fbm(rng, n, 10, 3), "14204a 24458a 4a80b8 a8cfd8 fbfaf0")
    scene = lay(scene, glaze, jug)
    angle = np.where(jug > 0.5, 1.57 - 3.0 * (x - 0.5), angle).astype(np.float32)
    for _ in range(150):
        lx, ly = 0.5 + rng.normal(0, 0.15), 0.40 + rng.normal(0, 0.13)
        turn = np.arctan2(ly - 0.58, lx - 0.5) + rng.normal(0, 0.5)
        a, b = (x - lx) * np.cos(turn) + (y - ly) * np.sin(turn), (y - ly) * np.cos(turn) - (x - lx) * np.sin(turn)
        leaf = smooth(1.0, 0.9, np.hypot(a / 0.075, b / 0.018))
        scene = lay(scene, np.broadcast_to(ramp(rng.random(), "12302a 2a5a3a 5f8a4a a0b060 3f6a7a"), scene.shape), leaf)
        angle = np.where(leaf > 0.5, turn, angle).astype(np.float32)
    scene, angle = _peonies(scene, angle, rng)
    return _chalk(scene, angle, rng)


def _peonies(scene: Array, angle: Array, rng: Rng) -> tuple[Array, Array]:
    """Puts the flowers into the jug of the pastel: petals in rings, light above, deep below."""
    n = scene.shape[0]
    x, y = places(n)
    kinds = [
        "6a1030 b02050 e0608a f8b0c0 fff0ee",
        "8a2a1a d0503a f0906a fbd0b0 fff6e8",
        "a88aa0 d8c0d0 f6e8ec fffaf4 fffdf6",
    ]
    for k, (px, py, r) in enumerate(
        [
            (0.30, 0.40, 0.10),
            (0.70, 0.38, 0.11),
            (0.50, 0.17, 0.10),
            (0.40, 0.53, 0.09),
            (0.61, 0.54, 0.10),
            (0.50, 0.35, 0.12),
            (0.24, 0.22, 0.07),
            (0.77, 0.19, 0.075),
            (0.80, 0.82, 0.055),
            (0.19, 0.58, 0.06),
        ]
    ):
        dx, dy = x - px, (y - py) * 1.12
        turn = np.arctan2(dy, dx)
        far = np.hypot(dx, dy) / r * (1 + 0.09 * np.sin(turn * 7 + k) + 0.14 * noise(rng, n, 22))
        petal = 0.5 + 0.5 * np.sin(far * 13 + 1.6 * np.sin(turn * 5 + far * 5 + k))
        light = 0.22 + 0.42 * petal - 0.35 * (dx + dy) / r + 0.12 * noise(rng, n, 40)
        bloom = smooth(1.0, 0.95, far)
        scene = lay(scene, ramp(light, kinds[k % 3]), bloom)
        angle = np.where(bloom > 0.5, turn + 1.57 + 0.5 * np.sin(turn * 5), angle).astype(np.float32)
    return scene, angle


def _chalk(scene: Array, angle: Array, rng: Rng) -> Array:
    """Rubs a scene on to toothed paper with the side of a chalk, then draws into it."""
    n = scene.shape[0]
    tooth = paper(rng, n, 170)
    result = np.broadcast_to(rgb("6f7684"), scene.shape) * (1 + 0.05 * tooth)[..., None]
    bank = bristle_bank(rng, dry=0.5)
    passes = [
        (Brush(54, 130, 24, 0.03, 0.03, shake=0.25), 0.1),
        (Brush(18, 90, 11, 0.06, 0.05, shake=0.2, accents=0.03), -0.05),
        (Brush(8, 60, 8, 0.06, 0.05, shake=0.2, accents=0.06), -0.15),
        (Brush(4.5, 36, 6.5, 0.07, 0.05, shake=0.25, accents=0.05), -0.15),
    ]
    extra = palette("fff3e0 f2a07a 6a8ad0 2a2a4a d04a6a")
    for k, (brush, press) in enumerate(passes):
        canvas = Canvas(np.asarray(result, np.float32))
        cover(canvas, scene, angle, brush, bank, rng, busy(scene, 0.30) if k > 1 else None, extra)
        laid = smooth(0.0, 0.6, canvas.height)
        grip = smooth(-1.15, 0.1, tooth + press + 0.3 * canvas.height)
        result = lay(result, np.clip(canvas.color, 0, 1), laid * grip * (0.75 if k == 0 else 0.9))
    return lit(grade(np.asarray(result, np.float32), 1.06, 1.12), 0.25 * tooth, 0.25, 0.0)
