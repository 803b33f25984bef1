"""From what training left to files to paint with: what is read, what a file says of itself, and where it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import ModelError, OptionError
from impasto.fast.card import Card, Part
from impasto.fast.engine import MAGENTA, PREDICT
from impasto.offline.export.adain import Transform
from impasto.offline.export.graph import Precision
from impasto.offline.export.rounding import Difference, difference
from impasto.offline.weights import Loaded, load_network, write_whole

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

    from impasto.picture import Picture

WRITERS = ("johnson", "dumoulin", "ghiasi", "adain", "impasto")
ENDING = ".onnx"
BUNDLED_MARKS = {"ghiasi-1aa7c48e": MAGENTA.model}
"""Of predictors that come with the package: their styles are already marked."""


@dataclass(frozen=True)
class Exported:
    """What an export left behind.

    Attributes:
        network: the architecture.
        files: each file with its size in bytes; the one to name with `--model` first.
        precision: how weights are stored.
        difference: what that changes in a picture, against 32 bits; None at 32 bits, or without a photo to measure on.
    """

    network: str
    files: Mapping[Path, int]
    precision: Precision
    difference: Difference | None


def export(
    source: Path,
    target: Path,
    *,
    precision: Precision = "fp32",
    transform: Transform | None = None,
    overwrite: bool = False,
    photos: Sequence[Picture] = (),
) -> Exported:
    """Writes a trained network as ONNX: one file, or two for networks with a style code.

    Args:
        source: what training wrote: a `.safetensors` file, or the folder of a finished run.
        target: the file to write. Networks that read paintings for themselves get `<target>-predict.onnx` beside it.
        precision: "fp32" keeps weights as they are; "fp16" and "int8" round them to a half and a quarter of the size.
            Pictures are computed in 32 bits in any case.
        transform: for a decoder of VGG features, what is done to them: "adain" (by default) or "wct".
        overwrite: whether files that are there may be replaced.
        photos: pictures on which to measure what rounding costs.

    Raises:
        ModelError: when the source is missing, damaged or no network, or the target cannot be written.
        OptionError: when the target has another ending or is there already, or a transform is asked of another network.
        MissingExtraError: when the package onnx is not installed.
    """
    _check_target(target)
    path = _found(source)
    loaded = load_network(path)
    names = {part: _named(target, part) for part in _parts(loaded.name)}
    for name in names.values():
        if name.exists() and not overwrite:
            raise OptionError(f"{name} exists already; mend: add --overwrite, or another name with -o")
    made = graphs(loaded, precision=precision, transform=transform)
    lost = None
    if precision != "fp32" and photos:
        lost = difference(graphs(loaded, transform=transform), made, photos)
    for part, model in made.items():
        write_whole(names[part], model.SerializeToString())
    files = {name: name.stat().st_size for name in names.values()}
    return Exported(loaded.name if transform is None else transform, files, precision, lost)


def graphs(
    loaded: Loaded, *, precision: Precision = "fp32", transform: Transform | None = None
) -> dict[Part, ModelProto]:
    """The graphs of a network, each with its card.

    Raises:
        ModelError: when nobody knows how to write this network, or an encoder's weights cannot be had.
        OptionError: when a transform is asked of a network that has none.
    """
    if loaded.name not in WRITERS:
        raise ModelError(f"no export is known for {loaded.name}; mend: add impasto/offline/export/{loaded.name}.py")
    if transform is not None and loaded.name != "adain":
        raise OptionError(f"--transform is for decoders of features, not for {loaded.name}; mend: leave it out")
    network = loaded.network.eval()
    card = Card(
        network=loaded.name,
        model=_mark(loaded.name, network),
        arguments=network.arguments,  # type: ignore[arg-type]
        about=loaded.about,
    )
    writer = import_module(f"impasto.offline.export.{loaded.name}")
    more = {} if transform is None else {"transform": transform}
    made: dict[Part, ModelProto] = writer.to_onnx(network, card, precision=precision, **more)
    return made


def _found(source: Path) -> Path:
    """The one network in a run's folder, or the file itself."""
    if not source.is_dir():
        return source
    there = sorted(source.glob("*.safetensors"))
    if not there:
        raise ModelError(f"{source} holds no finished network (*.safetensors); mend: train to the end first")
    if len(there) > 1:
        names = ", ".join(path.name for path in there)
        raise ModelError(f"{source} holds several networks ({names}); mend: name one of them")
    return there[0]


def _check_target(target: Path) -> None:
    if target.suffix != ENDING or target.stem.endswith(PREDICT):
        raise OptionError(f"{target} is no name for a network's file; mend: -o NAME{ENDING}")
    if not target.parent.is_dir():
        raise OptionError(f"{target.parent} is no folder; mend: make it, or name another file with -o")


def _parts(network: str) -> tuple[Part, ...]:
    return ("paint", "predict") if network in ("ghiasi", "impasto") else ("paint",)


def _named(target: Path, part: Part) -> Path:
    return target if part == "paint" else target.with_name(f"{target.stem}{PREDICT}{target.suffix}")


def _mark(name: str, network: nn.Module) -> str:
    """What the network's style codes are marked with: they are for every painter that has the same predictor."""
    reads = getattr(network, "prediction", network)
    mark = f"{name}-{_fingerprint(reads)}"
    return BUNDLED_MARKS.get(mark, mark)


def _fingerprint(network: nn.Module) -> str:
    """Eight hex digits of the weights."""
    digest = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        digest.update(key.encode())
        digest.update(value.detach().cpu().double().numpy().tobytes())
    return digest.hexdigest()[:8]
