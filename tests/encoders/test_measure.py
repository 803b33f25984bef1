"""Measuring mean activations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto.encoders import measure as module
from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.encoders.measure import measure, photographs


def test_every_image_counts_the_same_and_signs_do_not() -> None:
    encoder = StagedEncoder("toy", [Layer("a", 3, 1)], {"a": torch.nn.Identity()}, preprocess=Preprocess((0.5,) * 3))
    images = [torch.zeros(1, 3, 2, 2), torch.full((1, 3, 40, 40), 0.6)]
    assert measure(encoder, images) == {"a": pytest.approx((0.5 + 0.1) / 2)}


def test_photographs_are_brought_to_one_size(tmp_path: Path) -> None:
    Image.new("RGB", (1024, 512), (255, 0, 0)).save(tmp_path / "a.jpg")
    Image.new("L", (100, 200), 255).save(tmp_path / "b.jpg")
    wide, tall = photographs(tmp_path)
    assert wide.shape == (1, 3, module.SIDE // 2, module.SIDE)
    assert tall.shape == (1, 3, module.SIDE, module.SIDE // 2)
    assert tall.min() == 1
    assert wide[0, 0].min() > 0.98
    assert wide[0, 1:].max() < 0.02
