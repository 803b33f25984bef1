"""Sample sheets: what the network makes of photographs and paintings that it was not trained on.

The first row shows the paintings, the first column the photographs; each other cell is its row's photograph in its
column's style.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto.errors import PictureError
from impasto.image import write
from impasto.image.wording import cause
from impasto.picture import Picture

if TYPE_CHECKING:
    from torch import nn

    from impasto.offline.data import Bytes
    from impasto.offline.recipe import Recipe
    from impasto.picture import Pixels

CELL = 256  # pixels a side; strokes have to be seen
ROWS, COLUMNS = 4, 6
GAP = 4


@torch.no_grad()
def draw_sheet(recipe: Recipe, network: nn.Module, photos: Sequence[Tensor], paintings: Sequence[Tensor]) -> Picture:
    """A grid of what `network` makes of every photo in every style.

    Args:
        recipe: knows how the network is used.
        network: in evaluation mode, such as the moving average.
        photos: (1, 3, CELL, CELL) each, in [0, 1].
        paintings: likewise.
    """
    sheet = np.ones((_edge(len(photos) + 1) - GAP, _edge(len(paintings) + 1) - GAP, 3), np.float32)
    for row, photo in enumerate(photos, 1):
        _place(sheet, row, 0, photo)
        for column, painting in enumerate(paintings, 1):
            if row == 1:
                _place(sheet, 0, column, painting)
            _place(sheet, row, column, recipe.paint(network, photo, painting))
    return Picture(sheet)


def write_sheet(sheet: Picture, folder: Path, step: int) -> Path:
    """Writes `sheets/<step>.jpg`.

    Raises:
        PictureError: when the system refuses.
    """
    path = folder / "sheets" / f"{step}.jpg"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PictureError(f"{path.parent} cannot be made ({cause(error)}); mend: free space") from None
    write(sheet, path, overwrite=True, quality=90)
    return path


def squares(pictures: Sequence[Bytes], device: torch.device) -> list[Tensor]:
    """The middles of pictures (H, W, 3), (1, 3, CELL, CELL) each, in [0, 1]."""
    found = []
    for picture in pictures:
        height, width = picture.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = torch.from_numpy(picture[top : top + side, left : left + side].copy()).permute(2, 0, 1)[None]
        square = square.to(device).float() / 255
        if side != CELL:
            square = torch.nn.functional.interpolate(
                square, (CELL, CELL), mode="bicubic", antialias=True, align_corners=False
            ).clamp(0, 1)
        found.append(square.contiguous(memory_format=torch.channels_last))
    return found


def _edge(cells: int) -> int:
    return cells * (CELL + GAP)


def _place(sheet: Pixels, row: int, column: int, cell: Tensor) -> None:
    top, left = _edge(row), _edge(column)
    pixels = cell[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    sheet[top : top + CELL, left : left + CELL] = np.nan_to_num(pixels[:CELL, :CELL])
