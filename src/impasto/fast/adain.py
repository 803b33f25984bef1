"""Huang and Belongie 2017, Arbitrary style transfer in real-time with adaptive instance normalization.

The photo's features take on each channel's mean and deviation in the painting, and a decoder makes a picture of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as StopSignal
from typing import TYPE_CHECKING

from impasto.fast.session import MODEL_HELP, open_network
from impasto.fast.transform import paint_features
from impasto.options import StylizeOptions, option

if TYPE_CHECKING:
    from impasto.events import Event
    from impasto.picture import Picture

NAME = "adain"


@dataclass(frozen=True, kw_only=True)
class AdaInOptions(StylizeOptions):
    """What `adain` understands: what every method does, and the network.

    Example:
        >>> AdaInOptions(model=Path("adain.onnx"), style_scale=2).style_scale
        2.0
    """

    model: Path | None = option(None, MODEL_HELP)


def paint(content: Picture, styles: Sequence[Picture], options: AdaInOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Repaints a photo after one painting or several.

    Args:
        content: the photo, of any size.
        styles: one painting or more; `options.blend` weighs their means and deviations (section 6.3 of the paper).
        options: see `AdaInOptions`.
        stop: once set before the end, the photo is given out as it is.

    Yields:
        Started, then Done.

    Raises:
        OptionError: when no network was named, weights and styles do not fit, or the device is not there.
        ModelError: when the file is missing, damaged, or no such network.
        LimitError: when memory would not do; the message names the size that fits.
    """
    network = open_network(options.model, NAME, device=options.device)
    yield from paint_features(NAME, network, content, styles, options, stop=stop)
