"""Controls that work with every method: where it paints, and that the photo's edges stay.

A method that has regions of its own (the online ones, whose losses know masks) paints them all at once; for others each
masked painting is painted by itself. Either way, what no mask covers is the photo, pixel by pixel.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import OptionError
from impasto.events import Done, Event, Notice, Preview, Started
from impasto.image import composite, partition, photorealistic, read_mask, resize
from impasto.picture import Picture, Pixels

if TYPE_CHECKING:
    from impasto.options import StylizeOptions

Recipe = Callable[..., Iterator[Event]]


def check_masks(options: StylizeOptions, styles: int) -> None:
    """Whether masks and maps are as many as the paintings need; files are not looked at.

    Raises:
        OptionError: when there is neither one mask for all paintings nor one for each, or a blend besides; when maps
            are other than two, or have masks besides them.
    """
    masks, inside, maps = len(options.mask), getattr(options, "style_mask", ()), getattr(options, "semantic", ())
    if masks > 1 and masks != styles:
        each = ", or one for each painting" if styles else ""
        raise OptionError(f"--mask has {masks} masks for {styles} paintings; give one{each}")
    if masks > 1 and options.blend:
        raise OptionError("--blend mixes paintings, --mask keeps them apart; leave one of them out")
    if inside and len(inside) != styles:
        raise OptionError(f"--style-mask has {len(inside)} masks for {styles} paintings; give one each")
    if maps and (len(maps) != 2 or styles != 1 or masks or inside):
        raise OptionError("--semantic takes two maps, the photo's and the painting's, one painting, and no masks")


def controlled(
    recipe: Recipe, content: Picture, styles: Sequence[Any], options: StylizeOptions, *, regions: bool, stop: Any
) -> Iterator[Event]:
    """A method's events, with masks and photorealism applied to each picture.

    Args:
        recipe: the method.
        content: the photo.
        styles: what the method paints after.
        options: the method's.
        regions: whether the method's own loss sees to several masks.
        stop: passed on.

    Raises:
        OptionError: when masks and paintings do not fit, or a mask is black all over.
        PictureError: when a mask cannot be read.
    """
    check_masks(options, len(styles))
    if not options.mask and not options.photorealistic:
        yield from recipe(content, styles, options, stop=stop)
        return
    masks = _Masks(options, content)
    apart = len(options.mask) > 1 and not regions
    events = _one_by_one(recipe, content, styles, options, masks, stop) if apart else recipe(
        content, styles, options, stop=stop
    )  # fmt: skip
    for event in events:
        yield event if apart else _finished(event, content, options, masks)
        if isinstance(event, Started):
            yield from (Notice(text) for text in masks.remarks)


class _Masks:
    """The masks of a run at whatever size a picture has."""

    def __init__(self, options: StylizeOptions, content: Picture) -> None:
        found = [read_mask(path, content.size) for path in options.mask]
        self._shares = partition([mask for mask, _ in found])[0] if found else []
        self.remarks = [text for _, remarks in found for text in remarks]

    def at(self, size: tuple[int, int]) -> list[Pixels]:
        """Shares of the paintings at (width, height), (H, W) each."""
        return [resize(share, size).clip(0, 1) for share in self._shares]


def _finished(event: Event, content: Picture, options: StylizeOptions, masks: _Masks) -> Event:
    if not isinstance(event, Done | Preview):
        return event
    picture = event.picture
    photo = resize(content.pixels, picture.size)
    pixels = photorealistic(picture.pixels, photo) if options.photorealistic else picture.pixels
    if options.mask:
        pixels = composite(pixels, photo, np.sum(masks.at(picture.size), 0))
    return dataclasses.replace(event, picture=picture.with_pixels(pixels))


def _one_by_one(
    recipe: Recipe, content: Picture, styles: Sequence[Any], options: StylizeOptions, masks: _Masks, stop: Any
) -> Iterator[Event]:
    """Every painting by itself, each put where its mask is; the events of the last run are the whole's."""
    plain = dataclasses.replace(options, mask=(), blend=())
    done: list[Done] = []
    for number, style in enumerate(styles):
        for event in recipe(content, [style], plain, stop=stop):
            if isinstance(event, Done):
                done.append(event)
            elif number == 0 or not isinstance(event, Started):
                yield event
    photo, shares = resize(content.pixels, done[0].picture.size), masks.at(done[0].picture.size)
    painted = [photorealistic(d.picture.pixels, photo) if options.photorealistic else d.picture.pixels for d in done]
    changes = [share[..., None] * (pixels - photo) for share, pixels in zip(shares, painted, strict=True)]
    pixels = (photo + np.sum(changes, 0)).clip(0, 1)
    yield dataclasses.replace(
        done[-1], picture=done[0].picture.with_pixels(pixels), seconds=sum(d.seconds for d in done)
    )
