"""The networks that are compared, as users run them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.errors import ModelError
from impasto.evaluation.painters import MAGENTA, open_painters
from impasto.fast import FastOptions, engine
from impasto.methods import run

from .conftest import picture


def test_without_a_word_the_default_of_the_fast_method_paints() -> None:
    photo, painting = picture(21, 34), picture(40, 30, 1)
    with open_painters([]) as (painter,):
        painted = painter.paint(photo, painting)
    *_, done = run(photo, [painting], FastOptions())
    assert painted.size == (21, 34)
    np.testing.assert_array_equal(painted.pixels, done.picture.pixels)


def test_magenta_is_there_whatever_the_default_is() -> None:
    with open_painters([MAGENTA]) as (painter,):
        assert painter.label == MAGENTA
        assert engine.open_pair(painter.options.to_dict()["model"] and Path(painter.options.to_dict()["model"])) is (
            engine.MAGENTA
        )


def test_labels_that_come_twice_are_told_apart() -> None:
    with open_painters([MAGENTA, MAGENTA, MAGENTA]) as painters:
        assert [p.label for p in painters] == ["magenta", "magenta 2", "magenta 3"]


def test_a_painting_read_before_paints_the_same() -> None:
    photo, painting = picture(24, 24), picture(30, 30, 1)
    with open_painters([MAGENTA]) as (painter,):
        np.testing.assert_array_equal(painter.prepare(painting)(photo).pixels, painter.paint(photo, painting).pixels)


def test_what_is_no_network_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.onnx").write_bytes(b"not a network")
    for word, said in (
        (str(tmp_path / "missing.onnx"), "is neither a file nor a bundled network; bundled: magenta"),
        (str(tmp_path / "notes.onnx"), "cannot be loaded"),
    ):
        with pytest.raises(ModelError, match=said) as caught, open_painters([word]):
            pass
        assert "\n" not in str(caught.value)


def test_a_network_as_training_left_it_is_exported_and_painted_with(tmp_path: Path) -> None:
    """What is measured is what the exported file paints, and that is what torch says."""
    from impasto.offline.networks.johnson import JohnsonNetwork
    from impasto.offline.weights import save_network

    torch.manual_seed(0)
    network = JohnsonNetwork(width=0.25)
    save_network(network, tmp_path / "mine.safetensors")
    photo = picture(41, 36)
    with open_painters([], [tmp_path / "mine.safetensors"]) as (painter,):
        assert painter.label == "mine"
        painted = painter.paint(photo, picture(32, 32, 1))
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(photo.pixels).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(painted.pixels, expected.clamp(0, 1), atol=1e-3)
