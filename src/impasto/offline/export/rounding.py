"""What storing a network's weights in fewer bits changes in the pictures that it paints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.image import fit, resize
from impasto.machine import threads

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto

    from impasto.fast.card import Part
    from impasto.picture import Picture

    Array = npt.NDArray[np.float32]

SIDE = 384  # long side of the photos that are painted
STYLE_SIDE = 256  # sides of the paintings that are read


@dataclass(frozen=True)
class Difference:
    """Between two pictures of the same photos, over all their values in [0, 1].

    Attributes:
        largest: largest difference of a value.
        mean: mean of them.
        psnr: 10 log10(1 / mean squared difference), in decibels; infinite for equal pictures.
        photos: how many were painted.
    """

    largest: float
    mean: float
    psnr: float
    photos: int


def difference(
    whole: Mapping[Part, ModelProto], rounded: Mapping[Part, ModelProto], photos: Sequence[Picture]
) -> Difference:
    """Paints each photo by both, in the style of the next one where a painting is asked for.

    Args:
        whole: the graphs at 32 bits.
        rounded: the same in fewer.
        photos: at least one.
    """
    away = [np.abs(a - b) for a, b in zip(_painted(whole, photos), _painted(rounded, photos), strict=True)]
    values = np.concatenate([pixels.ravel() for pixels in away]).astype(np.float64)
    square = float(np.square(values).mean())
    psnr = math.inf if square == 0 else -10 * math.log10(square)
    return Difference(float(values.max()), float(values.mean()), psnr, len(photos))


def _painted(graphs: Mapping[Part, ModelProto], photos: Sequence[Picture]) -> Iterator[Array]:
    sessions = {part: _session(model) for part, model in graphs.items()}
    wanted = {value.name: value.shape for value in sessions["paint"].get_inputs()}
    for i, photo in enumerate(photos):
        painting = _batch(photos[(i + 1) % len(photos)], (STYLE_SIDE, STYLE_SIDE))
        told: dict[str, Array] = {"photo": _batch(photo, fit(photo.size, min(SIDE, max(photo.size))))}
        if "code" in wanted:
            told["code"] = sessions["predict"].run(None, {"painting": painting})[0]
        if "painting" in wanted:
            told |= {"painting": painting, "weights": np.ones(1, np.float32), "strength": np.ones(1, np.float32)}
        elif "weights" in wanted:
            styles = int(wanted["weights"][1])
            told["weights"] = np.eye(styles, dtype=np.float32)[i % styles][None]
        yield sessions["paint"].run(None, told)[0]


def _batch(photo: Picture, size: tuple[int, int]) -> Array:
    return np.ascontiguousarray(resize(photo.pixels, size).transpose(2, 0, 1)[None], np.float32)


def _session(model: ModelProto) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads()
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
