"""Masks and photorealism, with every kind of method."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from impasto.controls import check_masks
from impasto.errors import OptionError, PictureError
from impasto.events import Done
from impasto.fast.ghiasi import FastOptions
from impasto.image import write
from impasto.methods import METHODS, run
from impasto.picture import Picture, Pixels
from methods_base import BLUE, apart, encoders_once, events, paint, painting, photo, quick

__all__ = ["encoders_once"]

BOTH = pytest.mark.parametrize("name", ["fast", "gatys"])


@pytest.fixture(autouse=True)
def _shared(encoders_once: None) -> None:
    """One encoder for all tests."""


def saved(path: Path, mask: Pixels) -> Path:
    write(Picture(np.repeat(mask[..., None], 3, 2).astype(np.float32)), path)
    return path


def left_half(width: int, height: int) -> Pixels:
    mask = np.zeros((height, width), np.float32)
    mask[:, : width // 2] = 1
    return mask


@BOTH
class TestMask:
    def test_outside_is_the_photo_pixel_by_pixel(self, name: str, tmp_path: Path) -> None:
        content = photo()
        path = saved(tmp_path / "mask.png", left_half(*content.size))
        result = paint(METHODS[name], content, painting(), mask=(path,), strength=1).picture.pixels
        half = content.width // 2
        np.testing.assert_allclose(result[:, half + 1 :], content.pixels[:, half + 1 :], atol=2e-6)
        assert apart(result[:, : half - 1], content.pixels[:, : half - 1]) > 0.02

    def test_one_mask_a_painting_keeps_them_apart(self, name: str, tmp_path: Path) -> None:
        content = Picture(np.full((48, 64, 3), 0.5, np.float32))
        left = left_half(64, 48)
        masks = saved(tmp_path / "left.png", left), saved(tmp_path / "right.png", 1 - left)
        result = paint(
            METHODS[name], content, painting(), painting(BLUE), mask=masks, size=64, steps=20, strength=1
        ).picture.pixels
        warmth = (result[..., 0] - result[..., 2]).mean(0)
        assert warmth[:28].mean() > warmth[36:].mean() + 0.05

    def test_a_mask_of_another_size_is_resized_and_said(self, name: str, tmp_path: Path) -> None:
        path = saved(tmp_path / "mask.png", left_half(90, 90))
        told = events(METHODS[name], photo(), painting(), mask=(path,))
        assert [t for t in map(str, told) if "90x90" in t and "resized" in t]

    def test_white_all_over_is_no_mask(self, name: str, tmp_path: Path) -> None:
        content = photo()
        path = saved(tmp_path / "mask.png", np.ones(content.pixels.shape[:2], np.float32))
        masked, plain = (paint(METHODS[name], content, painting(), mask=m).picture.pixels for m in ((path,), ()))
        assert apart(masked, plain) < 1e-3

    def test_black_all_over_is_refused(self, name: str, tmp_path: Path) -> None:
        path = saved(tmp_path / "mask.png", np.zeros((30, 40), np.float32))
        with pytest.raises(OptionError, match=r"mask.png is all black"):
            events(METHODS[name], photo(), painting(), mask=(path,))

    def test_masks_and_paintings_have_to_match(self, name: str, tmp_path: Path) -> None:
        path = saved(tmp_path / "mask.png", left_half(40, 30))
        with pytest.raises(OptionError, match="2 masks for 3 paintings"):
            events(METHODS[name], photo(), painting(), painting(), painting(), mask=(path, path))
        with pytest.raises(OptionError, match="--blend mixes"):
            events(METHODS[name], photo(), painting(), painting(), mask=(path, path), blend=(1, 2))

    def test_a_mask_that_is_no_picture(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "mask.png").write_text("white")
        with pytest.raises(PictureError, match=r"mask\.png"):
            events(METHODS[name], photo(), painting(), mask=(tmp_path / "mask.png",))


@BOTH
def test_photorealism_gives_edges_back(name: str) -> None:
    content = photo()
    plain, real = (
        paint(METHODS[name], content, painting(), photorealistic=p, strength=1).picture.pixels for p in (False, True)
    )
    edges = [np.diff(p, axis=1) for p in (content.pixels, plain, real)]
    assert apart(edges[2], edges[0]) < 0.7 * apart(edges[1], edges[0])
    assert apart(real, content.pixels) > 0.01


@BOTH
def test_photorealism_stays_inside_the_masks(name: str, tmp_path: Path) -> None:
    content = photo()
    top = np.zeros(content.pixels.shape[:2], np.float32)
    top[:9] = 1
    other = np.roll(top, 9, 0)
    masks = saved(tmp_path / "top.png", top), saved(tmp_path / "below.png", other)
    result = paint(METHODS[name], content, painting(), painting(BLUE), mask=masks, photorealistic=True).picture.pixels
    np.testing.assert_allclose(result[20:], content.pixels[20:], atol=2e-6)
    assert apart(result[:17], content.pixels[:17]) > 0.01


@BOTH
def test_a_mask_may_be_gone_after_it_was_read(name: str, tmp_path: Path) -> None:
    """And a faint one may be all black at a coarse scale."""
    faint = np.zeros((30, 40), np.float32)
    faint[5, 5] = 0.06
    path = saved(tmp_path / "mask.png", faint)
    told = []
    for event in run(photo(), [painting()], quick(METHODS[name], mask=(path,), scales=2, preview_every=1)):
        told.append(event)
        path.unlink(missing_ok=True)
    assert isinstance(told[-1], Done)


def test_masks_for_a_network_with_its_own_styles_are_one() -> None:
    with pytest.raises(OptionError, match=r"2 masks for 0 paintings; give one$"):
        check_masks(FastOptions(mask=(Path("a.png"), Path("b.png"))), 0)
