"""The paintings of networks that know theirs by name: read once, whole, at one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from impasto.errors import ImpastoError, LimitError, OptionError, PictureError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

MOST = 1024  # more styles than anybody has taught one network, and their Gram matrices still fit
LEAST = 32  # pixels of the shorter side, so that the deepest layers see something


@dataclass(frozen=True, eq=False)
class Painting:
    """One style.

    Attributes:
        name: its file's, without folder and ending.
        pixels: (1, 3, H, W), float32 RGB in [0, 1].
    """

    name: str
    pixels: Tensor


def read_paintings(sources: Sequence[Path], *, size: int, device: torch.device, most: int = MOST) -> list[Painting]:
    """Every painting of some images, folders, lists or shards, in the order of their names.

    Args:
        sources: what `--style` says.
        size: long side in pixels; a smaller painting is enlarged, so that its strokes have the size that is asked for.
        device: where to put them.
        most: how many there may be.

    Raises:
        OptionError: when a source does not exist, or there are more than `most` paintings.
        PictureError: when there is none, or one cannot be read.
        LimitError: when one is so narrow that nothing of it would be left.
    """
    from impasto.offline.data import index

    found = index(sources, "--style")
    if found.troubles:
        raise PictureError(f"--style {found.troubles[0]}; mend: take it out, or name another")
    if len(found.entries) > most:
        many = "one painting" if most == 1 else f"at most {most} paintings"
        raise OptionError(f"--style holds {len(found.entries)} paintings; this network learns {many}: name them")
    names = unique([PurePath(entry.name).stem for entry in found.entries])
    return [
        Painting(name, _read(entry.name, entry.read, size, device))
        for name, entry in zip(names, found.entries, strict=True)
    ]


def _read(name: str, load: Callable[[], bytes], size: int, device: torch.device) -> Tensor:
    import torch

    from impasto.image import fit, read, resize

    try:
        picture = read(load())
    except OSError as error:
        raise PictureError(f"--style {name} cannot be read ({error.strerror or error}); mend: name another") from error
    except ImpastoError as error:
        raise PictureError(f"--style {name}: {error}") from error
    wanted = fit(picture.size, size)
    if min(wanted) < LEAST:
        raise LimitError(
            f"--style {name} of {picture.width}x{picture.height} is too narrow: {wanted[0]}x{wanted[1]} would be left "
            f"of it; mend: crop it, or a larger --style-size"
        )
    pixels = resize(picture.pixels, wanted)
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].to(device)


def unique(names: Sequence[str]) -> list[str]:
    """The names, those that came before with a number behind."""
    found: list[str] = []
    for name in names:
        number, free = 2, name
        while free in found:
            number, free = number + 1, f"{name}-{number}"
        found.append(free)
    return found
