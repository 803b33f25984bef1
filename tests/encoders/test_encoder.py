"""What every encoder promises, on one that is small enough to compute by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.errors import LimitError, OptionError


class Times(nn.Module):
    """Multiplies by a number, and counts its calls."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return x * self.factor


@pytest.fixture
def encoder() -> StagedEncoder:
    """Image - 0.5, then times -2, ReLU, times 10."""
    layers = [Layer("a", 3, 1), Layer("b", 3, 1), Layer("c", 3, 1, least=4)]
    stages = {"a": Times(-2.0), "b": nn.ReLU(), "c": Times(10.0)}
    return StagedEncoder("toy", layers, stages, preprocess=Preprocess((0.5,) * 3), means={"a": 4.0, "b": 0.5})


def image(*values: float) -> torch.Tensor:
    return torch.tensor([float(v) for v in values]).view(1, 1, 1, -1).expand(1, 3, 4, len(values))


def test_values(encoder: StagedEncoder) -> None:
    maps = encoder(image(0, 0.25, 0.5, 1), ["a", "b", "c"])
    assert maps["a"][0, 0, 0].tolist() == [1, 0.5, 0, -1]
    assert maps["b"][0, 0, 0].tolist() == [1, 0.5, 0, 0]
    assert maps["c"][0, 0, 0].tolist() == [10, 5, 0, 0]


def test_taps_come_in_the_order_asked_for_and_once(encoder: StagedEncoder) -> None:
    assert list(encoder(image(0, 0, 0, 1), ["c", "a", "c"])) == ["c", "a"]
    assert encoder(image(0, 0, 0, 1), []) == {}


def test_one_pass_and_nothing_beyond_the_last_tap(encoder: StagedEncoder) -> None:
    encoder(image(0, 0, 0, 1), ["b", "a"])
    assert [encoder.stages[n].calls for n in "ac"] == [1, 0]
    encoder(image(0, 0, 0, 1), [])
    assert [encoder.stages[n].calls for n in "ac"] == [1, 0]


def test_image_is_left_as_it_was(encoder: StagedEncoder) -> None:
    given = image(0, 0.25, 0.5, 1).contiguous()
    kept = given.clone()
    encoder(given, ["c"])
    assert torch.equal(given, kept)


def test_normalised_divides_by_the_mean(encoder: StagedEncoder) -> None:
    maps = encoder(image(0, 0.25, 0.5, 1), ["b", "a"], normalised=True)
    assert maps["a"][0, 0, 0].tolist() == [0.25, 0.125, 0, -0.25]
    assert maps["b"][0, 0, 0].tolist() == [2, 1, 0, 0]


def test_normalised_without_a_mean(encoder: StagedEncoder) -> None:
    with pytest.raises(OptionError, match="mean activation of toy's c is not known"):
        encoder(image(0, 0, 0, 1), ["c"], normalised=True)


def test_what_is_known_of_a_layer(encoder: StagedEncoder) -> None:
    assert encoder.layers == ("a", "b", "c")
    assert (encoder.channels("c"), encoder.stride("c"), encoder.layer("c").least) == (3, 1, 4)
    assert encoder.mean_activation("a") == 4


def test_unknown_layer_lists_the_known(encoder: StagedEncoder) -> None:
    for ask in (lambda: encoder(image(0), ["d"]), lambda: encoder.stride("d"), lambda: encoder.channels("d")):
        with pytest.raises(OptionError, match="toy has no layer 'd'; it has: a, b, c"):
            ask()


def test_string_for_a_list_of_taps(encoder: StagedEncoder) -> None:
    with pytest.raises(OptionError, match=r"taps is a list of layers, such as \['a'\]"):
        encoder(image(0), "a")


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 1, 8, 8), (1, 8, 8, 3), (8, 8)])
def test_images_of_another_shape(encoder: StagedEncoder, shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"toy takes floating RGB of shape \(B, 3, H, W\)"):
        encoder(torch.rand(shape), ["a"])


def test_bytes_are_not_taken(encoder: StagedEncoder) -> None:
    with pytest.raises(OptionError, match=r"not torch.uint8"):
        encoder(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), ["a"])


def test_too_small_an_image(encoder: StagedEncoder) -> None:
    with pytest.raises(LimitError, match="an image of 3x4 is too small for toy's c; give at least 4x4"):
        encoder(image(0, 0, 0), ["a", "c"])
    assert encoder(image(0, 0, 0), ["a"])["a"].shape == (1, 3, 4, 3)


def test_frozen_and_in_eval_mode_for_good(encoder: StagedEncoder) -> None:
    nn.Sequential(encoder).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(p.requires_grad for p in encoder.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_maps_have_the_weights_type_whatever_the_image_has(encoder: StagedEncoder, dtype: torch.dtype) -> None:
    assert encoder(image(0, 1).to(dtype), ["a"])["a"].dtype == torch.float32
    assert encoder.to(dtype)(image(0, 1), ["a"])["a"].dtype == dtype


def test_preprocess_is_exact_in_every_precision() -> None:
    """103.939 is 104 in bfloat16: the constants must survive `.to`."""
    prepare = Preprocess((103.939, 116.779, 123.68), gain=255, bgr=True)
    given = torch.rand(1, 3, 5, 5)
    exact = given.flip(1).double() * 255 - torch.tensor([103.939, 116.779, 123.68]).double().view(1, 3, 1, 1)
    for dtype in (torch.float32, torch.bfloat16, torch.float16, torch.float32):
        prepare = prepare.to(dtype)
        result = prepare(given)
        assert result.dtype == torch.float32
        torch.testing.assert_close(result.double(), exact, rtol=0, atol=1e-4)
    halves = given.bfloat16()
    assert torch.equal(prepare(halves), prepare(halves.float()))
    torch.testing.assert_close(prepare.double()(given.double()), exact, rtol=0, atol=1e-4)
    assert prepare(given.double()).dtype == torch.float64


def test_preprocess_divides_by_the_deviation() -> None:
    prepare = Preprocess((0.5, 0.25, 0.0), (0.5, 0.25, 2.0))
    assert prepare(torch.ones(1, 3, 1, 1)).flatten().tolist() == [1, 3, 0.5]
    assert prepare.state_dict() == {}


def test_constants_follow_to_another_device() -> None:
    assert Preprocess((0.5,) * 3).to("meta").mean.device.type == "meta"


class Sees(nn.Module):
    """Keeps what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen = x.detach()
        return x


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_lie_in_memory_as_the_weights_do(order: torch.memory_format, dtype: torch.dtype) -> None:
    stage = Sees()
    whole = StagedEncoder("toy", [Layer("a", 3, 1)], {"a": stage}, preprocess=Preprocess((0.5,) * 3))
    whole.to(dtype=dtype, memory_format=order)  # type: ignore[call-overload]
    whole(torch.rand(2, 3, 5, 6), ["a"])
    assert stage.seen.is_contiguous(memory_format=order)
    assert stage.seen.dtype == dtype
