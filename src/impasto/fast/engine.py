"""The two networks of Ghiasi et al. 2017 on ONNX Runtime: painting -> code, photo and code -> picture."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto import models
from impasto.errors import LimitError, ModelError, OptionError
from impasto.machine import physical_cores

if TYPE_CHECKING:
    import numpy.typing as npt

    from impasto.options import Device

    Pixels = npt.NDArray[np.float32]
    Code = npt.NDArray[np.float32]

PREDICT = "magenta-mobile-predict"
TRANSFER = "magenta-mobile-transfer"
CODE = 100  # numbers in a style code

SMALLEST = 8  # side from which the transfer network's kernels have enough to reflect; it brings itself to fours
STYLE_STRIDE = 32  # the prediction network halves five times

BYTES_PER_PIXEL = 380
"""Peak of the whole process for each pixel painted: 240 to 346 by options, measured from 1 to 24 megapixels."""
RETURN_MEMORY_FROM = 4_000_000
"""Pixels from which the runtime gives its memory back after a run; below, keeping it makes the next run faster."""

_PROVIDERS: dict[Device, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
_MENDS: dict[Device, str] = {"cuda": "pip install onnxruntime-gpu in place of onnxruntime", "mps": "use a Mac"}


def encode(painting: Pixels, *, device: Device = "auto") -> Code:
    """The style code of a painting.

    Args:
        painting: float32 in [0, 1], shape (H, W, 3); 256 pixels on the short side is what the network learned on.
            Sides are continued by reflection to a multiple of 32.
        device: where to compute.

    Returns:
        float32, shape (100,).

    Raises:
        OptionError: when the device is not there.
        ModelError: when the network's file is missing or damaged.
    """
    batch = _batch(painting, STYLE_STRIDE, multiple=STYLE_STRIDE)
    code: Code = _run(PREDICT, device, {"painting": batch})[0]
    return code


def paint(photo: Pixels, code: Code, *, device: Device = "auto") -> Pixels:
    """The photo in the style of a code, at the photo's size, whatever that is.

    Args:
        photo: float32 in [0, 1], shape (H, W, 3), at least one pixel.
        code: float32, shape (100,).
        device: where to compute.

    Returns:
        float32 in [0, 1], shape (H, W, 3).

    Raises:
        OptionError: when the device is not there.
        LimitError: when memory runs out.
        ModelError: when the network's file is missing or damaged.
    """
    height, width = photo.shape[:2]
    batch = _batch(photo, SMALLEST)
    painted = _run(TRANSFER, device, {"photo": batch, "code": code[None].astype(np.float32)})[0]
    return np.stack(tuple(painted[:, :height, :width]), -1)


def _batch(pixels: Pixels, least: int, *, multiple: int = 1) -> Pixels:
    """(H, W, 3) -> (1, 3, H', W'), continued by reflection to at least `least` and to multiples of `multiple`."""
    more = [(0, max(least, -(-n // multiple) * multiple) - n) for n in pixels.shape[:2]]
    if any(after for _, after in more):
        pixels = np.pad(pixels, (*more, (0, 0)), mode="reflect")
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32)


def _run(model: str, device: Device, inputs: dict[str, Pixels]) -> Pixels:
    import onnxruntime

    options = onnxruntime.RunOptions()
    if max(a.size for a in inputs.values()) >= 3 * RETURN_MEMORY_FROM and _provider(device) == _PROVIDERS["cpu"]:
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    try:
        output: Pixels = _session(model, device).run(None, inputs, options)[0]
    except Exception as error:  # the runtime's own exceptions have no common base
        if "alloc" not in str(error).lower():
            raise
        height, width = next(iter(inputs.values())).shape[2:]
        raise LimitError(f"memory ran out while painting {width}x{height}; mend: a smaller --size") from error
    return output


@cache
def _session(model: str, device: Device) -> Any:
    """The runtime's session of one network on one device, made once a process."""
    import onnxruntime

    provider = _provider(device)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # nothing: what matters is raised
    options.intra_op_num_threads = physical_cores()
    options.enable_mem_pattern = False  # sizes change from run to run; a pattern would keep a second copy of memory
    path = models.path(model)
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=list(dict.fromkeys((provider, _PROVIDERS["cpu"])))
        )
    except Exception as error:  # the runtime's own exceptions have no common base
        raise ModelError(
            f"{path} cannot be loaded: {str(error).splitlines()[0]}; mend: impasto models verify"
        ) from error
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
