"""Dumoulin et al. 2017."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto.errors import OptionError  # noqa: E402
from impasto.offline.networks.dumoulin import DumoulinNetwork  # noqa: E402

from .family import NetworkFamily, stirred  # noqa: E402


class TestDumoulin(NetworkFamily):
    def network(self) -> torch.nn.Module:
        return DumoulinNetwork(styles=3, width=0.125)

    def style(self, n: int) -> tuple[torch.Tensor, ...]:
        return (torch.rand(n, 3).softmax(1),)


def one(style: int, styles: int) -> torch.Tensor:
    return torch.eye(styles)[style : style + 1]


def test_styles_start_as_one() -> None:
    network, photo = DumoulinNetwork(styles=2, width=0.125).eval(), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(network(photo, one(0, 2)), network(photo, one(1, 2)))


def test_weights_mix_scales_and_shifts() -> None:
    torch.manual_seed(0)
    network, photo = stirred(DumoulinNetwork(styles=2, width=0.125)).eval(), torch.rand(1, 3, 16, 16)
    mixed = DumoulinNetwork(styles=1, width=0.125).eval()
    weights = torch.tensor([[0.25, 0.75]])
    rows = {".gamma", ".beta"}
    state = {k: weights @ v if any(k.endswith(r) for r in rows) else v for k, v in network.state_dict().items()}
    mixed.load_state_dict(state)
    with torch.no_grad():
        torch.testing.assert_close(network(photo, weights), mixed(photo, torch.ones(1, 1)))
        assert (network(photo, one(0, 2)) - network(photo, one(1, 2))).abs().max() > 1e-3


def test_norm_parameters_are_the_styles_own() -> None:
    network = DumoulinNetwork(styles=4, width=0.125)
    own = network.norm_parameters()
    assert len(own) == 2 * 16  # 3 + 10 + 3 convolutions
    assert all(p.shape[0] == 4 for p in own)
    kernels = [p for p in network.parameters() if all(p is not q for q in own)]
    assert len(kernels) == 16
    assert all(p.ndim == 4 for p in kernels)


def test_extended_keeps_the_old_and_starts_the_new_between_them() -> None:
    torch.manual_seed(0)
    network, photo = stirred(DumoulinNetwork(styles=2, width=0.125)).eval(), torch.rand(1, 3, 16, 16)
    larger = network.extended(4)
    assert larger.arguments == {"styles": 4, "width": 0.125}
    assert not larger.training
    with torch.no_grad():
        for style in range(2):
            torch.testing.assert_close(larger(photo, one(style, 4)), network(photo, one(style, 2)))
        for style in (2, 3):
            torch.testing.assert_close(larger(photo, one(style, 4)), network(photo, torch.tensor([[0.5, 0.5]])))
        larger.norm_parameters()[0].zero_()
    assert network.norm_parameters()[0].abs().sum() > 0  # a copy


def test_numbers_of_styles_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="at least 1"):
        DumoulinNetwork(styles=0)
    network = DumoulinNetwork(styles=2, width=0.125)
    with pytest.raises(OptionError, match="cannot be extended to 2"):
        network.extended(2)
    with pytest.raises(OptionError, match="3 weights for a network of 2 styles"):
        network(torch.rand(1, 3, 16, 16), torch.ones(1, 3))
