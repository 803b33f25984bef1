"""Johnson et al. 2016, Perceptual losses for real-time style transfer and super-resolution: one network, one style.

The fastest way to a style that somebody has trained: no painting is read, the network is the style.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.fast.canvas import PIXELS_HELP, repaint
from impasto.fast.session import MODEL_HELP, open_network
from impasto.options import StylizeOptions, check_blend, option

if TYPE_CHECKING:
    from impasto.events import Event
    from impasto.picture import Picture

NAME = "johnson"


@dataclass(frozen=True, kw_only=True)
class JohnsonOptions(StylizeOptions):
    """What `johnson` understands: what every method does, and the network.

    Example:
        >>> JohnsonOptions(model=Path("waves.onnx"), strength=0.7).strength
        0.7
    """

    strength: float = option(1.0, PIXELS_HELP, low=0, high=1)
    model: Path | None = option(None, MODEL_HELP)


def paint(content: Picture, styles: Sequence[Picture], options: JohnsonOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Repaints a photo in the one style of a network.

    Args:
        content: the photo, of any size.
        styles: none; the network is the style.
        options: see `JohnsonOptions`; `blend` has nothing to weigh.
        stop: once set before the end, the photo is given out as it is.

    Yields:
        Started, then Done.

    Raises:
        OptionError: when no network was named, or the device is not there.
        ModelError: when the file is missing, damaged, or no such network.
        LimitError: when memory would not do; the message names the size that fits.
    """
    check_blend(options.blend, 1)
    network = open_network(options.model, NAME, device=options.device)
    yield from repaint(NAME, content, options, network.paint, bytes_per_pixel=network.card.bytes_per_pixel, stop=stop)
