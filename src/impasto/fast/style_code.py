"""A painting's style as a few numbers: to keep, to reuse, to mix (Ghiasi et al. 2017, section 4.3)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.errors import PictureError
from impasto.image.targets import publish
from impasto.options import check_blend

if TYPE_CHECKING:
    import numpy.typing as npt

MODEL = "magenta-mobile"  # the networks that a code is for; others read other numbers into it
LENGTHS = {MODEL: 100}  # of the codes of networks that are bundled; trained ones say their own
LONGEST = 2048
SUFFIX = ".style"
MAX_BYTES = 64 * 1024
_FORMAT = "impasto style"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class StyleCode:
    """What the prediction network says of a painting.

    Attributes:
        values: float32, finite, shape (length,), 100 for the bundled networks; made read-only.
        name: what to call it, such as the painting's file name without its ending; may be empty.
        model: the networks it belongs to.

    Raises:
        PictureError: when the values have another shape, or one is not finite.

    Example:
        >>> StyleCode(np.zeros(100, np.float32), name="nothing").name
        'nothing'
    """

    values: npt.NDArray[np.float32]
    name: str = ""
    model: str = MODEL

    def __post_init__(self) -> None:
        values = np.array(self.values, np.float32)
        length = LENGTHS.get(self.model)
        if values.ndim != 1 or not 0 < len(values) <= LONGEST or length not in (None, len(values)):
            raise PictureError(f"a style code of {self.model} has {length or 'some'} numbers, not shape {values.shape}")
        if not np.isfinite(values).all():
            raise PictureError("a style code has finite numbers only; mend: encode the painting again")
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a small text file, whole or not at all.

        Raises:
            PictureError: when the file exists and `overwrite` is False, or cannot be written.
        """
        numbers = [float(str(v)) for v in self.values]  # the shortest decimals that read back as the same float32
        told = {"format": _FORMAT, "version": _VERSION, "model": self.model, "name": self.name, "code": numbers}
        publish((json.dumps(told) + "\n").encode(), Path(path), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StyleCode:
        """Reads what `save` wrote; nothing in the file is ever executed.

        Raises:
            PictureError: when the file is missing, damaged, no style, or of other networks or a later version.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise PictureError(f"{path} cannot be read: {error.strerror}; mend: check the name") from error
        return cls(**_checked(path, _parsed(path, data)))


def blend(codes: Sequence[StyleCode], weights: Sequence[float] = ()) -> StyleCode:
    """The weighted mean of several styles' codes, which paints a style between them.

    Args:
        codes: one or more, of the same networks.
        weights: one a code, not all 0; equal when not given.

    Raises:
        OptionError: when weights and codes do not fit.
        PictureError: when there is no code, or codes belong to different networks.

    Example:
        >>> a, b = (StyleCode(np.full(100, v, np.float32)) for v in (0, 1))
        >>> float(blend([a, b], [1, 3]).values[0])
        0.75
    """
    if not codes:
        raise PictureError("there is no style to blend; mend: give one style code or more")
    for code in codes:
        if code.model != codes[0].model:
            raise PictureError(
                f"styles of {code.model} and {codes[0].model} do not mix; mend: encode both paintings anew"
            )
    shares = check_blend(weights, len(codes))
    mixed = np.sum([w * c.values.astype(np.float64) for w, c in zip(shares, codes, strict=True)], axis=0)
    return StyleCode(mixed.astype(np.float32), name="+".join(c.name for c in codes if c.name), model=codes[0].model)


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON object in a file's bytes."""
    told: object = None
    if len(data) <= MAX_BYTES:
        try:
            told = json.loads(data)
        except (ValueError, RecursionError):
            told = None
    if not isinstance(told, dict) or told.get("format") != _FORMAT:
        raise PictureError(f"{path} is no style file, or a damaged one; mend: impasto style encode PAINTING -o {path}")
    return told


def _checked(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a StyleCode, each of the right type and range."""
    mend = f"mend: impasto style encode PAINTING -o {path} --overwrite"
    if told.get("version") != _VERSION:
        raise PictureError(
            f"{path} has version {told.get('version')!r}, {_VERSION} is known; {mend}, or update impasto"
        )
    model, numbers, name = told.get("model"), told.get("code"), told.get("name", "")
    if not isinstance(model, str) or not model or not isinstance(name, str):
        raise PictureError(f"{path} does not say what it is, or for which networks; {mend}")
    real = isinstance(numbers, list) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers)
    length = LENGTHS.get(model)
    if not isinstance(numbers, list) or not real or not numbers or length not in (None, len(numbers)):
        raise PictureError(f"{path} does not hold {length or 'its'} numbers; {mend}")
    if len(numbers) > LONGEST or not all(-1e6 < v < 1e6 for v in numbers):  # NaN fails too
        raise PictureError(f"{path} holds numbers that no painting has; {mend}")
    return {"values": np.array(numbers, np.float32), "name": name, "model": model}
