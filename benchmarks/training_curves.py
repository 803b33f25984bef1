"""Draws what a training run learnt, as an SVG: each layer's Gram residual, and the content loss beside its target.

python benchmarks/training_curves.py RUN/log.jsonl -o docs/impasto-training.svg [--target 46500]

Thin lines are single lines of the log, thick ones medians of `--over`: batches differ more than a run changes.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

WIDTH, HEIGHT, MIDDLE = 760, 320, 420
TOP, BOTTOM, LEFT, RIGHT = 40, 40, 50, 20
COLOURS = ("#1f5fa8", "#3c8f5a", "#b0662a", "#8a3fa0")

Line = Sequence[tuple[int, float]]


def read(path: Path) -> dict[str, Line]:
    """Name -> (update, value) of the log's lines; what is no positive number is left out.

    Raises:
        SystemExit: when the log holds none of what is drawn.
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for row in map(parsed, path.read_text().splitlines()):
        for name, value in row.items():
            if (name.startswith("gram_") or name == "raw_content") and isinstance(value, int | float) and value > 0:
                found.setdefault(name, []).append((row["step"], value))
    if len(found) < 2 or "raw_content" not in found:
        raise SystemExit(f"{path} holds no Gram residuals and content loss; mend: take that of a ghiasi or impasto run")
    return dict(found)


def parsed(row: str) -> dict[str, Any]:
    """A line of a log; nothing of one that a kill cut off."""
    try:
        told: dict[str, Any] = json.loads(row)
    except json.JSONDecodeError:
        return {}
    return told if "step" in told else {}


def smooth(line: Line, over: int) -> Line:
    """Running medians."""
    reach = over // 2
    values = [value for _, value in line]
    return [(x, median(values[max(0, i - reach) : i + reach + 1])) for i, (x, _) in enumerate(line)]


class Panel:
    """Lines over one pair of axes, updates across, values up on a logarithmic scale.

    Args:
        title: written above.
        lines: name -> line.
        left: where it begins, in pixels of the drawing.
        right: where it ends.
    """

    def __init__(self, title: str, lines: dict[str, Line], left: int, right: int) -> None:
        self.title, self.lines, self.left, self.right = title, lines, left, right
        values = [math.log10(value) for line in lines.values() for _, value in line]
        self.low, self.high = min(values), max(values)
        self.last = max(x for line in lines.values() for x, _ in line)

    def place(self, x: float, value: float) -> str:
        """A point, in pixels."""
        up = (math.log10(value) - self.low) / (self.high - self.low or 1)
        across = self.left + x / self.last * (self.right - self.left)
        return f"{across:.1f},{HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM):.1f}"

    def draw(self, over: int, target: float | None = None) -> list[str]:
        """Its parts of the SVG."""
        parts = [f'<text x="{self.left}" y="16">{self.title}</text>']
        for value in ticks(10**self.low, 10**self.high):
            (x, y), end = self.place(0, value).split(","), self.right
            parts.append(f'<path d="M{x} {y}H{end}" stroke="#ddd"/>')
            parts.append(f'<text x="{self.left - 6}" y="{float(y) + 4:.1f}" text-anchor="end">{short(value)}</text>')
        for number, (name, line) in enumerate(self.lines.items()):
            colour = COLOURS[number % len(COLOURS)]
            for points, style in ((line, 'opacity="0.3"'), (smooth(line, over), 'stroke-width="2"')):
                drawn = " ".join(self.place(*p) for p in points)
                parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" {style}/>')
            parts.append(f'<text x="{self.left + 80 * number}" y="32" fill="{colour}">{name}</text>')
        if target and self.low <= math.log10(target) <= self.high:
            y = self.place(0, target).split(",")[1]
            parts.append(f'<path d="M{self.left} {y}H{self.right}" stroke="#888" stroke-dasharray="4 4"/>')
        parts.append(f'<text x="{self.right}" y="{HEIGHT - 12}" text-anchor="end">{self.last} updates</text>')
        return parts


def ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of every decade between two values, or every digit where that would be too few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), range(1, 10)):
        found = [m * 10.0**power for power in powers for m in digits if low <= m * 10.0**power <= high]
        if len(found) > 2:
            break
    return found


def short(value: float) -> str:
    """A tick's label."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}".lstrip("0")


def draw(found: dict[str, Line], over: int, target: float | None) -> str:
    """The SVG."""
    grams = {name.removeprefix("gram_"): line for name, line in found.items() if name.startswith("gram_")}
    panels = (
        Panel("relative Gram residual", grams, LEFT, MIDDLE - LEFT),
        Panel("content loss, relu3_3", {"raw content": found["raw_content"]}, MIDDLE + LEFT - 20, WIDTH - RIGHT),
    )
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    )
    parts = [*panels[0].draw(over), *panels[1].draw(over, target)]
    return "\n".join([head, *parts, "</svg>"]) + "\n"


def main() -> None:
    """Reads the words of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path, help="a run's log.jsonl")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the SVG")
    parser.add_argument("--over", type=int, default=9, help="lines of the log that a median is taken of")
    parser.add_argument("--target", type=float, help="the content loss that was steered to")
    words = parser.parse_args()
    words.output.write_text(draw(read(words.log), words.over, words.target))


if __name__ == "__main__":
    main()
