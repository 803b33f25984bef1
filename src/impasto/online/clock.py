"""How long a run takes: seconds so far, and an estimate of those left that is honest from the first steps on."""

from __future__ import annotations

import time
from collections import deque
from statistics import median

from impasto.online.plan import Plan, Scale

NEWEST = 5
"""Steps whose median is the pace: the very first one warms the machine up."""

WARMING_UP = 0.5
"""Part of the first loss's making that no other will take."""


class Clock:
    """Seconds since the start, and an estimate of those left.

    A step's time grows with its canvas, and with tiles. What is made before the first step at a size, targets above
    all, takes as long as some steps there; and less where only some of it is made anew, at the later turns of a size.
    """

    def __init__(self, plan: Plan) -> None:
        self._start = self._mark = time.monotonic()
        self._plan = plan
        self._work_left = 0.0
        self._makings_left = {True: 0.0, False: 0.0}  # in work of one step; by whether it is a size's first
        self._making: dict[bool, float] = {}  # seconds for that work
        self._paces: deque[float] = deque(maxlen=NEWEST)
        for scale in plan.rounds():
            self._work_left += scale.steps * plan.work(scale.size)
            self._makings_left[scale.turn == 0] += plan.work(scale.size)

    def begin(self, scale: Scale) -> None:
        """A loss is made for a round from here on."""
        self._mark = time.monotonic()
        self._makings_left[scale.turn == 0] -= self._plan.work(scale.size)

    def ready(self, scale: Scale) -> None:
        """It is made, and its steps begin."""
        now = time.monotonic()
        part = 1.0 if self._making else WARMING_UP
        self._making[scale.turn == 0] = part * (now - self._mark) / self._plan.work(scale.size)
        self._mark = now

    def tick(self, scale: Scale, steps: int) -> None:
        """A step is over, and with it so many of the plan's: more than one when the rest of a round is dropped."""
        now, work = time.monotonic(), self._plan.work(scale.size)
        self._paces.append((now - self._mark) / work)
        self._work_left -= steps * work
        self._mark = now

    def skip(self, scale: Scale, steps: int) -> None:
        """So many steps of a round were made earlier, or are dropped: they take no time, and say nothing of it."""
        self._work_left -= steps * self._plan.work(scale.size)

    def skip_round(self, scale: Scale) -> None:
        """A whole round was made earlier, and its loss is not made at all."""
        self.skip(scale, scale.steps)
        self._makings_left[scale.turn == 0] -= self._plan.work(scale.size)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._start

    @property
    def seconds_left(self) -> float:
        """At the pace so far; 0 as long as there is none."""
        if not self._paces:
            return 0.0
        pace = median(self._paces)
        makings = sum(left * self._making.get(first, pace) for first, left in self._makings_left.items())
        return max(0.0, pace * self._work_left + makings)
