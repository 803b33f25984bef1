"""A pen to write ONNX graphs with: nodes in order, constants stored once, weights as small as they go without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from impasto.errors import MissingExtraError

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import ModelProto

Precision = Literal["fp32", "fp16", "int8"]

OPSET = 17
IR_VERSION = 8  # read by every ONNX Runtime since 1.13, in browsers too
LARGE = 512  # weights from this many numbers on are worth packing
CODES = 256  # different numbers that one byte can name
HALF = 65504.0  # the largest number of 16 bits


class OnnxGraph:
    """Builds one ONNX graph; values are known by the names that `op` gives back.

    Args:
        name: the graph's name.
        precision: how `weight` stores what cannot be packed without loss: as it is, rounded to 16 bits, or rounded to
            8 bits with one scale an output channel. What is computed is float32 in any case.

    Raises:
        MissingExtraError: when the package onnx is not installed.
    """

    def __init__(self, name: str, *, precision: Precision = "fp32") -> None:
        try:
            import onnx
        except ImportError:
            raise MissingExtraError("writing ONNX files", "torch") from None
        self._onnx = onnx
        self._name = name
        self._precision = precision
        self._nodes: list[Any] = []
        self._stored: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._initializers: list[Any] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds one node and names its output."""
        output = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, array: npt.ArrayLike, kind: type[np.generic]) -> str:
        """A constant of the element type `kind`; equal ones are stored once."""
        values = np.ascontiguousarray(array, kind)
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._stored:
            self._stored[key] = f"constant_{len(self._stored)}"
            self._initializers.append(self._onnx.numpy_helper.from_array(values, self._stored[key]))
        return self._stored[key]

    def ints(self, *values: int) -> str:
        """A constant list of whole numbers."""
        return self.constant(values, np.int64)

    def weight(self, array: npt.NDArray[np.float32]) -> str:
        """Weights with the output channel first.

        Those that once were int8 with one scale a channel, one byte that looks up 256 numbers, or 16 bits, are stored
        so again and made float32 by the runtime when it folds constants at load. All others are as the graph's
        precision says, but for small ones, which stay float32.
        """
        if array.size < LARGE:
            return self.constant(array, np.float32)
        packed = _as_int8(array)
        if packed is None and (book := _as_codes(array)) is not None:
            codes = self.op("Cast", self.constant(book[0], np.uint8), to=self._onnx.TensorProto.INT32)
            return self.op("Gather", self.constant(book[1], np.float32), codes)
        if packed is None and self._precision == "int8":
            packed = _as_int8(array, lossless=False)
        if packed is not None:
            whole = self.op("Cast", self.constant(packed[0], np.int8), to=self._onnx.TensorProto.FLOAT)
            return self.op("Mul", whole, self.constant(packed[1], np.float32))
        if _fits_half(array, lossless=self._precision == "fp32"):
            return self.op("Cast", self.constant(array, np.float16), to=self._onnx.TensorProto.FLOAT)
        return self.constant(array, np.float32)

    def build(
        self,
        inputs: Mapping[str, Sequence[int | str]],
        output: tuple[str, str, Sequence[int | str]],
        *,
        metadata: Mapping[str, str],
    ) -> ModelProto:
        """The finished, checked model.

        Args:
            inputs: name -> shape of each float32 input; a name for a size leaves it free.
            output: the value to give out, the name to call it by, its shape.
            metadata: facts to store in the file.
        """
        helper, real = self._onnx.helper, self._onnx.TensorProto.FLOAT
        value, name, shape = output
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [helper.make_tensor_value_info(n, real, list(s)) for n, s in inputs.items()],
            [helper.make_tensor_value_info(name, real, list(shape))],
            self._initializers,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION, producer_name="impasto")
        helper.set_model_props(model, dict(metadata))
        self._onnx.checker.check_model(model, full_check=True)
        done: ModelProto = model
        return done


def _as_int8(
    array: npt.NDArray[np.float32], *, lossless: bool = True
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]] | None:
    """Whole numbers in [-127, 127] and a scale a channel whose product is `array`; None where that would round."""
    peak = np.abs(array).max(axis=tuple(range(1, array.ndim)), keepdims=True).astype(np.float64)
    scale = np.where(peak > 0, peak, 1.0) / 127
    whole = np.rint(array / scale)
    if lossless and np.abs(whole * scale - array).max() > 1e-6 * peak.max():
        return None
    return whole.astype(np.int8), scale.astype(np.float32)


def _as_codes(array: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]] | None:
    """One byte a weight and the numbers that bytes stand for; None where there are more than 256 numbers."""
    if array.size < 8 * CODES or len(np.unique(array.reshape(-1)[: 8 * CODES])) > CODES:
        return None
    numbers, codes = np.unique(array, return_inverse=True)
    return (codes.reshape(array.shape).astype(np.uint8), numbers) if len(numbers) <= CODES else None


def _fits_half(array: npt.NDArray[np.float32], *, lossless: bool) -> bool:
    """Whether 16 bits can hold the weights, to the last digit if `lossless`."""
    if np.abs(array).max() > HALF:
        return False
    return not lossless or bool((array.astype(np.float16).astype(np.float32) == array).all())
