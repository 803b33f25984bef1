"""Milliseconds a picture."""

from __future__ import annotations

import pytest

from impasto.evaluation import timing
from impasto.evaluation.timing import milliseconds
from impasto.picture import Picture


def test_is_the_median_after_warming_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run takes long, one later run is disturbed; neither shows. The clock is the test's own."""
    now, waits = 0.0, iter([0.2, 0.01, 0.3, 0.012])

    def paint(photo: Picture) -> None:
        nonlocal now
        now += next(waits)

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    assert milliseconds(paint, sides=[16], runs=3)[16] == pytest.approx(12)


def test_every_side_is_painted_as_often() -> None:
    seen: list[tuple[int, int]] = []

    def paint(photo: Picture) -> None:
        seen.append(photo.size)
        assert 0 <= photo.pixels.min() < photo.pixels.max() <= 1

    assert list(milliseconds(paint, sides=[17, 33], runs=2)) == [17, 33]
    assert seen == [(17, 17)] * 3 + [(33, 33)] * 3
