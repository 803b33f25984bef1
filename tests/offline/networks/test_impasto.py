"""Our own network."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto.errors import OptionError  # noqa: E402
from impasto.offline.networks.impasto import SIZES, STATISTICS, ImpastoNetwork, style_statistics  # noqa: E402

from .family import NetworkFamily, stirred  # noqa: E402

CHANNELS = (64, 128, 256, 512)


class TestImpasto(NetworkFamily):
    least = 9
    reach = 76

    def network(self) -> torch.nn.Module:
        return ImpastoNetwork(size="tiny")

    def style(self, n: int) -> tuple[torch.Tensor, ...]:
        return (torch.randn(n, SIZES["tiny"].code),)

    def is_beside(self, parameter: str) -> bool:
        return parameter.startswith("predictor.")


def test_gradient_reaches_the_predictor_through_the_picture() -> None:
    torch.manual_seed(0)
    network = stirred(ImpastoNetwork(size="tiny")).train()
    network(torch.rand(2, 3, 24, 24), network.encode(torch.rand(2, STATISTICS))).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_style_has_no_say_before_training() -> None:
    network, photo = ImpastoNetwork(size="tiny").eval(), torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        a, b = (network(photo, torch.randn(1, 64)) for _ in range(2))
    assert torch.equal(a, b)


def test_names_of_the_parameters() -> None:
    """A contract: published weights are stored under these names."""
    convs = [f"down.{i}" for i in range(3)] + ["before.0.a", "before.0.b", "dip"]
    convs += [f"deep.{i}.{half}" for i in range(2) for half in "ab"]
    convs += ["rise", "after.0.a", "after.0.b", "up.0", "up.1", "out"]
    names = [f"transfer.{c}.{part}" for c in convs for part in ("conv.weight", "affine.weight", "affine.bias")]
    names += [f"predictor.norm.{b}" for b in ("running_mean", "running_var", "num_batches_tracked")]
    names += [f"predictor.mlp.{i}.{part}" for i in (0, 2, 4) for part in ("weight", "bias")]
    assert list(ImpastoNetwork(size="tiny").state_dict()) == names


@pytest.mark.parametrize(("size", "transfer"), [("tiny", 225_654), ("small", 1_107_558), ("base", 4_924_998)])
def test_sizes(size: str, transfer: int) -> None:
    network = ImpastoNetwork(size=size)
    assert sum(p.numel() for p in network.transfer.parameters()) == transfer
    assert network.encode(torch.zeros(1, STATISTICS)).shape == (1, SIZES[size].code)


def test_unknown_size() -> None:
    with pytest.raises(OptionError, match="unknown size 'huge'; choose one of: tiny, small, base"):
        ImpastoNetwork(size="huge")


def test_statistics_are_logs_of_means_and_deviations() -> None:
    torch.manual_seed(0)
    maps = [torch.rand(2, c, 32 >> i, 24 >> i) * 100 for i, c in enumerate(CHANNELS)]
    found = style_statistics(maps)
    assert found.shape == (2, STATISTICS)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found[1, 64 + 3], torch.log1p(maps[0][1, 3].std()))
    torch.testing.assert_close(found[1, 128 + 5], torch.log1p(maps[1][1, 5].mean()))
    torch.testing.assert_close(found[0, -1], torch.log1p(maps[3][0, -1].std()))


def test_statistics_of_a_single_feature() -> None:
    found = style_statistics([torch.ones(1, c, 1, 1, dtype=torch.bfloat16) for c in CHANNELS])
    assert torch.isfinite(found).all()
