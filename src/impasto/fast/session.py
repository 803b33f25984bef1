"""Networks on ONNX Runtime: a file is opened once a process, looked at, and run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import models
from impasto.errors import ImpastoError, LimitError, ModelError, OptionError
from impasto.fast.card import PROPERTY, Card, Part
from impasto.fast.interruption import StoppedError, watched
from impasto.image.wording import cause
from impasto.machine import threads

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.options import Device

    Pixels = npt.NDArray[np.float32]

Source = str | Path
"""A network's file, or the name of one that is bundled."""

METHOD_OF = {
    "johnson": "johnson", "dumoulin": "dumoulin", "adain": "adain", "wct": "wct", "ghiasi": "fast", "impasto": "fast"
}  # fmt: skip
"""Network -> the method that paints with it."""

MODEL_HELP = "a network's file, as `impasto export` wrote it; fast has networks of its own"

RETURN_MEMORY_FROM = 4_000_000
"""Pixels from which the runtime gives its memory back after a run; below, keeping it makes the next run faster."""

_PROVIDERS: dict[Device, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
_MENDS: dict[Device, str] = {"cuda": "pip install onnxruntime-gpu in place of onnxruntime", "mps": "use a Mac"}


@dataclass(frozen=True)
class Network:
    """A file that has been opened and is what was asked for.

    Attributes:
        source: where it is.
        card: what it says of itself.
        device: where it runs.
    """

    source: Source
    card: Card
    device: Device = "auto"

    def paint(self, photo: Pixels, **others: Pixels) -> Pixels:
        """The photo repainted, at its own size, whatever that is.

        Args:
            photo: float32 in [0, 1], shape (H, W, 3), at least one pixel.
            others: what else the network is told, by its inputs' names.

        Returns:
            float32 in [0, 1], shape (H, W, 3).

        Raises:
            LimitError: when memory runs out.
            ModelError: when the file does not do what it says of itself.
        """
        height, width = photo.shape[:2]
        painted = run(self.source, self.device, {"photo": batch(photo, self.card.least), **others})[0]
        if painted.ndim != 3 or painted.shape[0] != 3 or painted.shape[1] < height or painted.shape[2] < width:
            raise ModelError(f"{self.source} gives no picture of the photo's size; mend: export it again")
        return np.stack(tuple(painted[:, :height, :width]), -1)


def open_network(path: Path | None, *kinds: str, device: Device = "auto", part: Part = "paint") -> Network:
    """The one place where a network's file is opened and its card looked at.

    Args:
        path: what `--model` names.
        kinds: the architectures that will do.
        device: where to compute.
        part: which of a pair's two files is wanted.

    Raises:
        OptionError: when no file was given, or the device is not there.
        ModelError: when the file is missing, damaged, not one of ours, or holds another network.
    """
    if path is None:
        made_by = "which `impasto export` writes"
        raise OptionError(f"{METHOD_OF[kinds[0]]} paints with a network of yours; mend: --model FILE.onnx, {made_by}")
    if not path.is_file():
        raise ModelError(f"{path} is no file; mend: name what `impasto export` wrote")
    told = _session(path, _state(path), device).get_modelmeta().custom_metadata_map
    card = Card.from_json(told.get(PROPERTY), path)
    if card.network not in kinds:
        method = METHOD_OF.get(card.network)
        mend = f"-m {method}" if method else "update impasto"
        mend = "export both files of the pair again" if part == "predict" else mend
        raise ModelError(f"{path} holds a network of the kind {card.network!r}, not {kinds[0]}; mend: {mend}")
    if card.part != part:
        wanted = {"paint": "repaints photos", "predict": "reads paintings"}[part]
        raise ModelError(f"{path} is the other half of its pair; mend: name the file that {wanted}")
    return Network(path, card, device)


def batch(pixels: Pixels, least: int, *, multiple: int = 1) -> Pixels:
    """(H, W, 3) -> (1, 3, H', W'), continued by reflection to at least `least` and to multiples of `multiple`."""
    more = [(0, -(-max(least, n) // multiple) * multiple - n) for n in pixels.shape[:2]]
    if any(after for _, after in more):
        pixels = np.pad(pixels, (*more, (0, 0)), mode="reflect")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def run(source: Source, device: Device, inputs: dict[str, Pixels]) -> Pixels:
    """The network's one output.

    Raises:
        OptionError: when the device is not there.
        LimitError: when memory runs out.
        ModelError: when the file is missing or damaged, or takes something else than it says of itself.
        StoppedError: when somebody asks to stop, inside `interruptible`.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    if max(a.size for a in inputs.values()) >= 3 * RETURN_MEMORY_FROM and _provider(device) == _PROVIDERS["cpu"]:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    try:
        network = _session(source, _state(source), device)
        with watched(options):
            output: Pixels = network.run(None, inputs, options)[0]
    except Exception as error:  # the runtime's own exceptions have no common base
        if isinstance(error, ImpastoError | MemoryError | StoppedError):
            raise
        if "alloc" not in str(error).lower():
            raise ModelError(f"{source} cannot be run: {cause(error)}; mend: export it again") from error
        height, width = next(iter(inputs.values())).shape[2:]
        raise LimitError(f"memory ran out while painting {width}x{height}; mend: a smaller --size") from error
    return output


def _state(source: Source) -> tuple[int, ...]:
    """What changes when a file is replaced; bundled files do not change while a process runs."""
    if isinstance(source, str):
        return ()
    try:
        stat = source.stat()
    except OSError as error:
        raise ModelError(f"{source} cannot be read: {error.strerror}; mend: check the name") from error
    return (stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _session(source: Source, _state: tuple[int, ...], device: Device) -> Any:
    """The runtime's session of one network on one device, made once a process."""
    import onnxruntime

    provider = _provider(device)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # nothing: what matters is raised
    options.intra_op_num_threads = threads()
    options.enable_mem_pattern = False  # sizes change from run to run; a pattern would keep a second copy of memory
    path = models.path(source) if isinstance(source, str) else source
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=list(dict.fromkeys((provider, _PROVIDERS["cpu"])))
        )
    except Exception as error:  # the runtime's own exceptions have no common base
        mend = "impasto models verify" if isinstance(source, str) else "export it again"
        raise ModelError(f"{path} cannot be loaded: {cause(error)}; mend: {mend}") from error
    if device != "auto" and provider not in session.get_providers():
        raise OptionError(f"--device {device} cannot be started (its libraries do not load); mend: --device cpu")
    return session


def _provider(device: Device) -> str:
    """The runtime's name for a device; "auto" takes CUDA where the runtime was built for it."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    if device == "auto":
        return _PROVIDERS["cuda"] if _PROVIDERS["cuda"] in there else _PROVIDERS["cpu"]
    if _PROVIDERS[device] not in there:
        raise OptionError(f"--device {device} is not in this onnxruntime; mend: --device cpu, or {_MENDS[device]}")
    return _PROVIDERS[device]
