"""The library's front door: paths, PIL images and arrays in, a Picture out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from threading import Event as StopSignal
from typing import Any

from impasto.errors import ImpastoError, MissingExtraError, OptionError
from impasto.events import Done, Event
from impasto.fast.ghiasi import FastOptions
from impasto.fast.style_code import SUFFIX, StyleCode
from impasto.image import read
from impasto.methods import METHODS, Style, get_method, method_of, run
from impasto.options import StylizeOptions
from impasto.picture import Picture

Source = Any
"""A path, bytes, a binary file, a PIL image, an array (H, W[, C]), or a Picture: whatever `read` takes."""

TEXTURE_METHOD = "w2"
"""Whose texture model makes textures when no options name one: of the quick ones, that whose textures look best."""

STATISTICS_METHOD = "gatys"
"""Whose statistics are inverted when no options name one: those of the papers' figures."""


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
    picture = _last(run(read(content), opened, chosen, stop=stop), on_event)
    return replace(picture, settings=settings_of(chosen, _name(content), [_name(style) for style in many]))


def texture(
    styles: Source | Sequence[Source],
    *,
    options: StylizeOptions | None = None,
    size: tuple[int, int] | int | None = None,
    tileable: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: StopSignal | None = None,
) -> Picture:
    """Makes a new picture of the material that one picture or several show.

    Args:
        styles: one picture in any form that `stylize` takes, or a list of them, mixed as `options.blend` says.
        options: `impasto.online.w2.W2Options` (the default), `GatysOptions`, ...: the texture model is that of the
            method whose options these are.
        size: (width, height) of the result, or its long side; as large as the first picture, of at most 512 pixels, if
            not given. A larger result shows more of the material, not larger grains; `options.style_scale` does that.
        tileable: whether opposite borders of the result fit each other, so that it covers a plane without seams.
        on_event: called with each event: Started, Progress, Preview, Notice, Done.
        stop: set it from another thread to end early with the best picture so far.

    Returns:
        The texture, opaque; `settings` say how it was made.

    Raises:
        PictureError: when a picture cannot be read, or is too small to show a texture.
        OptionError: when options do not fit, or need a photo, or the method has no texture model.
        MissingExtraError: when torch is not installed.
        LimitError: when memory would not do, or the size is too small for the layers.

    Example:
        >>> import numpy as np
        >>> from impasto.online.gatys import GatysOptions
        >>> bark = np.random.default_rng(0).random((48, 48, 3), np.float32)
        >>> texture(bark, options=GatysOptions(steps=2), size=(64, 32)).size
        (64, 32)
    """
    many: Sequence[Any] = styles if isinstance(styles, list | tuple) else [styles]
    chosen, model, home = _texture_model(options, TEXTURE_METHOD)
    from impasto.online.texture import synthesise

    if not many:
        raise OptionError("give at least one picture of a material")
    name = method_of(chosen).name
    events = synthesise(
        [read(style) for style in many], chosen, model=model, layers=_layers_of(home, chosen),
        every=_every_of(home, chosen), kept=getattr(home, "kept", None), tiles=getattr(home, "TILES", False),
        name=name, size=size, tileable=tileable, stop=stop or StopSignal(),
    )  # fmt: skip
    picture = _last(events, on_event)
    told = {"job": "texture", "method": name, "styles": [_name(style) for style in many], "size": list(picture.size)}
    return replace(picture, settings={"impasto": version("impasto"), **told, "tileable": tileable,
                                      "options": chosen.to_dict()})  # fmt: skip


def reconstruct(
    image: Source,
    layers: str | Sequence[str],
    *,
    options: StylizeOptions | None = None,
    style: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: StopSignal | None = None,
) -> Picture:
    """Finds, from noise, the picture that an encoder's layers cannot tell from `image`.

    Args:
        image: in any form that `stylize` takes; shrunk to `options.size` on its long side, never enlarged.
        layers: "relu3_1", or several.
        options: `GatysOptions` (the default), ...: encoder, steps, seed, ...
        style: whether only the layers' statistics are to agree, as the texture model of the method has them whose
            options these are; with one layer, in the encoder's usual style layers up to that one.
        on_event: called with each event; for features `Done.losses` holds "error relu3_1", the relative error of each
            layer's features, 0 when all is remembered.
        stop: set it from another thread to end early with the best picture so far.

    Returns:
        What is remembered, opaque; `settings` say how it was made.

    Raises:
        PictureError: when the picture cannot be read.
        OptionError: on an unknown layer, or an option that means nothing here.
        MissingExtraError: when torch is not installed.
        LimitError: when the picture is too large for memory, or too small for the layers.

    Example:
        >>> import numpy as np
        >>> from impasto.online.gatys import GatysOptions
        >>> photo = np.random.default_rng(0).random((32, 48, 3), np.float32)
        >>> reconstruct(photo, "relu1_1", options=GatysOptions(steps=2)).size
        (48, 32)
    """
    chosen, model, home = _texture_model(options, STATISTICS_METHOD)
    from impasto.online.inversion import invert

    taps = [layers] if isinstance(layers, str) else list(layers)
    method = method_of(chosen).name
    events = invert(
        read(image), taps, chosen, model=model if style else None, every=_every_of(home, chosen) if style else None,
        kept=getattr(home, "kept", None) if style else None, tiles=getattr(home, "TILES", False),
        name=method if style else "reconstruct", stop=stop or StopSignal(),
    )  # fmt: skip
    picture = _last(events, on_event)
    told = {"job": "reconstruct", "method": method, "image": _name(image), "layers": taps, "style": style}
    return replace(picture, settings={"impasto": version("impasto"), **told, "options": chosen.to_dict()})


def _texture_model(options: StylizeOptions | None, usual: str) -> tuple[Any, Any, Any]:
    """The options (those of the usual method if there are none), and their method's texture model and module."""
    chosen = options or get_method(usual).options_class()
    method = method_of(chosen)
    if not method.texture:
        having = ", ".join(m.name for m in METHODS.values() if m.texture)
        raise OptionError(f"{method.name} has no texture model that can be used alone; methods that do: {having}")
    if not method.ready:
        raise MissingExtraError(f"the method {method.name!r}", method.extra)
    home = import_module(method.module)
    return chosen, getattr(home, method.texture), home


def _layers_of(home: Any, options: Any) -> tuple[str, ...]:
    """The layers that a method's texture model reads where they are not the encoder's usual ones."""
    found: tuple[str, ...] = home.layers(options) if hasattr(home, "layers") else ()
    return found


def _every_of(home: Any, options: Any) -> int | None:
    """The steps after which a method makes its loss anew, None for once a scale."""
    every: int | None = home.every(options) if hasattr(home, "every") else getattr(home, "EVERY", None)
    return every


def _last(events: Iterator[Event], on_event: Callable[[Event], None] | None) -> Picture:
    """The picture that the events end with."""
    for event in events:
        if on_event:
            on_event(event)
        if isinstance(event, Done):
            return event.picture
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
