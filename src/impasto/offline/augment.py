"""Random crops, flips and colours: drawn for the whole batch on the CPU, done to this process's share on the device.

What is drawn depends on the seed and the step alone, so that a resumed run, and several processes together, see what
one unbroken process would.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.offline.data import Bytes

BRIGHTNESS, SATURATION, MIX = 0.3, 0.5, 0.08  # at colour strength 1: two ranges around 1, and a deviation


@dataclass(frozen=True)
class Augment:
    """What may be done to a picture.

    Attributes:
        smallest: the least side of a crop, as a share of the picture's short side.
        largest: the greatest.
        mirror: left and right may change places.
        turn: top and bottom, too.
        colour: how strongly colours vary; 0 leaves them.
    """

    smallest: float = 0.5
    largest: float = 1.0
    mirror: bool = True
    turn: bool = False
    colour: float = 0.0


CONTENT = Augment()
STYLE = Augment(smallest=0.4, turn=False, colour=1.0)


@dataclass(frozen=True, eq=False)
class Draws:
    """What is done to each sample of a batch of B.

    Attributes:
        scale: side of the crop as a share of the picture's short side, (B,).
        place: where the crop lies, each in [0, 1], (B, 2): across, down.
        mirror: (B,), bool.
        turn: (B,), bool.
        colour: maps RGB to RGB, (B, 3, 3).
    """

    scale: npt.NDArray[np.float32]
    place: npt.NDArray[np.float32]
    mirror: npt.NDArray[np.bool_]
    turn: npt.NDArray[np.bool_]
    colour: npt.NDArray[np.float32]

    def part(self, share: slice) -> Draws:
        """Those of some samples."""
        return Draws(**{f.name: getattr(self, f.name)[share] for f in fields(self)})


def draw(augment: Augment, count: int, rng: np.random.Generator) -> Draws:
    """Draws for a batch; always the same number of random numbers, whatever is switched on."""
    scale = rng.uniform(augment.smallest, augment.largest, count)
    place = rng.random((count, 2))
    mirror, turn = rng.random((2, count)) < 0.5
    light = 1 + augment.colour * BRIGHTNESS * rng.uniform(-1, 1, count)
    vivid = 1 + augment.colour * SATURATION * rng.uniform(-1, 1, count)
    mix = np.eye(3) + augment.colour * MIX * rng.standard_normal((count, 3, 3))
    grey = np.full((3, 3), 1 / 3)
    saturate = grey + vivid[:, None, None] * (np.eye(3) - grey)
    colour = light[:, None, None] * (mix @ saturate)
    return Draws(
        scale.astype(np.float32),
        place.astype(np.float32),
        mirror & augment.mirror,
        turn & augment.turn,
        colour.astype(np.float32),
    )


def cut(pictures: list[Bytes], draws: Draws, side: int) -> tuple[Tensor, Tensor]:
    """The squares that crops are made of, in the corner of equally large canvases.

    Args:
        pictures: (H, W, 3) each, short sides at most `side`.
        draws: as many.
        side: of the canvases.

    Returns:
        (N, side, side, 3) bytes, and each square's own side, (N,), float32; both on the CPU.
    """
    canvas = np.zeros((len(pictures), side, side, 3), np.uint8)
    sides = np.empty(len(pictures), np.float32)
    for i, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        own = max(1, round(float(draws.scale[i]) * min(height, width)))
        left, top = (round(float(at) * (room - own)) for at, room in zip(draws.place[i], (width, height), strict=True))
        canvas[i, :own, :own] = picture[top : top + own, left : left + own]
        sides[i] = own
    return torch.from_numpy(canvas), torch.from_numpy(sides)


def develop(canvas: Tensor, sides: Tensor, draws: Draws, crop: int, *, colour: bool) -> Tensor:
    """Squares in the corner of canvases become crops, on the device that they are on.

    Args:
        canvas: (N, side, side, 3) bytes.
        sides: (N,), how much of each canvas is picture; what lies beyond is never looked at.
        draws: as many.
        crop: side of the result.
        colour: whether colours vary.

    Returns:
        (N, 3, crop, crop), float32 in [0, 1], channels last.
    """
    device, side = canvas.device, canvas.shape[1]
    mirror, turn = (torch.from_numpy(flag).to(device) for flag in (draws.mirror, draws.turn))
    across, down = (_coordinates(sides, flag, crop, side) for flag in (mirror, turn))
    grid = torch.stack(
        [across[:, None, :].expand(-1, crop, -1), down[:, :, None].expand(-1, -1, crop)],
        dim=-1,
    )
    pixels = canvas.permute(0, 3, 1, 2).float().div_(255)
    pixels = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    if colour:
        pixels = torch.einsum("nij,njhw->nihw", torch.from_numpy(draws.colour).to(device), pixels)
    return pixels.clamp_(0, 1).contiguous(memory_format=torch.channels_last)


def _coordinates(sides: Tensor, flipped: Tensor, crop: int, canvas: int) -> Tensor:
    """Where a crop's columns (or rows) lie on its canvas, (N, crop), in grid_sample's units.

    Beyond the square's border it is reflected: the half pixel there shows the border pixel itself.
    """
    steps = (torch.arange(crop, device=sides.device, dtype=torch.float32) + 0.5) / crop
    shares = torch.where(flipped[:, None], 1 - steps, steps)
    pixels = (shares * sides[:, None] - 0.5).clamp_(min=0)
    pixels = torch.minimum(pixels, sides[:, None] - 1)
    return (pixels + 0.5) * (2 / canvas) - 1
