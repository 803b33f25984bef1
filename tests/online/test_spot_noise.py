"""Spot noise: a picture's mean, colours and spectrum, and nothing else of it."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.online.spot_noise import spot_noise
from impasto.picture import Pixels
from methods_base import photo

SIZE = (96, 80)


def dim(pixels: Pixels) -> Pixels:
    """So that nothing is cut off."""
    return (0.5 + 0.2 * (pixels - 0.5)).astype(np.float32)


def covariance(pixels: Pixels) -> Pixels:
    return np.cov(pixels.reshape(-1, 3).T)


def striped() -> Pixels:
    """Stripes from left to right, 8 pixels from one to the next."""
    rows = 0.5 + 0.1 * np.sin(2 * np.pi * np.arange(64) / 8)
    return np.broadcast_to(rows[:, None, None], (64, 64, 3)).astype(np.float32)


def test_mean_and_colours_are_the_pictures() -> None:
    seen = dim(photo(side=80).pixels)
    made = [spot_noise([seen], [1.0], SIZE, seed) for seed in range(60)]
    assert made[0].shape == (80, 96, 3)
    assert np.allclose(np.mean(made, (0, 1, 2)), seen.mean((0, 1)), atol=0.01)
    faded = np.outer(*(np.hanning(n + 2)[1:-1] for n in seen.shape[:2]))[..., None]
    expected = covariance((seen - seen.mean((0, 1))) * faded / np.sqrt(np.square(faded).mean()))
    found = np.mean([covariance(noise - seen.mean((0, 1))) for noise in made], 0)
    assert np.allclose(found, expected, rtol=0.35, atol=0.05 * np.abs(expected).max())


def test_its_spectrum_is_the_pictures() -> None:
    noise = spot_noise([striped()], [1.0], (64, 64), 0)
    along, across = np.abs(np.diff(noise, axis=1)).mean(), np.abs(np.diff(noise, axis=0)).mean()
    assert across > 5 * along
    power = np.abs(np.fft.fft2(noise[..., 0] - noise.mean())) ** 2
    assert power[6:11].sum() + power[-10:-5].sum() > 0.95 * power.sum()


def test_it_is_not_the_picture_and_the_seed_decides() -> None:
    seen = dim(photo(side=80).pixels)
    one, again, other = (spot_noise([seen], [1.0], seen.shape[1::-1], seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    for a, b in ((one, seen), (one, other)):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.5


def test_opposite_borders_fit_each_other() -> None:
    noise = spot_noise([dim(photo(side=80).pixels)], [1.0], SIZE, 0)
    for axis in (0, 1):
        steps = np.abs(noise - np.roll(noise, 1, axis)).mean((1 - axis, 2))
        assert steps[0] < 2 * np.median(steps)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (31, 17)])
def test_any_size_and_flat_pictures(size: tuple[int, int]) -> None:
    for side in (40, 2):
        flat = np.full((side, side + 1, 3), 0.25, np.float32)
        noise = spot_noise([flat], [1.0], size, 0)
        assert noise.shape == (size[1], size[0], 3)
        assert np.allclose(noise, 0.25, atol=1e-6)
    assert np.isfinite(spot_noise([photo(side=40).pixels], [1.0], size, 0)).all()


def test_shares_mix_variances_and_means() -> None:
    flat, seen = np.full((64, 64, 3), 0.3, np.float32), striped()
    mixed = spot_noise([flat, seen], [0.75, 0.25], (64, 64), 5)
    assert mixed.mean() == pytest.approx(0.75 * 0.3 + 0.25 * seen.mean(), abs=0.02)
    whole = [spot_noise([seen], [1.0], (64, 64), seed).std() for seed in range(20)]
    parts = [spot_noise([flat, seen], [0.75, 0.25], (64, 64), seed).std() for seed in range(20)]
    assert np.mean(parts) == pytest.approx(0.5 * np.mean(whole), rel=0.2)


def test_grey_stays_grey() -> None:
    grey = np.repeat(dim(photo(side=80).pixels)[..., :1], 3, 2)
    noise = spot_noise([grey], [1.0], SIZE, 0)
    assert np.abs(noise - noise.mean(-1, keepdims=True)).max() < 1e-6
