"""Networks of `offline.networks` as ONNX files that `impasto.fast` runs, for pictures of any size.

Written node by node rather than traced: the graph says what the paper says, and two things are arranged for speed on
processors. Conditional instance norm is one InstanceNormalization whose scale and shift come from the code, and the
last convolution computes four rows of pixels as twelve channels, because kernels compute channels by the eight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from impasto.errors import ModelError
from impasto.offline.networks.blocks import INSTANCE_NORM_EPS
from impasto.offline.networks.mobilenet import InvertedResidual, MobileNetV2
from impasto.offline.onnx_graph import OnnxGraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from onnx import ModelProto
    from torch import Tensor, nn

    from impasto.offline.networks.blocks import ConditionalInstanceNorm, StyledConv, StyledResidual
    from impasto.offline.networks.ghiasi import ContractConv, StylePredictionNetwork, StyleTransferNetwork
    from impasto.offline.networks.mobilenet import SameConv

ROWS = 4  # rows of pixels that the last convolution computes as channels; sides divide by 4 there


def transfer_to_onnx(network: StyleTransferNetwork, *, metadata: Mapping[str, str]) -> ModelProto:
    """The style transfer network in evaluation mode: (photo, code) -> picture.

    Shapes: photo (1, 3, height, width) in [0, 1], both at least 5; code (1, D); picture as photo.
    """
    g = OnnxGraph("style transfer")
    x = _reflect(g, "photo", _to_multiple_of_4(g, "photo"))
    for contract in (network.contract1, network.contract2, network.contract3):
        x = _contract(g, contract, x)
    for residual in network.residuals:
        x = _residual(g, residual, x)  # type: ignore[arg-type]
    for expand in (network.expand1, network.expand2):
        x = _styled(g, expand, x)
    x = g.op("Sigmoid", _styled_in_rows(g, network.expand3, x))
    size = g.op("Shape", "photo", start=2)
    x = g.op("Slice", _rows_in_order(g, x), g.ints(0, 0), size, g.ints(2, 3))
    code = network.expand3.norm.gamma.in_features
    free = (1, 3, "height", "width")
    return g.build({"photo": free, "code": (1, code)}, (x, "picture", free), metadata=metadata)


def predict_to_onnx(network: StylePredictionNetwork, *, metadata: Mapping[str, str]) -> ModelProto:
    """The style prediction network with a MobileNetV2 trunk: painting -> code.

    Shapes: painting (1, 3, height, width) in [0, 1], sides dividing by 32; code (1, D).

    Raises:
        ModelError: when the trunk is another.
    """
    trunk = network.trunk
    if not isinstance(trunk, MobileNetV2):
        raise ModelError(f"cannot export a predictor with the trunk {type(trunk).__name__}; mend: use MobileNetV2")
    g = OnnxGraph("style prediction")
    x = _same(g, trunk.stem, "painting")
    for block in trunk.blocks:
        x = _inverted(g, block, x)  # type: ignore[arg-type]
    x = g.op("Flatten", g.op("GlobalAveragePool", _same(g, trunk.head, x)))
    x = _linear(g, network.bottleneck, x)
    shape = (1, network.bottleneck.out_features)
    return g.build({"painting": (1, 3, "height", "width")}, (x, "code", shape), metadata=metadata)


def _contract(g: OnnxGraph, block: ContractConv, x: str) -> str:
    """Batch norm folds into the convolution in front of it."""
    norm = block.norm
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101 (slim's batch norms track both)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = block.conv.weight * scale[:, None, None, None]
    shift = norm.bias - norm.running_mean * scale
    x = _conv(g, _reflect_by(g, x, block.conv.kernel_size[0] // 2), _array(weight), _array(shift), block.conv)
    return g.op("Relu", x)


def _styled(g: OnnxGraph, block: StyledConv, x: str) -> str:
    if block.upsample > 1:
        scales = g.constant([1, 1, block.upsample, block.upsample], np.float32)
        x = g.op(
            "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )
    x = _reflect_by(g, x, block.conv.kernel_size[0] // 2)
    x = _style_norm(g, block.norm, _conv(g, x, _array(block.conv.weight), None, block.conv))
    return g.op("Relu", x) if block.relu else x


def _residual(g: OnnxGraph, block: StyledResidual, x: str) -> str:
    return g.op("Add", x, _styled(g, block.conv2, _styled(g, block.conv1, x)))


def _style_norm(g: OnnxGraph, norm: ConditionalInstanceNorm, x: str) -> str:
    gamma, beta = (g.op("Reshape", _linear(g, head, "code"), g.ints(-1)) for head in (norm.gamma, norm.beta))
    return g.op("InstanceNormalization", x, gamma, beta, epsilon=INSTANCE_NORM_EPS)


def _styled_in_rows(g: OnnxGraph, block: StyledConv, x: str) -> str:
    """As `_styled` without ReLU, but rows come four at a time: (1, C, ROWS, height / ROWS * width) of pixels.

    Row r of each four is the same kernel r rows further down, so one taller kernel a row and a stride of ROWS give
    all four at once. The norm does not mind the order of pixels.
    """
    weight = _array(block.conv.weight)
    channels, inputs, side, _ = weight.shape
    tall = np.zeros((channels, ROWS, inputs, side + ROWS - 1, side), np.float32)
    for row in range(ROWS):
        tall[:, row, :, row : row + side] = weight
    tall = tall.reshape(channels * ROWS, inputs, side + ROWS - 1, side)
    x = _reflect_by(g, x, side // 2)
    x = g.op("Conv", x, g.weight(tall), kernel_shape=tall.shape[2:], strides=(ROWS, 1))
    return _style_norm(g, block.norm, g.op("Reshape", x, g.ints(1, channels, ROWS, -1)))


def _rows_in_order(g: OnnxGraph, x: str) -> str:
    """(1, 3, ROWS, rows / ROWS * width) -> (1, 3, rows, width); the photo's width rounded up to a multiple of 4."""
    width = g.op("Shape", "photo", start=3)
    four = g.ints(4)
    width = g.op("Mul", g.op("Div", g.op("Add", width, g.ints(3)), four), four)
    x = g.op("Reshape", x, g.op("Concat", g.ints(1, 3, ROWS, -1), width, axis=0))
    x = g.op("Transpose", x, perm=(0, 1, 3, 2, 4))
    return g.op("Reshape", x, g.op("Concat", g.ints(1, 3, -1), width, axis=0))


def _to_multiple_of_4(g: OnnxGraph, x: str) -> str:
    """How far to pad (1, 3, height, width) below and to the right."""
    more = g.op("Mod", g.op("Neg", g.op("Shape", x, start=2)), g.ints(4))
    return g.op("Concat", g.ints(0, 0, 0, 0, 0, 0), more, axis=0)


def _reflect(g: OnnxGraph, x: str, pads: str) -> str:
    return g.op("Pad", x, pads, mode="reflect")


def _reflect_by(g: OnnxGraph, x: str, n: int) -> str:
    return _reflect(g, x, g.ints(0, 0, n, n, 0, 0, n, n))


def _same(g: OnnxGraph, block: SameConv, x: str) -> str:
    left, right, top, bottom = block.pad
    assert block.conv.bias is not None  # noqa: S101 (SameConv always has one)
    weight, bias = _array(block.conv.weight), _array(block.conv.bias)
    x = _conv(g, x, weight, bias, block.conv, pads=(top, left, bottom, right))
    return x if block.linear else g.op("Clip", x, g.constant(0, np.float32), g.constant(6, np.float32))


def _inverted(g: OnnxGraph, block: InvertedResidual, x: str) -> str:
    wide = _same(g, block.expand, x) if block.expand else x
    y = _same(g, block.project, _same(g, block.depthwise, wide))
    return g.op("Add", x, y) if block.adds else y


def _conv(
    g: OnnxGraph,
    x: str,
    weight: npt.NDArray[np.float32],
    bias: npt.NDArray[np.float32] | None,
    like: nn.Conv2d,
    *,
    pads: tuple[int, ...] = (0, 0, 0, 0),
) -> str:
    inputs = [x, g.weight(weight)] + ([] if bias is None else [g.constant(bias, np.float32)])
    return g.op("Conv", *inputs, kernel_shape=weight.shape[2:], strides=like.stride, group=like.groups, pads=pads)


def _linear(g: OnnxGraph, layer: nn.Linear, x: str) -> str:
    return g.op("Gemm", x, g.weight(_array(layer.weight)), g.constant(_array(layer.bias), np.float32), transB=1)


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return tensor.detach().cpu().float().numpy()
