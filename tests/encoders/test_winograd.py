"""Winograd's convolutions against torch's, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from impasto.encoders import winograd
from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.encoders.winograd import BATCHES, ONE_PICTURE, WinogradConv, accelerate, convolve, transform_kernel

CHANNELS = ONE_PICTURE
TOLERANCE = 1e-4
"""Of the largest value: F(4x4, 3x3) loses about a digit."""


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


def frozen(inputs: int, outputs: int, *, bias: bool = True, seed: int = 0) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)
    return conv.requires_grad_(False)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(
    batch=st.integers(1, 3), height=st.integers(1, 40), width=st.integers(1, 40),
    inputs=st.integers(1, 9), outputs=st.integers(1, 9), bias=st.booleans(), relu=st.booleans(),
    last=st.booleans(), band=st.sampled_from([1, 3000, 1 << 22]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(derandomize=True, max_examples=40)
def test_equals_conv2d_and_its_gradient(
    batch: int, height: int, width: int, inputs: int, outputs: int,
    bias: bool, relu: bool, last: bool, band: int, seed: int,
) -> None:  # fmt: skip
    conv = frozen(inputs, outputs, bias=bias, seed=seed)
    order = torch.channels_last if last else torch.contiguous_format
    x = random(batch, inputs, height, width, seed=seed).contiguous(memory_format=order)
    upstream = random(batch, outputs, height, width, seed=seed + 1)
    if relu:  # at 0 itself, ReLU may fall on either side
        upstream[conv(x).abs() < 1e-4] = 0
    results = []
    with mock.patch.object(winograd, "BAND_TILES", band):  # tiles in many bands, in a few, in one
        for run in (lambda x: WinogradConv(conv)(x, relu=relu), lambda x: conv(x).relu() if relu else conv(x)):
            leaf = x.detach().requires_grad_()
            y = run(leaf)
            results.append((y.detach(), *torch.autograd.grad(y, leaf, upstream)))
    (y, gradient), (expected, expected_gradient) = results
    assert_near(y, expected)
    assert_near(gradient, expected_gradient)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (4, 4), (17, 31), (38, 8)])
def test_wide_layers(shape: tuple[int, int]) -> None:
    """The sum over many channels keeps the precision."""
    conv = frozen(256, 512)
    x = random(1, 256, *shape).relu()
    assert_near(WinogradConv(conv)(x), conv(x))


@pytest.mark.parametrize(
    "view",
    [lambda x: x[..., 1:-1, 2:], lambda x: x.mT, lambda x: x.flip(3), lambda x: x[:1].expand(2, -1, -1, -1)],
    ids=["window", "transposed", "flipped", "expanded"],
)
def test_inputs_in_any_memory_order(view: Callable[[Tensor], Tensor]) -> None:
    conv = frozen(5, 6)
    x = view(random(2, 5, 12, 13))
    assert_near(WinogradConv(conv)(x), conv(x))


def test_gradient_of_a_plain_sum() -> None:
    """Its upstream gradient is one number, expanded with strides of 0."""
    conv = frozen(5, 6)
    leaves = [random(1, 5, 9, 7).requires_grad_() for _ in range(2)]
    WinogradConv(conv)(leaves[0], relu=True).sum().backward()
    conv(leaves[1]).relu().sum().backward()
    assert leaves[0].grad is not None
    assert leaves[1].grad is not None
    assert_near(leaves[0].grad, leaves[1].grad)


def test_gradient_in_double_precision() -> None:
    conv = frozen(1, 2).double()
    x = random(1, 1, 3, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(WinogradConv(conv), (x,))


def test_result_is_channels_last_and_does_not_share_memory() -> None:
    x = random(1, 4, 8, 8)
    before = x.clone()
    y = WinogradConv(frozen(4, 6))(x, relu=True)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(x, before)


def test_not_a_number_is_handed_on() -> None:
    """A NaN must not be rectified into a 0 that hides it."""
    x = random(1, 4, 8, 8)
    x[0, 2, 3, 3] = torch.nan
    assert WinogradConv(frozen(4, 6))(x, relu=True)[0, :, 3, 3].isnan().all()


def test_same_bits_twice() -> None:
    conv = WinogradConv(frozen(128, 128))
    x = random(1, 128, 33, 29).requires_grad_()
    runs = []
    for _ in range(2):
        y = conv(x, relu=True)
        runs.append((y, *torch.autograd.grad(y.square().sum(), x)))
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])


def test_function_by_itself() -> None:
    conv = frozen(3, 5)
    x = random(2, 3, 10, 6)
    kernel = transform_kernel(conv.weight)
    assert kernel.shape == (36, 3, 5)
    assert_near(convolve(x, kernel, None), functional.conv2d(x, conv.weight, padding=1))
    alive = random(2, 3, 10, 6, seed=3)
    assert_near(convolve(x, kernel, conv.bias, alive=alive), conv(x * (alive > 0)))


class TestHalf:
    """In bfloat16 what is seen is the direct sum, and the way back is rough."""

    def both(self, *, relu: bool) -> list[tuple[Tensor, Tensor]]:
        """(result, gradient) by Winograd in bfloat16, by torch in bfloat16, by torch in float32."""
        conv = frozen(128, 192)
        upstream = random(1, 192, 19, 22, seed=1)
        runs: list[tuple[Tensor, Tensor]] = []
        half = frozen(128, 192).bfloat16()
        for run, dtype in ((WinogradConv(half), torch.bfloat16), (half, torch.bfloat16), (conv, torch.float32)):
            leaf = random(1, 128, 19, 22).relu().to(dtype).requires_grad_()
            y = run(leaf, relu=relu) if isinstance(run, WinogradConv) else run(leaf).relu() if relu else run(leaf)
            runs.append((y.detach(), *torch.autograd.grad(y, leaf, upstream.to(dtype))))
        return runs

    @pytest.mark.parametrize("relu", [False, True])
    def test_sees_what_the_direct_sum_sees(self, relu: bool) -> None:
        (found, _), (expected, _), _ = self.both(relu=relu)
        assert found.dtype == torch.bfloat16
        assert torch.equal(found, expected)

    def test_gradient_is_off_by_a_hundredth(self) -> None:
        (_, found), (_, direct), (_, exact) = self.both(relu=False)
        assert found.dtype == torch.bfloat16
        off = [float((gradient.float() - exact).norm() / exact.norm()) for gradient in (direct, found)]
        assert off[0] < off[1] < 0.015

    def test_the_points_halve_the_error_of_the_papers(self) -> None:
        x, weight = random(1, 256, 24, 24).relu().bfloat16(), frozen(256, 32).weight.bfloat16()
        exact = functional.conv2d(x.float(), weight.float(), padding=1)
        off = []
        for points in ((winograd.NEAR, winograd.FAR), (1, 2)):
            names = ("_INPUT", "_KERNEL", "_OUTPUT")
            with mock.patch.multiple(winograd, **dict(zip(names, winograd._rows(*points), strict=True))):
                off.append(float((convolve(x, transform_kernel(weight), None).float() - exact).norm()))
        assert off[0] < 0.6 * off[1]

    def test_in_another_number_format_it_is_as_exact_as_that(self) -> None:
        conv, x = WinogradConv(frozen(4, 6).bfloat16()), random(1, 4, 8, 8)
        conv(x.bfloat16().requires_grad_()).sum().backward()
        conv.float()
        leaf, plain = x.clone().requires_grad_(), x.clone().requires_grad_()
        conv(leaf).sum().backward()
        conv.directly(plain).sum().backward()
        assert leaf.grad is not None
        assert plain.grad is not None
        assert_near(leaf.grad, plain.grad)

    def test_narrow_layers_stay_as_they_are(self) -> None:
        net = nn.Sequential(frozen(64, 128), frozen(128, 128)).bfloat16()
        assert accelerate(net) == 1
        assert isinstance(net[1], WinogradConv)


class TestAccelerate:
    """What is replaced, and what must not be."""

    def test_replaces_wide_frozen_convolutions_at_any_depth(self) -> None:
        net = nn.Sequential(frozen(3, CHANNELS), nn.Sequential(frozen(CHANNELS, CHANNELS + 4), nn.ReLU()))
        assert accelerate(net) == 1
        assert [type(m) for m in net[1]] == [WinogradConv, nn.ReLU]
        assert isinstance(net[0], nn.Conv2d)

    def test_a_second_time_finds_nothing(self) -> None:
        net = nn.Sequential(frozen(CHANNELS, CHANNELS))
        assert (accelerate(net), accelerate(net)) == (1, 0)

    @pytest.mark.parametrize(
        "options",
        [
            {"stride": 2},
            {"dilation": 2, "padding": 2},
            {"dilation": 2},
            {"groups": 2},
            {"groups": CHANNELS},
            {"padding": 0},
            {"padding": 2},
            {"padding": (1, 0)},
            {"padding_mode": "replicate"},
            {"padding_mode": "reflect"},
            {"padding_mode": "circular"},
            {"kernel_size": 1, "padding": 0},
            {"kernel_size": 5, "padding": 2},
            {"kernel_size": (3, 1)},
            {"dtype": torch.float16},
            {"dtype": torch.float64},
            {"device": "meta"},
            {"in_channels": CHANNELS - 1},
            {"out_channels": CHANNELS - 1},
        ],
        ids=str,
    )
    def test_leaves_other_convolutions_alone(self, options: dict[str, object]) -> None:
        usual = {"in_channels": CHANNELS, "out_channels": CHANNELS, "kernel_size": 3, "padding": 1}
        conv = nn.Conv2d(**{**usual, **options}).requires_grad_(False)  # type: ignore[arg-type]
        net = nn.Sequential(conv)
        assert accelerate(net) == 0
        assert net[0] is conv

    def test_leaves_weights_in_training_alone(self) -> None:
        net = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ConvTranspose2d(CHANNELS, CHANNELS, 3))
        assert accelerate(net) == 0


STAGES = {
    "conv1": lambda: frozen(3, CHANNELS, seed=1), "relu1": nn.ReLU, "pool1": lambda: nn.MaxPool2d(2),
    "conv2": lambda: frozen(CHANNELS, CHANNELS + 3, seed=2), "relu2": nn.ReLU,
    "conv3": lambda: frozen(CHANNELS + 3, CHANNELS, seed=3), "relu3": nn.ReLU, "pool3": lambda: nn.AvgPool2d(2),
    "conv4": lambda: frozen(CHANNELS, CHANNELS, seed=4), "conv5": lambda: frozen(CHANNELS, CHANNELS, seed=5),
}  # fmt: skip


def vgg_like() -> StagedEncoder:
    layers = [Layer(name, CHANNELS, 1) for name in STAGES]
    stages = {name: make() for name, make in STAGES.items()}
    return StagedEncoder("small", layers, stages, preprocess=Preprocess((0.4, 0.5, 0.6)))


@pytest.mark.parametrize(
    "taps",
    [
        ("relu1", "relu2", "relu3", "pool3"),
        ("conv2",),
        ("conv2", "relu3"),
        ("relu2", "conv3", "relu3"),
        ("conv5", "conv4", "conv3"),
        tuple(STAGES),
    ],
    ids="-".join,
)
def test_encoder_sees_the_same(taps: tuple[str, ...]) -> None:
    plain, quick = vgg_like(), vgg_like()
    assert accelerate(quick) == 4
    image = torch.rand(1, 3, 21, 18, generator=torch.Generator().manual_seed(0))
    results = []
    for encoder in (plain, quick):
        leaf = image.clone().requires_grad_()
        maps = encoder(leaf, taps)
        total = sum(m.square().mean() / m.detach().square().mean() for m in maps.values())
        results.append((maps, *torch.autograd.grad(total, leaf)))
    (expected, expected_gradient), (found, gradient) = results
    assert list(found) == list(taps)
    for tap in taps:
        assert_near(found[tap], expected[tap])
    assert (gradient - expected_gradient).norm() < 1e-3 * expected_gradient.norm()


def test_what_is_wide_enough_is_asked_for() -> None:
    net = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.Conv2d(64, 128, 3, padding=1)).requires_grad_(False)
    assert accelerate(net, least=BATCHES) == 0
    assert accelerate(net) == 2
