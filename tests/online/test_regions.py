"""Which part of the canvas is painted after what: masks, style masks, semantic maps, scales mixed."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from threading import Event as StopSignal

import numpy as np
import pytest
import torch

from impasto.errors import OptionError
from impasto.events import Done
from impasto.image import read_mask, write
from impasto.losses import gram_matrix
from impasto.losses.parametric.gram import gram_sums
from impasto.methods import METHODS
from impasto.online.gatys import GatysOptions
from impasto.online.look import Look
from impasto.online.mixing import mix_scales
from impasto.online.options import OnlineOptions
from impasto.online.scene import prepare
from impasto.online.sight import Sight, open_eyes
from impasto.picture import Picture, Pixels
from methods_base import BLUE, apart, events, noise, paint, painting

GATYS = METHODS["gatys"]
LAYERS = ("relu1_1", "relu2_1", "relu3_1")


@pytest.fixture(scope="module")
def eyes() -> Sight:
    return open_eyes(OnlineOptions(precision="fp32"), LAYERS)


def saved(path: Path, pixels: Pixels) -> Path:
    write(Picture(np.ascontiguousarray(pixels, np.float32)), path)
    return path


def grey(values: Pixels) -> Pixels:
    return np.repeat(np.asarray(values, np.float32)[..., None], 3, 2)


def left(width: int, height: int) -> Pixels:
    return (np.arange(width) < width // 2)[None].repeat(height, 0).astype(np.float32)


def two_halves() -> Picture:
    """A painting of two materials: orange strokes on the left, blue ones on the right."""
    return Picture(np.concatenate([painting(side=64).pixels[:, :32], painting(BLUE, 64).pixels[:, :32]], 1))


class TestSight:
    def test_guides_have_the_maps_sizes(self, eyes: Sight) -> None:
        mask = left(53, 37)
        guides = eyes.guides(mask, LAYERS)
        maps = eyes.look(noise(53, 37).pixels, LAYERS)
        assert {tap: g.shape[2:] for tap, g in guides.items() if g is not None} == {
            tap: m.shape[2:] for tap, m in maps.items()
        }
        assert eyes.guides(None, LAYERS) == dict.fromkeys(LAYERS)

    def test_gather_weighs_by_the_mask(self, eyes: Sight) -> None:
        pixels = noise(64, 32).pixels
        mask = left(64, 32)
        total, count = eyes.gather(pixels, ("relu1_1",), gram_sums, mask=mask)["relu1_1"]
        half = eyes.look(pixels, ("relu1_1",))["relu1_1"][..., :32]
        torch.testing.assert_close(total / count, gram_matrix(half), rtol=1e-3, atol=1e-3)


class TestDivide:
    def test_one_part_without_masks(self) -> None:
        scene = prepare(noise(40, 30), [painting(), painting(BLUE)], OnlineOptions(size=40, blend=(3, 1)))
        (part,) = scene.parts
        assert part.mask is None
        assert [(n, share, mask) for n, share, mask in part.styles] == [(0, 0.75, None), (1, 0.25, None)]

    def test_a_part_for_each_mask(self, tmp_path: Path) -> None:
        masks = (saved(tmp_path / "a.png", grey(left(40, 30))), saved(tmp_path / "b.png", grey(np.ones((30, 40)))))
        scene = prepare(noise(40, 30), [painting(), painting(BLUE)], OnlineOptions(size=40, mask=masks))
        first, second = scene.regions_at((20, 15))
        assert [s.share for r in (first, second) for s in r.samples] == [1, 1]
        assert first.mask is not None
        assert second.mask is not None
        assert first.mask.shape == (15, 20)
        np.testing.assert_allclose(first.mask[:, 2], 0.5, atol=0.01)  # both are white there
        np.testing.assert_allclose(second.mask[:, -2], 1, atol=0.01)
        assert first.area == pytest.approx(0.25, abs=0.02)

    def test_style_masks(self, tmp_path: Path) -> None:
        mask = saved(tmp_path / "m.png", grey(left(90, 90)))
        scene = prepare(noise(40, 30), [painting(side=60)], OnlineOptions(size=40, style_mask=(mask,)))
        assert any("90x90" in text for text in scene.notices) is False  # of the same shape: nothing to remark
        ((sample,),) = (region.samples for region in scene.regions_at((40, 30)))
        assert sample.mask is not None
        assert sample.mask.shape == sample.pixels.shape[:2]

    @pytest.mark.parametrize(
        ("values", "styles", "message"),
        [
            ({"style_mask": 1}, 2, "1 masks for 2 paintings"),
            ({"semantic": 1}, 1, "--semantic takes two maps"),
            ({"semantic": 2}, 2, "--semantic takes two maps"),
            ({"semantic": 2, "mask": 1}, 1, "--semantic takes two maps"),
        ],
    )
    def test_what_does_not_fit_is_refused(
        self, tmp_path: Path, values: dict[str, int], styles: int, message: str
    ) -> None:
        path = saved(tmp_path / "m.png", grey(left(40, 30)))
        options = OnlineOptions.from_dict({"size": 40, **{name: [path] * count for name, count in values.items()}})
        with pytest.raises(OptionError, match=message):
            prepare(noise(40, 30), [painting()] * styles, options)

    def test_maps_without_a_common_colour_are_refused(self, tmp_path: Path) -> None:
        red, blue = np.zeros((2, 30, 40, 3), np.float32)
        red[..., 0] = blue[..., 2] = 1
        maps = (saved(tmp_path / "here.png", red), saved(tmp_path / "there.png", blue))
        with pytest.raises(OptionError, match="no colour in common"):
            prepare(noise(40, 30), [painting()], OnlineOptions(size=40, semantic=maps))


class TestPicture:
    """A painting of two materials, each wanted in one half of the canvas, the wrong way round."""

    def warmth(self, pixels: Pixels) -> tuple[float, float]:
        columns = (pixels[..., 0] - pixels[..., 2]).mean(0)
        middle = len(columns) // 2
        return float(columns[: middle - 4].mean()), float(columns[middle + 4 :].mean())

    def test_style_mask(self, tmp_path: Path) -> None:
        flat, both = Picture(np.full((48, 64, 3), 0.5, np.float32)), two_halves()
        half = left(64, 64)
        masks = [saved(tmp_path / f"{n}.png", grey(m)) for n, m in (("left", half), ("right", 1 - half))]
        warm, cold = (
            sum(self.warmth(paint(GATYS, flat, both, size=64, steps=20, strength=1, style_mask=(m,)).picture.pixels))
            for m in masks
        )
        assert warm > cold + 0.2

    def test_semantic_maps(self, tmp_path: Path) -> None:
        flat, both = Picture(np.full((48, 64, 3), 0.5, np.float32)), two_halves()
        there, here = np.zeros((64, 64, 3), np.float32), np.zeros((48, 64, 3), np.float32)
        there[:, :32, 0] = there[:, 32:, 1] = 1  # the orange half red, the blue half green
        here[:, 32:, 0] = here[:, :32, 1] = 1
        maps = (saved(tmp_path / "here.png", here), saved(tmp_path / "there.png", there))
        painted = paint(GATYS, flat, both, size=64, steps=20, strength=1, semantic=maps).picture.pixels
        cold, warm = self.warmth(painted)
        assert warm > cold + 0.1


class TestMixedScales:
    def test_shapes_of_the_first_texture_of_the_second(self, eyes: Sight) -> None:
        large, fine = painting(side=64, period=40), painting(BLUE, 64, period=5)
        scene = prepare(noise(64, 64), [large, fine], OnlineOptions(size=64))
        mixed = mix_scales(scene, eyes, stop=StopSignal())
        (sample,) = mixed.regions_at((64, 64))[0].samples
        assert len(mixed.styles) == 1

        def shallow(pixels: Pixels) -> torch.Tensor:
            return gram_matrix(eyes.look(pixels, ("relu1_1",))["relu1_1"])

        wanted = shallow(fine.pixels)
        before, after = ((shallow(p) - wanted).norm() for p in (large.pixels, sample.pixels))
        assert after < 0.2 * before

    def test_methods_that_look_with_deep_layers_mix_with_the_encoders_usual_ones(self) -> None:
        styles = painting(side=48, period=30), painting(BLUE, 48)
        mixed, first = (
            paint(METHODS["cnnmrf"], noise(48, 48), *seen, size=48, mix_scales=len(seen) > 1, steps=2).picture.pixels
            for seen in (styles, styles[:1])
        )
        assert apart(mixed, first) > 1e-3

    def test_own_encoders_without_shallow_layers_are_refused(self, eyes: Sight) -> None:
        encoder = copy.copy(eyes.encoder)
        encoder.name = "mine"
        deep = dataclasses.replace(eyes, encoder=encoder, style=("relu3_1",))
        scene = prepare(noise(40, 40), [painting(), painting(BLUE)], OnlineOptions(size=40))
        with pytest.raises(OptionError, match="needs a style layer of stride 2 or less"):
            mix_scales(scene, deep, stop=StopSignal())

    def test_strotss_begins_in_the_colours_of_what_is_mixed(self) -> None:
        """Stopped at once, the mixture is the first painting itself: nothing of the other's colours is in it."""
        styles, stop = (painting(side=48), painting(BLUE, 48)), StopSignal()
        stop.set()
        begun = []
        for seen in (styles, styles[:1]):
            *_, done = events(
                METHODS["strotss"], noise(48, 48), *seen, size=48, mix_scales=len(seen) > 1, scales=1, stop=stop
            )
            assert isinstance(done, Done)
            begun.append(done.picture.pixels)
        assert apart(*begun) < 0.01

    def test_takes_two_paintings(self) -> None:
        with pytest.raises(OptionError, match="two paintings"):
            paint(GATYS, noise(40, 30), painting(), mix_scales=True)

    def test_is_an_option_of_the_method(self) -> None:
        content = noise(48, 48)
        runs = [
            paint(GATYS, content, painting(side=48, period=30), painting(BLUE, 48), size=48, mix_scales=m, steps=4)
            for m in (False, True)
        ]
        assert apart(*(run.picture.pixels for run in runs)) > 1e-3


def test_the_look_has_one_region_without_masks(eyes: Sight) -> None:
    scene = prepare(noise(40, 30), [painting()], GatysOptions(size=40))
    look = Look(eyes, scene.photo_at((40, 30)), scene.regions_at((40, 30)), scene.start)
    assert look.size == (40, 30)
    assert look.guides(look.regions[0]) == dict.fromkeys(LAYERS)
    assert set(look.content()) == {"relu4_2"}
    assert set(look.style(look.regions[0].samples[0], ("image", "relu1_1"))) == {"image", "relu1_1"}


def test_a_photo_in_the_colours_of_its_paintings(tmp_path: Path) -> None:
    mask = np.zeros((30, 40), np.float32)
    mask[:, :20] = 1
    paintings = [painting(), painting(BLUE)]
    write(Picture(np.repeat(mask[..., None], 3, 2)), tmp_path / "left.png")
    write(Picture(np.repeat(1 - mask[..., None], 3, 2)), tmp_path / "right.png")
    options = OnlineOptions(size=40, mask=(tmp_path / "left.png", tmp_path / "right.png"))
    found = prepare(noise(40, 30), paintings, options).in_style_colours()
    warmth = found[..., 0] - found[..., 2]
    assert warmth[:, :20].mean() > warmth[:, 20:].mean() + 0.1
    half = prepare(noise(40, 30), paintings, OnlineOptions(size=40)).in_style_colours()
    assert warmth[:, 20:].mean() < (half[..., 0] - half[..., 2]).mean() < warmth[:, :20].mean()


class TestColoursOfRegions:
    """Photo red on the left, blue on the right; what a region's painting is to look like is a matter of that region."""

    @pytest.fixture
    def photo(self) -> Picture:
        side = left(64, 48)[..., None]
        return Picture((side * (0.8, 0.2, 0.2) + (1 - side) * (0.2, 0.2, 0.8)).astype(np.float32))

    @pytest.mark.parametrize("rule", ["linear", "histogram"])
    def test_each_painting_takes_its_own_regions_colours(self, photo: Picture, tmp_path: Path, rule: str) -> None:
        side = left(64, 48)
        masks = (saved(tmp_path / "l.png", grey(side)), saved(tmp_path / "r.png", grey(1 - side)))
        options = GatysOptions.from_dict({"keep_color": rule, "mask": masks, "size": 64})
        first, second = prepare(photo, [painting(side=64), painting(BLUE, 64)], options).styles
        assert np.allclose(first.mean((0, 1)), (0.8, 0.2, 0.2), atol=0.05)
        assert np.allclose(second.mean((0, 1)), (0.2, 0.2, 0.8), atol=0.05)

    def test_a_draft_after_a_part_of_a_painting_begins_with_the_photo(self, photo: Picture, tmp_path: Path) -> None:
        mask = saved(tmp_path / "m.png", grey(left(64, 64)))
        told = {"quality": "draft", "style_mask": (mask,), "size": 64}
        assert np.array_equal(prepare(photo, [two_halves()], GatysOptions.from_dict(told)).start, photo.pixels)
        with pytest.raises(OptionError, match="--init fast"):
            prepare(photo, [two_halves()], GatysOptions.from_dict({**told, "init": "fast"}))

    @pytest.mark.parametrize(("white", "share"), [(0.04, 1.0), (1.0, 0.0005)])
    def test_a_mask_that_lets_next_to_nothing_through_is_remarked_on(
        self, tmp_path: Path, white: float, share: float
    ) -> None:
        mask = np.zeros((64, 64), np.float32)
        mask.flat[: max(1, round(share * mask.size))] = white
        _, remarks = read_mask(saved(tmp_path / "m.png", grey(mask)), (64, 64))
        assert len(remarks) == 1
        assert "white" in remarks[0]
