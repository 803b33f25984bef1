"""Random maps and pictures, and a cache of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.models import places
from impasto.picture import Picture


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests leave the user's cache alone and never download; weights come from IMPASTO_MODELS where it is set."""
    monkeypatch.setattr(places, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def picture(width: int, height: int, seed: int = 0) -> Picture:
    return Picture(np.random.default_rng(seed).random((height, width, 3), np.float32))
