"""Online methods: one encoder of each kind for all tests."""

from __future__ import annotations

import pytest

from methods_base import encoders_once

__all__ = ["encoders_once"]


@pytest.fixture(autouse=True)
def _shared(encoders_once: None) -> None:
    """For every test of this folder."""


@pytest.fixture(autouse=True)
def _small_strotss(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strotss looks at a tenth of its positions, and weighs its photo as at 256 pixels.

    Pictures here have a tenth of the pixels of the smallest that anybody paints, and the photo weighs more the smaller
    a picture is.
    """
    from impasto.online import strotss

    monkeypatch.setattr(strotss, "POSITIONS", 128)
    monkeypatch.setattr(strotss, "PAPER_POSITIONS", 128)
    monkeypatch.setattr(strotss, "BANK", 300)
    monkeypatch.setattr(strotss, "COARSE_SIDE", 10)
