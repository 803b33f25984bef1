"""Impasto: neural style transfer. Images first; nothing heavy is imported before it is used.

Example:
    >>> import impasto, numpy as np
    >>> photo, painting = np.random.default_rng(0).random((2, 40, 60, 3), np.float32)
    >>> impasto.stylize(photo, painting).size
    (60, 40)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from impasto.api import reconstruct, stylize, texture
    from impasto.encoders import load_encoder
    from impasto.errors import ImpastoError, LimitError, MissingExtraError, ModelError, OptionError, PictureError
    from impasto.events import Done, Failed, Notice, Preview, Progress, Started
    from impasto.fast.ghiasi import FastOptions, encode
    from impasto.fast.style_code import StyleCode
    from impasto.image import read, write
    from impasto.methods import METHODS
    from impasto.online.gatys import GatysOptions
    from impasto.picture import Picture

_HOMES = {
    "impasto.api": ("reconstruct", "stylize", "texture"),
    "impasto.encoders": ("load_encoder",),
    "impasto.errors": (
        "ImpastoError", "LimitError", "MissingExtraError", "ModelError", "OptionError", "PictureError",
    ),
    "impasto.events": ("Done", "Failed", "Notice", "Preview", "Progress", "Started"),
    "impasto.fast.ghiasi": ("FastOptions", "encode"),
    "impasto.fast.style_code": ("StyleCode",),
    "impasto.image": ("read", "write"),
    "impasto.methods": ("METHODS",),
    "impasto.online.gatys": ("GatysOptions",),
    "impasto.picture": ("Picture",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "METHODS",
    "Done",
    "Failed",
    "FastOptions",
    "GatysOptions",
    "ImpastoError",
    "LimitError",
    "MissingExtraError",
    "ModelError",
    "Notice",
    "OptionError",
    "Picture",
    "PictureError",
    "Preview",
    "Progress",
    "Started",
    "StyleCode",
    "encode",
    "load_encoder",
    "read",
    "reconstruct",
    "stylize",
    "texture",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'impasto' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
