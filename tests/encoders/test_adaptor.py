"""Any torch module as an encoder."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from impasto.encoders.adaptor import ModuleEncoder
from impasto.encoders.measure import measure
from impasto.encoders.vgg import Vgg
from impasto.errors import LimitError, OptionError

HALF = (0.5, 0.5, 0.5)


class Net(nn.Module):
    """Two convolutions with an in-place ReLU between them, one branch that never runs, a head that counts."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleDict(
            {
                "first": nn.Conv2d(3, 8, 3, stride=2, padding=1),
                "act": nn.ReLU(inplace=True),
                "second": nn.Conv2d(8, 16, 5, stride=2),
            }
        )
        self.unused = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(16, 10)
        self.ended = 0

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.body.values():
            x = layer(x)
        self.ended += 1
        result: Tensor = self.head(x.mean((2, 3)))
        return result


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


def adapt(net: Net, **layers: str) -> ModuleEncoder:
    layers = layers or {"two": "body.second", "one": "body.first", "act": "body.act"}
    return ModuleEncoder(net, layers, mean=HALF, std=HALF)


def hooks(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in net.modules())


def test_layers_channels_and_strides_are_found_out(net: Net) -> None:
    encoder = adapt(net)
    assert encoder.name == "Net"
    assert encoder.layers == ("one", "act", "two")
    assert [encoder.channels(n) for n in encoder.layers] == [8, 8, 16]
    assert [encoder.stride(n) for n in encoder.layers] == [2, 2, 4]


def test_values_even_where_the_next_layer_overwrites(net: Net) -> None:
    image = torch.rand(2, 3, 20, 24)
    one = net.body["first"]((image - 0.5) / 0.5)
    two = net.body["second"](one.relu())
    maps = adapt(net)(image, ["two", "one", "act"])
    assert list(maps) == ["two", "one", "act"]
    torch.testing.assert_close(maps["one"], one)
    torch.testing.assert_close(maps["act"], one.relu())
    torch.testing.assert_close(maps["two"], two)
    assert one.min() < 0


def test_stops_after_the_last_tap(net: Net) -> None:
    encoder = adapt(net)
    net.ended = 0
    seen: list[Tensor] = []
    net.body["second"].register_forward_hook(lambda _m, _i, o: seen.append(o))
    encoder(torch.rand(1, 3, 20, 20), ["act", "one"])
    assert (net.ended, seen) == (0, [])


def test_module_that_catches_exceptions_is_stopped_all_the_same() -> None:
    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.went_on = nn.Conv2d(3, 4, 1), 0

        def forward(self, x: Tensor) -> Tensor:
            try:
                x = self.conv(x)
            except Exception:
                self.went_on += 1
            return x

    net = Stubborn()
    assert ModuleEncoder(net, {"c": "conv"}, mean=HALF)(torch.rand(1, 3, 4, 4), ["c"])["c"].shape == (1, 4, 4, 4)
    assert net.went_on == 0


def test_hooks_are_removed_even_after_an_error(net: Net) -> None:
    encoder = adapt(net)
    assert hooks(net) == 0
    encoder(torch.rand(1, 3, 20, 20), ["one"])
    assert hooks(net) == 0
    net.body["act"] = nn.Unflatten(1, (3, 3))
    with pytest.raises(RuntimeError):
        encoder(torch.rand(1, 3, 20, 20), ["two"])
    assert hooks(net) == 0


def test_gradient_reaches_the_image_and_the_module_is_frozen(net: Net) -> None:
    image = torch.rand(1, 3, 20, 20, requires_grad=True)
    maps = adapt(net)(image, ["one", "two"])
    (maps["one"].square().mean() + maps["two"].square().mean()).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in net.parameters())
    assert not net.training


def test_layer_that_runs_twice_is_tapped_at_its_first_run() -> None:
    net = nn.Sequential(conv := nn.Conv2d(3, 3, 1), nn.ReLU(), conv)
    image = torch.rand(1, 3, 4, 4)
    found = ModuleEncoder(net, {"c": "0", "r": "1"}, mean=(0.0,) * 3)(image, ["c", "r"])
    torch.testing.assert_close(found["c"], conv(image))


def test_too_small_an_image(net: Net) -> None:
    for side in (2, 8):
        with pytest.raises(LimitError, match=f"an image of {side}x{side} is too small for Net"):
            adapt(net)(torch.rand(1, 3, side, side), ["two"])
    pooled = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(4))
    with pytest.raises(LimitError, match="an image of 3x3 is too small for Sequential"):
        ModuleEncoder(pooled, {"p": "1"}, mean=HALF)(torch.rand(1, 3, 3, 3), ["p"])


def test_other_errors_of_the_module_are_not_hidden(net: Net) -> None:
    encoder = adapt(net)
    net.body["second"] = nn.Conv2d(5, 5, 1)
    with pytest.raises(RuntimeError, match="channels"):
        encoder(torch.rand(1, 3, 20, 20), ["two"])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("body.third", "Net has no submodule 'body.third'; it has: body, body.first"),
        ("unused", r"layer 'x' gives no \(B, C, H, W\) map"),
        ("head", r"layer 'x' gives no \(B, C, H, W\) map"),
    ],
)
def test_layers_that_cannot_be_tapped(net: Net, path: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        adapt(net, x=path)
    assert hooks(net) == 0


def test_measured_means_make_it_comparable(net: Net) -> None:
    images = [torch.rand(1, 3, 20, 20), torch.rand(1, 3, 40, 20)]
    means = measure(adapt(net), images)
    encoder = ModuleEncoder(net, {"one": "body.first"}, mean=HALF, std=HALF, means=means)
    average = sum(encoder(i, ["one"], normalised=True)["one"].abs().mean().item() for i in images) / 2
    assert average == pytest.approx(1, abs=1e-5)


def test_half_precision(net: Net) -> None:
    exact = adapt(net)(image := torch.rand(1, 3, 20, 20), ["two"])["two"]
    found = adapt(net).to(torch.bfloat16)(image, ["two"])["two"]
    assert found.dtype == torch.bfloat16
    assert (found.float() - exact).norm() < 0.03 * exact.norm()


def test_it_gives_what_the_encoder_made_for_the_network_gives(vgg19: Vgg) -> None:
    chain = nn.Sequential(*vgg19.stages.values())
    taps = ["conv1_2", "relu2_1", "pool2"]
    encoder = ModuleEncoder(
        chain, {t: str(vgg19.layers.index(t)) for t in taps}, mean=(103.939, 116.779, 123.68), gain=255, bgr=True,
        probe=64,
    )  # fmt: skip
    image = torch.rand(1, 3, 32, 32)
    expected = vgg19(image, taps)
    for tap, found in encoder(image, taps).items():
        assert torch.equal(found, expected[tap])
        assert encoder.stride(tap) == vgg19.stride(tap)
