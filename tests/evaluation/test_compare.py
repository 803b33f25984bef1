"""Methods compared: who is asked, who is left out, what is measured, and what the sheet shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event as StopSignal

import numpy as np
import pytest

from impasto.encoders import load_encoder
from impasto.errors import ImpastoError, LimitError, OptionError
from impasto.evaluation import compare, judge, sheet
from impasto.evaluation.compare import Painted
from impasto.evaluation.sheet import LARGEST, LEAST, Cell, make_grid
from impasto.events import Done, Event, Progress, Started
from impasto.fast.ghiasi import FastOptions
from impasto.methods import METHODS, run
from impasto.online.gatys import GatysOptions
from impasto.online.options import OnlineOptions
from impasto.picture import Picture

from .conftest import picture

SIZE = (32, 24)


def gatys(**values: object) -> OnlineOptions:
    """The quickest that online painting can be."""
    return GatysOptions.from_dict({"size": 32, "steps": 2, "encoder": "efficientnet-lite0", **values})


def fast(**values: object) -> FastOptions:
    return FastOptions.from_dict({"size": 32, **values})


@pytest.fixture
def photo() -> Picture:
    return picture(40, 30)


@pytest.fixture
def painting() -> Picture:
    return picture(30, 50, seed=1)


def painted(values: Picture, options: FastOptions | None = None) -> Painted:
    return Painted("fast", options or fast(), Done(values, 0.5), 1.25)


def test_all_that_need_a_photo_and_a_painting_only() -> None:
    names = [method.name for method in compare.candidates()]
    assert names == [name for name in METHODS if METHODS[name].styles == "any" and not METHODS[name].needs_model]
    assert {"fast", "gatys"} <= set(names)
    assert [method.name for method in compare.candidates(["gatys", "adain", "gatys"])] == ["gatys", "adain"]


@pytest.mark.parametrize(("name", "said"), [("nope", "unknown method 'nope'"), ("johnson", "takes no painting")])
def test_methods_that_cannot_be_compared(name: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        compare.candidates(["fast", name])


def test_each_paints_as_if_it_were_alone(photo: Picture, painting: Picture) -> None:
    kept: list[str] = []
    watched: list[list[Event]] = []

    @contextmanager
    def watch() -> Iterator[Callable[[Event], None]]:
        watched.append([])
        yield watched[-1].append

    made = compare.paint_all(
        photo, [painting], [gatys(), fast()], watch=watch, keep=lambda one: kept.append(one.method)
    )
    assert [one.method for one in made.painted] == kept == ["gatys", "fast"]
    assert [one.steps for one in made.painted] == [(2, 2), (0, 0)]
    assert (made.left_out, made.stopped) == ({}, False)
    assert [(type(heard[0]), type(heard[-1])) for heard in watched] == [(Started, Done)] * 2
    for one in made.painted:
        *_, alone = run(photo, [painting], one.options)
        assert isinstance(alone, Done)
        np.testing.assert_array_equal(one.done.picture.pixels, alone.picture.pixels)
        assert one.seconds >= one.done.seconds


def test_who_cannot_paint_is_left_out_and_the_others_go_on(photo: Picture, painting: Picture) -> None:
    made = compare.paint_all(photo, [painting], [gatys(encoder="nope"), fast()])
    assert [one.method for one in made.painted] == ["fast"]
    assert "unknown encoder 'nope'" in str(made.left_out["gatys"])


def test_a_missing_extra_leaves_a_method_out(
    photo: Picture, painting: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto.methods.util.find_spec", lambda name: None if name == "torch" else object())
    made = compare.paint_all(photo, [painting], [gatys(), fast()])
    assert 'pip install "impasto[torch]"' in str(made.left_out["gatys"])


def test_when_nobody_can_paint_the_reason_is_told_once(photo: Picture, painting: Picture) -> None:
    with pytest.raises(OptionError, match=r"^--blend has 3 weights for 1 styles"):
        compare.paint_all(photo, [painting], [gatys(blend=(1, 2, 3)), fast(blend=(1, 2, 3))])
    with pytest.raises(OptionError, match=r"no method can paint this: gatys: unknown encoder .*; fast: --blend has"):
        compare.paint_all(photo, [painting], [gatys(encoder="nope"), fast(blend=(1, 2))])


def test_a_limit_for_all_is_a_limit() -> None:
    limits: dict[str, ImpastoError] = {"a": LimitError("1"), "b": LimitError("2")}
    assert compare.nothing_painted(limits).exit_code == 3
    assert compare.nothing_painted({**limits, "c": OptionError("3")}).exit_code == 2


def test_stopping_keeps_the_best_picture_so_far(photo: Picture, painting: Picture) -> None:
    stop = StopSignal()

    @contextmanager
    def watch() -> Iterator[Callable[[Event], None]]:
        yield lambda event: stop.set() if isinstance(event, Progress) and event.step == 3 else None

    made = compare.paint_all(photo, [painting], [gatys(steps=500), fast()], stop=stop, watch=watch)
    (one,) = made.painted
    assert one.done.stopped
    assert 3 <= one.steps[0] < 500
    assert made.stopped
    assert str(made.left_out["fast"]) == "stopped before it had begun"
    assert f"stopped at step {one.steps[0]} of 500" in compare._told(one)


def test_an_interrupt_keeps_what_was_done_before(photo: Picture, painting: Picture) -> None:
    @contextmanager
    def watch() -> Iterator[Callable[[Event], None]]:
        yield interrupt

    def interrupt(event: Event) -> None:
        if isinstance(event, Progress):
            raise KeyboardInterrupt

    made = compare.paint_all(photo, [painting], [fast(), gatys(), fast()], watch=watch)
    assert [one.method for one in made.painted] == ["fast"]
    assert made.stopped
    with pytest.raises(KeyboardInterrupt):
        compare.paint_all(photo, [painting], [gatys(), fast()], watch=watch)


def test_stopped_before_the_first_step_there_is_nothing_to_show(photo: Picture, painting: Picture) -> None:
    """A method that is stopped so early gives the photo out, which nobody has painted."""
    stop = StopSignal()

    @contextmanager
    def watch() -> Iterator[Callable[[Event], None]]:
        yield lambda event: stop.set() if isinstance(event, Started) and event.method == "gatys" else None

    made = compare.paint_all(photo, [painting], [fast(), gatys()], stop=stop, watch=watch)
    assert [one.method for one in made.painted] == ["fast"]
    assert str(made.left_out["gatys"]) == "stopped before its first step"


def outsider() -> judge.Judge:
    """A judge without VGG-16, which is not everywhere; VGG-19 is."""
    return judge.Judge(None, load_encoder("vgg19"), judge.torch.device("cpu"))


def test_the_photo_scores_as_a_photo_and_the_painting_as_a_painting(photo: Picture) -> None:
    other = picture(48, 36, seed=2)
    values = compare.measure([painted(other)], photo, [other], outsider())
    assert values["photo"]["ssim"] == pytest.approx(1, abs=1e-6)
    assert values["photo"]["sliced"] > 0
    assert values["fast"]["ssim"] < 0.5
    assert values["fast"]["sliced"] == pytest.approx(0, abs=1e-5)


def test_several_paintings_count_by_their_weight(photo: Picture, painting: Picture) -> None:
    other, eyes = Picture(np.full((30, 40, 3), 0.3, np.float32) ** 2 + photo.pixels / 4), outsider()

    def sliced(styles: list[Picture], *blend: float) -> float:
        return compare.measure([painted(photo, fast(blend=blend))], photo, styles, eyes)["fast"]["sliced"]

    first, second = sliced([painting]), sliced([other])
    assert abs(first - second) > 0.01
    assert sliced([painting, other], 3, 1) == pytest.approx((3 * first + second) / 4, rel=1e-5)


def test_results_too_small_for_a_metric_are_told(painting: Picture) -> None:
    values, missing = compare.judge_all([painted(picture(16, 5))], picture(40, 12), [painting])
    assert values == {}
    assert missing[0].startswith("every metric; an image of 16x5 is too small for")


def spots(grid: Picture, colour: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what has this colour."""
    y, x = np.nonzero(np.abs(grid.pixels - np.array(colour, np.float32)).max(2) < 0.02)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def flat(width: int, height: int, colour: tuple[float, float, float]) -> Picture:
    return Picture(np.tile(np.array(colour, np.float32), (height, width, 1)))


def test_cells_keep_their_shape_and_stand_on_their_captions() -> None:
    red, green, blue = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    pictures = [flat(200, 120, red), flat(300, 90, green), flat(400, 240, blue)]
    grid = make_grid([Cell(one, "name", "detail") for one in pictures], box=(200, 120))
    found = [spots(grid, colour) for colour in (red, green, blue)]
    assert [(right - left, bottom - top) for left, top, right, bottom in found] == [(200, 120), (200, 60), (200, 120)]
    assert found[0][3] == found[1][3]
    below = grid.pixels[found[0][3] : found[0][3] + 40, found[0][0] : found[0][2]]
    assert below.min() < 0.2  # the caption, in black


@pytest.mark.parametrize("count", [1, 2, 5, 11, 40])
@pytest.mark.parametrize("box", [(48, 40), (512, 384), (512, 2048), (6000, 4000)])
def test_no_sheet_is_too_large_and_no_caption_too_narrow(count: int, box: tuple[int, int]) -> None:
    layout = sheet._layout(count, box, LARGEST)
    assert max(layout.size) <= LARGEST
    assert layout.columns * layout.rows >= count > layout.columns * (layout.rows - 1)
    assert layout.box[0] >= LEAST or max(layout.size) > 0.9 * LARGEST


def test_captions_stay_in_their_cells_whatever_a_file_is_called() -> None:
    names = ["two\nlines", "\udcff broken", "very long " * 30, ""]
    grid = make_grid([Cell(flat(160, 100, (1, 1, 1)), name, name) for name in names], box=(160, 100))
    columns = np.nonzero((grid.pixels.min(2) < 0.9).any(0))[0]
    places = [(x - 16) % 176 for x in columns]
    assert max(places) < 160
    broken, whole = (make_grid([Cell(flat(9, 9, (1, 1, 1)), name)], box=(9, 9)) for name in ("a\nb", "a b"))
    np.testing.assert_array_equal(broken.pixels, whole.pixels)


def test_what_is_see_through_is_shown_on_white() -> None:
    clear = Picture(np.zeros((20, 30, 3), np.float32), alpha=np.zeros((20, 30), np.float32))
    assert make_grid([Cell(clear, "")], box=(30, 20)).pixels.min() == 1


def test_a_grid_of_nothing() -> None:
    with pytest.raises(OptionError, match="at least one picture"):
        make_grid([], box=(10, 10))


def test_the_sheet_shows_photo_paintings_and_results(photo: Picture) -> None:
    colours = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)]
    shown = [flat(200, 120, colour) for colour in colours]
    named = Picture(shown[0].pixels, path=Path("folder/photo.jpg"))
    result = painted(shown[3], fast(blend=(2, 1)))
    made = compare.make_sheet_of([result], named, shown[1:3])
    places = [spots(made, colour)[:2] for colour in colours]
    assert sorted(places, key=lambda at: (at[1], at[0])) == places
    assert compare._told(result) == "1.2 s, strength 1"
