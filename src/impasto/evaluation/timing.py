"""Milliseconds a restyled picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np

from impasto.picture import Picture

SIDES = (256, 512, 1024, 2048)
RUNS = 5


def milliseconds(
    paint: Callable[[Picture], object], *, sides: Sequence[int] = SIDES, runs: int = RUNS, warm_up: int = 1
) -> dict[int, float]:
    """Median time to restyle a square photo, in this process, with everything loaded.

    Args:
        paint: restyles one photo; the painting has been read before.
        sides: of the photos, in pixels.
        runs: that count, at each side.
        warm_up: runs before them that do not: the first at a size also takes memory from the system.

    Returns:
        Side -> milliseconds.

    Raises:
        LimitError: when memory would not do for a side.

    Example:
        >>> list(milliseconds(lambda photo: photo, sides=[8, 16], runs=3))
        [8, 16]
    """
    told: dict[int, float] = {}
    for side in sides:
        photo = _photo(side)
        taken: list[float] = []
        for run in range(warm_up + runs):
            start = time.perf_counter()
            paint(photo)
            if run >= warm_up:
                taken.append(time.perf_counter() - start)
        told[side] = 1000 * median(taken)
    return told


def _photo(side: int) -> Picture:
    """Waves of colour; no network's time depends on what a photo shows."""
    x = np.linspace(0, 20, side, dtype=np.float32)
    planes = [np.sin(x)[None] * np.cos((i + 1) * x)[:, None] for i in range(3)]
    return Picture((np.stack(planes, -1) / 2 + 0.5).astype(np.float32))
