"""Methods compared: all of them paint one photo after the same paintings, and are shown and measured side by side."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from importlib import import_module, util
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError, LimitError, MissingExtraError, OptionError
from impasto.evaluation.report import PHOTO
from impasto.evaluation.sheet import Cell, make_grid
from impasto.events import Done, Event, Progress
from impasto.image import resize, resize_picture
from impasto.methods import METHODS, Method, get_method, method_of, run
from impasto.options import StylizeOptions, check_blend
from impasto.picture import Picture

if TYPE_CHECKING:
    from impasto.evaluation.judge import Judge, Look

SIZE = 512
"""Long side of the results, in pixels, when nothing else is said."""

Watch = Callable[[], AbstractContextManager[Callable[[Event], object]]]
"""Opened once a method; what it gives hears that method's events."""


@dataclass(frozen=True, eq=False)
class Painted:
    """What one method made of the photo.

    Attributes:
        method: its name.
        options: how it was told to paint.
        done: its last event, with the picture.
        seconds: from the call to the picture: loading of its networks and reading of the paintings included.
        steps: (done, planned); (0, 0) for methods without steps.
    """

    method: str
    options: StylizeOptions
    done: Done
    seconds: float
    steps: tuple[int, int] = (0, 0)


@dataclass(frozen=True, eq=False)
class Round:
    """All that was painted, and what was not.

    Attributes:
        painted: at least one, in the order of the table of methods or as they were asked for.
        left_out: method -> why there is no picture of it.
        stopped: whether somebody asked to stop before all were done.
    """

    painted: tuple[Painted, ...]
    left_out: Mapping[str, ImpastoError]
    stopped: bool = False


def candidates(names: Sequence[str] = ()) -> list[Method]:
    """The methods to compare: those named, or all that need nothing but a photo and a painting.

    Args:
        names: of methods that take paintings; each counts once.

    Raises:
        OptionError: when a name is unknown, or its method takes no painting.

    Example:
        >>> [method.name for method in candidates(["gatys", "fast", "gatys"])]
        ['gatys', 'fast']
    """
    if not names:
        return [m for m in METHODS.values() if m.styles == "any" and not m.needs_model]
    chosen = [get_method(name) for name in dict.fromkeys(names)]
    for method in chosen:
        if method.styles != "any":
            others = ", ".join(m.name for m in METHODS.values() if m.styles == "any")
            raise OptionError(f"{method.name} has its styles in its network and takes no painting; choose of: {others}")
    return chosen


def paint_all(
    content: Picture,
    styles: Sequence[Picture],
    chosen: Sequence[StylizeOptions],
    *,
    stop: StopSignal | None = None,
    watch: Watch = lambda: nullcontext(lambda event: None),
    keep: Callable[[Painted], object] = lambda painted: None,
) -> Round:
    """Lets one method after another paint the photo. One that cannot is left out; the others go on.

    Args:
        content: the photo.
        styles: one painting or more.
        chosen: each method's options; the method is the one whose options they are.
        stop: set it to end with the best picture that the method at work has so far. A KeyboardInterrupt ends
            likewise, without that picture.
        watch: hears the events.
        keep: called with each picture as soon as it is there.

    Raises:
        ImpastoError: when no method could paint: see `nothing_painted`.
        KeyboardInterrupt: when it came before there was any picture.

    Example:
        >>> import numpy as np
        >>> photo = Picture(np.random.default_rng(0).random((30, 40, 3), np.float32))
        >>> made = paint_all(photo, [photo], [get_method("fast").options_class(size=32)])
        >>> made.painted[0].method, made.painted[0].done.picture.size
        ('fast', (32, 24))
    """
    asked = stop or StopSignal()
    painted: list[Painted] = []
    left_out: dict[str, ImpastoError] = {}
    _load_extras(chosen)
    for options in chosen:
        name = method_of(options).name
        try:
            if asked.is_set():
                raise OptionError("stopped before it had begun")
            found = _paint(content, styles, options, asked, watch)
        except ImpastoError as error:
            left_out[name] = error
        except MemoryError:
            left_out[name] = LimitError("out of memory; mend: a smaller --size")
        except KeyboardInterrupt:
            if not painted:
                raise
            asked.set()
            left_out[name] = OptionError("stopped before it was done")
        else:
            painted.append(found)
            keep(found)
    if asked.is_set() and not painted:
        raise KeyboardInterrupt
    if not painted:
        raise nothing_painted(left_out)
    return Round(tuple(painted), left_out, asked.is_set())


def _paint(
    content: Picture, styles: Sequence[Picture], options: StylizeOptions, stop: StopSignal, watch: Watch
) -> Painted:
    method = method_of(options)
    if not method.ready:
        raise MissingExtraError("this method", method.extra)
    start, steps, done = time.perf_counter(), (0, 0), None
    with watch() as hear:
        for event in run(content, styles, options, stop=stop):
            hear(event)
            if isinstance(event, Progress):
                steps = event.step, event.steps
            done = event if isinstance(event, Done) else done
    seconds = time.perf_counter() - start
    if done is None:
        raise ImpastoError("ended without a picture")
    if done.stopped and not steps[0]:
        raise OptionError("stopped before its first step")
    return Painted(method.name, options, done, seconds, steps)


def _load_extras(chosen: Sequence[StylizeOptions]) -> None:
    """Loads what several methods share before any clock starts, so that the first of them does not pay for all."""
    for method in (method_of(options) for options in chosen):
        if method.extra and method.ready:
            import_module(method.extra)


def nothing_painted(left_out: Mapping[str, ImpastoError]) -> ImpastoError:
    """What to raise when every method was left out: their one reason, or all of them in a line.

    Example:
        >>> nothing_painted({"fast": OptionError("no"), "gatys": LimitError("too large")})
        OptionError('no method can paint this: fast: no; gatys: too large')
    """
    first = next(iter(left_out.values()))
    if len({str(error) for error in left_out.values()}) == 1:
        return first
    kind = LimitError if all(isinstance(error, LimitError) for error in left_out.values()) else OptionError
    return kind(f"no method can paint this: {'; '.join(reasons(left_out))}")


def reasons(left_out: Mapping[str, ImpastoError]) -> list[str]:
    """One line a reason, with the methods that have it in common.

    Example:
        >>> reasons({"fast": OptionError("too small"), "gatys": OptionError("too small")})
        ['fast, gatys: too small']
    """
    names: dict[str, list[str]] = {}
    for name, error in left_out.items():
        names.setdefault(str(error), []).append(name)
    return [f"{', '.join(having)}: {text}" for text, having in names.items()]


def measure(
    painted: Sequence[Painted], content: Picture, styles: Sequence[Picture], judge: Judge
) -> dict[str, dict[str, float]]:
    """Every metric of every result, and of the photo as it was; see `judge.compare`.

    What is compared with the painting is compared with each of them, and the mean taken with the weights of the blend.
    The paintings are seen at the size at which their strokes were wanted: of the result's area, times `style_scale`.

    Args:
        painted: the results.
        content: the photo, of any size.
        styles: the paintings they were made after.
        judge: measures.

    Returns:
        "photo" or a method's name -> metric -> number.

    Raises:
        LimitError: when results are too small to be measured.
    """
    from impasto.evaluation.judge import compare
    from impasto.online.scene import beside

    @cache
    def references(size: tuple[int, int], scale: float) -> tuple[Look, list[Look]]:
        seen = [Picture(resize(style.pixels, beside(style.pixels, size, scale))) for style in styles]
        return judge.look(resize_picture(content, size)), [judge.look(style) for style in seen]

    def values(picture: Picture | None, like: Painted) -> dict[str, float]:
        photo, paintings = references(like.done.picture.size, like.options.style_scale)
        result = judge.look(picture) if picture else photo
        found = [compare(result, photo, painting) for painting in paintings]
        shares = check_blend(like.options.blend, len(styles))
        return {metric: sum(s * f[metric] for s, f in zip(shares, found, strict=True)) for metric in found[0]}

    return {PHOTO: values(None, painted[0]), **{p.method: values(p.done.picture, p) for p in painted}}


def judge_all(
    painted: Sequence[Painted], content: Picture, styles: Sequence[Picture]
) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    """What `measure` finds with every encoder that is here, and one line for each metric that cannot be had.

    Args:
        painted: the results.
        content: the photo.
        styles: the paintings.
    """
    if util.find_spec("torch") is None:
        return {}, (f"every metric; {MissingExtraError('measuring', 'torch')}",)
    from impasto.evaluation.judge import call_judge

    judge = call_judge()
    try:
        values = measure(painted, content, styles, judge)
    except ImpastoError as error:
        return {}, (f"every metric; {error}",)
    return values, tuple(line.removeprefix("left out: ") for line in judge.missing)


def make_sheet_of(painted: Sequence[Painted], content: Picture, styles: Sequence[Picture]) -> Picture:
    """The labelled sheet: photo and paintings, then what each method made of them, with seconds and strength.

    Args:
        painted: at least one; the cells are of the size of the first, or smaller where many must fit.
        content: the photo.
        styles: the paintings.
    """
    numbers = [f" {number + 1}" for number in range(len(styles))] if len(styles) > 1 else [""]
    blend = painted[0].options.blend
    weights = [f"weight {weight:g}, " for weight in blend] or [""] * len(styles)
    cells = [Cell(content, "photo", _file(content))]
    for style, number, weight in zip(styles, numbers, weights, strict=True):
        cells.append(Cell(style, f"painting{number}", weight + _file(style)))
    cells += [Cell(p.done.picture, p.method, _told(p)) for p in painted]
    return make_grid(cells, box=painted[0].done.picture.size)


def _file(picture: Picture) -> str:
    return picture.path.name if picture.path else f"{picture.width}x{picture.height}"


def _told(painted: Painted) -> str:
    told = f"{painted.seconds:.1f} s, strength {painted.options.strength:g}"
    return f"{told}, stopped at step {painted.steps[0]} of {painted.steps[1]}" if painted.done.stopped else told
