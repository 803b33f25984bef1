"""The networks of Ghiasi et al. 2017 as torch modules: shapes, sizes, gradients, and Magenta's own answers."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from impasto.offline.networks.ghiasi import StylePredictionNetwork, StyleTransferNetwork  # noqa: E402
from impasto.offline.networks.mobilenet import MobileNetV2  # noqa: E402


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize(("width", "convolutions"), [(1.0, 1_674_432), (0.25, 107_568)])
def test_parameter_counts_are_the_papers(width: float, convolutions: int) -> None:
    network = StyleTransferNetwork(width=width)
    channels = [round(width * c) for c in (32, 64, 128)]
    heads = 2 * (10 * channels[2] + channels[1] + channels[0] + 3) * (100 + 1)
    shifts = sum(channels)  # of the three batch norms
    by_kernel = sum(p.numel() for n, p in network.named_parameters() if n.endswith("conv.weight"))
    assert by_kernel == convolutions
    assert count(network) == convolutions + heads + shifts


def test_predictor_has_the_published_size() -> None:
    assert count(StylePredictionNetwork(MobileNetV2())) == 2_334_916  # batch norms folded into biases


@pytest.mark.parametrize("size", [(5, 5), (8, 8), (16, 20), (17, 31), (18, 27)])
def test_picture_has_the_photos_size(size: tuple[int, int]) -> None:
    network = StyleTransferNetwork(width=0.125).eval()
    with torch.no_grad():
        picture = network(torch.rand(2, 3, *size), torch.randn(2, 100))
    assert picture.shape == (2, 3, *size)
    assert picture.min() >= 0 and picture.max() <= 1


def test_batch_equals_one_by_one() -> None:
    network = StyleTransferNetwork(width=0.125).eval()
    photos, codes = torch.rand(3, 3, 20, 24), torch.randn(3, 100)
    with torch.no_grad():
        together = network(photos, codes)
        apart = torch.cat([network(photos[i : i + 1], codes[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


def test_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    predict, transfer = StylePredictionNetwork(MobileNetV2()), StyleTransferNetwork(width=0.125)
    transfer(torch.rand(2, 3, 24, 24), predict(torch.rand(2, 3, 64, 64))).square().mean().backward()
    for network in (predict, transfer):
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert torch.isfinite(parameter.grad).all(), name
    assert predict.bottleneck.weight.grad.abs().sum() > 0
    assert predict.trunk.stem.conv.weight.grad.abs().sum() > 0


def test_style_speaks_through_the_norms_only() -> None:
    """With every head silent, two codes paint the same picture; otherwise they do not."""
    torch.manual_seed(1)
    network = StyleTransferNetwork(width=0.125).eval()
    photo, a, b = torch.rand(1, 3, 16, 16), torch.randn(1, 100), torch.randn(1, 100)
    with torch.no_grad():
        assert (network(photo, a) - network(photo, b)).abs().max() > 1e-3
        for name, parameter in network.named_parameters():
            if "gamma.weight" in name or "beta.weight" in name:
                parameter.zero_()
        torch.testing.assert_close(network(photo, a), network(photo, b))


def test_strided_convolutions_pad_as_tensorflow_does() -> None:
    """An impulse in the corner that a symmetric pad would have met in the middle of the kernel."""
    stem = MobileNetV2().stem
    with torch.no_grad():
        stem.conv.weight.fill_(0)
        stem.conv.weight[:, :, 0, 0] = 1
        stem.conv.bias.fill_(0)
        impulse = torch.zeros(1, 3, 32, 32)
        impulse[:, :, 0, 0] = 1
        assert stem(impulse)[0, 0, 0, 0] == 3
