"""Which photo is judged with which painting: pictures are drawn, cut to squares of one size, and paired."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from impasto import image
from impasto.errors import OptionError, PictureError
from impasto.offline.data import DECODING, Entry, held_out, index
from impasto.picture import Picture

if TYPE_CHECKING:
    from impasto.evaluation.options import EvaluateOptions


@dataclass(frozen=True, eq=False)
class Pair:
    """A photo and a painting, squares of one size; `seen` when training may have seen the painting."""

    content: Picture
    style: Picture
    seen: bool = False


@dataclass(frozen=True, eq=False)
class Taken:
    """Pictures that could be read, and "NAME: why" of each that could not."""

    pictures: tuple[Picture, ...]
    troubles: tuple[str, ...]


def choose_pairs(options: EvaluateOptions) -> tuple[list[Pair], list[str]]:
    """The pairs, those with seen paintings last, and "NAME: why" of each picture that could not be read.

    Raises:
        OptionError: when photos or paintings are not named, or do not exist.
        PictureError: when none can be found or read.
    """
    if not options.content or not options.style:
        raise OptionError("give photos and paintings; mend: impasto evaluate --content FOLDER --style FOLDER")
    contents = _draw("--content", options.content, options, unseen=True)
    styles = _draw("--style", options.style, options, unseen=True)
    drawn = [contents, styles]
    pairs = _pairs(contents, styles, options.pairs, seen=False)
    if options.seen:
        drawn.append(_draw("--seen", options.seen, options, unseen=False))
        pairs += _pairs(contents, drawn[-1], options.pairs, seen=True)
    return pairs, [trouble for taken in drawn for trouble in taken.troubles]


def take(entries: Sequence[Entry], count: int, side: int, *, seed: int = 0) -> Taken:
    """The first `count` pictures that can be read, in an order that `seed` shuffles, each as a square.

    Args:
        entries: what there is.
        count: how many are wanted; fewer come when there are fewer.
        side: of the squares in pixels; the middle of a picture is cut out and resized.
        seed: the same one gives the same pictures.

    Raises:
        PictureError: when none can be read.
    """
    order = list(entries)
    random.Random(seed).shuffle(order)  # noqa: S311 - a choice that can be repeated, no secret
    pictures: list[Picture] = []
    troubles: list[str] = []
    for entry in order:
        if len(pictures) == count:
            break
        try:
            picture = image.read(entry.read())
        except DECODING as error:
            troubles.append(f"{entry.name}: {error}")
        else:
            pictures.append(square(replace(picture, path=Path(entry.name)), side))
    if not pictures:
        raise PictureError(f"none of {len(order)} pictures can be read; the first: {(*troubles, 'there is none')[0]}")
    return Taken(tuple(pictures), tuple(troubles))


def square(picture: Picture, side: int) -> Picture:
    """The middle of a picture, opaque, (side, side)."""
    short = min(picture.size)
    left, top = (picture.width - short) // 2, (picture.height - short) // 2
    middle = picture.pixels[top : top + short, left : left + short]
    return Picture(image.resize(middle, (side, side)), path=picture.path)


def pair_up(contents: int, styles: int, count: int) -> list[tuple[int, int]]:
    """Which photo goes with which painting: all different pairs, every picture as often as the others, or once more.

    Args:
        contents: how many photos there are.
        styles: how many paintings.
        count: how many pairs are wanted; there are at most `contents * styles`.

    Raises:
        OptionError: when a number is below 1.

    Example:
        >>> pair_up(2, 2, 4)
        [(0, 0), (1, 1), (0, 1), (1, 0)]
    """
    if min(contents, styles, count) < 1:
        raise OptionError("pairs take at least one photo, one painting and --pairs 1")
    whole, turns = math.lcm(contents, styles), math.gcd(contents, styles)  # after a turn, paintings shift by one
    pairs = ((i % contents, (i + turn) % styles) for turn in range(turns) for i in range(whole))
    return list(islice(pairs, count))


def _draw(flag: str, paths: Sequence[Path], options: EvaluateOptions, *, unseen: bool) -> Taken:
    """The pictures of one flag; with `held_out`, those that training left out, or those that it did not."""
    found = index(paths, flag)
    entries = [e for e in found.entries if held_out(e.name) == unseen] if options.held_out else list(found.entries)
    if not entries:
        which = "held out from training" if unseen else "seen by training"
        raise PictureError(f"{flag} has {len(found.entries)} pictures, none {which}; mend: leave out --held-out")
    taken = take(entries, options.pairs, options.size, seed=options.seed)
    return replace(taken, troubles=found.troubles + taken.troubles)


def _pairs(contents: Taken, styles: Taken, count: int, *, seen: bool) -> list[Pair]:
    places = pair_up(len(contents.pictures), len(styles.pictures), count)
    return [Pair(contents.pictures[i], styles.pictures[j], seen) for i, j in places]
