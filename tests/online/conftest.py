"""Online methods: one encoder of each kind for all tests."""

from __future__ import annotations

import pytest

from methods_base import encoders_once

__all__ = ["encoders_once"]


@pytest.fixture(autouse=True)
def _shared(encoders_once: None) -> None:
    """For every test of this folder."""


@pytest.fixture(autouse=True)
def _fewer_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures here have a tenth of the pixels of the smallest that anybody paints: strotss may look at a tenth."""
    from impasto.online import strotss

    monkeypatch.setattr(strotss, "POSITIONS", 128)
    monkeypatch.setattr(strotss, "BANK", 300)
