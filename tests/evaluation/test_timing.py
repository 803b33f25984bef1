"""Milliseconds a picture."""

from __future__ import annotations

import time

import pytest

from impasto.evaluation.timing import milliseconds
from impasto.picture import Picture


def test_is_the_median_after_warming_up() -> None:
    """The first run takes long, one later run is disturbed; neither shows."""
    waits = iter([0.2, 0.01, 0.3, 0.01])
    told = milliseconds(lambda photo: time.sleep(next(waits)), sides=[16], runs=3)
    assert told[16] == pytest.approx(10, abs=8)


def test_every_side_is_painted_as_often() -> None:
    seen: list[tuple[int, int]] = []

    def paint(photo: Picture) -> None:
        seen.append(photo.size)
        assert 0 <= photo.pixels.min() < photo.pixels.max() <= 1

    assert list(milliseconds(paint, sides=[17, 33], runs=2)) == [17, 33]
    assert seen == [(17, 17)] * 3 + [(33, 33)] * 3
