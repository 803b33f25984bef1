"""The fast method: what its options promise."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

from impasto import image, machine
from impasto.errors import LimitError, OptionError
from impasto.events import Done, Started
from impasto.fast import FastOptions, StyleCode, blend, encode, ghiasi, session
from impasto.picture import Picture

EXAMPLES = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture(scope="module")
def photo() -> Picture:
    read = image.read(EXAMPLES / "chelsea.jpg")
    return image.resize_picture(read, image.fit(read.size, 160))


@pytest.fixture(scope="module")
def painting() -> Picture:
    return image.read(EXAMPLES / "coffee.jpg")


@pytest.fixture(scope="module")
def other() -> Picture:
    return image.read(EXAMPLES / "galaxies.jpg")


def paint(content: Picture, *styles: Picture | StyleCode, **options: Any) -> Picture:
    *_, done = ghiasi.paint(content, styles, FastOptions(**options), stop=StopSignal())
    assert isinstance(done, Done)
    assert not done.stopped
    return done.picture


def apart(a: Picture, b: Picture) -> float:
    return float(np.abs(a.pixels - b.pixels).mean())


def test_events_are_started_then_done(photo: Picture, painting: Picture) -> None:
    started, done = ghiasi.paint(photo, [painting], FastOptions(size=64), stop=StopSignal())
    assert started == Started("fast", image.fit(photo.size, 64))
    assert isinstance(done, Done)
    assert done.picture.size == image.fit(photo.size, 64)
    assert 0 < done.seconds < 60


def test_a_picture_is_painted_and_the_style_matters(photo: Picture, painting: Picture, other: Picture) -> None:
    one, two = paint(photo, painting), paint(photo, other)
    assert one.size == photo.size
    assert apart(one, photo) > 0.03
    assert apart(one, two) > 0.03


def test_same_input_gives_the_same_pixels(photo: Picture, painting: Picture) -> None:
    np.testing.assert_array_equal(paint(photo, painting).pixels, paint(photo, painting).pixels)


@pytest.mark.parametrize("size", [16, 50, 233])
def test_size_is_the_long_side(photo: Picture, painting: Picture, size: int) -> None:
    assert max(paint(photo, painting, size=size).size) == size


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (31, 17), (3, 200)])
@pytest.mark.parametrize("options", [{}, {"strength": 0.5}, {"style_scale": 4}, {"style_scale": 0.3}])
def test_odd_sizes(size: tuple[int, int], options: dict[str, float], other: Picture) -> None:
    tiny = Picture(np.random.default_rng(0).random((size[1], size[0], 3), np.float32))
    painted = paint(tiny, other, **options)
    assert painted.size == size
    assert np.isfinite(painted.pixels).all()
    assert painted.pixels.min() >= 0 and painted.pixels.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (300, 20), (20, 3000), (700, 1100)])
def test_paintings_of_any_shape_are_read(size: tuple[int, int]) -> None:
    painting = Picture(np.random.default_rng(0).random((size[1], size[0], 3), np.float32))
    assert np.isfinite(encode(painting).values).all()


def test_the_whole_painting_is_read_at_256() -> None:
    wide = Picture(np.random.default_rng(0).random((512, 900, 3), np.float32))
    assert ghiasi._view(wide).shape == (256, 448, 3)
    assert ghiasi._view(Picture(wide.pixels[:256, :256])).shape == (256, 256, 3)
    np.testing.assert_array_equal(ghiasi._view(Picture(wide.pixels[:256, :256])), wide.pixels[:256, :256])


def test_a_large_painting_reads_like_a_small_one(painting: Picture) -> None:
    large = image.resize_picture(painting, (painting.width * 4, painting.height * 4))
    assert min(large.size) > 1024  # so that the quick reduction takes part
    small, big = encode(painting).values, encode(large).values
    assert np.corrcoef(small, big)[0, 1] > 0.99


def test_blend_is_the_mean_of_codes(photo: Picture, painting: Picture, other: Picture) -> None:
    a, b = encode(painting), encode(other)
    mixed = paint(photo, painting, other, blend=(3, 1))
    np.testing.assert_array_equal(mixed.pixels, paint(photo, blend([a, b], [3, 1])).pixels)
    assert apart(mixed, paint(photo, painting)) > 0.005
    np.testing.assert_array_equal(paint(photo, painting, other, blend=(1, 0)).pixels, paint(photo, painting).pixels)


def test_weights_must_fit_the_styles(photo: Picture, painting: Picture) -> None:
    with pytest.raises(OptionError, match="--blend has 2 weights for 1 styles"):
        paint(photo, painting, blend=(1, 1))


def test_a_kept_code_paints_what_its_painting_paints(photo: Picture, painting: Picture, tmp_path: Path) -> None:
    code = encode(painting)
    assert code.name == "coffee"
    code.save(tmp_path / "coffee.style")
    again = paint(photo, StyleCode.load(tmp_path / "coffee.style"))
    np.testing.assert_array_equal(again.pixels, paint(photo, painting).pixels)


@pytest.mark.parametrize(
    "options", [{}, {"style_scale": 2.0}, {"keep_color": "luminance"}, {"keep_color": "histogram"}]
)
def test_strength_0_is_the_photo(photo: Picture, painting: Picture, options: dict[str, Any]) -> None:
    np.testing.assert_array_equal(paint(photo, painting, strength=0, **options).pixels, photo.pixels)
    assert apart(paint(photo, painting, strength=0.01, **options), photo) < 0.01


def test_strength_goes_evenly_from_photo_to_style(photo: Picture, other: Picture) -> None:
    pictures = [paint(photo, other, strength=s) for s in (0, 0.25, 0.5, 0.75, 1)]
    from_photo = [apart(p, photo) for p in pictures]
    to_style = [apart(p, pictures[-1]) for p in pictures]
    assert from_photo == sorted(from_photo)
    assert to_style == sorted(to_style, reverse=True)
    steps = [apart(a, b) for a, b in pairwise(pictures)]
    assert max(steps) < 3 * min(steps)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_an_undercoat_is_half_the_work_and_changes_nothing(
    photo: Picture, other: Picture, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = FastOptions(strength=0.6, style_scale=scale)
    *_, alone = ghiasi.paint(photo, [other], options, stop=StopSignal())
    kept, passes, real = ghiasi.Undercoat.of(photo, options), [], ghiasi.engine.paint

    def counted(*words: Any, **more: Any) -> Any:
        passes.append(words)
        return real(*words, **more)

    monkeypatch.setattr(ghiasi.engine, "paint", counted)
    for strength in (0.6, 0.3):
        asked = FastOptions(strength=strength, style_scale=scale)
        *_, done = ghiasi.paint(photo, [other], asked, undercoat=kept, stop=StopSignal())
        assert isinstance(done, Done)
        assert isinstance(alone, Done)
        if strength == 0.6:
            np.testing.assert_array_equal(done.picture.pixels, alone.picture.pixels)
    assert len(passes) == 2 * (2 if scale > 1 else 1)
    with pytest.raises(ValueError, match="undercoat"):
        list(
            ghiasi.paint(photo, [other], FastOptions(strength=0.6, style_scale=0.7), undercoat=kept, stop=StopSignal())
        )


def grain(picture: Picture) -> float:
    """Size of structures in pixels: spread of values over spread of differences between neighbours."""
    grey = picture.pixels.mean(-1)
    return float(grey.std() / np.diff(grey, axis=1).std())


def test_style_scale_sets_the_size_of_strokes(other: Picture) -> None:
    photo = image.resize_picture(image.read(EXAMPLES / "raccoon.jpg"), (320, 240))
    pictures = {s: paint(photo, other, style_scale=s) for s in (0.5, 1, 2)}
    assert grain(pictures[0.5]) < grain(pictures[2])
    assert apart(pictures[1], pictures[2]) > 0.02
    assert apart(paint(photo, other, style_scale=1.05), pictures[1]) < apart(pictures[2], pictures[1])


@pytest.mark.parametrize("keep", ["linear", "histogram"])
def test_kept_colours_are_the_photos(photo: Picture, other: Picture, keep: str) -> None:
    def off(picture: Picture) -> float:
        means = np.abs(picture.pixels.mean((0, 1)) - photo.pixels.mean((0, 1))).max()
        spreads = np.abs(picture.pixels.std((0, 1)) - photo.pixels.std((0, 1))).max()
        return float(max(means, spreads))

    assert off(paint(photo, other, keep_color=keep)) < 0.02 < off(paint(photo, other))


def test_luminance_keeps_hues(photo: Picture, other: Picture) -> None:
    kept, free = paint(photo, other, keep_color="luminance"), paint(photo, other)
    np.testing.assert_array_equal(kept.pixels, image.keep_luminance(free.pixels, photo.pixels))


def test_alpha_and_the_rest_of_the_file_are_kept(photo: Picture, painting: Picture) -> None:
    alpha = np.linspace(0, 1, photo.width * photo.height, dtype=np.float32).reshape(photo.pixels.shape[:2])
    clear = Picture(photo.pixels, alpha=alpha, exif=b"Exif\0\0", bit_depth=16)
    painted = paint(clear, painting)
    np.testing.assert_array_equal(painted.alpha, alpha)
    assert (painted.exif, painted.bit_depth) == (b"Exif\0\0", 16)
    half = paint(clear, painting, size=80)
    assert half.alpha is not None
    assert half.alpha.shape == half.pixels.shape[:2]


def test_memory_is_checked_before_any_work(photo: Picture, painting: Picture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 100_000_000)
    monkeypatch.setattr(session, "run", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(LimitError, match=r"--size \d+$"):
        paint(photo, painting, size=4000)


@pytest.mark.parametrize("calls", [0, 1])
def test_stop_gives_the_photo_out(photo: Picture, painting: Picture, calls: int) -> None:
    """Asked to stop before the work, or while the painting is read."""
    stop = StopSignal()
    events = ghiasi.paint(photo, [painting], FastOptions(), stop=stop)
    for _ in range(calls):
        next(events)
    stop.set()
    *_, done = events
    assert isinstance(done, Done)
    assert done.stopped
    np.testing.assert_array_equal(done.picture.pixels, photo.pixels)


def test_no_torch_is_needed_to_paint() -> None:
    script = """
import sys
sys.modules["torch"] = None
import numpy as np
from threading import Event
from impasto.fast import FastOptions, paint
from impasto.picture import Picture
p = Picture(np.zeros((20, 20, 3), np.float32))
*_, done = paint(p, [p], FastOptions(), stop=Event())
print(done.picture.size)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(20, 20)"
