"""What layers remember: nearly all in the first, less and less after it; and their statistics, which forget where."""

from __future__ import annotations

from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

import impasto
from impasto.errors import LimitError, OptionError
from impasto.events import Done, Event, Progress, Started
from impasto.losses import Loss
from impasto.methods import METHODS
from impasto.online import gatys
from impasto.online.gatys import GatysOptions
from impasto.online.inversion import feature_errors, invert
from impasto.online.look import Look, Region
from impasto.online.sight import open_eyes
from impasto.picture import Picture, Pixels
from methods_base import apart, painting, photo

LITE = "efficientnet-lite0"


def events(image: Picture, *layers: str, **values: Any) -> list[Event]:
    """Those of a short run; model and stop are the job's, all else options."""
    job = {name: values.pop(name) for name in ("model", "stop") if name in values}
    return list(invert(image, layers, GatysOptions(**{"steps": 3, **values}), **{"stop": StopSignal(), **job}))


def run(image: Picture, *layers: str, **values: Any) -> Done:
    done = events(image, *layers, **values)[-1]
    assert isinstance(done, Done)
    return done


def features(pixels: Pixels, layer: str) -> Any:
    sight = open_eyes(GatysOptions(), (), (layer,))
    return sight.look(pixels, (layer,))[layer].double()


def test_the_first_layer_remembers_nearly_all() -> None:
    image = photo(side=48)
    done = run(image, "relu1_1", steps=60)
    one, other = (features(p, "relu1_1") for p in (done.picture.pixels, image.pixels))
    error = float((one - other).norm() / other.norm())
    assert error < 0.02
    assert done.losses["error relu1_1"] == pytest.approx(error, rel=1e-3)
    assert apart(done.picture.pixels, image.pixels) < 0.02


@pytest.mark.slow
def test_deeper_layers_remember_less() -> None:
    image = photo(side=48)
    away = [
        apart(run(image, layer, steps=30).picture.pixels, image.pixels) for layer in ("relu1_1", "relu3_1", "relu5_1")
    ]
    assert away[0] < 0.5 * away[1]
    assert away[1] < away[2]


def test_the_error_is_relative_to_the_pictures_own_features() -> None:
    sight = open_eyes(GatysOptions(), (), ("relu2_1",))
    one, other = photo(side=48).pixels, np.zeros((32, 48, 3), np.float32)
    assert feature_errors(sight, one, one) == {"relu2_1": 0}
    found, target = features(other, "relu2_1"), features(one, "relu2_1")
    expected = float((found - target).norm() / target.norm())
    assert feature_errors(sight, other, one)["relu2_1"] == pytest.approx(expected, rel=1e-4)


def test_several_layers_are_all_told() -> None:
    done = run(photo(), "relu1_1", "relu2_1", steps=10)
    assert {name for name in done.losses if name.startswith("error ")} == {"error relu1_1", "error relu2_1"}
    assert max(done.losses["error relu1_1"], done.losses["error relu2_1"]) < 0.5


def test_it_begins_with_noise_alone() -> None:
    """After one step nothing of the photo is there yet: no part of it is in the start."""
    image = photo(side=48)
    made = run(image, "relu4_1", steps=1).picture.pixels
    assert abs(np.corrcoef(made.mean(2).ravel(), image.pixels.mean(2).ravel())[0, 1]) < 0.25


def test_more_smoothness_has_less_grain() -> None:
    rough, smooth = (run(photo(), "relu2_1", steps=15, tv=tv).picture.pixels for tv in (0, 30))
    grain = [np.abs(np.diff(p, axis=1)).mean() for p in (rough, smooth)]
    assert grain[1] < 0.8 * grain[0]


def test_the_seed_decides() -> None:
    one, same, other = (run(photo(), "block1_1", encoder=LITE, seed=s).picture.pixels for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert apart(one, other) > 0.001


def test_small_pictures_are_not_enlarged_and_large_ones_shrunk() -> None:
    assert run(photo(side=48), "stem", encoder=LITE).picture.size == (48, 32)
    assert run(photo(side=96), "stem", encoder=LITE, size=48).picture.size == (48, 32)


def test_started_tells_one_scale() -> None:
    told = events(photo(side=300), "stem", encoder=LITE, steps=2)
    assert isinstance(told[0], Started)
    assert [e.size for e in told if isinstance(e, Progress)] == [(300, 200)] * 2


def test_stopping_leaves_a_picture_with_its_errors() -> None:
    stop = StopSignal()
    told = []
    for event in invert(photo(), ["stem"], GatysOptions(encoder=LITE, steps=50), stop=stop):
        told.append(event)
        if isinstance(event, Progress):
            stop.set()
    done = told[-1]
    assert isinstance(done, Done)
    assert done.stopped
    assert "error stem" in done.losses


class TestStatistics:
    @staticmethod
    def look(*layers: str, **values: Any) -> Look:
        """What a texture model is shown."""
        found: list[Look] = []

        def model(look: Look, region: Region, options: GatysOptions) -> Loss:
            found.append(look)
            return gatys.texture(look, region, options)

        run(photo(), *layers, model=model, steps=1, **values)
        return found[0]

    def taps(self, *layers: str) -> tuple[str, ...]:
        return self.look(*layers).sight.style

    def test_one_layer_stands_for_all_up_to_it(self) -> None:
        assert self.taps("relu1_1") == ("relu1_1",)
        assert self.taps("relu3_1") == ("relu1_1", "relu2_1", "relu3_1")
        assert self.taps("relu3_1", "relu3_1") == self.taps("relu3_1")
        assert self.taps("relu3_3") == ("relu1_1", "relu2_1", "relu3_1", "relu3_3")

    def test_several_are_those(self) -> None:
        assert self.taps("relu2_1", "relu3_2") == ("relu2_1", "relu3_2")

    def test_what_is_remembered_is_not_turned(self) -> None:
        assert self.look("relu1_1").upright

    def test_they_forget_where(self) -> None:
        """The statistics agree, the pixels do not; features of the same layer keep both."""
        image = painting(side=48)
        made = run(image, "relu2_1", model=gatys.texture, steps=40)
        kept = run(image, "relu2_1", steps=40)
        grams = []
        for pixels in (made.picture.pixels, image.pixels):
            flat = features(pixels, "relu2_1")[0].flatten(1)
            grams.append(flat @ flat.T / flat.shape[1])
        assert float((grams[0] - grams[1]).norm() / grams[1].norm()) < 0.25
        assert apart(made.picture.pixels, image.pixels) > 1.5 * apart(kept.picture.pixels, image.pixels)
        assert not any(name.startswith("error") for name in made.losses)


class TestRefusals:
    def test_unknown_layers_are_refused_with_a_list(self) -> None:
        with pytest.raises(OptionError, match=r"vgg19 has no layer 'relu9_9'; it has: conv1_1, .*pool5"):
            run(photo(), "relu9_9")

    def test_no_layers(self) -> None:
        with pytest.raises(OptionError, match=r"give at least one layer, such as --layer relu3_1"):
            run(photo())

    @pytest.mark.parametrize("model", [None, gatys.texture])
    def test_pictures_too_small_for_a_layer(self, model: Any) -> None:
        small = Picture(photo(side=48).pixels[:12, :12].copy())
        with pytest.raises(LimitError, match=r"12x12 is too small for vgg19's relu5_1; mend: .* at least 16x16"):
            run(small, "relu5_1", model=model)

    def test_pictures_made_too_small_for_a_layer(self) -> None:
        """The size that the message names will do, and no smaller one."""
        with pytest.raises(LimitError, match=r"16x11 is too small for vgg19's relu5_1; mend: --size 24$"):
            run(photo(side=48), "relu5_1", size=16)
        with pytest.raises(LimitError, match="too small"):
            run(photo(side=48), "relu5_1", size=22)
        assert run(photo(side=48), "relu5_1", size=24, steps=1).picture.size == (24, 16)

    @pytest.mark.parametrize(("option", "value"), [("strength", 0.2), ("style_scale", 2), ("preset", "paper")])
    def test_options_that_would_change_nothing(self, option: str, value: Any) -> None:
        with pytest.raises(
            OptionError, match=f"there is one picture, and no painting; leave --{option.replace('_', '-')} out"
        ):
            run(photo(), "stem", encoder=LITE, **{option: value})


def test_the_front_door() -> None:
    made = impasto.reconstruct(photo(), "stem", options=GatysOptions(encoder=LITE, steps=2))
    assert made.settings["layers"] == ["stem"]
    assert made.settings["style"] is False
    styled = impasto.reconstruct(
        photo(), ["stem", "block1_1"], style=True, options=METHODS["gatys"].options_class.from_dict(
            {"encoder": LITE, "steps": 2}
        )
    )  # fmt: skip
    assert styled.settings["method"] == "gatys"
    assert apart(made.pixels, styled.pixels) > 0.01


def test_statistics_forget_where_things_are() -> None:
    """Also those of nnst, which looks for neighbours of the photo's features when there is a photo."""
    content = photo(side=48)
    options = METHODS["nnst"].options_class.from_dict({"steps": 20, "size": 48})
    made = impasto.reconstruct(content.pixels, "relu3_1", style=True, options=options).pixels
    assert abs(float(np.corrcoef(made.ravel(), content.pixels.ravel())[0, 1])) < 0.5
