"""Pairs of networks after Ghiasi et al. 2017: painting -> code, photo and code -> picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import ModelError
from impasto.fast import session
from impasto.fast.card import Card
from impasto.fast.session import Network, Source

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.options import Device

    Pixels = npt.NDArray[np.float32]
    Code = npt.NDArray[np.float32]

STYLE_STRIDE = 32  # prediction networks halve up to five times
PREDICT = "-predict"  # what the second file's name ends in, before its ending


@dataclass(frozen=True)
class Pair:
    """A transfer network and the prediction network whose codes it reads.

    Attributes:
        name: what `--model` calls it, when it is bundled; "" otherwise.
        transfer: photo and code -> picture.
        predict: painting -> code; only opened when a painting has to be read.
        card: the transfer network's.
    """

    name: str
    transfer: Source
    predict: Source
    card: Card

    @property
    def model(self) -> str:
        """What its codes are marked with."""
        return self.card.model


# Magenta's mobile networks. 8: from there on the kernels have enough to reflect. 380: peak of the whole process for
# each pixel painted, 240 to 346 by options, measured from 1 to 24 megapixels.
MAGENTA = Pair(
    name="magenta-mobile",
    transfer="magenta-mobile-transfer",
    predict="magenta-mobile-predict",
    card=Card(network="ghiasi", model="magenta-mobile", code=100, least=8, bytes_per_pixel=380),
)

# Ours, which learnt on from Magenta's painter and reads the codes of its predictor: models/bundled/impasto.md.
IMPASTO = Pair(
    name="impasto",
    transfer="impasto-transfer",
    predict=MAGENTA.predict,
    card=Card(network="ghiasi", model=MAGENTA.model, code=100, least=17, bytes_per_pixel=400),
)

# The small size: a third of the time, softer strokes; taught by the one above: models/bundled/impasto-swift.md.
SWIFT = Pair(
    name="impasto-swift",
    transfer="impasto-swift-transfer",
    predict=MAGENTA.predict,
    card=Card(network="ghiasi", model=MAGENTA.model, code=100, least=5, bytes_per_pixel=396),
)

DEFAULT = IMPASTO
BUNDLED = {pair.name: pair for pair in (IMPASTO, SWIFT, MAGENTA)}
"""Pairs that come with the package, by name; of several that read the same codes, the first is the usual one."""


def open_pair(model: Path | None, *, device: Device = "auto") -> Pair:
    """The pair that `--model` names: the transfer network's file, or a bundled pair by name; the default without one.

    Raises:
        ModelError: when the file is missing, damaged, or no transfer network of such a pair.
    """
    if model is None:
        return DEFAULT
    if str(model) in BUNDLED and not model.exists():
        return BUNDLED[str(model)]
    transfer = session.open_network(model, "ghiasi", "impasto", device=device)
    return Pair("", model, model.with_name(f"{model.stem}{PREDICT}{model.suffix}"), transfer.card)


def encode(painting: Pixels, *, pair: Pair = DEFAULT, device: Device = "auto") -> Code:
    """The style code of a painting.

    Args:
        painting: float32 in [0, 1], shape (H, W, 3); 256 pixels on the short side is what such networks learn on.
            Sides are continued by reflection to a multiple of 32.
        pair: the networks.
        device: where to compute.

    Returns:
        float32, shape (code,).

    Raises:
        OptionError: when the device is not there.
        ModelError: when the network's file is missing or damaged, or belongs to another pair.
    """
    if isinstance(pair.predict, Path):
        _check_predict(pair, pair.predict, device)
    seen = session.batch(painting, STYLE_STRIDE, multiple=STYLE_STRIDE)
    code: Code = session.run(pair.predict, device, {"painting": seen})[0]
    return code


def paint(photo: Pixels, code: Code, *, pair: Pair = DEFAULT, device: Device = "auto") -> Pixels:
    """The photo in the style of a code, at the photo's size, whatever that is.

    Args:
        photo: float32 in [0, 1], shape (H, W, 3), at least one pixel.
        code: float32, shape (code,).
        pair: the networks.
        device: where to compute.

    Returns:
        float32 in [0, 1], shape (H, W, 3).

    Raises:
        OptionError: when the device is not there.
        LimitError: when memory runs out.
        ModelError: when the network's file is missing or damaged.
    """
    return Network(pair.transfer, pair.card, device).paint(photo, code=code[None].astype(np.float32))


def _check_predict(pair: Pair, path: Path, device: Device) -> None:
    """Two files with the right names are no pair yet."""
    if not path.is_file():
        raise ModelError(f"{path} is missing, which reads paintings for {pair.transfer}; mend: export both again")
    card = session.open_network(path, "ghiasi", "impasto", device=device, part="predict").card
    if card.model != pair.model:
        raise ModelError(f"{path} reads paintings for {card.model}, not for {pair.model}; mend: export both again")
