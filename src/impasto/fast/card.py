"""What a network's file says of itself: written by `impasto export`, read before the network is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from impasto.errors import ModelError

PROPERTY = "impasto"  # the key of the ONNX metadata property that holds a card
FORMAT = 1

Part = Literal["paint", "predict"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A file's own description.

    Attributes:
        network: the architecture, such as "johnson".
        part: "paint" repaints photos, "predict" reads paintings' codes.
        model: the trained network that it belongs to, whose codes it reads or writes; the same in every precision.
        code: length of a style code, 0 where there is none.
        styles: names of the styles inside, in order; empty where a painting says what the style is.
        least: smallest side of a photo that it takes, in pixels.
        bytes_per_pixel: memory that painting takes, for each pixel.
        arguments: what the network was made with.
        about: what its training said of it.

    Example:
        >>> Card.from_json(Card(network="johnson").to_json(), "a.onnx").network
        'johnson'
    """

    network: str
    part: Part = "paint"
    model: str = ""
    code: int = 0
    styles: tuple[str, ...] = ()
    least: int = 1
    bytes_per_pixel: int = 0
    arguments: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line, for the file's metadata."""
        return json.dumps({"format": FORMAT, **asdict(self)}, default=str)

    @classmethod
    def from_json(cls, text: str | None, path: object) -> Self:
        """Reads what `to_json` wrote.

        Args:
            text: the property; None when the file has none.
            path: the file, for messages.

        Raises:
            ModelError: when there is no card, or not one of ours.
        """
        try:
            told = json.loads(text or "null")
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or "format" not in told:
            raise ModelError(f"{path} was not written by Impasto; mend: name a file of `impasto export`")
        if told["format"] != FORMAT:
            raise ModelError(
                f"{path} has format {told['format']!r}, {FORMAT} is known; mend: export it again, or update impasto"
            )
        values = {name: told.get(name, default) for name, default in _DEFAULTS.items()}
        if not all(_alike(value, _DEFAULTS[name]) for name, value in values.items()):
            raise ModelError(f"{path} describes itself in words that nobody knows; mend: export it again")
        values["styles"] = tuple(str(style) for style in values["styles"])
        return cls(**values)


_DEFAULTS: dict[str, Any] = asdict(Card(network=""))


def _alike(value: object, default: object) -> bool:
    """Whether a value from outside has the type of what stands there by default."""
    if isinstance(default, tuple):
        return isinstance(value, list | tuple)
    if isinstance(default, int):
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31
    return isinstance(value, type(default))
