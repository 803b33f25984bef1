"""The judge, with the real encoders where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from impasto import models
from impasto.encoders import load_encoder
from impasto.encoders.table import get_spec
from impasto.encoders.vgg import Vgg, _build
from impasto.evaluation.judge import Judge, call_judge, compare
from impasto.evaluation.report import CONTENT, METRICS, RESIDUALS, SLICED, SSIM, STYLE
from impasto.models import places
from impasto.picture import Picture

from .conftest import picture


@pytest.fixture(scope="module")
def judge() -> Judge:
    """With a VGG-16 of random weights, which keeps its taps but not its units, and the pretrained VGG-19."""
    torch.manual_seed(0)
    state = {
        f"{name}.{what}": 0.05 * torch.randn(parameter.shape)
        for name, module in _build(get_spec("vgg16").layers, "average", "zeros", "first")[1].items()
        for what, parameter in module.named_parameters()
    }
    critic = Vgg("vgg16", state, pooling="average")
    return Judge(critic, load_encoder("vgg19"), torch.device("cpu"))


def measured(judge: Judge, photo: Picture, painting: Picture, result: Picture) -> dict[str, float]:
    return compare(judge.look(result), judge.look(photo), judge.look(painting))


def test_the_photo_itself_has_lost_nothing(judge: Judge) -> None:
    photo, painting = picture(40, 40), picture(48, 32, 1)
    found = measured(judge, photo, painting, photo)
    assert list(found) == list(METRICS)
    assert (found[CONTENT], found[SSIM]) == (0, pytest.approx(1))
    assert found[STYLE] > 0


def test_the_painting_itself_has_all_of_its_style(judge: Judge) -> None:
    photo, painting = picture(40, 40), picture(40, 40, 1)
    found = measured(judge, photo, painting, painting)
    assert [found[m] for m in (STYLE, SLICED, *RESIDUALS)] == [0] * 6
    assert found[CONTENT] > 0
    assert found[SSIM] < 0.5


def test_odd_sizes(judge: Judge) -> None:
    found = measured(judge, picture(37, 51), picture(64, 33, 1), picture(37, 51, 2))
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())


def test_the_numbers_are_those_of_the_pure_functions(judge: Judge) -> None:
    from impasto.evaluation.perceptual import STYLE_LAYERS, content_loss, grams, residual, style_loss

    assert judge.critic
    photo, painting, result = (picture(40, 36, seed) for seed in range(3))
    c, s, y = (judge.critic(judge.look(p).image, STYLE_LAYERS) for p in (photo, painting, result))
    found = measured(judge, photo, painting, result)
    assert found[CONTENT] == pytest.approx(content_loss(y["relu3_3"], c["relu3_3"]).item())
    assert found[STYLE] == pytest.approx(style_loss(grams(y), grams(s)).item())
    for name, tap in zip(RESIDUALS, STYLE_LAYERS, strict=True):
        assert found[name] == pytest.approx(residual(grams(y)[tap], grams(s)[tap]).item())


def test_without_an_encoder_the_rest_is_told(judge: Judge) -> None:
    photo, painting = picture(32, 32), picture(32, 32, 1)
    assert list(measured(replace(judge, critic=None), photo, painting, photo)) == [SSIM, SLICED]
    assert list(measured(replace(judge, critic=None, outsider=None), photo, painting, photo)) == [SSIM]


def test_vgg16_that_is_not_here_is_told_and_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
    called = call_judge()
    assert called.critic is None
    assert called.outsider is not None
    assert called.outsider.name == "vgg19"
    (line,) = called.missing
    for word in ("content, style and the residuals", "IMPASTO_MODELS=FOLDER", "vgg16-caffe-fp16.safetensors"):
        assert word in line
    assert "\n" not in line


def test_ghiasi_s_units() -> None:
    """On the original weights: average pooling, bytes, and activations of the size that is published for them."""
    if places.locate(models.entry("vgg16")) is None:
        pytest.skip("the file of VGG-16 is not on this machine: impasto models pull vgg16")
    called = call_judge()
    assert called.critic is not None
    assert called.critic.name == "vgg16"
    assert any(isinstance(stage, torch.nn.AvgPool2d) for stage in called.critic.modules())
    assert not any(isinstance(stage, torch.nn.MaxPool2d) for stage in called.critic.modules())
    found = measured(called, picture(64, 64), picture(64, 64, 1), picture(64, 64, 2))
    assert 1e3 < found[CONTENT] < 1e7  # with input in [0, 1] it would be some 65 000 times less
