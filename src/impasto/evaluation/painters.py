"""What is evaluated: networks as users run them, on ONNX Runtime, through the same methods as `impasto stylize`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from impasto.errors import ImpastoError, ModelError
from impasto.events import Done
from impasto.fast import engine
from impasto.fast.session import METHOD_OF, open_network
from impasto.methods import Style, get_method, method_of, run
from impasto.options import Device, StylizeOptions
from impasto.picture import Picture

MAGENTA = "magenta"
"""What the bundled pair of Magenta's is called here, whatever the default is."""


@dataclass(frozen=True)
class Painter:
    """A network under a label.

    Attributes:
        label: its column on the sheet and its row in the table.
        options: those of the method that runs it.
    """

    label: str
    options: StylizeOptions

    def paint(self, photo: Picture, painting: Style) -> Picture:
        """The photo in the painting's style, or in the network's own where it has learned one, at the photo's size.

        Raises:
            ImpastoError: what the method raises.
        """
        styles = [painting] if method_of(self.options).styles == "any" else []
        for event in run(photo, styles, self.options):
            if isinstance(event, Done):
                return event.picture
        raise ImpastoError(f"{self.label} ended without a picture")

    def prepare(self, painting: Picture) -> Callable[[Picture], Picture]:
        """What restyles photos after one painting; where a method takes codes, the painting is read here and now."""
        style: Style = painting
        if method_of(self.options).takes_codes:
            from impasto.fast.ghiasi import encode

            style = encode(painting, model=getattr(self.options, "model", None), device=self.options.device)
        return lambda photo: self.paint(photo, style)


@contextmanager
def open_painters(
    models: Sequence[str], networks: Sequence[Path] = (), *, device: Device = "auto"
) -> Iterator[list[Painter]]:
    """The networks to compare; those that training left are exported into a folder that goes at the end.

    Args:
        models: files, or names of bundled networks; with no networks either, the default of the fast method.
        networks: run folders or .safetensors files.
        device: where to paint.

    Raises:
        ModelError: when a file is missing, damaged or of no known kind.
    """
    with ExitStack() as stack:
        painters = [_painter(word, device) for word in models or (() if networks else ("",))]
        for network in networks:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="impasto-")))
            painters.append(_exported(network, folder, device))
        yield _told_apart(painters)


def _painter(word: str, device: Device) -> Painter:
    path = Path(word)
    named = engine.MAGENTA.name if word == MAGENTA else word
    fast = get_method("fast").options_class
    if not word:
        return Painter(_label(engine.DEFAULT.name), fast.from_dict({"device": device}))
    if named in engine.BUNDLED and not path.exists():
        return Painter(_label(named), fast.from_dict({"model": named, "device": device}))
    if not path.exists():
        raise ModelError(f"{word} is neither a file nor a bundled network; bundled: {', '.join([MAGENTA, *_others()])}")
    method = METHOD_OF[open_network(path, *METHOD_OF, device=device).card.network]
    return Painter(path.stem, get_method(method).options_class.from_dict({"model": word, "device": device}))


def _exported(network: Path, folder: Path, device: Device) -> Painter:
    from impasto.offline.export import export

    target = folder / f"{network.stem}.onnx"
    export(network, target, precision="fp32")
    return _painter(str(target), device)


def _label(model: str) -> str:
    return MAGENTA if model == engine.MAGENTA.name else model


def _others() -> list[str]:
    return [name for name in engine.BUNDLED if name != engine.MAGENTA.name]


def _told_apart(painters: Sequence[Painter]) -> list[Painter]:
    """Labels that came twice get a number."""
    told: list[Painter] = []
    for painter in painters:
        label, number = painter.label, 1
        while label in {p.label for p in told}:
            number += 1
            label = f"{painter.label} {number}"
        told.append(replace(painter, label=label))
    return told
