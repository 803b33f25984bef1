"""Pictures that every test of this room may paint on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from impasto.picture import Picture


@pytest.fixture(autouse=True)
def _no_limit_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_MAX_PIXELS", raising=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def smooth() -> npt.NDArray[np.uint8]:
    """A gradient with a different slope in each channel, shape (24, 40, 3): lossy formats keep it closely."""
    y, x = np.mgrid[0:24, 0:40]
    return np.stack([x * 6, y * 10, 255 - x * 3 - y * 4], -1).clip(0, 255).astype(np.uint8)


@pytest.fixture
def picture(smooth: npt.NDArray[np.uint8]) -> Picture:
    return Picture(smooth.astype(np.float32) / np.float32(255))


@pytest.fixture
def cover() -> npt.NDArray[np.float32]:
    """Alpha for `picture`: from nearly nothing at the left to all at the right."""
    return np.tile(np.linspace(0.2, 1, 40, dtype=np.float32), (24, 1))
