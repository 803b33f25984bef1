"""Inception-v3 against an independent computation, and against what is known of torchvision's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto import models
from impasto.encoders import ENCODERS, load_encoder
from impasto.encoders.inception import Inception, InceptionTrunk, fill
from impasto.errors import LimitError, ModelError, OptionError
from impasto.models import places

from .conftest import photo

TORCHVISIONS = 27_161_264  # parameters of inception_v3, as its documentation states
AUXILIARY = 98_304 + 256 + 2_457_600 + 1_536 + 769_000  # two convolutions with their norms, one linear layer
CLASSIFIER = 2048 * 1000 + 1000


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random parameters under torchvision's names, of a size that keeps activations in bounds."""
    torch.manual_seed(0)
    state = InceptionTrunk().state_dict()
    for key, value in state.items():
        if key.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(value)
        elif key.endswith(("running_var", "bn.weight")):
            value.uniform_(0.5, 1.5)
        elif key.endswith(("running_mean", "bn.bias")):
            value.normal_(0, 0.2)
    return state


@pytest.fixture(scope="module")
def encoder(state: dict[str, Tensor]) -> Inception:
    return Inception(state)


class ByHand:
    """Every tap, from figures 5, 6 and 10 of the paper and torchvision's names; remembers what it has used."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state
        self.used: set[str] = set()

    def conv(self, x: Tensor, name: str, *, stride: int = 1, padding: tuple[int, int] = (0, 0)) -> Tensor:
        keys = [f"{name}.bn.{k}" for k in ("running_mean", "running_var", "weight", "bias")]
        self.used |= {*keys, f"{name}.conv.weight", f"{name}.bn.num_batches_tracked"}
        x = functional.conv2d(x, self.state[f"{name}.conv.weight"], None, stride, padding)
        mean, var, weight, bias = (self.state[k].view(-1, 1, 1) for k in keys)
        return ((x - mean) / torch.sqrt(var + 0.001) * weight + bias).clamp(min=0)

    def a(self, x: Tensor, n: str) -> Tensor:
        five = self.conv(self.conv(x, f"{n}.branch5x5_1"), f"{n}.branch5x5_2", padding=(2, 2))
        double = self.conv(self.conv(x, f"{n}.branch3x3dbl_1"), f"{n}.branch3x3dbl_2", padding=(1, 1))
        double = self.conv(double, f"{n}.branch3x3dbl_3", padding=(1, 1))
        pool = self.conv(functional.avg_pool2d(x, 3, 1, 1), f"{n}.branch_pool")
        return torch.cat([self.conv(x, f"{n}.branch1x1"), five, double, pool], 1)

    def b(self, x: Tensor, n: str) -> Tensor:
        double = self.conv(self.conv(x, f"{n}.branch3x3dbl_1"), f"{n}.branch3x3dbl_2", padding=(1, 1))
        double = self.conv(double, f"{n}.branch3x3dbl_3", stride=2)
        return torch.cat([self.conv(x, f"{n}.branch3x3", stride=2), double, functional.max_pool2d(x, 3, 2)], 1)

    def c(self, x: Tensor, n: str) -> Tensor:
        seven, double = self.conv(x, f"{n}.branch7x7_1"), self.conv(x, f"{n}.branch7x7dbl_1")
        seven = self.conv(seven, f"{n}.branch7x7_2", padding=(0, 3))
        seven = self.conv(seven, f"{n}.branch7x7_3", padding=(3, 0))
        for i, padding in enumerate([(3, 0), (0, 3), (3, 0), (0, 3)], 2):
            double = self.conv(double, f"{n}.branch7x7dbl_{i}", padding=padding)
        pool = self.conv(functional.avg_pool2d(x, 3, 1, 1), f"{n}.branch_pool")
        return torch.cat([self.conv(x, f"{n}.branch1x1"), seven, double, pool], 1)

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        taps: dict[str, Tensor] = {}
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        x = (image - mean) / std  # what torchvision's weights come with ...
        x = x * (std / 0.5) + (mean - 0.5) / 0.5  # ... and how its network turns that back
        x = taps["Conv2d_1a_3x3"] = self.conv(x, "Conv2d_1a_3x3", stride=2)
        x = taps["Conv2d_2a_3x3"] = self.conv(x, "Conv2d_2a_3x3")
        x = taps["Conv2d_2b_3x3"] = self.conv(x, "Conv2d_2b_3x3", padding=(1, 1))
        x = taps["maxpool1"] = functional.max_pool2d(x, 3, 2)
        x = taps["Conv2d_3b_1x1"] = self.conv(x, "Conv2d_3b_1x1")
        x = taps["Conv2d_4a_3x3"] = self.conv(x, "Conv2d_4a_3x3")
        x = taps["maxpool2"] = functional.max_pool2d(x, 3, 2)
        for letter in "bcd":
            x = taps[f"Mixed_5{letter}"] = self.a(x, f"Mixed_5{letter}")
        x = taps["Mixed_6a"] = self.b(x, "Mixed_6a")
        for letter in "bcde":
            x = taps[f"Mixed_6{letter}"] = self.c(x, f"Mixed_6{letter}")
        return taps


def test_every_tap_equals_an_independent_computation(encoder: Inception, state: dict[str, Tensor]) -> None:
    image, by_hand = photo("chelsea.jpg", 91, 76), ByHand(state)
    expected = by_hand(image)
    found = encoder(image, encoder.layers)
    assert list(found) == list(expected) == list(ENCODERS["inception-v3"].layers)
    for tap, value in expected.items():
        torch.testing.assert_close(found[tap], value, rtol=1e-3, atol=1e-4)
        assert found[tap].shape[1] == encoder.channels(tap)
    assert by_hand.used == set(state)  # torchvision's names, and no others


def test_trunk_is_the_encoder(encoder: Inception, state: dict[str, Tensor]) -> None:
    trunk, image = InceptionTrunk().eval(), torch.rand(2, 3, 60, 50)
    fill(trunk, state)
    with torch.no_grad():
        torch.testing.assert_close(trunk(image), encoder(image, ["Mixed_6e"])["Mixed_6e"])
    assert all(p.requires_grad for p in trunk.parameters())


def conv(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel + 2 * outputs


def test_parameters_are_those_that_torchvision_counts() -> None:
    """With the layers that we leave out, counted here from figures 7 and 10 of the paper, the sum is the documented."""
    last = conv(768, 192, 1) + conv(192, 320, 9) + conv(768, 192, 1) + 2 * conv(192, 192, 7) + conv(192, 192, 9)
    for inputs in (1280, 2048):
        last += conv(inputs, 320, 1) + conv(inputs, 384, 1) + 2 * conv(384, 384, 3) + conv(inputs, 448, 1)
        last += conv(448, 384, 9) + 2 * conv(384, 384, 3) + conv(inputs, 192, 1)
    ours = sum(p.numel() for p in InceptionTrunk().parameters())
    assert ours + last + CLASSIFIER + AUXILIARY == TORCHVISIONS


def test_shapes_are_the_papers(encoder: Inception) -> None:
    """Table 1 of the paper, for an image of 299x299."""
    sides = {"Conv2d_1a_3x3": (32, 149), "Conv2d_2a_3x3": (32, 147), "Conv2d_2b_3x3": (64, 147), "maxpool1": (64, 73)}
    sides |= {"Conv2d_4a_3x3": (192, 71), "maxpool2": (192, 35), "Mixed_5b": (256, 35), "Mixed_5d": (288, 35)}
    sides |= {"Mixed_6a": (768, 17), "Mixed_6e": (768, 17)}
    with torch.no_grad():
        found = encoder(torch.rand(1, 3, 299, 299), list(sides))
    assert {tap: (value.shape[1], value.shape[2]) for tap, value in found.items()} == sides


def test_strides_and_smallest_images(encoder: Inception) -> None:
    for tap in encoder.layers:
        layer = encoder.layer(tap)
        assert encoder(torch.rand(1, 3, layer.least, layer.least), [tap])[tap].shape[-2:] == (1, 1)
        wider = encoder(torch.rand(1, 3, layer.least, layer.least + layer.stride), [tap])[tap]
        assert wider.shape[-2:] == (1, 2)
        with pytest.raises(LimitError, match="too small"):
            encoder(torch.rand(1, 3, layer.least - 1, 64), [tap])
    assert [encoder.stride(tap) for tap in ENCODERS["inception-v3"].style] == [2, 4, 8, 16]
    assert encoder.layer("Mixed_6e").least == 43


def test_train_mode_changes_nothing(encoder: Inception) -> None:
    image = torch.rand(1, 3, 64, 64)
    before = encoder(image, ["Mixed_5d"])["Mixed_5d"]
    assert torch.equal(encoder.train()(image, ["Mixed_5d"])["Mixed_5d"], before)
    assert torch.equal(encoder(image, ["Mixed_5d"])["Mixed_5d"], before)


def test_gradient_reaches_the_image_and_no_weight(encoder: Inception) -> None:
    image = torch.rand(1, 3, 64, 64, requires_grad=True)
    encoder(image, ["Mixed_6e"])["Mixed_6e"].square().mean().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in encoder.parameters())


def test_whole_file_loads_and_lacking_ones_are_refused(state: dict[str, Tensor]) -> None:
    more = state | {"fc.weight": torch.ones(1000, 2048), "AuxLogits.fc.bias": torch.ones(1000)}
    without_counts = {k: v for k, v in more.items() if not k.endswith("num_batches_tracked")}
    assert Inception(without_counts).layers == ENCODERS["inception-v3"].layers
    lacking = {k: v for k, v in state.items() if k != "Mixed_6a.branch3x3.conv.weight"}
    with pytest.raises(ModelError, match=r"lack Mixed_6a.branch3x3.conv.weight .*; mend: impasto models pull"):
        Inception(lacking)
    with pytest.raises(ModelError, match=r"lack Conv2d_1a_3x3\.conv\.weight"):
        Inception(state | {"Conv2d_1a_3x3.conv.weight": torch.ones(32, 3, 5, 5)})


def test_mean_activations_are_not_known_yet(encoder: Inception) -> None:
    with pytest.raises(OptionError, match="mean activation of inception-v3's Mixed_6e is not known"):
        encoder(torch.rand(1, 3, 64, 64), ["Mixed_6e"], normalised=True)


def test_missing_weights() -> None:
    if places.locate(models.entry("inception-v3")) is not None:
        pytest.skip("the file is on this machine")
    with pytest.raises(ModelError, match="inception-v3"):
        load_encoder("inception-v3")
