"""The loss network as recipes see it, paintings, and options without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.encoders.winograd import WinogradConv
from impasto.errors import ModelError, OptionError, PictureError
from impasto.models import places
from impasto.offline.johnson import JohnsonTrainOptions
from impasto.offline.paintings import read_paintings, unique
from impasto.offline.perception import Perception, open_perception, raw_content
from impasto.offline.recipe import TrainOptions

from .base import CPU, TAPS, blots, eyes, painting


def test_options_need_no_torch() -> None:
    names = ("johnson", "dumoulin", "ghiasi", "adain", "impasto")
    code = f"import sys; [__import__('impasto.offline.' + n) for n in {names}]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


class TestPerception:
    def test_vgg19_looks_at_its_usual_layers(self) -> None:
        sight = open_perception(TrainOptions(encoder="vgg19"), device=CPU, dtype=torch.float32)
        assert sight.style == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
        assert [sight.at_stride(n) for n in (1, 2, 4, 8, 64)] == list(sight.style)
        assert any(isinstance(module, WinogradConv) for module in sight.encoder.modules())
        picture = blots(1, 32, 1).requires_grad_()
        seen = sight.look(picture, ["relu1_1", "relu3_1", "relu1_1"])
        assert list(seen) == ["relu1_1", "relu3_1"]
        seen["relu3_1"].sum().backward()
        assert picture.grad is not None
        assert not sight.remember(picture, ["relu1_1"])["relu1_1"].requires_grad

    def test_in_half_precision_what_it_sees_is(self) -> None:
        sight = open_perception(TrainOptions(encoder="vgg19"), device=CPU, dtype=torch.bfloat16)
        assert sight.look(blots(1, 32, 1), ["relu1_1"])["relu1_1"].dtype == torch.bfloat16
        assert any(isinstance(module, WinogradConv) for module in sight.encoder.modules())  # for the way back

    def test_a_loss_network_that_cannot_be_had_names_the_ways_round(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMPASTO_MODELS", str(tmp_path))
        monkeypatch.setenv("IMPASTO_OFFLINE", "1")
        monkeypatch.setattr(places, "user_cache_dir", lambda _name: str(tmp_path / "cache"))
        with pytest.raises(ModelError) as caught:
            open_perception(TrainOptions(), device=CPU, dtype=torch.float32)
        text = str(caught.value)
        assert "IMPASTO_MODELS" in text
        assert "--encoder vgg19" in text
        assert text.count("mend:") == 1
        assert "\n" not in text

    def test_unknown_taps_are_refused(self) -> None:
        with pytest.raises(OptionError, match="relu9_9"):
            Perception(eyes().encoder, style=TAPS, content=("relu9_9",))


def test_raw_content_by_hand() -> None:
    seen, photo = {"a": torch.full((2, 1, 1, 2), 3.0, requires_grad=True)}, {"a": torch.tensor([[[[1.0, 3.0]]]] * 2)}
    value = raw_content(seen, photo, "a")
    assert value.item() == 2
    assert not value.requires_grad


class TestPaintings:
    def test_come_in_the_order_of_their_names_at_one_size(self, tmp_path: Path) -> None:
        painting(tmp_path, "b.png", 1, (80, 60))
        painting(tmp_path, "a.jpg", 2, (60, 120))
        found = read_paintings([tmp_path], size=160, device=CPU)
        assert [p.name for p in found] == ["a", "b"]
        assert [tuple(p.pixels.shape) for p in found] == [(1, 3, 160, 80), (1, 3, 120, 160)]
        assert all(p.pixels.min() >= 0 and p.pixels.max() <= 1 for p in found)

    def test_are_what_their_files_show(self, tmp_path: Path) -> None:
        from PIL import Image

        pixels = np.zeros((40, 50, 3), np.uint8)
        pixels[:, :25] = (255, 0, 0)
        Image.fromarray(pixels).save(tmp_path / "half.png")
        (found,) = read_paintings([tmp_path / "half.png"], size=50, device=CPU)
        assert found.pixels[0, :, 0, 0].tolist() == [1, 0, 0]
        assert found.pixels[0, :, 0, 49].tolist() == [0, 0, 0]

    def test_one_that_cannot_be_read_is_no_style_left_out(self, tmp_path: Path) -> None:
        painting(tmp_path, "a.png", 1)
        (tmp_path / "b.png").write_bytes(b"no picture")
        with pytest.raises(PictureError, match=r"b\.png"):
            read_paintings([tmp_path], size=64, device=CPU)

    def test_names_that_come_twice_get_a_number(self) -> None:
        assert unique(["a", "b", "a", "a-2", "a"]) == ["a", "b", "a-2", "a-2-2", "a-3"]


def test_johnson_says_what_is_missing_before_it_loads_anything(tmp_path: Path) -> None:
    from impasto.offline.johnson import JohnsonRecipe

    with pytest.raises(OptionError, match="--style"):
        JohnsonRecipe(JohnsonTrainOptions(encoder="no such"), device=CPU, dtype=torch.float32)
