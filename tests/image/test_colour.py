"""Three ways to keep a photo's colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from impasto.errors import PictureError
from impasto.image import keep_luminance, match_histogram, match_linear

Pixels = npt.NDArray[np.float32]


def cloud(seed: int, shape: tuple[int, int], spread: float = 0.06) -> Pixels:
    """Correlated colours around a centre, well inside [0, 1]."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(0, spread / 2, (3, 3)) + spread * np.eye(3)
    noise = rng.normal(0, 0.5, (*shape, 3)).clip(-1, 1)
    return (rng.uniform(0.4, 0.6, 3) + noise @ mix).astype(np.float32).clip(0.05, 0.95)


def moments(pixels: Pixels) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    flat = pixels.reshape(-1, 3).astype(np.float64)
    return flat.mean(0), np.cov(flat.T, bias=True)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_linear_gives_the_targets_mean_and_covariance(first: int, second: int) -> None:
    source, target = cloud(first, (40, 30)), cloud(second, (25, 50))
    got = match_linear(source, target)
    assert got.shape == source.shape and got.dtype == np.float32
    assume(np.linalg.eigvalsh(moments(source)[1]).min() > 1e-4)  # fainter directions are noise and not blown up
    mean, covariance = moments(got)
    wanted_mean, wanted_covariance = moments(target)
    if got.min() > 0 and got.max() < 1:  # else clipping moved them
        assert np.abs(mean - wanted_mean).max() < 1e-4
        assert np.abs(covariance - wanted_covariance).max() < 2e-4


def test_identity_when_source_is_target(smooth: npt.NDArray[np.uint8]) -> None:
    photo = smooth.astype(np.float32) / np.float32(255)
    assert np.abs(match_linear(photo, photo) - photo).max() < 1e-4
    assert np.array_equal(match_histogram(photo, photo), photo)
    assert np.abs(keep_luminance(photo, photo) - photo).max() < 1e-3
    deep = np.random.default_rng(0).random((40, 40, 3), np.float32)
    assert np.abs(match_histogram(deep, deep) - deep).max() < 1e-5


def test_linear_of_flat_and_grey_pictures_stays_sane() -> None:
    flat = np.full((8, 8, 3), 0.5, np.float32)
    busy = cloud(1, (20, 20))
    assert np.allclose(match_linear(flat, busy), moments(busy)[0], atol=1e-3)
    assert np.allclose(match_linear(busy, flat), 0.5, atol=0.01)
    grey = np.repeat(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8, 1), 3, axis=2)
    for source, target in ((grey, busy), (busy, grey), (np.zeros_like(flat), np.ones_like(flat))):
        got = match_linear(source, target)
        assert np.isfinite(got).all() and got.min() >= 0 and got.max() <= 1


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_histogram_gives_the_targets_distribution(first: int, second: int) -> None:
    source, target = cloud(first, (60, 50)), cloud(second, (31, 77))
    got = match_histogram(source, target)
    assert got.shape == source.shape and got.dtype == np.float32
    shares = np.linspace(0.01, 0.99, 50)
    for channel in range(3):
        difference = np.quantile(got[..., channel], shares) - np.quantile(target[..., channel], shares)
        assert np.abs(difference).max() < 0.01
        assert got[..., channel].min() >= target[..., channel].min() - 1e-4
        order = np.argsort(source[..., channel], axis=None)
        assert (np.diff(got[..., channel].ravel()[order]) >= 0).all()  # what was brighter stays brighter


def test_histogram_of_few_values() -> None:
    two = np.repeat(np.array([[0, 0, 0, 1]], np.float32)[..., None], 3, axis=2)
    assert np.array_equal(match_histogram(two, two), two)
    assert np.allclose(match_histogram(np.full((3, 3, 3), 0.2, np.float32), two), np.full((3, 3, 3), 0.333), atol=0.34)


def oklab(pixels: Pixels) -> npt.NDArray[np.float64]:
    """Written anew from the definition, as a check on the room's own."""
    x = pixels.astype(np.float64)
    light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    r, g, b = light[..., 0], light[..., 1], light[..., 2]
    lo = np.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    m = np.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s = np.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    lightness = 0.2104542553 * lo + 0.7936177850 * m - 0.0040720468 * s
    a = 1.9779984951 * lo - 2.4285922050 * m + 0.4505937099 * s
    return np.stack([lightness, a, 0.0259040371 * lo + 0.7827717662 * m - 0.8086757660 * s], -1)


def test_luminance_comes_from_the_painting_and_hue_from_the_photo(rng: np.random.Generator) -> None:
    painted, photo = rng.random((40, 40, 3), np.float32), rng.random((40, 40, 3), np.float32)
    got = keep_luminance(painted, photo)
    assert got.dtype == np.float32 and got.min() >= 0 and got.max() <= 1
    lab, wanted, colour = oklab(got), oklab(painted), oklab(photo)
    assert np.abs(lab[..., 0] - wanted[..., 0]).max() < 0.01
    chroma, full = np.hypot(lab[..., 1], lab[..., 2]), np.hypot(colour[..., 1], colour[..., 2])
    assert (chroma <= full + 0.01).all()
    seen = chroma > 0.05
    turn = np.arctan2(lab[..., 2], lab[..., 1]) - np.arctan2(colour[..., 2], colour[..., 1])
    assert np.abs(np.angle(np.exp(1j * turn[seen]))).max() < 0.06


def test_luminance_at_the_ends() -> None:
    blue = np.full((2, 2, 3), (0, 0, 1), np.float32)
    assert np.allclose(keep_luminance(np.zeros_like(blue), blue), 0, atol=0.01)
    assert np.allclose(keep_luminance(np.ones_like(blue), blue), 1, atol=0.01)
    grey = np.full((2, 2, 3), 0.5, np.float32)
    assert np.abs(keep_luminance(blue, grey) - keep_luminance(blue, grey).mean()).max() < 0.005


def test_sizes_must_agree() -> None:
    with pytest.raises(PictureError, match="differ in size"):
        keep_luminance(np.zeros((2, 3, 3), np.float32), np.zeros((3, 2, 3), np.float32))
