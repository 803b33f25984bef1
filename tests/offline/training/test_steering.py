"""The content's weight follows what is asked for."""

from __future__ import annotations

import math

import pytest

from impasto.offline.steering import Steering


def test_meets_the_target() -> None:
    steering = Steering(6.0, 1000.0)
    steering.follow(3000.0)
    assert steering.weight == pytest.approx(6 * math.exp(0.01))  # at most so much a step
    steering.follow(500.0)
    assert steering.weight == pytest.approx(6 * math.exp(0.005))
    steering.follow(math.nan)
    steering.follow(1000.0)
    assert steering.weight == pytest.approx(6 * math.exp(0.005))
    for _ in range(2000):
        steering.follow(0.0)
    assert steering.weight == pytest.approx(0.1)
    for _ in range(2000):
        steering.follow(1e9)
    assert steering.weight == pytest.approx(30)


def test_a_weight_beyond_the_bounds_stays_there_until_it_is_moved() -> None:
    steering = Steering(100.0, 1000.0)
    steering.follow(1000.0)
    assert steering.weight == 100


def test_without_a_target_nothing_is_steered() -> None:
    steering = Steering(6.0, 0.0)
    steering.follow(1e9)
    assert steering.weight == 6
