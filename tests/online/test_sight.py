"""Sight: the encoder, its layers, its device and number format."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from impasto.encoders import ENCODERS, device, load_encoder
from impasto.encoders.winograd import WinogradConv
from impasto.errors import OptionError
from impasto.losses.parametric.gram import gram_sums
from impasto.online import sight
from impasto.online.options import OnlineOptions
from impasto.online.sight import Sight, open_eyes, pick_device, pick_dtype
from methods_base import noise

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["vgg19", "efficientnet-lite0"])
def test_usual_layers_are_the_encoders(name: str) -> None:
    eyes = open_eyes(OnlineOptions(encoder=name, device="cpu"))
    assert eyes.style == ENCODERS[name].style
    assert eyes.content == ENCODERS[name].content
    assert eyes.device == CPU


def test_layers_may_be_chosen() -> None:
    eyes = open_eyes(OnlineOptions(), ["conv1_2"], ["pool3"])
    assert (eyes.style, eyes.content) == (("conv1_2",), ("pool3",))


def test_layers_count_once_and_come_by_depth() -> None:
    eyes = open_eyes(OnlineOptions(), ["relu3_1", "relu1_1", "relu3_1"], ["relu4_2", "relu2_2", "relu4_2"])
    assert (eyes.style, eyes.content) == (("relu1_1", "relu3_1"), ("relu2_2", "relu4_2"))


def test_unknown_layer_names_those_there_are() -> None:
    with pytest.raises(OptionError, match="has no layer 'nose'; it has: conv1_1"):
        open_eyes(OnlineOptions(), ["nose"])


def test_sees_what_the_encoder_sees() -> None:
    """However it is accelerated; only at the border, which is repeated and not black, it differs."""
    picture = noise(64, 48)
    eyes = open_eyes(OnlineOptions(precision="fp32", device="cpu"), faithful=True)
    assert any(isinstance(m, WinogradConv) for m in eyes.encoder.modules())
    seen = eyes.look(picture.pixels, eyes.style)
    image = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None]
    for tap, expected in load_encoder("vgg19")(image, eyes.style).items():
        assert (seen[tap] - expected).abs().max() < 1e-3 * expected.abs().max()
        assert not seen[tap].requires_grad


def test_border_is_repeated_unless_faithful() -> None:
    flat = np.full((32, 32, 3), 0.8, np.float32)
    framed, free = (
        open_eyes(OnlineOptions(device="cpu"), faithful=f).look(flat, ["relu1_1"])["relu1_1"] for f in (True, False)
    )
    assert free.float().std((2, 3)).max() < 1e-2
    assert framed.float().std((2, 3)).max() > 1


def test_tensor_of_a_picture() -> None:
    pixels = noise(5, 4).pixels
    tensor = open_eyes(OnlineOptions(device="cpu")).tensor(pixels)
    assert tensor.shape == (1, 3, 4, 5)
    assert tensor.dtype == torch.float32
    assert tensor.is_contiguous()
    assert np.array_equal(tensor[0].permute(1, 2, 0).numpy(), pixels)
    tensor.zero_()
    assert pixels.any()  # a copy


def test_device() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in {"cuda", "mps", "cpu"}


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match=r"--device cuda is not available here; available: .*cpu"):
        pick_device("cuda")


def test_the_fastest_device_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert pick_device("auto").type == "cuda"


@pytest.mark.parametrize(("has", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch, has: bool, expected: torch.dtype) -> None:
    monkeypatch.setattr(device, "_cpu_has_bf16", lambda: has)
    assert pick_dtype("auto", CPU) == expected
    assert pick_dtype("fp32", CPU) == torch.float32
    assert pick_dtype("bf16", CPU) == torch.bfloat16


TAPS = ("relu1_1", "relu2_2")


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Sight:
    """Sees pictures of more than 96x96 pixels in tiles."""
    monkeypatch.setattr(sight, "WHOLE", 96 * 96)
    monkeypatch.setattr(sight, "TILE", 64)
    return open_eyes(OnlineOptions(precision="fp32", device="cpu"))


def in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "WHOLE", 10**9)


def test_a_large_picture_has_the_maps_that_it_has_at_once(large: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(171, 133).pixels
    assert len(large._windows(pixels, TAPS)) == 9
    seen = large.look(pixels, TAPS)
    in_one_piece(monkeypatch)
    assert len(large._windows(pixels, TAPS)) == 1
    for tap, expected in large.look(pixels, TAPS).items():
        assert seen[tap].shape == expected.shape
        assert (seen[tap] - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("masked", [False, True])
def test_sums_over_a_large_picture(large: Sight, masked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = noise(171, 133).pixels
    mask = np.linspace(0, 1, 171, dtype=np.float32)[None].repeat(133, 0) if masked else None
    added = large.gather(pixels, TAPS, gram_sums, mask=mask)
    in_one_piece(monkeypatch)
    for tap, expected in large.gather(pixels, TAPS, gram_sums, mask=mask).items():
        for one, other in zip(added[tap], expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_the_maps_of_a_large_picture_are_never_whole(large: Sight) -> None:
    sizes: list[int] = []

    def watch(features: torch.Tensor, guide: torch.Tensor | None) -> tuple[torch.Tensor, ...]:
        sizes.append(features.shape[2] * features.shape[3])
        return gram_sums(features, guide)

    large.gather(noise(171, 133).pixels, ["relu1_1"], watch)
    assert sum(sizes) == 171 * 133
    assert max(sizes) <= 80 * 80
