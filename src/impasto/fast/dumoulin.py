"""Dumoulin et al. 2017, A learned representation for artistic style: many styles in one network, mixed as one likes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopSignal
from typing import TYPE_CHECKING

import numpy as np

from impasto.errors import OptionError
from impasto.fast.canvas import PIXELS_HELP, repaint
from impasto.fast.session import MODEL_HELP, open_network
from impasto.options import StylizeOptions, check_blend, option

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.events import Event
    from impasto.fast.card import Card
    from impasto.picture import Picture

NAME = "dumoulin"


@dataclass(frozen=True, kw_only=True)
class DumoulinOptions(StylizeOptions):
    """What `dumoulin` understands: what every method does, the network, and which of its styles.

    Example:
        >>> DumoulinOptions(model=Path("prints.onnx"), pick=("waves", "woodcut"), blend=(2, 1)).pick
        ('waves', 'woodcut')
    """

    strength: float = option(1.0, PIXELS_HELP, low=0, high=1)
    model: Path | None = option(None, MODEL_HELP)
    pick: tuple[str, ...] = option((), "names of the network's styles, weighed by blend; the first if not given")


def paint(
    content: Picture, styles: Sequence[Picture], options: DumoulinOptions, *, stop: StopSignal
) -> Iterator[Event]:
    """Repaints a photo in one of a network's styles, or several mixed.

    Args:
        content: the photo, of any size.
        styles: none; `options.pick` names some of the network's own.
        options: see `DumoulinOptions`.
        stop: once set before the end, the photo is given out as it is.

    Yields:
        Started, then Done.

    Raises:
        OptionError: when no network was named, it has no style of that name, or the device is not there.
        ModelError: when the file is missing, damaged, or no such network.
        LimitError: when memory would not do; the message names the size that fits.
    """
    network = open_network(options.model, NAME, device=options.device)
    weights = _weights(network.card, options)

    def coat(photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return network.paint(photo, weights=weights)

    yield from repaint(NAME, content, options, coat, bytes_per_pixel=network.card.bytes_per_pixel, stop=stop)


def _weights(card: Card, options: DumoulinOptions) -> npt.NDArray[np.float32]:
    """(1, styles), summing to 1."""
    picks = options.pick or card.styles[:1]
    shares = check_blend(options.blend, len(picks))
    weights = np.zeros((1, len(card.styles)), np.float32)
    for name, share in zip(picks, shares, strict=True):
        if name not in card.styles:
            raise OptionError(f"--pick {name!r} is no style of {options.model}; choose of: {', '.join(card.styles)}")
        weights[0, card.styles.index(name)] += share
    return weights
