"""Johnson et al. 2016."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto.offline.networks.johnson import JohnsonNetwork  # noqa: E402

from .family import NetworkFamily  # noqa: E402


class TestJohnson(NetworkFamily):
    def network(self) -> torch.nn.Module:
        return JohnsonNetwork(width=0.125)

    def style(self, n: int) -> tuple[torch.Tensor, ...]:
        return ()


def test_parameter_count_is_the_papers() -> None:
    """Kernels as in the paper's table 1; every norm has a scale and a shift, the last convolution a bias."""
    kernels = 3 * 32 * 81 * 2 + 2 * (32 * 64 + 64 * 128) * 9 + 10 * 128 * 128 * 9
    norms = 2 * (2 * (32 + 64) + 128 + 10 * 128)
    assert sum(p.numel() for p in JohnsonNetwork().parameters()) == kernels + norms + 3
