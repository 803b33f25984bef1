"""The sessions: any size, the same pixels every time, memory and devices refused in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from impasto import image
from impasto.errors import LimitError, ModelError, OptionError
from impasto.fast import engine, session


def noise(*shape: int, seed: int = 0) -> engine.Pixels:
    return np.random.default_rng(seed).random(shape, np.float32)


PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "raccoon.jpg"
CODE = (noise(100) * 2 - 1).astype(np.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (4, 4), (5, 7), (17, 31), (64, 63), (600, 40), (7, 300)])
def test_any_size_is_painted(size: tuple[int, int]) -> None:
    picture = engine.paint(noise(*size, 3), CODE)
    assert picture.shape == (*size, 3)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()
    assert picture.min() >= 0 and picture.max() <= 1


def test_one_pixel_more_changes_little() -> None:
    """A size's own pads and crops must not smear or shift; a shift by one pixel would make 0.025 of 0.003."""
    photo = image.read(PHOTO).pixels[100:400, 100:400]
    code = engine.encode(photo)
    first = engine.paint(photo[:256, :256], code)
    for rows, columns in ((257, 256), (256, 257), (258, 259)):
        second = engine.paint(photo[:rows, :columns], code)
        assert np.abs(second[:240, :240] - first[:240, :240]).mean() < 0.008


def test_same_input_gives_the_same_pixels() -> None:
    photo = noise(50, 70, 3)
    np.testing.assert_array_equal(engine.paint(photo, CODE), engine.paint(photo, CODE))


def test_code_depends_on_the_painting_and_not_on_its_memory_layout() -> None:
    painting = noise(256, 256, 3)
    code = engine.encode(painting)
    assert code.shape == (100,)
    np.testing.assert_array_equal(code, engine.encode(np.asfortranarray(painting)))
    assert np.abs(code - engine.encode(painting**3)).max() > 0.05


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_estimate_covers_what_is_taken() -> None:
    """The peak of a fresh process painting 1.2 megapixels with the options that take most."""
    script = """
import re, numpy as np
from pathlib import Path
from threading import Event
from impasto.fast import FastOptions, engine, paint
from impasto.picture import Picture
def peak(): return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
options = FastOptions(style_scale=2, strength=0.5, keep_color="luminance")
small = Picture(np.random.default_rng(0).random((64, 64, 3), np.float32))
list(paint(small, [small], options, stop=Event()))
before, large = peak(), Picture(np.full((1000, 1200, 3), 0.5, np.float32))
list(paint(large, [small], options, stop=Event()))
print((peak() - before) / 1.2e6, engine.DEFAULT.card.bytes_per_pixel)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    taken, estimate = map(float, done.stdout.split())
    assert 0.5 * estimate < taken <= estimate


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_missing_device_is_one_line(device: engine.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(OptionError, match=f"--device {device} .*mend: --device cpu") as caught:
        engine.paint(noise(8, 8, 3), CODE, device=device)
    assert "\n" not in str(caught.value)


def test_damaged_network_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no network")
    monkeypatch.setattr(session.models, "path", lambda _name: broken)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        session._session.__wrapped__("magenta-mobile-predict", (), "cpu")
    assert "\n" not in str(caught.value)


def test_memory_that_runs_out_after_all_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 9")

    monkeypatch.setattr(session, "_session", lambda *_: Full())
    with pytest.raises(LimitError, match="painting 19x18; mend"):
        engine.paint(noise(18, 19, 3), CODE)


def test_no_torch_is_imported() -> None:
    script = "import sys, impasto.fast, impasto.fast.ghiasi; print('torch' in sys.modules, 'onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
