"""What changes over a run: the size of crops, the step size, how long the moving average of the weights remembers."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from impasto.errors import OptionError

if TYPE_CHECKING:
    from impasto.offline.recipe import TrainOptions

END = 0.02  # of the largest step size; an average over weights that no longer move far is a better one
LARGER = 1.5  # late crops over early ones, when nobody says
LEAST_CROP = 32
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Stage:
    """Updates with batches of one size.

    Attributes:
        first: updates made before it.
        end: updates made after it.
        batch: crops an update, over all processes.
        crop: their side.
    """

    first: int
    end: int
    batch: int
    crop: int


def stages(options: TrainOptions) -> tuple[Stage, ...]:
    """The parts of a run, a function of its options alone: the last share of the updates has larger crops.

    Larger crops come in smaller batches, an even number where it is above 1, so that memory and time an update stay
    about the same.

    Raises:
        OptionError: when late crops are too small.

    Example:
        >>> stages(TrainOptions(steps=100, batch=24, crop=256, late=0.15))[1]
        Stage(first=85, end=100, batch=10, crop=384)
    """
    if 0 < options.late_crop < LEAST_CROP:
        raise OptionError(f"--late-crop {options.late_crop} is out of range; give 0 or at least {LEAST_CROP}")
    begins = options.steps - round(options.late * options.steps)
    crop = options.late_crop or round(LARGER * options.crop / 8) * 8
    batch = max(1, round(options.batch * (options.crop / crop) ** 2))
    batch -= batch % 2 if batch > 1 else 0
    parts = Stage(0, begins, options.batch, options.crop), Stage(begins, options.steps, batch, crop)
    return tuple(part for part in parts if part.first < part.end)


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
