"""Huang and Belongie 2017."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from impasto.encoders import load_encoder  # noqa: E402
from impasto.errors import OptionError  # noqa: E402
from impasto.offline.networks.adain import AdaInDecoder, adain  # noqa: E402
from impasto.offline.weights import load_network, save_network  # noqa: E402


@pytest.fixture(autouse=True)
def _same_every_time() -> None:
    torch.manual_seed(0)


def test_content_takes_the_styles_statistics() -> None:
    content, style = torch.rand(2, 5, 7, 9) * 50, 3 + 20 * torch.rand(2, 5, 11, 4)
    restyled = adain(content, style)
    torch.testing.assert_close(restyled.mean((2, 3)), style.mean((2, 3)))
    torch.testing.assert_close(
        restyled.var((2, 3), correction=0), style.var((2, 3), correction=0), rtol=1e-4, atol=1e-4
    )
    shape = torch.nn.functional.instance_norm
    torch.testing.assert_close(shape(restyled), shape(content), atol=1e-4, rtol=1e-4)


def test_own_statistics_change_nothing() -> None:
    content = torch.rand(1, 5, 7, 9)
    torch.testing.assert_close(adain(content, content), content)


def test_batch_equals_loop_and_one_style_serves_all() -> None:
    content, style = torch.rand(3, 5, 7, 9), torch.rand(3, 5, 6, 6)
    apart = torch.cat([adain(content[i : i + 1], style[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(adain(content, style), apart)
    same = adain(content, style[:1].expand(3, -1, -1, -1))
    torch.testing.assert_close(adain(content, style[:1]), same)


def test_gradients_and_types() -> None:
    content = torch.rand(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    style = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(adain, (content, style))
    assert adain(torch.rand(1, 2, 3, 3).bfloat16(), torch.rand(1, 2, 3, 3)).dtype == torch.bfloat16


def test_flat_channel_becomes_the_styles_mean() -> None:
    restyled = adain(torch.ones(1, 2, 4, 4), torch.rand(1, 2, 4, 4))
    assert torch.isfinite(restyled).all()


def test_decoder_mirrors_the_encoder() -> None:
    """Every convolution of VGG-19 up to relu4_1, channels in and out exchanged."""
    encoder, decoder = load_encoder("vgg19"), AdaInDecoder()
    theirs = {n: s for n, s in encoder.stages.items() if n.startswith("conv")}
    for name, conv in decoder.convs.items():
        assert (conv.in_channels, conv.out_channels) == (theirs[name].out_channels, theirs[name].in_channels)
        assert conv.padding_mode == "reflect"
    names = list(decoder.convs)
    assert (len(names), names[0], names[-1]) == (9, "conv4_1", "conv1_1")
    assert decoder.stride == encoder.stride("relu4_1") == 8
    with torch.no_grad():
        picture = decoder(encoder(torch.rand(1, 3, 24, 40), ["relu4_1"])["relu4_1"])
    assert picture.shape == (1, 3, 24, 40)
    assert picture.min() > 0 and picture.max() < 1  # not saturated before it has learnt anything


@pytest.mark.parametrize(
    ("layer", "channels", "stride"), [("relu1_1", 64, 1), ("relu2_2", 128, 2), ("relu3_1", 256, 4)]
)
def test_decoder_of_any_layer(layer: str, channels: int, stride: int) -> None:
    decoder = AdaInDecoder(encoder="vgg16", layer=layer)
    features = torch.rand(2, channels, 3, 2)
    picture = decoder(features)
    assert picture.shape == (2, 3, 3 * stride, 2 * stride)
    torch.testing.assert_close(decoder(features[1:]), picture[1:])
    picture.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())


def test_file_gives_the_same_decoder(tmp_path: Path) -> None:
    decoder, features = AdaInDecoder(layer="relu2_1"), torch.rand(1, 128, 4, 4)
    save_network(decoder, tmp_path / "d.safetensors")
    loaded = load_network(tmp_path / "d.safetensors", expected="adain").network
    assert loaded.arguments == {"encoder": "vgg19", "layer": "relu2_1"}
    assert torch.equal(loaded(features), decoder(features))


def test_layers_that_cannot_be_decoded() -> None:
    with pytest.raises(OptionError, match="no layer 'pool4' to decode; choose a relu"):
        AdaInDecoder(layer="pool4")
    with pytest.raises(OptionError, match="no decoder mirrors 'lite'; choose one of: vgg16, vgg19"):
        AdaInDecoder(encoder="lite")
