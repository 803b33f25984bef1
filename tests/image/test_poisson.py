"""The screened Poisson equation: the photo's edges, the painting's colours."""

from __future__ import annotations

import numpy as np
import pytest

from impasto.image.poisson import photorealistic
from impasto.picture import Pixels


def pictures(height: int = 23, width: int = 31) -> tuple[Pixels, Pixels]:
    """Two that stay well inside [0, 1], whose mixtures are never cut off."""
    painted, photo = 0.4 + 0.2 * np.random.default_rng(0).random((2, height, width, 3), np.float32)
    return painted, photo


def gradients(pixels: Pixels) -> tuple[Pixels, Pixels]:
    return np.diff(pixels, axis=0), np.diff(pixels, axis=1)


def cost(out: Pixels, painted: Pixels, photo: Pixels, fidelity: float) -> float:
    """What the method minimises."""
    edges = zip(gradients(out), gradients(photo), strict=True)
    return fidelity * float(np.square(out - painted).sum()) + sum(float(np.square(a - b).sum()) for a, b in edges)


@pytest.mark.parametrize("fidelity", [0.01, 0.3])
def test_no_picture_near_it_is_better(fidelity: float) -> None:
    painted, photo = pictures()
    out = photorealistic(painted, photo, fidelity=fidelity)
    least = cost(out, painted, photo, fidelity)
    generator = np.random.default_rng(1)
    for _ in range(20):
        other = out + 1e-2 * generator.standard_normal(out.shape).astype(np.float32)
        assert cost(other, painted, photo, fidelity) > least
    assert least < cost(painted, painted, photo, fidelity)
    assert least < cost(photo, painted, photo, fidelity)


def test_what_has_the_photos_edges_stays() -> None:
    _, photo = pictures()
    np.testing.assert_allclose(photorealistic(photo + 0.1, photo), photo + 0.1, atol=1e-5)


def test_its_mean_is_the_paintings() -> None:
    painted, photo = pictures()
    out = photorealistic(painted + 0.1, photo)
    np.testing.assert_allclose(out.mean((0, 1)), (painted + 0.1).mean((0, 1)), atol=1e-5)


def test_fidelity_leads_from_the_photos_edges_to_the_painted_picture() -> None:
    painted, photo = pictures()
    made = [photorealistic(painted, photo, fidelity=f) for f in (1e-4, 1e-2, 1, 1e4)]
    away = [float(np.abs(out - painted).mean()) for out in made]
    assert away == sorted(away, reverse=True)
    assert away[-1] < 1e-3


def test_borders_are_no_seams() -> None:
    """A picture whose left differs much from its right: a plain Fourier transform would mix them."""
    ramp = np.broadcast_to(np.linspace(0.1, 0.9, 40, dtype=np.float32)[None, :, None], (30, 40, 3))
    out = photorealistic(ramp.copy(), np.full((30, 40, 3), 0.5, np.float32), fidelity=0.05)
    assert (np.diff(out, axis=1) > -1e-5).all()


def test_one_pixel_and_thin_strips() -> None:
    for shape in ((1, 1, 3), (1, 9, 3), (9, 1, 3)):
        painted = np.full(shape, 0.7, np.float32)
        np.testing.assert_allclose(photorealistic(painted, np.full(shape, 0.2, np.float32)), painted, atol=1e-5)


def test_the_result_is_a_picture() -> None:
    generator = np.random.default_rng(2)
    out = photorealistic(*generator.random((2, 40, 30, 3), np.float32))
    assert out.dtype == np.float32
    assert out.min() >= 0
    assert out.max() <= 1
