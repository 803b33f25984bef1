"""Textures from noise: the exemplar's statistics, its own scale, any size, and borders that fit each other."""

from __future__ import annotations

from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest
import torch

from impasto.errors import LimitError, OptionError, PictureError
from impasto.events import Done, Event, Progress, Started
from impasto.image import resize
from impasto.losses import IMAGE, Loss
from impasto.methods import METHODS
from impasto.online import gatys
from impasto.online import texture as texture_job
from impasto.online.evaluation import Evaluation
from impasto.online.gatys import GatysOptions
from impasto.online.look import Look, Region, Sample
from impasto.online.spot_noise import spot_noise
from impasto.online.texture import Palette, WrappedVariation, _eyes, calmest, read_at, resize_wrapped, synthesise
from impasto.picture import Picture, Pixels
from methods_base import BLUE, apart, painting, photo, ready_once

LITE = "efficientnet-lite0"
PLAIN = Palette(np.full(3, 0.5), np.eye(3), np.ones(3))
"""Every colour can occur."""


@pytest.fixture(autouse=True)
def _shared_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One encoder that goes on at its other border for all tests too."""
    monkeypatch.setattr(texture_job, "ready", ready_once)


def events(*styles: Picture, options: GatysOptions | None = None, **values: Any) -> list[Event]:
    """Those of a short run; size, tileable, model and stop are the job's, all else options."""
    job = {name: values.pop(name) for name in ("size", "tileable", "stop", "model") if name in values}
    chosen = options or GatysOptions(**{"steps": 3, **values})
    return list(synthesise(styles, chosen, **{"model": gatys.texture, "stop": StopSignal(), **job}))


def run(*styles: Picture, **values: Any) -> Done:
    done = events(*styles, **values)[-1]
    assert isinstance(done, Done)
    return done


def gram_error(found: Pixels, target: Pixels) -> float:
    """Mean over the shallow style layers of the Gram matrices' relative distance."""
    sight, _ = _eyes(GatysOptions(), PLAIN, tileable=False)
    taps = ("relu1_1", "relu2_1", "relu3_1")
    errors = []
    for one, other in zip(*(sight.look(p, taps).values() for p in (found, target)), strict=True):
        a, b = (f[0].flatten(1) @ f[0].flatten(1).T / f[0, 0].numel() for f in (one, other))
        errors.append(float((a - b).norm() / b.norm()))
    return sum(errors) / len(errors)


def seam(pixels: Pixels) -> float:
    """The mean step across the borders, in units of the mean step inside, the larger of both directions."""
    steps = [(np.abs(np.diff(pixels, axis=axis)).mean(), np.abs(pixels.take(0, axis) - pixels.take(-1, axis)).mean())
             for axis in (0, 1)]  # fmt: skip
    return float(max(across / inside for inside, across in steps))


def steepest(pixels: Pixels) -> float:
    """The largest mean step from one row or column to the next, around the border too, in units of the median one."""
    steps = [np.abs(pixels - np.roll(pixels, 1, axis)).mean((1 - axis, 2)) for axis in (0, 1)]
    return float(max(s.max() / np.median(s) for s in steps))


class TestTexture:
    def test_its_statistics_are_the_exemplars(self) -> None:
        exemplar = painting(side=48)
        shuffled = np.random.default_rng(0).permutation(exemplar.pixels.reshape(-1, 3)).reshape(48, 48, 3)
        done = run(exemplar, size=(48, 48), steps=30)
        begun = spot_noise([exemplar.pixels], [1.0], (48, 48), 0)
        found, start, worst = (gram_error(p, exemplar.pixels) for p in (done.picture.pixels, begun, shuffled))
        assert found < 0.4 * start
        assert found < 0.25 * worst

    def test_it_is_not_the_exemplar(self) -> None:
        exemplar = painting(side=48)
        assert apart(run(exemplar, size=(48, 48), steps=20).picture.pixels, exemplar.pixels) > 0.05

    def test_the_seed_decides(self) -> None:
        one, same, other = (run(painting(), encoder=LITE, seed=seed).picture.pixels for seed in (1, 1, 2))
        assert np.array_equal(one, same)
        assert apart(one, other) > 0.01

    def test_a_mixture_lies_between(self) -> None:
        first, second = painting(side=48), painting(BLUE, 48)
        means = [
            run(first, second, blend=blend, size=(48, 48), encoder=LITE).picture.pixels.mean((0, 1))
            for blend in ((1, 0), (1, 1), (0, 1))
        ]
        red = [float(mean[0] - mean[2]) for mean in means]
        assert red[0] > red[1] > red[2]

    def test_stopping_leaves_a_whole_picture(self) -> None:
        stop = StopSignal()
        told = []
        for event in synthesise(
            [painting()], GatysOptions(encoder=LITE, steps=50), model=gatys.texture, size=(80, 48), stop=stop
        ):
            told.append(event)
            if isinstance(event, Progress):
                stop.set()
        assert isinstance(told[-1], Done)
        assert told[-1].stopped
        assert told[-1].picture.size == (80, 48)
        assert sum(isinstance(event, Progress) for event in told) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("name", [m.name for m in METHODS.values() if m.texture and m.ready])
    def test_every_texture_model_can_be_used_alone(self, name: str) -> None:
        from impasto.api import texture

        chosen = METHODS[name].options_class.from_dict({"steps": 4, "scales": 1})
        losses: list[float] = []
        made = texture(
            painting(side=48), options=chosen, size=(64, 48),
            on_event=lambda e: losses.append(e.losses["total"]) if isinstance(e, Progress) else None,
        )  # fmt: skip
        assert made.size == (64, 48)
        assert losses[-1] < losses[0]
        assert made.settings["method"] == name


class TestScale:
    @staticmethod
    def seen(exemplar: Picture, **values: Any) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
        """(width, height) of each canvas, and the shape of the exemplar beside it."""
        found = []

        def model(look: Look, region: Region, options: GatysOptions) -> Loss:
            found.append((look.size, region.samples[0].pixels.shape[:2]))
            return gatys.texture(look, region, options)

        run(exemplar, model=model, encoder=LITE, **values)
        return found

    def test_a_larger_canvas_shows_more_not_larger_grains(self) -> None:
        exemplar = painting(side=64)
        assert self.seen(exemplar, size=(64, 64)) == [((64, 64), (64, 64))]
        assert self.seen(exemplar, size=(160, 96)) == [((160, 96), (64, 64))]

    def test_canvas_and_exemplar_shrink_by_one_factor(self) -> None:
        found = self.seen(painting(side=200), size=(300, 200), steps=6)
        assert found == [((75, 50), (50, 50)), ((150, 100), (100, 100)), ((300, 200), (200, 200))]

    def test_style_scale_enlarges_the_grains(self) -> None:
        assert self.seen(painting(side=64), size=(64, 64), style_scale=1.5, scales=1) == [((64, 64), (96, 96))]

    def test_a_canvas_rounded_up_has_an_exemplar_as_much_larger(self) -> None:
        ((canvas, exemplar),) = TestScale.seen_tiled(size=(40, 40))
        assert canvas == (48, 48)
        assert exemplar == (58, 58)  # 48 of the exemplar's own pixels, times 48 / 40

    @staticmethod
    def seen_tiled(**values: Any) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
        found = []

        def model(look: Look, region: Region, options: GatysOptions) -> Loss:
            found.append((look.size, region.samples[0].pixels.shape[:2]))
            return gatys.texture(look, region, options)

        run(painting(side=48), model=model, tileable=True, steps=1, **values)
        return found

    def test_large_exemplars_are_read_smaller(self) -> None:
        large = Picture(np.zeros((300, 1500, 3), np.float32))
        assert read_at(large, 1).shape == (128, 512, 3)  # the middle 1200 columns, at 512

    def test_the_default_size_is_the_exemplars(self) -> None:
        assert run(Picture(photo(side=80).pixels[:40]), encoder=LITE).picture.size == (80, 40)

    def test_one_number_is_the_long_side(self) -> None:
        assert run(Picture(photo(side=80).pixels[:40]), encoder=LITE, size=60).picture.size == (60, 30)


class TestFewFeatures:
    """Where an exemplar has few features in a layer, their statistics would be the exemplar itself."""

    @staticmethod
    def layers(**values: Any) -> list[tuple[int, tuple[str, ...]]]:
        """(width of the canvas, the layers that its model is of), of each scale."""
        found = []

        def model(look: Look, region: Region, options: GatysOptions) -> Loss:
            found.append((look.size[0], look.sight.style))
            return gatys.texture(look, region, options)

        run(painting(side=128), scales=2, steps=4, model=model, **values)
        return found

    def test_deep_layers_have_no_say_at_coarse_scales(self) -> None:
        usual = _eyes(GatysOptions(), PLAIN, tileable=False)[0].style
        (coarse, few), (fine, more) = self.layers()
        assert (coarse, fine) == (64, 128)
        assert few == usual[: len(few)]
        assert more == usual[: len(more)]
        assert 0 < len(few) < len(more) <= len(usual)

    def test_a_single_layer_is_kept(self) -> None:
        assert {style for _, style in self.layers(style_layers=("relu5_1",))} == {("relu5_1",)}


class TestTileable:
    @pytest.mark.parametrize("exemplar", [painting(side=64, period=24), painting(side=64)], ids=["broad", "fine"])
    def test_the_seam_is_no_steeper_than_the_inside(self, exemplar: Picture) -> None:
        made = run(exemplar, size=(64, 48), tileable=True, steps=30).picture.pixels
        assert made.shape == (48, 64, 3)
        assert seam(made) <= 1.001
        bordered = run(exemplar, size=(64, 48), steps=30).picture.pixels
        # nowhere, since the border may have been pushed inside; by chance it is a third more or less
        assert steepest(made) < min(1.35 * steepest(bordered), steepest(exemplar.pixels))

    def test_sizes_that_pooling_would_cut_are_kept(self) -> None:
        made = run(painting(side=48), size=(50, 41), tileable=True, steps=12, scales=1).picture
        assert made.size == (50, 41)
        assert seam(made.pixels) <= 1.001

    def test_in_bf16(self) -> None:
        made = run(painting(side=48), size=(48, 32), tileable=True, precision="bf16").picture
        assert made.size == (48, 32)
        assert seam(made.pixels) <= 1.001

    def test_the_canvas_has_no_border(self) -> None:
        """A picture pushed over its border, by what pooling steps over, looks the same."""
        options = GatysOptions(precision="fp32")
        sight, wrapped = _eyes(options, PLAIN, tileable=True)
        image = painting(side=48)
        look = Look(sight, image.pixels, (region := Region((Sample(photo(side=48).pixels),)),), image.pixels)
        loss = gatys.texture(look, region, options)
        one, other = (
            Evaluation(wrapped.encoder, loss)(torch.roll(sight.tensor(image.pixels), shift, (2, 3)))
            for shift in ((0, 0), (16, 32))
        )
        assert one[0] == pytest.approx(other[0], rel=1e-5)
        assert torch.allclose(one[1].roll((16, 32), (2, 3)), other[1], atol=1e-4 * float(one[1].abs().max()))

    def test_what_is_beyond_an_exemplars_border_is_its_mirror_image(self) -> None:
        """Neither a seam nor black must be learnt: both are statistics that a tile cannot have."""
        sight, canvas = _eyes(GatysOptions(), PLAIN, tileable=True)
        pixels = photo(side=80).pixels[:48, :48].copy()
        mirrored = np.pad(pixels, ((16, 16), (16, 16), (0, 0)), mode="reflect")
        here = sight.look(pixels, ("relu1_1",))["relu1_1"]
        assert torch.allclose(here, canvas.look(mirrored, ("relu1_1",))["relu1_1"][..., 16:-16, 16:-16], atol=1e-2)

    def test_the_border_is_where_it_shows_least(self) -> None:
        pixels = photo(side=80).pixels
        pushed = calmest(pixels)
        steps = [np.abs(pushed - np.roll(pushed, 1, axis)).mean((1 - axis, 2)) for axis in (0, 1)]
        assert [int(s.argmin()) for s in steps] == [0, 0]
        assert np.array_equal(np.sort(pushed.ravel()), np.sort(pixels.ravel()))

    def test_smoothness_goes_over_the_border(self) -> None:
        image = torch.rand(1, 3, 6, 8, generator=torch.manual_seed(0))
        loss = WrappedVariation()
        assert loss({IMAGE: image}) == pytest.approx(float(loss({IMAGE: image.roll((2, 3), (2, 3))})))
        steps = [(image - image.roll(1, axis)).square().sum() for axis in (2, 3)]
        assert float(loss({IMAGE: image})) == pytest.approx(float(sum(steps)) / image.numel())

    def test_encoders_without_a_choice_of_padding_are_refused(self) -> None:
        with pytest.raises(OptionError, match=f"{LITE} cannot see a picture go on .*; mend: --encoder vgg19"):
            run(painting(), encoder=LITE, tileable=True)


class TestWrappedResize:
    @pytest.mark.parametrize("size", [(64, 48), (24, 18), (45, 40), (32, 24)])
    def test_pushing_the_picture_over_its_border_pushes_the_result(self, size: tuple[int, int]) -> None:
        pixels = photo(side=80).pixels[:24, :32].copy()
        made = resize_wrapped(pixels, size)
        assert made.shape == (size[1], size[0], 3)
        pushed = resize_wrapped(np.roll(pixels, (24 // np.gcd(24, size[1]), 32 // np.gcd(32, size[0])), (0, 1)), size)
        back = np.roll(pushed, (-size[1] // np.gcd(24, size[1]), -size[0] // np.gcd(32, size[0])), (0, 1))
        assert np.abs(back - made).max() < 1e-5

    def test_the_middle_is_resized_as_ever(self) -> None:
        pixels = photo(side=80).pixels[:40, :40].copy()
        assert np.allclose(resize_wrapped(pixels, (80, 80))[16:-16, 16:-16], resize(pixels, (80, 80))[16:-16, 16:-16])


class TestPalette:
    def test_mean_and_covariance_of_its_noise_are_the_exemplars(self) -> None:
        exemplar = 0.5 + 0.3 * (photo(side=80).pixels - 0.5)  # dim, so that nothing is cut off
        noise = Palette.of([exemplar], [1.0]).noise((200, 150), 3)
        assert noise.shape == (150, 200, 3)
        assert np.allclose(noise.mean((0, 1)), exemplar.mean((0, 1)), atol=0.005)
        assert np.allclose(np.cov(noise.reshape(-1, 3).T), np.cov(exemplar.reshape(-1, 3).T), rtol=0.1, atol=2e-4)

    def test_flat_exemplars_give_flat_noise(self) -> None:
        flat = np.full((40, 40, 3), 0.25, np.float32)
        assert np.allclose(Palette.of([flat], [1.0]).noise((8, 8), 0), 0.25, atol=1e-3)

    def test_the_nearest_colours_of_a_grey_exemplar_are_grey(self) -> None:
        grey = np.repeat(photo(side=80).pixels[..., :1], 3, 2)
        palette = Palette.of([grey], [1.0])
        assert not palette.full
        found = palette.nearest(photo(side=80).pixels)
        assert np.ptp(found, axis=2).max() < 1e-5
        assert np.allclose(palette.nearest(grey), grey, atol=1e-5)

    def test_one_with_every_colour_changes_nothing(self) -> None:
        pixels = photo(side=80).pixels
        assert Palette.of([pixels], [1.0]).nearest(pixels) is pixels

    def test_a_grey_exemplar_gives_a_grey_texture(self) -> None:
        grey = Picture(np.repeat(photo(side=80).pixels[:40, :40, :1], 3, 2))
        made = run(grey, encoder=LITE, steps=6).picture.pixels
        assert np.ptp(made, axis=2).max() < 0.004
        assert made.std() > 0.02


class TestRefusals:
    @pytest.mark.parametrize(
        ("option", "value"), [("strength", 0.2), ("keep_color", "linear"), ("init", "noise"), ("mask", ("m.png",))]
    )
    def test_options_that_need_a_photo(self, option: str, value: Any) -> None:
        with pytest.raises(OptionError, match=f"a texture has no photo; leave --{option.replace('_', '-')} out"):
            run(painting(), **{option: value})

    @pytest.mark.parametrize("size", [(8, 64), (64, 40000), (0, 0), 5])
    def test_sizes_out_of_range(self, size: Any) -> None:
        with pytest.raises(OptionError, match=r"--size .* is out of range; give WIDTHxHEIGHT from 16 to 32768"):
            run(painting(), size=size)

    def test_exemplars_that_show_nothing(self) -> None:
        with pytest.raises(PictureError, match=r"shows no texture in 20x20 pixels; mend: .* at least 32x32"):
            run(Picture(np.zeros((20, 20, 3), np.float32)))

    def test_blends_that_do_not_fit(self) -> None:
        with pytest.raises(OptionError, match="--blend has 2 weights for 1 styles"):
            run(painting(), blend=(1, 2))

    def test_results_beyond_memory(self) -> None:
        with pytest.raises(LimitError, match=r"takes .* GB of memory"):
            run(painting(), size=(32000, 32000))

    def test_methods_without_a_texture_model(self) -> None:
        from impasto import FastOptions, texture

        with pytest.raises(
            OptionError, match="fast has no texture model that can be used alone; methods that do: gatys"
        ):
            texture(painting(), options=FastOptions())


def test_smoothness_is_added_when_asked_for() -> None:
    rough, smooth = (run(painting(), encoder=LITE, steps=10, tv=tv).losses for tv in (0, 5))
    assert "tv" not in rough
    assert smooth["tv"] > 0


def test_started_tells_the_result() -> None:
    first = events(painting(), size=(90, 40), steps=5, encoder=LITE)[0]
    assert isinstance(first, Started)
    assert (first.size, first.steps) == ((90, 40), 5)
