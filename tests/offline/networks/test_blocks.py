"""The parts that networks are built of."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from impasto.offline.networks.blocks import AffineInstanceNorm, InstanceNorm, held_statistics  # noqa: E402


def drawn(*shape: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    n, c = shape[:2]
    return 3 + 2 * torch.randn(*shape, dtype=torch.float64), torch.randn(n, c).double(), torch.randn(n, c).double()


def test_instance_norm_is_the_textbooks() -> None:
    x, gamma, beta = drawn(2, 3, 5, 7)
    expected = functional.instance_norm(x, eps=1e-5) * gamma[..., None, None] + beta[..., None, None]
    torch.testing.assert_close(InstanceNorm()(x, gamma, beta), expected)


def test_one_row_serves_the_batch() -> None:
    x, gamma, beta = drawn(2, 3, 5, 7)
    expected = functional.instance_norm(x, weight=gamma[0], bias=beta[0], eps=1e-5)
    torch.testing.assert_close(InstanceNorm()(x, gamma[:1], beta[:1]), expected)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("held", [False, True])
def test_gradients(rows: int, held: bool) -> None:
    x, gamma, beta = (t.requires_grad_() for t in drawn(2, 3, 4, 3))
    norm = InstanceNorm()
    norm.hold(held)
    if held:
        norm(x.detach(), gamma.detach(), beta.detach())
    assert torch.autograd.gradcheck(lambda x, g, b: norm(x, g[:rows], b[:rows]), (x, gamma, beta))


def test_order_of_memory_stays() -> None:
    x = torch.rand(2, 8, 6, 6).to(memory_format=torch.channels_last).requires_grad_()
    y = AffineInstanceNorm(8)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.square().sum().backward()
    assert x.grad is not None and x.grad.is_contiguous(memory_format=torch.channels_last)


def test_statistics_are_of_full_precision_in_half() -> None:
    """bfloat16 holds 256 and 258, and nothing between them."""
    x = 256 + torch.randint(0, 4, (1, 1, 64, 64)).float() * 2
    exact = AffineInstanceNorm(1)(x)
    half = AffineInstanceNorm(1)(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).abs().max() < 0.01


def test_flat_channel_stays_finite() -> None:
    assert not AffineInstanceNorm(1)(torch.full((1, 1, 4, 4), 1e4)).abs().max() > 1


def test_statistics_are_let_go_after_an_error() -> None:
    norm, a, b = AffineInstanceNorm(2), torch.rand(1, 2, 4, 4), 5 * torch.rand(1, 2, 4, 4)
    expected = norm(b)
    with pytest.raises(RuntimeError, match="stop"), held_statistics(norm):
        norm(a)
        assert not torch.allclose(norm(b), expected)
        raise RuntimeError("stop")
    torch.testing.assert_close(norm(b), expected)
