"""The step size over a run, and how long the moving average of the weights remembers."""

from __future__ import annotations

import math
import re

from impasto.errors import OptionError

END = 0.02  # of the largest step size; an average over weights that no longer move far is a better one
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rate_at(step: int, *, steps: int, warmup: int, largest: float) -> float:
    """Step size of update number `step` (from 0): a straight rise, then half a cosine down to a fiftieth.

    Example:
        >>> rate_at(0, steps=1000, warmup=100, largest=1.0)
        0.01
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = END + (1 - END) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return largest * rise * fall


def decay_at(step: int, longest: float) -> float:
    """Decay of the moving average after `step` updates (from 1): short at first, so that the start is soon forgotten.

    Example:
        >>> decay_at(1, 0.999)
        0.5
    """
    return min(longest, 1 - 1 / (step + 1)) if longest else 0.0


def seconds_of(text: str) -> float | None:
    """A time limit in seconds; None when there is none.

    Raises:
        OptionError: when it is no such time.

    Example:
        >>> seconds_of("1h30m")
        5400.0
    """
    if not text:
        return None
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    seconds = sum(float(number) * _UNITS.get(unit, 1) for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not seconds:
        raise OptionError(f"--time-limit {text[:40]!r} is no time; give one such as 90s, 9m or 2h")
    return seconds
