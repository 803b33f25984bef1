"""What a method's options mean where no photo meets a painting: for a texture alone, or for one picture's memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from impasto.errors import OptionError
from impasto.online.options import OnlineOptions

SEARCH = frozenset({
    "device", "encoder", "optimizer", "pooling", "precision", "preview_every", "quality", "scales", "seed", "steps",
    "tv",
})  # fmt: skip
"""Options of how one looks and how one searches."""

TEXTURE = SEARCH | {"blend", "preset", "style_layers", "style_scale"}
"""Options of every online method that a texture without a photo understands; a method's own come in addition."""

FEATURES = SEARCH | {"size"}
"""Those that the inversion of features understands."""

STATISTICS = FEATURES | {"preset"}
"""Those that the inversion of statistics understands; a method's own come in addition."""

SHARED = frozenset(field.name for field in dataclasses.fields(OnlineOptions))


def understood(name: str, known: Collection[str], *, own: bool) -> bool:
    """Whether an option means something.

    Args:
        name: the option's.
        known: those of every online method that do.
        own: whether those that only some methods have do.
    """
    return name in known if name in SHARED else own


def check_understood(options: OnlineOptions, known: Collection[str], why: str, *, own: bool = True) -> None:
    """Raises an OptionError when an option was set that would change nothing."""
    for spec in options.specs():
        if not understood(spec.name, known, own=own) and getattr(options, spec.name) != spec.default:
            raise OptionError(f"{why}; leave {spec.flag} out")
