"""Sizes change; light, edges and transparency stay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impasto.errors import PictureError
from impasto.image import fit, linear_to_srgb, luminance, resize, resize_picture, srgb_to_linear, turn, unmatte
from impasto.picture import Picture


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(1, 40_000))
def test_fit(width: int, height: int, long_side: int) -> None:
    w, h = fit((width, height), long_side)
    assert max(w, h) == long_side
    assert min(w, h) >= 1
    exact = min(width, height) * long_side / max(width, height)
    assert abs(min(w, h) - exact) <= 0.5 or min(w, h) == 1


@pytest.mark.parametrize(("size", "long_side"), [((0, 5), 5), ((5, -1), 5), ((5, 5), 0)])
def test_fit_refuses_nothing_sized(size: tuple[int, int], long_side: int) -> None:
    with pytest.raises(PictureError):
        fit(size, long_side)


@pytest.mark.parametrize("shape", [(1, 1), (31, 17), (3, 200), (200, 3)])
@pytest.mark.parametrize("size", [(1, 1), (17, 31), (64, 64), (300, 2), (2, 300)])
@pytest.mark.parametrize("channels", [0, 1, 3, 4])
def test_shapes_and_range(
    shape: tuple[int, int], size: tuple[int, int], channels: int, rng: np.random.Generator
) -> None:
    pixels = rng.random((*shape, channels) if channels else shape, np.float32)
    got = resize(pixels, size)
    assert got.shape == (size[1], size[0], *pixels.shape[2:])
    assert got.dtype == np.float32
    assert got.min() >= 0 and got.max() <= 1


@pytest.mark.parametrize("size", [(5, 7), (20, 30), (41, 9), (9, 41)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_one_colour_stays(size: tuple[int, int], value: float) -> None:
    assert np.allclose(resize(np.full((20, 13, 3), value, np.float32), size), value, atol=2e-6)
    assert np.allclose(resize(np.full((20, 13), value, np.float32), size), value, atol=2e-6)


def test_same_size_is_the_same() -> None:
    pixels = np.random.default_rng(0).random((5, 6, 3), np.float32)
    assert np.array_equal(resize(pixels, (6, 5)), pixels)


def test_wrong_sizes() -> None:
    for pixels, size in ((np.zeros((2, 2, 3), np.float32), (0, 2)), (np.zeros((2,), np.float32), (2, 2))):
        with pytest.raises(PictureError):
            resize(pixels, size)
    for alpha in (None, np.full((2, 2), 0.5, np.float32)):
        with pytest.raises(PictureError):
            resize_picture(Picture(np.zeros((2, 2, 3), np.float32), alpha=alpha), (0, 5))


def test_shrinking_averages_light_not_numbers() -> None:
    checks = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)
    colour = np.repeat(checks[..., None], 3, axis=2)
    assert np.allclose(resize(colour, (8, 8))[2:-2, 2:-2], 0.7354, atol=0.01)
    assert np.allclose(resize(checks, (8, 8))[2:-2, 2:-2], 0.5, atol=0.01)  # a mask is plain numbers


def test_shrinking_is_antialiased() -> None:
    """Stripes finer than the new pixels become grey, not other stripes."""
    stripes = np.tile((np.arange(210) % 3 == 0).astype(np.float32), (21, 1))
    assert np.ptp(resize(stripes, (30, 3))[:, 4:-4]) < 0.05


@pytest.mark.parametrize("size", [(96, 96), (37, 50), (24, 100)])
def test_enlarging_has_no_halo(size: tuple[int, int]) -> None:
    """Beside an edge nothing is darker or brighter than what stands on its two sides."""
    edge = np.full((24, 24, 3), 0.25, np.float32)
    edge[:, 12:] = 0.75
    got = resize(edge, size)
    assert got.min() >= 0.25 - 1e-5 and got.max() <= 0.75 + 1e-5
    assert (np.diff(got, axis=1) >= -1e-5).all()


def test_enlarging_is_smooth() -> None:
    ramp = np.tile(np.linspace(0, 1, 9, dtype=np.float32), (9, 1))
    steps = np.diff(resize(ramp, (90, 9))[4, 15:-15])
    assert np.abs(steps - 0.0125).max() < 1e-4


def test_centres_do_not_move(rng: np.random.Generator) -> None:
    """Up and down again is the same picture, not one shifted by half a pixel."""
    y, x = np.mgrid[0:24, 0:24]
    spot = np.exp(-((x - 9) ** 2 + (y - 14) ** 2) / 12).astype(np.float32)
    back = resize(resize(spot, (96, 72)), (24, 24))
    assert np.abs(back - spot).max() < 0.05
    weight = back / back.sum()
    assert abs((weight * x).sum() - (spot / spot.sum() * x).sum()) < 0.02


def cut_out(hidden: tuple[float, float, float]) -> Picture:
    """An orange disc on nothing; under the nothing lies `hidden`."""
    y, x = np.mgrid[0:64, 0:64]
    alpha = np.clip(22.5 - np.hypot(x - 31.5, y - 31.5), 0, 1).astype(np.float32)
    pixels = np.where(alpha[..., None] > 0, np.float32([0.9, 0.5, 0.1]), np.float32(hidden))
    return Picture(pixels, alpha=alpha, exif=b"kept", bit_depth=16)


@pytest.mark.parametrize("size", [(16, 16), (23, 31), (128, 128), (200, 30)])
@pytest.mark.parametrize("hidden", [(0.0, 0.0, 0.0), (0.0, 1.0, 0.0)])
def test_no_fringes(size: tuple[int, int], hidden: tuple[float, float, float]) -> None:
    got = resize_picture(cut_out(hidden), size)
    assert got.alpha is not None and got.size == size
    assert np.abs(got.pixels - (0.9, 0.5, 0.1)).max() < 0.01  # everywhere, see-through or not
    assert got.alpha.min() == 0 and got.alpha.max() > 0.99
    assert abs(float(got.alpha.mean()) - float(cut_out(hidden).alpha.mean())) < 0.01  # type: ignore[union-attr]
    assert got.exif == b"kept" and got.bit_depth == 16


def test_resize_picture_of_extremes() -> None:
    clear = Picture(np.full((8, 8, 3), 0.4, np.float32), alpha=np.zeros((8, 8), np.float32))
    got = resize_picture(clear, (4, 4))
    assert np.allclose(got.pixels, 0.4, atol=1e-5) and got.alpha is not None and got.alpha.max() == 0
    opaque = Picture(np.full((8, 8, 3), 0.4, np.float32))
    assert resize_picture(opaque, (3, 5)).size == (3, 5)
    assert resize_picture(opaque, (8, 8)) is opaque


def test_unmatte() -> None:
    filled = unmatte(cut_out((0, 1, 0)))
    assert np.abs(filled.pixels - (0.9, 0.5, 0.1)).max() < 1e-5
    assert filled.alpha is not None
    opaque = Picture(np.zeros((2, 2, 3), np.float32))
    assert unmatte(opaque) is opaque
    clear = Picture(np.full((3, 3, 3), 0.4, np.float32), alpha=np.zeros((3, 3), np.float32))
    assert np.allclose(unmatte(clear).pixels, 0.4)


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (17, 31), (2, 2)])
def test_unmatte_of_odd_sizes_takes_the_nearer_colour(shape: tuple[int, int]) -> None:
    pixels, alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    pixels[0, 0], pixels[-1, -1] = (1, 0, 0), (0, 0, 1)
    alpha[0, 0] = alpha[-1, -1] = 1
    got = unmatte(Picture(pixels, alpha=alpha)).pixels
    assert np.allclose(got.sum(-1), 1, atol=1e-4)  # mixes of the two, no black
    assert got[0, 0].tolist() == [1, 0, 0] and got[-1, -1].tolist() == [0, 0, 1]


def test_light_and_back(rng: np.random.Generator) -> None:
    values = np.linspace(0, 1, 65536, dtype=np.float32)
    assert np.abs(linear_to_srgb(srgb_to_linear(values)) - values).max() < 1e-6
    assert srgb_to_linear(np.float32([0, 1])).tolist() == [0, 1]
    assert linear_to_srgb(np.float32([0, 1])).tolist() == [0, 1]
    assert abs(float(srgb_to_linear(np.float32([0.5]))[0]) - 0.21404114) < 1e-6
    assert (np.diff(srgb_to_linear(values)) > 0).all()
    assert (
        luminance(np.eye(3, dtype=np.float32)[None]).round(4).tolist()
        == np.float32([[0.2126, 0.7152, 0.0722]]).tolist()
    )


class TestTurn:
    def test_no_turn_is_the_same_picture(self, rng: np.random.Generator) -> None:
        pixels = rng.random((9, 12, 3), np.float32)
        assert turn(pixels, 0) is pixels

    def test_a_whole_turn_is_none(self, rng: np.random.Generator) -> None:
        pixels = rng.random((9, 12, 3), np.float32)
        assert np.allclose(turn(pixels, 360), pixels, atol=1e-4)

    @pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (180, 2), (-90, 3)])
    def test_it_goes_counter_clockwise(self, rng: np.random.Generator, degrees: float, quarters: int) -> None:
        pixels = rng.random((11, 11, 3), np.float32)
        assert np.allclose(turn(pixels, degrees), np.rot90(pixels, quarters), atol=1e-4)

    def test_zoom_shows_the_middle_larger(self) -> None:
        pixels = np.zeros((41, 41, 3), np.float32)
        pixels[15:26, 15:26] = 1
        assert abs(float(turn(pixels, 0, 2).mean()) / float(pixels.mean()) - 4) < 0.3
        small = turn(pixels, 0, 0.5)
        assert small[20, 18:23].min() == 1
        assert small[20, [16, 24]].max() == 0

    def test_beyond_the_border_lies_the_mirror_image(self) -> None:
        ramp = np.broadcast_to(np.linspace(0.2, 0.8, 30, dtype=np.float32)[:, None, None], (30, 20, 3)).copy()
        turned = turn(ramp, 30, 0.8)
        assert turned.shape == ramp.shape
        assert turned.min() >= 0.2 - 1e-5
        assert turned.max() <= 0.8 + 1e-5

    def test_one_pixel(self) -> None:
        assert turn(np.full((1, 1, 3), 0.3, np.float32), 45).tolist() == np.full((1, 1, 3), 0.3, np.float32).tolist()
