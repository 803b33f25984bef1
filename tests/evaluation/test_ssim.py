"""Structural similarity, against the paper's formula written out window by window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.errors import LimitError
from impasto.evaluation.ssim import ssim

from .conftest import random


def by_loops(image: Tensor, reference: Tensor) -> float:
    """Every window on its own, in float64, from the definitions of mean, variance and covariance."""
    offsets = np.arange(11) - 5
    bell = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    bell /= bell.sum()
    x, y = (np.tensordot([0.299, 0.587, 0.114], each[0].double().numpy(), 1) for each in (image, reference))
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = (plane[top : top + 11, left : left + 11] for plane in (x, y))
            mean_a, mean_b = (bell * a).sum(), (bell * b).sum()
            var_a, var_b = (bell * (a - mean_a) ** 2).sum(), (bell * (b - mean_b) ** 2).sum()
            both = (bell * (a - mean_a) * (b - mean_b)).sum()
            values.append(
                (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
            )
    return float(np.mean(values))


@pytest.mark.parametrize(("height", "width"), [(11, 11), (13, 24), (17, 12)])
@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_agrees_with_every_window_on_its_own(height: int, width: int, share: float) -> None:
    image = random(1, 3, height, width)
    other = (1 - share) * image + share * random(1, 3, height, width, seed=1)
    assert ssim(image, other).item() == pytest.approx(by_loops(image, other), abs=1e-5)


def test_equal_pictures_are_1_and_negatives_are_below_0() -> None:
    image = random(2, 3, 15, 19)
    assert ssim(image, image).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert ssim(1 - image, image).max().item() < 0


def test_flat_grey_pictures_are_told_by_their_light() -> None:
    """Without structure the formula is one quotient of two means."""
    dark, bright = torch.full((1, 3, 12, 12), 0.25), torch.full((1, 3, 12, 12), 0.75)
    expected = (2 * 0.25 * 0.75 + 1e-4) / (0.25**2 + 0.75**2 + 1e-4)
    assert ssim(dark, bright).item() == pytest.approx(expected, rel=1e-3)
    assert ssim(0 * dark, 0 * dark).item() == pytest.approx(1)


def test_is_symmetric_and_a_batch_is_each_sample() -> None:
    one, other = random(2, 3, 12, 14), random(2, 3, 12, 14, seed=1)
    torch.testing.assert_close(ssim(one, other), ssim(other, one))
    torch.testing.assert_close(ssim(one, other), torch.cat([ssim(one[i : i + 1], other[i : i + 1]) for i in (0, 1)]))


def test_more_noise_is_less_alike() -> None:
    image, noise = random(1, 3, 20, 20), random(1, 3, 20, 20, seed=1) - 0.5
    values = [ssim((image + s * noise).clamp(0, 1), image).item() for s in (0, 0.1, 0.3, 1)]
    assert values == sorted(values, reverse=True)
    assert values[0] - values[-1] > 0.3


def test_pictures_below_the_window_are_refused() -> None:
    with pytest.raises(LimitError, match="20x10 are too small for SSIM; give at least 11x11"):
        ssim(random(1, 3, 10, 20), random(1, 3, 10, 20))
