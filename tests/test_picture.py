"""The Picture checks its arrays, and is what it says."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.errors import PictureError
from impasto.picture import Picture

PIXELS = np.full((2, 3, 3), 0.5, np.float32)


def test_sizes_are_told_as_pillow_tells_them() -> None:
    picture = Picture(PIXELS)
    assert (picture.width, picture.height, picture.size) == (3, 2, (3, 2))
    assert (picture.alpha, picture.exif, picture.bit_depth, picture.path, picture.settings) == (None, None, 8, None, {})


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1), (2, 3, 4), (0, 3, 3), (2, 0, 3), (1, 2, 3, 3), (0,)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match="shape"):
        Picture(np.zeros(shape, np.float32))


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.float16, bool])
def test_wrong_types_are_refused(kind: Any) -> None:
    with pytest.raises(PictureError, match="float32"):
        Picture(PIXELS.astype(kind))


@pytest.mark.parametrize("shape", [(3, 2), (2, 3, 1), (1, 1)])
def test_alpha_covers_the_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match="alpha"):
        Picture(PIXELS, alpha=np.ones(shape, np.float32))


def test_other_pixels_keep_what_the_file_knew() -> None:
    alpha = np.ones((2, 3), np.float32)
    picture = Picture(PIXELS, alpha=alpha, exif=b"Exif", bit_depth=16, path=Path("a.png"), settings={"a": 1})
    other = picture.with_pixels(np.zeros_like(PIXELS))
    assert (other.alpha is alpha, other.exif, other.bit_depth, other.path, other.settings) == (
        True, b"Exif", 16, Path("a.png"), {"a": 1},
    )  # fmt: skip
    assert other.pixels.sum() == 0
    assert picture.pixels.sum() > 0
    with pytest.raises(PictureError, match="alpha"):
        picture.with_pixels(np.zeros((3, 3, 3), np.float32))


def test_a_picture_has_a_name_for_messages() -> None:
    assert Picture(PIXELS, path=Path("a b.png")).name == "a b.png"
    assert Picture(PIXELS).name == "picture of 3x2"


def test_a_picture_is_frozen_and_compared_by_identity() -> None:
    picture = Picture(PIXELS)
    with pytest.raises(FrozenInstanceError):
        picture.bit_depth = 16  # type: ignore[misc]
    assert picture != Picture(PIXELS)
    assert len({picture, picture}) == 1
