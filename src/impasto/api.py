"""The library's front door: paths, PIL images and arrays in, a Picture out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import Event as StopSignal
from typing import Any

from impasto.errors import ImpastoError
from impasto.events import Done, Event
from impasto.fast.ghiasi import FastOptions
from impasto.fast.style_code import SUFFIX, StyleCode
from impasto.image import read
from impasto.methods import Style, run
from impasto.options import StylizeOptions
from impasto.picture import Picture

Source = Any
"""A path, bytes, a binary file, a PIL image, an array (H, W[, C]), or a Picture: whatever `read` takes."""


def stylize(
    content: Source,
    styles: Source | StyleCode | Sequence[Source | StyleCode],
    *,
    options: StylizeOptions | None = None,
    on_event: Callable[[Event], None] | None = None,
    stop: StopSignal | None = None,
) -> Picture:
    """Repaints a photo in the style of one painting or several.

    Args:
        content: the photo: a path, bytes, a binary file, a PIL image, an array (H, W, 3), or a Picture.
        styles: one painting in any of these forms, a `StyleCode` or the path of a saved one, or a list of them.
        options: `FastOptions` (the default), `GatysOptions`, ...: the method is the one whose options these are.
        on_event: called with each event: Started, Progress, Preview, Notice, Done.
        stop: set it from another thread to end early with the best picture so far.

    Returns:
        The painted picture, at the size the options ask for; alpha and EXIF are the photo's.

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
    for event in run(read(content), opened, options or FastOptions(), stop=stop):
        if on_event:
            on_event(event)
        if isinstance(event, Done):
            return event.picture
    raise ImpastoError("the method ended without a picture")


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
