"""Gatys' method with the real VGG-19: its objective, its knobs, its presets."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from impasto.encoders import load_encoder
from impasto.encoders.adaptor import ModuleEncoder
from impasto.errors import OptionError
from impasto.events import Done, Notice, Progress
from impasto.image import resize_picture
from impasto.losses import GramLoss
from impasto.methods import METHODS, run
from impasto.online.gatys import GatysOptions
from impasto.online.gatys import paint as gatys_paint
from impasto.online.scene import prepare
from impasto.picture import Picture, Pixels
from methods_base import BLUE, apart, events, noise, paint, painting, photo

GATYS = METHODS["gatys"]
STYLE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def square(style: bool, side: int = 48) -> Picture:
    """Photo and painting of one size, so that neither is resized."""
    return painting(side=side) if style else Picture(photo(side=80).pixels[:side, :side].copy())


plain_vgg = functools.cache(lambda: load_encoder("vgg19"))
"""An encoder of the tests' own, with torch's convolutions."""


def look(pixels: Pixels, taps: tuple[str, ...]) -> dict[str, Tensor]:
    """VGG-19's features."""
    with torch.no_grad():
        found: dict[str, Tensor] = plain_vgg()(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None], taps)
    return found


def gram(features: Tensor) -> Tensor:
    flat = features[0].flatten(1).double()
    return flat @ flat.T / flat.shape[1]


def style_distance(pixels: Pixels, style: Pixels) -> float:
    """How far apart two pictures' Gram matrices are, each layer in units of the painting's."""
    one, other = look(pixels, STYLE), look(style, STYLE)
    return sum(float((gram(one[t]) - gram(other[t])).norm() / gram(other[t]).norm()) for t in STYLE)


class TestPaperPreset:
    """The paper's equations, written out a second time."""

    def test_objective(self) -> None:
        content, style = square(False), square(True)
        done = paint(GATYS, content, style, size=48, preset="paper", steps=4, scales=1, precision="fp32")
        result, target, texture = (
            look(p, (*STYLE, "relu4_2")) for p in (done.picture.pixels, content.pixels, style.pixels)
        )
        distance = (result["relu4_2"] - target["relu4_2"]).square().mean()
        texture_distance = sum(
            1e3 / result[tap].shape[1] ** 2 * (gram(result[tap]) - gram(texture[tap])).square().mean() for tap in STYLE
        )
        assert done.losses["content"] == pytest.approx(float(distance), rel=2e-3)
        assert done.losses["style"] == pytest.approx(float(texture_distance), rel=2e-3)
        assert done.losses["total"] == pytest.approx(float(distance + texture_distance), rel=2e-3)
        assert set(done.losses) == {"content", "style", "total"}

    def test_strength_moves_weight_between_the_two_terms(self) -> None:
        """2 (1 - strength) and 2 strength: 0.5 is the paper's own balance."""
        content, style = square(False), square(True)
        even, strong = (
            paint(GATYS, content, style, size=48, preset="paper", steps=1, strength=s, init="noise", optimizer="adam")
            for s in (0.5, 0.75)
        )
        assert strong.losses["style"] == pytest.approx(1.5 * even.losses["style"], rel=1e-4)
        assert strong.losses["content"] == pytest.approx(0.5 * even.losses["content"], rel=1e-4)

    def test_total_variation_is_added_when_asked_for(self) -> None:
        done = paint(GATYS, square(False), square(True), size=48, preset="paper", steps=2, tv=10)
        pixels = done.picture.pixels.astype(np.float64)
        squares = np.square(np.diff(pixels, axis=0)).sum() + np.square(np.diff(pixels, axis=1)).sum()
        assert done.losses["tv"] == pytest.approx(10 * squares / pixels.size, rel=1e-4)


@pytest.mark.parametrize("preset", ["best", "paper"])
class TestPresets:
    def test_loss_goes_down(self, preset: str) -> None:
        told = events(GATYS, photo(), painting(), preset=preset, steps=8, scales=1)
        totals = [e.losses["total"] for e in told if isinstance(e, Progress)]
        assert totals[-1] < 0.7 * totals[0]

    def test_style_comes_nearer_and_content_stays_recognisable(self, preset: str) -> None:
        content, style = square(False), square(True)
        result = paint(GATYS, content, style, size=48, preset=preset, steps=10, scales=1).picture.pixels
        assert style_distance(result, style.pixels) < 0.8 * style_distance(content.pixels, style.pixels)
        seen, target, other = (look(p, ("relu4_2",))["relu4_2"] for p in (result, content.pixels, style.pixels))
        assert (seen - target).norm() < (other - target).norm()

    def test_more_strength_has_more_style(self, preset: str) -> None:
        """The paper's own balance leaves the photo little to say, so that there the knob bites near 0."""
        content, style = square(False), square(True)
        runs = [
            paint(GATYS, content, style, size=48, preset=preset, steps=6, scales=1, strength=s).picture.pixels
            for s in ((0.02, 0.3, 1.0) if preset == "best" else (0, 1e-4, 1.0))
        ]
        away = [style_distance(pixels, style.pixels) for pixels in runs]
        assert away[0] > 1.02 * away[1] > 1.04 * away[2]


def test_colours_turn_to_the_paintings() -> None:
    content = photo()
    warmth = []
    for hue in ((0.9, 0.3, 0.1), BLUE):
        pixels = paint(GATYS, content, painting(hue), steps=15, strength=1).picture.pixels
        warmth.append(float((pixels[..., 0] - pixels[..., 2]).mean()))
    assert warmth[0] > warmth[1] + 0.02


def test_smoothness_takes_out_grain() -> None:
    rough, smooth = (paint(GATYS, photo(), painting(), init="noise", steps=30, tv=tv).picture.pixels for tv in (0, 100))
    grain = [np.abs(np.diff(p, axis=1)).mean() for p in (rough, smooth)]
    assert grain[1] < 0.7 * grain[0]


def test_layers_may_be_chosen() -> None:
    usual = paint(GATYS, photo(), painting())
    one = paint(GATYS, photo(), painting(), style_layers=("relu1_1",), content_layers=("relu2_1", "relu3_1"))
    assert apart(usual.picture.pixels, one.picture.pixels) > 1e-3
    assert set(one.losses) == set(usual.losses)


@pytest.mark.parametrize("option", ["style_layers", "content_layers"])
def test_unknown_layers_are_refused_with_a_list(option: str) -> None:
    with pytest.raises(OptionError, match=r"vgg19 has no layer 'relu9_9'; it has: conv1_1, relu1_1, .*pool5"):
        events(GATYS, photo(), painting(), **{option: ("relu1_1", "relu9_9")})


def test_unknown_encoder_is_refused_with_a_list() -> None:
    with pytest.raises(OptionError, match="unknown encoder 'vgg11'; choose one of: vgg19"):
        events(GATYS, photo(), painting(), encoder="vgg11")


@pytest.mark.parametrize("preset", ["best", "paper"])
def test_efficientnet_lite0_sees_as_well(preset: str) -> None:
    told = events(GATYS, photo(), painting(), encoder="efficientnet-lite0", preset=preset, steps=8, scales=1)
    totals = [e.losses["total"] for e in told if isinstance(e, Progress)]
    assert totals[-1] < 0.95 * totals[0]
    assert apart(told[-1].picture.pixels, photo().pixels) > 0.005  # type: ignore[union-attr]


def test_efficientnet_lite0_has_no_pooling_to_choose() -> None:
    with pytest.raises(OptionError, match="efficientnet-lite0 has no pooling"):
        events(GATYS, photo(), painting(), encoder="efficientnet-lite0", pooling="average")


def test_pooling_matters() -> None:
    runs = [paint(GATYS, photo(), painting(), pooling=p).picture.pixels for p in ("max", "average")]
    assert apart(*runs) > 1e-3


def test_several_content_layers_share_the_weight() -> None:
    """Naming a layer twice as likely must not make the photo twice as strong: two layers are averaged."""
    one, two, both = (
        paint(GATYS, square(False), square(True), size=48, preset="paper", optimizer="adam", steps=1, init="noise",
              content_layers=layers).losses["content"]
        for layers in (("relu4_2",), ("relu3_1",), ("relu4_2", "relu3_1"))
    )  # fmt: skip
    assert both == pytest.approx((one + two) / 2, rel=1e-4)


def test_a_blend_lies_between_its_styles() -> None:
    first, second = painting(side=48), painting(BLUE, 48, period=12)
    content = square(False)
    runs = [
        paint(GATYS, content, first, second, size=48, blend=b, steps=24, strength=1).picture.pixels
        for b in ((1, 0), (1, 1), (0, 1))
    ]
    away = [style_distance(pixels, first.pixels) for pixels in runs]
    assert away[0] < away[1] < away[2]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_not_a_number_in_a_loss_is_recovered_from(monkeypatch: pytest.MonkeyPatch, optimizer: str) -> None:
    calls = itertools.count()
    real = GramLoss.forward

    def sometimes(self: GramLoss, features: Any) -> Tensor:
        bad = next(calls) // len(STYLE) == 3  # the third step's evaluation, in every layer
        return real(self, features) * (torch.nan if bad else 1)

    monkeypatch.setattr(GramLoss, "forward", sometimes)
    *told, done = events(GATYS, photo(), painting(), optimizer=optimizer, steps=8, scales=1)
    assert isinstance(done, Done)
    assert np.isfinite(done.picture.pixels).all()
    assert apart(done.picture.pixels, photo().pixels) > 0.005
    assert all(np.isfinite(list(e.losses.values())).all() for e in told if isinstance(e, Progress))
    assert [e.level for e in told if isinstance(e, Notice) and "no finite loss" in e.text] == ["warning"]


def test_styles_of_another_shape_are_seen_whole() -> None:
    """Gram matrices do not know the size: a painting and its mirror image are one style."""
    wide = Picture(np.concatenate([painting(side=48).pixels] * 2, 1))
    result = paint(GATYS, photo(), wide).picture.pixels
    mirrored = paint(GATYS, photo(), Picture(np.ascontiguousarray(wide.pixels[:, ::-1]))).picture.pixels
    assert result.shape == mirrored.shape == photo().pixels.shape


def test_seed_of_the_noise_is_kept_by_settings() -> None:
    """Options that went through JSON paint the same pixels."""
    options = GatysOptions(size=40, steps=2, init="noise", seed=11, style_layers=("relu2_1",))
    again = GatysOptions.from_dict(options.to_dict())
    ends = [list(run(photo(), [painting()], o))[-1] for o in (options, again)]
    assert np.array_equal(ends[0].picture.pixels, ends[1].picture.pixels)  # type: ignore[union-attr]


class TestPrecision:
    def test_bf16_is_close_to_float32(self) -> None:
        content, style = noise(32, 32), painting(side=32)
        exact, half = (
            paint(GATYS, content, style, size=32, steps=2, precision=p).picture.pixels for p in ("fp32", "bf16")
        )
        assert half.dtype == np.float32
        assert not np.array_equal(exact, half)
        assert apart(exact, half) < 0.5 * apart(exact, content.pixels)


def test_paints_with_a_network_of_the_callers_own() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(16, 128, 3, padding=1), torch.nn.ReLU()
    )
    encoder = ModuleEncoder(net, {"low": "1", "high": "3"}, mean=(0.5, 0.5, 0.5))
    options = GatysOptions(size=48, steps=12, style_layers=("low", "high"), content_layers=("high",))
    *told, done = gatys_paint(photo(), [painting()], options, stop=StopSignal(), encoder=encoder)
    losses = [e.losses["total"] for e in told if isinstance(e, Progress)]
    assert isinstance(done, Done)
    assert losses[-1] < 0.5 * losses[0]
    with pytest.raises(OptionError, match="style_layers"):
        list(gatys_paint(photo(), [painting()], GatysOptions(size=48), stop=StopSignal(), encoder=encoder))


def test_a_network_of_the_callers_own_stays_as_it_is() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3, padding=1), torch.nn.Conv2d(64, 64, 3, padding=1))
    encoder = ModuleEncoder(net, {"low": "0", "high": "1"}, mean=(0.5, 0.5, 0.5))
    options = GatysOptions(size=16, steps=1, style_layers=("low",), content_layers=("high",), precision="bf16")
    list(gatys_paint(photo(), [painting()], options, stop=StopSignal(), encoder=encoder))
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    assert isinstance(net[1], torch.nn.Conv2d)


class TestDraft:
    """Drafts begin with the fast result: as strong, and in the colours, as is asked."""

    def test_strength_0_is_the_photo(self) -> None:
        done = paint(METHODS["gatys"], photo(), painting(), quality="draft", strength=0)
        assert apart(done.picture.pixels, photo().pixels) < 0.01

    @pytest.mark.parametrize("steps", [1, 2, 3, 4])
    def test_few_steps_reach_the_result(self, steps: int) -> None:
        done = paint(METHODS["gatys"], photo(side=96), painting(), size=96, quality="draft", steps=steps, scales=3)
        assert done.picture.size == photo(side=96).size

    def test_each_painting_in_its_own_mask(self, tmp_path: Path) -> None:
        from PIL import Image

        masks = []
        for number, half in enumerate((slice(0, 20), slice(20, 40))):
            mask = np.zeros((30, 40), np.uint8)
            mask[:, half] = 255
            masks.append(tmp_path / f"{number}.png")
            Image.fromarray(mask).save(masks[-1])
        content = resize_picture(photo(), (40, 30))
        styles = painting(), painting(BLUE)
        begun = prepare(content, styles, GatysOptions(size=40, init="fast", mask=tuple(masks))).start
        alone = [prepare(content, [style], GatysOptions(size=40, init="fast")).start for style in styles]
        assert apart(begun[:, :18], alone[0][:, :18]) < 1e-4
        assert apart(begun[:, 22:], alone[1][:, 22:]) < 1e-4


def test_mixing_scales_has_no_shares() -> None:
    with pytest.raises(OptionError, match="leave out --blend"):
        paint(METHODS["gatys"], photo(), painting(), painting(BLUE), mix_scales=True, blend=(1, 2))
