"""Pretrained encoders, loaded once, and photographs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from impasto import models
from impasto.encoders import efficientnet, vgg
from impasto.encoders.efficientnet import EfficientNetLite
from impasto.encoders.vgg import Vgg
from impasto.models import places

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "weights"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests leave the user's cache alone, take shared weights where there are some, and never download."""
    monkeypatch.setattr(places, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
    monkeypatch.setenv("IMPASTO_OFFLINE", "1")
    if "IMPASTO_MODELS" not in os.environ and SHARED.is_dir():
        monkeypatch.setenv("IMPASTO_MODELS", str(SHARED))


@pytest.fixture
def has_vgg16(_own_cache: None) -> None:
    """Skips the test on machines without the VGG-16 file."""
    if places.locate(models.entry("vgg16")) is None:
        pytest.skip("the file of VGG-16 is not on this machine: impasto models pull vgg16")


@pytest.fixture(scope="session")
def vgg19() -> Vgg:
    return vgg.load("vgg19")


@pytest.fixture(scope="session")
def lite() -> EfficientNetLite:
    return efficientnet.load("efficientnet-lite0")


def photo(name: str, width: int, height: int) -> Tensor:
    """(1, 3, height, width) in [0, 1], the middle of one of the examples' photographs."""
    with Image.open(ROOT / "examples" / "photos" / name) as opened:
        picture = opened.convert("RGB")
    side = min(picture.width / width, picture.height / height)
    left, top = (picture.width - side * width) / 2, (picture.height - side * height) / 2
    box = (left, top, left + side * width, top + side * height)
    resized = picture.resize((width, height), Image.Resampling.BICUBIC, box=box)
    return torch.from_numpy(np.asarray(resized, dtype=np.float32) / 255).permute(2, 0, 1).unsqueeze(0)
