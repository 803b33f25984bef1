"""Li et al. 2017, Universal style transfer via feature transforms: whitening and colouring, at one layer.

Where AdaIN matches each channel alone, this matches how channels vary together.
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

NAME = "wct"


@dataclass(frozen=True, kw_only=True)
class WctOptions(StylizeOptions):
    """What `wct` understands: what every method does, and the network.

    Example:
        >>> WctOptions(model=Path("wct.onnx"), strength=0.6).strength
        0.6
    """

    model: Path | None = option(None, MODEL_HELP)


def paint(content: Picture, styles: Sequence[Picture], options: WctOptions, *, stop: StopSignal) -> Iterator[Event]:
    """Repaints a photo after one painting or several.

    Args:
        content: the photo, of any size.
        styles: one painting or more; `options.blend` weighs the features they would give (section 4.1 of the paper).
        options: see `WctOptions`.
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
