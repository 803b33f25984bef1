"""Li et al. 2017."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto.offline.networks.wct import square_roots, whiten_colour  # noqa: E402


@pytest.fixture(autouse=True)
def _same_every_time() -> None:
    torch.manual_seed(0)


def features(n: int, channels: int, side: int) -> torch.Tensor:
    """Correlated channels with spreads over two decades, as a VGG's."""
    mix = torch.randn(n, channels, channels) * torch.logspace(0, -2, channels)[None, :, None]
    return 5 + torch.einsum("nij,njhw->nihw", mix, torch.randn(n, channels, side, side + 3))


def covariance(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.cov(f.flatten(1), correction=0) for f in x])


def test_roots_against_eigenvalues() -> None:
    matrix = covariance(features(2, 16, 20)).double()
    matrix += 1e-4 * torch.eye(16)
    values, vectors = torch.linalg.eigh(matrix)
    root, inverse = square_roots(matrix)
    expected = vectors @ torch.diag_embed(values.sqrt()) @ vectors.mT
    torch.testing.assert_close(root, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(inverse @ root, torch.eye(16).double().expand(2, -1, -1), atol=1e-5, rtol=0)


def test_content_takes_the_styles_covariance() -> None:
    content, style = features(2, 24, 20), features(2, 24, 17)
    restyled = whiten_colour(content, style)
    torch.testing.assert_close(restyled.mean((2, 3)), style.mean((2, 3)), atol=1e-2, rtol=1e-3)
    wanted, found = covariance(style), covariance(restyled)
    assert (found - wanted).norm() < 0.03 * wanted.norm()
    before = covariance(content)
    assert (before - wanted).norm() > 0.3 * wanted.norm()


def test_more_channels_than_pixels() -> None:
    restyled = whiten_colour(features(1, 64, 3), features(1, 64, 4))
    assert torch.isfinite(restyled).all()
    assert restyled.abs().max() < 1e3


def test_flat_maps() -> None:
    assert torch.isfinite(whiten_colour(torch.ones(1, 8, 4, 4), torch.zeros(1, 8, 4, 4))).all()


def test_strength_is_linear_and_0_changes_nothing() -> None:
    content, style = features(1, 8, 9), features(1, 8, 9)
    assert torch.equal(whiten_colour(content, style, strength=0), content)
    half, whole = (whiten_colour(content, style, strength=s) for s in (0.5, 1.0))
    torch.testing.assert_close(half, (content + whole) / 2)


def test_batch_equals_loop_and_one_style_serves_all() -> None:
    content, style = features(3, 8, 9), features(3, 8, 7)
    apart = torch.cat([whiten_colour(content[i : i + 1], style[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(whiten_colour(content, style), apart, atol=1e-3, rtol=1e-3)
    same = whiten_colour(content, style[:1].expand(3, -1, -1, -1))
    torch.testing.assert_close(whiten_colour(content, style[:1]), same, atol=1e-3, rtol=1e-3)


def test_gradient_and_types() -> None:
    content = torch.rand(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    style = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(whiten_colour, (content, style))
    assert whiten_colour(torch.rand(1, 2, 3, 3).bfloat16(), torch.rand(1, 2, 3, 3)).dtype == torch.bfloat16
