"""What every method promises. A new row in METHODS is put to these tests by tests/online/test_methods.py."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

from impasto import machine
from impasto.errors import ImpastoError, LimitError, OptionError
from impasto.events import Done, Event, Progress, Started
from impasto.image import fit, read, resize_picture
from impasto.methods import Method, run
from impasto.online.sight import ready
from impasto.options import StylizeOptions
from impasto.picture import Picture, Pixels

PHOTOS = Path(__file__).parents[1] / "examples" / "photos"

SMALL = 40
"""Long side of the pictures that tests paint."""


ORANGE, BLUE = (0.9, 0.3, 0.1), (0.1, 0.3, 0.9)


def photo(name: str = "chelsea", side: int = SMALL) -> Picture:
    """One of the examples' photographs, small."""
    opened = read(PHOTOS / f"{name}.jpg")
    return resize_picture(opened, fit(opened.size, side))


def painting(hue: Sequence[float] = ORANGE, side: int = SMALL, *, period: float = 6.0) -> Picture:
    """Slanting strokes of one colour on its complement: nothing that a photograph has."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    wave = (0.5 + 0.5 * np.sin((x + 0.6 * y + 3 * np.sin(y / 5)) * 2 * np.pi / period))[..., None]
    colour = np.asarray(hue, np.float32)
    return Picture((wave * colour + (1 - wave) * (1 - colour) * 0.6).astype(np.float32))


def pale() -> Picture:
    """A painting much lighter and bluer than any photograph here."""
    return Picture(0.5 + 0.5 * painting(BLUE).pixels)


def noise(width: int, height: int, seed: int = 0) -> Picture:
    return Picture(np.random.default_rng(seed).random((height, width, 3), np.float32))


FEWER = {"w2": ("relu1_1", "relu2_1", "relu3_1"), "strotss": ("relu1_1", "relu3_1", "relu4_1")}
"""Style layers for the methods whose cost is that of channels times channels, however small the picture."""


def quick(method: Method, **values: Any) -> StylizeOptions:
    """A method's options for a small picture in a moment; those it does not have are left out."""
    known = {spec.name for spec in method.options_class.specs()}
    usual = {"size": SMALL, "steps": 3, **values}
    if method.name in FEWER and "encoder" not in values:
        usual.setdefault("style_layers", FEWER[method.name])
    return method.options_class(**{name: value for name, value in usual.items() if name in known})


def takes_steps(method: Method) -> bool:
    return any(spec.name == "steps" for spec in method.options_class.specs())


def events(
    method: Method, content: Picture, *styles: Picture, stop: StopSignal | None = None, **values: Any
) -> list[Event]:
    return list(run(content, styles, quick(method, **values), stop=stop))


def paint(method: Method, content: Picture, *styles: Picture, **values: Any) -> Done:
    """The last event of a run that nobody stopped."""
    *_, done = events(method, content, *styles, **values)
    assert isinstance(done, Done)
    assert not done.stopped
    return done


def in_colours(method: Method, content: Picture, style: Picture, rule: str) -> tuple[Pixels, Pixels]:
    """What comes out in the painting's colours, and in the photo's by a rule."""
    free, kept = (
        paint(method, content, style, keep_color=r, steps=8, strength=1).picture.pixels for r in ("none", rule)
    )
    return free, kept


def chroma(pixels: Pixels) -> Pixels:
    """Red and blue against green, (H, W, 2): none in grey."""
    return np.stack([pixels[..., 0] - pixels[..., 1], pixels[..., 2] - pixels[..., 1]], -1)


def apart(a: Pixels, b: Pixels) -> float:
    """Mean absolute difference."""
    return float(np.abs(a - b).mean())


@pytest.fixture
def encoders_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Online methods share one encoder of each kind: decoding VGG-19 takes longer than a step."""
    from impasto.online import sight

    monkeypatch.setattr(sight, "ready", ready_once)


ready_once = functools.cache(ready)


class MethodTests:
    """Base of every method's tests; `method` is a fixture that a subclass gives."""

    def test_first_comes_started_and_last_done(self, method: Method) -> None:
        first, *_, last = events(method, photo(), painting(), preview_every=2)
        steps = 3 if takes_steps(method) else 0
        assert first == Started(method.name, photo().size, steps)
        assert isinstance(last, Done)
        assert last.seconds > 0

    def test_result_is_a_picture_of_the_size_that_was_asked_for(self, method: Method) -> None:
        result = paint(method, photo(side=80), painting(), size=40).picture
        assert result.size == fit(photo(side=80).size, 40)
        assert result.pixels.dtype == np.float32
        assert np.isfinite(result.pixels).all()
        assert result.pixels.min() >= 0
        assert result.pixels.max() <= 1

    def test_something_is_painted_and_the_style_matters(self, method: Method) -> None:
        red, blue = (paint(method, photo(), painting(hue)).picture.pixels for hue in (ORANGE, BLUE))
        assert apart(red, photo().pixels) > 0.01
        warmth = [float((pixels[..., 0] - pixels[..., 2]).mean()) for pixels in (red, blue)]
        assert warmth[0] > warmth[1] + 0.005

    @pytest.mark.parametrize(("content", "style"), [((17, 31), (31, 17)), ((31, 17), (14, 50)), ((19, 19), (1, 1))])
    def test_odd_sizes(self, method: Method, content: tuple[int, int], style: tuple[int, int]) -> None:
        assert paint(method, noise(*content), noise(*style), size=max(content)).picture.size == content

    def test_a_long_strip(self, method: Method) -> None:
        """A panorama whose coarser scales would be too thin for the encoder."""
        assert paint(method, noise(300, 20), painting(), size=300).picture.size == (300, 20)

    @pytest.mark.parametrize("content", [(1, 1), (1, 40), (40, 2), (40, 30)])
    @pytest.mark.parametrize("style", [(40, 40), (1, 64)])
    def test_too_small_works_or_is_refused_plainly(
        self, method: Method, content: tuple[int, int], style: tuple[int, int]
    ) -> None:
        side = max(*content, 16)
        try:
            result = paint(method, noise(*content), noise(*style), size=side, steps=1).picture
        except ImpastoError as error:
            message = str(error)
            assert "\n" not in message
            assert "too small" in message
            assert min(*content, *style) < 16
        else:
            assert result.size == fit(content, side)

    def test_grey_photo_and_grey_painting(self, method: Method) -> None:
        grey = [Picture(np.repeat(p.pixels.mean(2, keepdims=True), 3, 2)) for p in (photo(), painting())]
        result = paint(method, *grey, keep_color="luminance", steps=8).picture.pixels
        assert np.abs(chroma(result)).max() < 0.02
        assert apart(result, grey[0].pixels) > 0.005

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_a_flat_photo(self, method: Method, value: float) -> None:
        flat = Picture(np.full((30, 40, 3), value, np.float32))
        assert np.isfinite(paint(method, flat, painting(), keep_color="linear").picture.pixels).all()

    def test_alpha_and_exif_are_kept(self, method: Method) -> None:
        alpha = np.zeros((60, 80), np.float32)
        alpha[:, 40:] = 1
        content = Picture(noise(80, 60).pixels, alpha=alpha, exif=b"Exif", bit_depth=16)
        result = paint(method, content, painting(), size=40).picture
        assert result.alpha is not None
        assert result.alpha.shape == (30, 40)
        assert result.alpha[:, :18].max() < 0.01
        assert result.alpha[:, 22:].min() > 0.99
        assert (result.exif, result.bit_depth) == (b"Exif", 16)

    def test_alpha_of_the_painting_is_not_the_results(self, method: Method) -> None:
        style = Picture(painting().pixels, alpha=np.full((SMALL, SMALL), 0.5, np.float32))
        assert paint(method, photo(), style).picture.alpha is None

    def test_same_seed_gives_the_same_pixels(self, method: Method) -> None:
        runs = [paint(method, photo(), painting(), seed=7, init="noise").picture.pixels for _ in range(2)]
        assert np.array_equal(*runs)

    def test_inputs_are_left_as_they_were(self, method: Method) -> None:
        content, style = photo(), painting()
        copies = content.pixels.copy(), style.pixels.copy()
        paint(method, content, style)
        assert np.array_equal(content.pixels, copies[0])
        assert np.array_equal(style.pixels, copies[1])

    def test_photo_and_painting_may_be_the_same(self, method: Method) -> None:
        same, other = (paint(method, photo(), style).picture.pixels for style in (photo(), painting()))
        assert apart(same, photo().pixels) < 0.7 * apart(other, photo().pixels)

    def test_strength_0_leaves_the_photo(self, method: Method) -> None:
        result = paint(method, photo(), painting(), strength=0).picture.pixels
        assert apart(result, photo().pixels) < 0.01

    def test_more_strength_goes_further_from_the_photo(self, method: Method) -> None:
        told = [{"strength": s, "style_layers": ()} for s in (0.1, 0.5, 0.9)]  # all layers: it is their balance
        results = [paint(method, photo(), painting(), **values).picture.pixels for values in told]
        away = [apart(pixels, photo().pixels) for pixels in results]
        assert away == sorted(away)
        assert away[0] < 0.9 * away[2]

    def test_a_blend_of_one_is_that_one(self, method: Method) -> None:
        other = painting(BLUE, period=11)
        alone = paint(method, photo(), painting()).picture.pixels
        blended = paint(method, photo(), painting(), other, blend=(1, 0)).picture.pixels
        assert apart(alone, blended) < 1e-5
        assert apart(alone, paint(method, photo(), painting(), other, blend=(1, 1)).picture.pixels) > 0.002

    def test_blend_is_of_shares(self, method: Method) -> None:
        styles = painting(), painting(BLUE, period=11)
        runs = [paint(method, photo(), *styles, blend=b).picture.pixels for b in ((), (1, 1), (20, 20))]
        assert apart(runs[0], runs[1]) < 1e-5
        assert apart(runs[0], runs[2]) < 1e-5

    @pytest.mark.parametrize("blend", [(1,), (1, 2, 3), (0, 0)])
    def test_wrong_blends_are_refused(self, method: Method, blend: tuple[float, ...]) -> None:
        with pytest.raises(OptionError, match="--blend has"):
            events(method, photo(), painting(), painting(), blend=blend)

    def test_no_style_is_refused(self, method: Method) -> None:
        with pytest.raises(OptionError, match=f"{method.name} needs at least one style"):
            events(method, photo())

    def test_keep_color_linear_has_the_photos_colours(self, method: Method) -> None:
        content, style = photo(), pale()
        free, kept = in_colours(method, content, style, "linear")
        mean = content.pixels.mean((0, 1))
        assert np.abs(kept.mean((0, 1)) - mean).max() < 0.05
        assert np.abs(kept.mean((0, 1)) - mean).max() < 0.5 * np.abs(free.mean((0, 1)) - mean).max()

    def test_keep_color_histogram_has_the_photos_colours(self, method: Method) -> None:
        content, style = photo(), pale()
        free, kept = in_colours(method, content, style, "histogram")
        wanted, *found = (np.quantile(p, (0.1, 0.5, 0.9), axis=(0, 1)) for p in (content.pixels, kept, free))
        assert np.abs(found[0] - wanted).mean() < 0.06
        assert np.abs(found[0] - wanted).mean() < 0.8 * np.abs(found[1] - wanted).mean()

    def test_keep_color_luminance_has_the_photos_chroma(self, method: Method) -> None:
        content, style = photo(), painting(BLUE)
        free, kept = in_colours(method, content, style, "luminance")
        wanted = chroma(content.pixels)
        assert apart(chroma(kept), wanted) < 0.05
        assert apart(chroma(kept), wanted) < 0.5 * apart(chroma(free), wanted)
        assert apart(kept, content.pixels) > 0.01

    @pytest.mark.parametrize("scale", [0.5, 2.0])
    def test_style_scale_matters(self, method: Method, scale: float) -> None:
        usual, other = (paint(method, photo(), painting(), style_scale=s).picture for s in (1.0, scale))
        assert other.size == usual.size
        assert apart(other.pixels, usual.pixels) > 0.0015

    def test_stopped_before_it_began(self, method: Method) -> None:
        stop = StopSignal()
        stop.set()
        *before, done = events(method, photo(), painting(), stop=stop)
        assert isinstance(done, Done)
        assert done.stopped
        assert done.picture.size == photo().size
        assert not any(isinstance(event, Progress) for event in before)

    def test_more_than_the_memory_is_refused_with_what_would_fit(
        self, method: Method, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(machine, "available_memory", lambda: 400_000_000)
        with pytest.raises(LimitError, match=r"mend: --size \d+$"):
            events(method, noise(300, 200), painting(), size=2000)

    def test_a_device_that_is_not_here_is_refused(self, method: Method) -> None:
        import torch

        missing = next(
            name
            for name, there in {"mps": torch.backends.mps.is_available(), "cuda": torch.cuda.is_available()}.items()
            if not there
        )
        with pytest.raises(OptionError, match=missing):
            events(method, photo(), painting(), device=missing)
