"""Online methods: one encoder of each kind for all tests."""

from __future__ import annotations

import pytest

from methods_base import encoders_once

__all__ = ["encoders_once"]


@pytest.fixture(autouse=True)
def _shared(encoders_once: None) -> None:
    """For every test of this folder."""
