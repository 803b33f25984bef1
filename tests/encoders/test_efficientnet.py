"""EfficientNet-Lite0 against an independent computation, and as the classifier that it was trained to be."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from impasto import models
from impasto.encoders import ENCODERS
from impasto.encoders.efficientnet import EfficientNetLite

from .conftest import photo

CATS = range(281, 286)  # ImageNet: tabby, tiger cat, Persian, Siamese, Egyptian
CUPS = (504, 967, 968)  # coffee mug, espresso, cup


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The file as it is."""
    state: dict[str, Tensor] = torch.load(models.path("efficientnet-lite0"), weights_only=True)
    return state


def same(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """TensorFlow's SAME convolution; depthwise when the weights say so."""
    kernel, groups = weight.shape[-1], x.shape[1] // weight.shape[1]
    pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (x.shape[3], x.shape[2])]
    x = functional.pad(x, [pads[0] // 2, pads[0] - pads[0] // 2, pads[1] // 2, pads[1] - pads[1] // 2])
    return functional.conv2d(x, weight, None, stride, 0, 1, groups)


def by_hand(image: Tensor, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tap, with batch norms as they stand in the file."""

    def step(x: Tensor, conv: str, norm: str, stride: int = 1, *, relu: bool = True) -> Tensor:
        mean, var, weight, bias = (state[f"{norm}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        y = functional.batch_norm(same(x, state[f"{conv}.weight"], stride), mean, var, weight, bias, False, 0, 1e-3)
        return y.clamp(0, 6) if relu else y

    x = step((image * 255 - 127) / 128, "_conv_stem", "_bn0", 2)
    taps, number = {"stem": x}, 0
    for stage, (repeats, stride) in enumerate([(1, 1), (2, 2), (2, 2), (3, 2), (3, 1), (4, 2), (1, 1)], 1):
        for i in range(1, repeats + 1):
            key = f"_blocks.{number}."
            y = step(x, key + "_expand_conv", key + "_bn0") if number else x
            y = step(y, key + "_depthwise_conv", key + "_bn1", stride if i == 1 else 1)
            y = step(y, key + "_project_conv", key + "_bn2", relu=False)
            x = x + y if i > 1 else y
            taps[f"block{stage}_{i}"] = x
            number += 1
    taps["head"] = step(x, "_conv_head", "_bn1")
    return taps


def test_every_tap_equals_an_independent_computation(lite: EfficientNetLite, state: dict[str, Tensor]) -> None:
    image = photo("chelsea.jpg", 75, 66)
    expected = by_hand(image, state)
    found = lite(image, lite.layers)
    assert list(found) == list(expected) == list(ENCODERS["efficientnet-lite0"].layers)
    for tap, value in expected.items():
        torch.testing.assert_close(found[tap], value, rtol=1e-3, atol=1e-3)
        stride = lite.stride(tap)
        assert found[tap].shape == (1, lite.channels(tap), -(-66 // stride), -(-75 // stride))


@pytest.mark.parametrize(("name", "classes"), [("chelsea.jpg", CATS), ("coffee.jpg", CUPS)])
def test_it_recognises_what_it_was_trained_to(
    lite: EfficientNetLite, state: dict[str, Tensor], name: str, classes: range
) -> None:
    features = lite(photo(name, 224, 224), ["head"])["head"].mean((2, 3))
    scores = functional.linear(features, state["_fc.weight"], state["_fc.bias"]).softmax(1)[0]
    assert int(scores.argmax()) in classes
    assert scores[list(classes)].sum() > 0.6


def test_smallest_image(lite: EfficientNetLite) -> None:
    assert lite(torch.rand(1, 3, 1, 1), ["head"])["head"].shape == (1, 1280, 1, 1)


def test_train_mode_changes_nothing(lite: EfficientNetLite) -> None:
    image = torch.rand(1, 3, 32, 32)
    before = lite(image, ["block4_3"])["block4_3"]
    assert torch.equal(lite.train()(image, ["block4_3"])["block4_3"], before)
    assert not lite.training


def test_gradient_reaches_the_image_and_no_weight(lite: EfficientNetLite) -> None:
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    lite(image, ["stem", "block5_3"])["block5_3"].square().mean().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in lite.parameters())


def test_normalised_activations_are_about_one(lite: EfficientNetLite) -> None:
    maps = lite(photo("coffee.jpg", 224, 224), lite.layers, normalised=True)
    assert all(0.4 < m.abs().mean() < 2.5 for m in maps.values())
