"""ArtFID's formula and its two halves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg

from impasto.evaluation.artfid import Gaussian, artfid, frechet, gaussian, lpips

from .conftest import random


def test_mean_and_covariance_are_numpy_s() -> None:
    features = random(20, 4)
    found = gaussian(features)
    np.testing.assert_allclose(found.mean, features.numpy().astype(np.float64).mean(0), atol=1e-7)
    np.testing.assert_allclose(found.covariance, np.cov(features.numpy().astype(np.float64).T), atol=1e-7)


@pytest.mark.parametrize("rows", [40, 5])
def test_agrees_with_the_root_of_the_product(rows: int) -> None:
    """With scipy's root of C1 C2 as published code takes it; 5 rows in 8 dimensions have singular covariances."""
    one, other = gaussian(random(rows, 8)), gaussian(2 * random(rows, 8, seed=1) ** 2)
    ridge = 1e-9 * np.eye(8)
    root = linalg.sqrtm((one.covariance.numpy() + ridge) @ (other.covariance.numpy() + ridge)).real
    apart = (one.mean - other.mean).square().sum().item()
    expected = apart + np.trace(one.covariance.numpy() + other.covariance.numpy() - 2 * root)
    assert frechet(one, other) == pytest.approx(expected, rel=1e-4)


def test_equal_gaussians_are_0_and_the_distance_is_symmetric() -> None:
    one, other = gaussian(random(30, 6)), gaussian(random(30, 6, seed=1))
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)
    assert frechet(one, other) == pytest.approx(frechet(other, one), rel=1e-9)


def test_one_dimension_by_hand() -> None:
    """(3 - 1)^2 + (2 - 5)^2."""
    one, other = (
        Gaussian(torch.tensor([m]).double(), torch.tensor([[s**2]]).double()) for m, s in ((3.0, 2.0), (1.0, 5.0))
    )
    assert frechet(one, other) == pytest.approx(13)


def test_one_picture_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="two pictures or more"):
        gaussian(random(1, 4))


def test_perceptual_distance() -> None:
    heads = {"a": random(3, seed=5), "b": random(4, seed=6)}
    one = {"a": random(2, 3, 5, 4), "b": random(2, 4, 3, 2)}
    other = {"a": random(2, 3, 5, 4, seed=1), "b": random(2, 4, 3, 2, seed=1)}
    assert lpips(one, one, heads).tolist() == [0, 0]
    torch.testing.assert_close(lpips(one, other, heads), lpips(other, one, heads))
    # Directions are compared, not lengths.
    torch.testing.assert_close(lpips({t: 7 * m for t, m in one.items()}, other, heads), lpips(one, other, heads))
    expected = sum(
        sum(
            heads[tap] @ (m[0, :, y, x] / m[0, :, y, x].norm() - n[0, :, y, x] / n[0, :, y, x].norm()) ** 2
            for y in range(m.shape[2])
            for x in range(m.shape[3])
        )
        / (m.shape[2] * m.shape[3])
        for tap, m, n in ((t, one[t], other[t]) for t in heads)
    )
    assert lpips(one, other, heads)[0].item() == pytest.approx(float(expected), rel=1e-5)


def test_artfid_is_the_product() -> None:
    one, other = gaussian(random(30, 3)), gaussian(random(30, 3, seed=1))
    assert artfid(torch.tensor([0.2, 0.4]), one, other) == pytest.approx(1.3 * (1 + frechet(one, other)))
    assert artfid(torch.zeros(2), one, one) == pytest.approx(1)


def test_no_heads_is_no_distance() -> None:
    with pytest.raises(ValueError, match="no layers"):
        lpips({}, {}, {})
