"""Ghiasi et al. 2017, the pair as it is trained; its two halves are tested in `tests/offline/test_ghiasi.py`."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto import models  # noqa: E402
from impasto.encoders import load_encoder  # noqa: E402
from impasto.errors import LimitError, ModelError, OptionError  # noqa: E402
from impasto.models import places  # noqa: E402
from impasto.offline.networks.ghiasi import GhiasiNetwork  # noqa: E402

from .family import NetworkFamily, stirred  # noqa: E402


class TestGhiasi(NetworkFamily):
    def network(self) -> torch.nn.Module:
        return GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10)

    def style(self, n: int) -> tuple[torch.Tensor, ...]:
        return (torch.randn(n, 10),)

    def is_beside(self, parameter: str) -> bool:
        return parameter.startswith("prediction.")


class TestGhiasiThatSeesFar(TestGhiasi):
    least = 17
    reach = 200

    def network(self) -> torch.nn.Module:
        return GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10, far=2)


class TestSwiftGhiasi(TestGhiasi):
    def network(self) -> torch.nn.Module:
        return GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10, painter="swift")


def test_painters_that_there_are_not() -> None:
    with pytest.raises(OptionError, match="unknown painter 'oil'; choose one of: paper, swift"):
        GhiasiNetwork(trunk="mobilenet-v2", painter="oil")
    with pytest.raises(OptionError, match="cannot see far; mend: leave --far out"):
        GhiasiNetwork(trunk="mobilenet-v2", painter="swift", far=1)


def test_a_held_predictor_reads_as_before() -> None:
    """Inception's batch norms would look at the batch, and count, though nothing of them learns."""
    torch.manual_seed(0)
    network, painting = GhiasiNetwork(width=0.125, code=10).eval(), torch.rand(2, 3, 75, 75)
    with torch.no_grad():
        before = network.encode(painting)
        network.learn_on()
        network.train()
        torch.testing.assert_close(network.encode(painting), before)
        assert network.transfer.training
        torch.testing.assert_close(network.encode(painting), before)
    assert not any(p.requires_grad for p in network.prediction.parameters())


def test_a_new_far_path_says_nothing_and_can_learn() -> None:
    near = stirred(GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10)).eval()
    far = GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10, far=1).eval()
    far.load_state_dict(near.state_dict(), strict=False)
    photo, code = torch.rand(1, 3, 32, 48), torch.randn(1, 10)
    painted = far(photo, code)
    torch.testing.assert_close(painted, near(photo, code))
    painted.square().mean().backward()
    assert far.transfer.far.expand2.norm.gamma.weight.grad.abs().max() > 0


def test_held_batch_norms_neither_count_nor_look_at_the_batch() -> None:
    network = stirred(GhiasiNetwork(width=0.125, trunk="mobilenet-v2", code=10)).eval()
    photo, code = torch.rand(2, 3, 32, 32), torch.randn(2, 10)
    with torch.no_grad():
        still = network(photo, code)
        network.learn_on()
        network.train()
        before = network.transfer.contract1.norm.running_mean.clone()
        torch.testing.assert_close(network(photo, code), still)
        assert torch.equal(network.transfer.contract1.norm.running_mean, before)


@pytest.mark.parametrize("trunk", ["inception-v3", "mobilenet-v2", "efficientnet-lite0"])
def test_every_trunk_reads_a_code_and_learns(trunk: str) -> None:
    torch.manual_seed(0)
    network = GhiasiNetwork(width=0.125, trunk=trunk, code=10).train()
    code = network.encode(torch.rand(2, 3, 75, 66))
    assert code.shape == (2, 10)
    network(torch.rand(2, 3, 16, 16), code).square().mean().backward()
    for name, parameter in network.prediction.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert sum(float(p.grad.abs().sum() > 0) for p in network.prediction.trunk.parameters()) > 30


def test_inception_takes_no_painting_below_43_pixels() -> None:
    network = GhiasiNetwork(width=0.125).eval()
    with torch.no_grad():
        assert network.encode(torch.rand(1, 3, 43, 43)).shape == (1, 100)
    with pytest.raises(LimitError, match=r"60x42 is too small.*43x43"):
        network.encode(torch.rand(1, 3, 42, 60))


def test_norms_start_as_plain_ones_with_a_little_of_the_code() -> None:
    network, photo = GhiasiNetwork(width=0.125, trunk="mobilenet-v2").eval(), torch.rand(1, 3, 16, 16)
    for block in network.transfer.residuals:
        assert torch.equal(block.conv1.norm.gamma.bias, torch.ones_like(block.conv1.norm.gamma.bias))
        assert not block.conv1.norm.beta.bias.any()
    with torch.no_grad():
        assert not torch.equal(network(photo, torch.zeros(1, 100)), network(photo, torch.ones(1, 100)))


def test_lite_trunk_is_the_encoder() -> None:
    if places.locate(models.entry("efficientnet-lite0")) is None:
        pytest.skip("the weights of EfficientNet-Lite0 are not on this machine")
    network, image = GhiasiNetwork(width=0.125, trunk="efficientnet-lite0").eval(), torch.rand(1, 3, 65, 64)
    network.load_trunk()
    with torch.no_grad():
        expected = load_encoder("efficientnet-lite0")(image, ["head"])["head"]
        torch.testing.assert_close(network.prediction.trunk(image), expected)


def test_trunks_that_cannot_be_had() -> None:
    with pytest.raises(OptionError, match="unknown trunk 'vgg'; choose one of: inception-v3, mobilenet-v2"):
        GhiasiNetwork(trunk="vgg")
    with pytest.raises(ModelError, match="no ImageNet weights for mobilenet-v2; mend: "):
        GhiasiNetwork(width=0.125, trunk="mobilenet-v2").load_trunk()


def test_stirring_moves_the_batch_norms() -> None:
    """The family's checks in evaluation mode would miss a contraction that ignores its running statistics."""
    network, photo, code = GhiasiNetwork(width=0.125, trunk="mobilenet-v2").eval(), torch.rand(1, 3, 16, 16), None
    code = torch.zeros(1, 100)
    with torch.no_grad():
        before = network(photo, code)
        network.transfer.contract2.norm.running_mean += 1
        assert not torch.equal(network(photo, code), before)
    assert stirred(network) is network
