"""The fast method while the caller waits: in a child process that keeps the last pictures in memory."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from threading import Event as StopSignal
from typing import Any

from impasto.controls import controlled
from impasto.events import Done
from impasto.fast.ghiasi import FastOptions, Undercoat, encode, paint
from impasto.fast.style_code import StyleCode
from impasto.image import fit, resize_picture, write
from impasto.picture import Picture
from impasto.studio.gallery import open_picture
from impasto.studio.store import Store

STYLE_SIDE = 1024
"""Pixels of a painting, on its long side, that are kept; the network reads fewer."""

FORMATS = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}


def repaint(
    store: str, content: str, styles: Sequence[str], options: dict[str, Any], side: int, file_format: str
) -> tuple[bytes, float]:
    """Paints a photo with the fast method.

    Args:
        store: the address of the pictures.
        content: the photo's id.
        styles: ids of paintings, or names of built-in ones.
        options: of `FastOptions`.
        side: the most pixels on the result's long side.
        file_format: a key of `FORMATS`.

    Returns:
        The file, and the seconds that painting took.

    Raises:
        MissingError: when a picture is gone.
        OptionError: when options do not fit.
    """
    start = time.perf_counter()
    asked = FastOptions.from_dict(options)
    photo = _photo(store, content, side, asked.size)
    own = _undercoat(store, content, side, asked.size, asked.style_scale) if 0 < asked.strength < 1 else None
    paintings, asked = [_style(store, style, asked) for style in styles], replace(asked, size=None)
    events = controlled(partial(paint, undercoat=own), photo, paintings, asked, regions=False, stop=StopSignal())
    picture = next(event.picture for event in events if isinstance(event, Done))
    file = io.BytesIO()
    write(replace(picture, exif=None, settings={}), file, format=file_format, quality=90)
    return file.getvalue(), time.perf_counter() - start


def _style(store: str, identity: str, options: FastOptions) -> Picture | StyleCode:
    """A painting, or its code where that does not depend on the photo."""
    recoloured = options.keep_color in ("linear", "histogram")
    return _kept(store, identity, STYLE_SIDE) if recoloured else _code(store, identity)


@lru_cache(maxsize=256)
def _code(store: str, identity: str) -> StyleCode:
    """How a painting's style reads."""
    return encode(_kept(store, identity, STYLE_SIDE))


@lru_cache(maxsize=4)
def _undercoat(store: str, content: str, side: int, size: int | None, style_scale: float) -> Undercoat:
    """The half of the work that a strength below 1 takes whatever the painting and the strength are."""
    return Undercoat.of(_photo(store, content, side, size), FastOptions(style_scale=style_scale))


@lru_cache(maxsize=4)
def _photo(store: str, identity: str, side: int, size: int | None) -> Picture:
    """A photo at the size at which it is to be painted, at most `side` on the long one."""
    picture = _kept(store, identity, side)
    return resize_picture(picture, fit(picture.size, min(size or max(picture.size), side)))


@lru_cache(maxsize=16)
def _kept(store: str, identity: str, side: int) -> Picture:
    """A picture at the size at which it is of use here; what an id stands for never changes."""
    picture = open_picture(_store(store), identity)
    return resize_picture(picture, fit(picture.size, side)) if max(picture.size) > side else picture


@lru_cache(maxsize=1)
def _store(url: str) -> Store:
    return Store(url)
