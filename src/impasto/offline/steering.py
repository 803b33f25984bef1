"""Steering: the content's weight follows a raw content loss that is asked for, and networks differ in style alone."""

from __future__ import annotations

import math
from collections.abc import Mapping

from impasto.offline.recipe import Recipe

GAIN, LEAST, MOST = 0.01, 0.1, 30.0  # relative change a step at most, bounds of the weight, unless it begins beyond


class Steering:
    """The weight of the content, and what moves it.

    Args:
        weight: to begin with.
        target: raw content loss (Ghiasi et al. 2017) that the training should have; 0 leaves the weight as it is.

    Attributes:
        weight: as it was steered.
    """

    def __init__(self, weight: float, target: float) -> None:
        self.weight, self._target = weight, target
        self._least, self._most = min(LEAST, weight), max(MOST, weight)

    def follow(self, raw: float) -> None:
        """Makes content heavier while it is farther off than the target, lighter while it is nearer."""
        if self._target and math.isfinite(raw):
            change = GAIN * max(-1.0, min(1.0, raw / self._target - 1))
            self.weight = min(self._most, max(self._least, self.weight * math.exp(change)))


class SteeredRecipe(Recipe):
    """A recipe that observes "raw_content", by which the weight of its content is steered.

    Attributes:
        steering: the content's weight; set by those that derive from this.
    """

    steering: Steering

    def steer(self, seen: Mapping[str, float]) -> None:
        """Moves the content's weight."""
        self.steering.follow(seen.get("raw_content", math.nan))

    def state(self) -> dict[str, float]:
        """The content's weight."""
        return {"content_weight": self.steering.weight}

    def restore(self, state: Mapping[str, float]) -> None:
        """Takes the content's weight back."""
        self.steering.weight = float(state.get("content_weight", self.steering.weight))
