"""The library's front door: paths, PIL images and arrays in, a Picture out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from threading import Event as StopSignal
from typing import Any

from impasto.errors import ImpastoError
from impasto.events import Done, Event
from impasto.fast.ghiasi import FastOptions
from impasto.fast.style_code import SUFFIX, StyleCode
from impasto.image import read
from impasto.methods import Style, method_of, run
from impasto.options import StylizeOptions
from impasto.picture import Picture

Source = Any
"""A path, bytes, a binary file, a PIL image, an array (H, W[, C]), or a Picture: whatever `read` takes."""


def stylize(
    content: Source,
    styles: Source | StyleCode | Sequence[Source | StyleCode] = (),
    *,
    options: StylizeOptions | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: StopSignal | None = None,
) -> Picture:
    """Repaints a photo in the style of one painting or several.

    Args:
        content: the photo: a path, bytes, a binary file, a PIL image, an array (H, W, 3), or a Picture.
        styles: one painting in any of these forms, a `StyleCode` or the path of a saved one, or a list of them; nothing
            for methods whose network has its styles inside.
        options: `FastOptions` (the default), `GatysOptions`, ...: the method is the one whose options these are.
        on_event: called with each event: Started, Progress, Preview, Notice, Done.
        stop: set it from another thread to end early with the best picture so far.

    Returns:
        The painted picture, at the size the options ask for; alpha and EXIF are the photo's, and `settings` say how it
        was painted, so that `impasto stylize --settings` can repeat it.

    Raises:
        PictureError: when a picture cannot be read.
        OptionError: when options and pictures do not fit.
        MissingExtraError: when the method needs packages that are not installed.
        LimitError: when memory would not do.

    Example:
        >>> import numpy as np
        >>> photo, painting = np.random.default_rng(0).random((2, 40, 60, 3), np.float32)
        >>> stylize(photo, painting, options=FastOptions(strength=0.8)).size
        (60, 40)
    """
    many: Sequence[Any] = styles if isinstance(styles, list | tuple) else [styles]
    opened = [open_style(style) for style in many]
    chosen = options or FastOptions()
    for event in run(read(content), opened, chosen, stop=stop):
        if on_event:
            on_event(event)
        if isinstance(event, Done):
            told = settings_of(chosen, _name(content), [_name(style) for style in many])
            return replace(event.picture, settings=told)
    raise ImpastoError("the method ended without a picture")


def settings_of(options: StylizeOptions, content: str, styles: Sequence[str]) -> dict[str, Any]:
    """What a result carries, so that it can be painted again.

    Args:
        options: the method is the one whose options these are.
        content: the photo's path as it was given, "" when it came from memory.
        styles: likewise for each painting.
    """
    return {
        "impasto": version("impasto"),
        "method": method_of(options).name,
        "content": content,
        "styles": list(styles),
        "options": options.to_dict(),
    }


def _name(source: Source | StyleCode) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    return str(source.path) if isinstance(source, Picture) and source.path else ""


def open_style(source: Source | StyleCode) -> Style:
    """What a method takes as a style: a picture, or the code in a file whose name ends in .style.

    Raises:
        PictureError: when it cannot be read.

    Example:
        >>> import numpy as np
        >>> open_style(np.zeros((2, 3), np.uint8)).size
        (3, 2)
    """
    if isinstance(source, StyleCode):
        return source
    if isinstance(source, str | os.PathLike) and os.fspath(source).endswith(SUFFIX):
        return StyleCode.load(source)
    return read(source)
