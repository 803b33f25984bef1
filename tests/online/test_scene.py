"""The scene: sizes and colours of what is painted from."""

from __future__ import annotations

import math

import numpy as np
import pytest

from impasto.events import Done, Started
from impasto.image import luminance, resize
from impasto.online.options import OnlineOptions
from impasto.online.scene import LEAST_STYLE, beside, prepare, recolour, result_size
from impasto.picture import Picture
from methods_base import apart, noise, painting, photo


@pytest.mark.parametrize("style", [(100, 100), (300, 100), (77, 211)])
@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_a_painting_has_the_canvas_area_and_its_own_shape(style: tuple[int, int], scale: float) -> None:
    """So strokes are as large beside a canvas of any shape."""
    canvas = (400, 250)
    width, height = beside(noise(*style).pixels, canvas, scale)
    assert math.sqrt(width * height) == pytest.approx(scale * math.sqrt(400 * 250), rel=0.02)
    assert width / height == pytest.approx(style[0] / style[1], rel=0.03)


def test_a_painting_is_never_too_small_to_see() -> None:
    assert min(beside(noise(100, 60).pixels, (16, 16), 0.25)) == LEAST_STYLE


def test_result_size() -> None:
    assert result_size(noise(30, 20), OnlineOptions(size=60)) == (60, 40)
    assert result_size(noise(30, 20), OnlineOptions(size=None)) == (30, 20)


def test_photo_and_paintings_at_a_scale() -> None:
    scene = prepare(noise(60, 40), [painting(side=50), noise(90, 30)], OnlineOptions(size=60))
    assert scene.photo_at((60, 40)) is scene.photo
    assert scene.photo_at((30, 20)).shape == (20, 30, 3)
    assert np.array_equal(scene.photo_at((30, 20)), resize(scene.photo, (30, 20)))
    assert [s.pixels.shape[:2] for s in scene.regions_at((60, 40))[0].samples] == [(49, 49), (32, 96)]


def test_a_long_strip_of_a_painting_does_not_fill_the_memory() -> None:
    scene = prepare(noise(60, 40), [noise(3, 6000)], OnlineOptions(size=60))
    ((sample,),) = (r.samples for r in scene.regions_at((60, 40)))
    style = sample.pixels
    assert style.shape[0] * style.shape[1] < 60 * 40 * 10


@pytest.mark.parametrize("init", ["content", "noise", "fast"])
def test_where_only_light_is_painted_the_start_is_grey(init: str) -> None:
    plain, grey = (
        prepare(photo(), [painting()], OnlineOptions(size=40, init=init, keep_color=rule)).start
        for rule in ("none", "luminance")
    )
    assert np.ptp(plain, axis=2).max() > 0.1
    assert np.ptp(grey, axis=2).max() < 1e-6


class TestRecolour:
    def test_none_leaves_the_painting(self) -> None:
        style = painting().pixels
        assert recolour(style, photo().pixels, "none") is style

    @pytest.mark.parametrize("rule", ["linear", "histogram"])
    def test_the_photos_mean_colour(self, rule: str) -> None:
        found = recolour(painting().pixels, photo().pixels, rule)  # type: ignore[arg-type]
        assert np.abs(found.mean((0, 1)) - photo().pixels.mean((0, 1))).max() < 0.03

    def test_luminance_is_grey_with_the_photos_light(self) -> None:
        grey = np.repeat(photo().pixels.mean(2, keepdims=True), 3, 2)
        found = recolour(painting().pixels, grey, "luminance")
        assert np.ptp(found, axis=2).max() < 1e-6
        assert found.mean() == pytest.approx(grey.mean(), abs=0.02)
        assert found.std() == pytest.approx(grey.std(), rel=0.1)

    def test_a_flat_painting_is_no_division_by_zero(self) -> None:
        flat = np.full((5, 5, 3), 0.3, np.float32)
        for rule in ("linear", "histogram", "luminance"):
            found = recolour(flat, np.repeat(photo().pixels.mean(2, keepdims=True), 3, 2), rule)  # type: ignore[arg-type]
            assert np.isfinite(found).all()


class TestFinish:
    def test_luminance_gives_the_photo_its_colours_back(self) -> None:
        content = photo()
        scene = prepare(content, [painting()], OnlineOptions(size=40, keep_color="luminance"))
        assert np.ptp(scene.photo, axis=2).max() < 1e-6
        grey = Picture(np.clip(scene.photo, 0.2, 0.8))
        done = scene.finish(Done(grey, 1.0))
        assert isinstance(done, Done)
        result = done.picture.pixels
        assert apart(result[..., 0] - result[..., 2], content.pixels[..., 0] - content.pixels[..., 2]) < 0.03
        assert np.abs(luminance(result) - luminance(grey.pixels)).mean() < 0.03
        assert done.seconds == 1.0

    def test_other_events_and_rules_pass(self) -> None:
        scene = prepare(photo(), [painting()], OnlineOptions(size=40, keep_color="luminance"))
        event = Started("x", (1, 1))
        assert scene.finish(event) is event
        plain = prepare(photo(), [painting()], OnlineOptions(size=40))
        done = Done(photo(), 1.0)
        assert plain.finish(done) is done
