"""The blocks of image transformation networks as ONNX nodes, shared by all exports.

Written node by node rather than traced: the graph says what the paper says, and three things are arranged for speed on
processors. A norm that a style speaks through is one InstanceNormalization whose scale and shift come from the style;
the last convolution computes four rows of pixels as twelve channels, because kernels compute channels by the eight; and
what is convolved after every pixel was repeated is computed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from impasto.errors import ModelError
from impasto.offline.networks.blocks import (
    INSTANCE_NORM_EPS,
    AffineInstanceNorm,
    ConditionalInstanceNorm,
    StyleInstanceNorm,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    from torch import Tensor

    from impasto.offline.export.graph import OnnxGraph
    from impasto.offline.networks.blocks import NormedConv, Residual

    Array = npt.NDArray[np.float32]

ROWS = 4  # rows of pixels that the last convolution computes as channels; every network's sides divide by 4 there
FREE = (1, 3, "height", "width")
"""Shape of a picture of any size."""


def padded(g: OnnxGraph, x: str, multiple: int) -> str:
    """A picture (1, 3, height, width) continued below and to the right by reflection to multiples of `multiple`."""
    more = g.op("Mod", g.op("Neg", g.op("Shape", x, start=2)), g.ints(multiple))
    return reflect(g, x, g.op("Concat", g.ints(0, 0, 0, 0, 0, 0), more, axis=0))


def as_photo(g: OnnxGraph, x: str, multiple: int) -> str:
    """What `conv_in_rows` gave, in order, and cut to the photo's size; `multiple` is what that was padded to."""
    size = g.op("Shape", "photo", start=2)
    return g.op("Slice", rows_in_order(g, x, multiple), g.ints(0, 0), size, g.ints(2, 3))


def normed_conv(g: OnnxGraph, block: NormedConv, x: str, style: str = "") -> str:
    """Upsampling, convolution, norm and ReLU, as far as the block has them; `style` is what its norm listens to."""
    x = upsampled_conv(g, block.conv, block.upsample, x)
    x = instance_norm(g, x, *scale_and_shift(g, block.norm, style))
    return g.op("Relu", x) if block.relu else x


def upsampled_conv(g: OnnxGraph, layer: nn.Conv2d, times: int, x: str) -> str:
    """Every pixel repeated `times` in both directions, reflected and convolved, without a bias."""
    if times == 2 and layer.kernel_size == (3, 3) and layer.stride == (1, 1):
        return doubled(g, layer, x)
    x = reflect_by(g, upsampled(g, x, times), layer.kernel_size[0] // 2)
    return conv(g, x, array(layer.weight), None, layer)


def doubled(g: OnnxGraph, layer: nn.Conv2d, x: str) -> str:
    """Every pixel repeated in both directions, reflected by one and convolved with a 3x3 kernel; and never repeated.

    The three rows under such a kernel are two rows of x, one of them twice. Four 2x2 kernels, sums of the kernel's
    entries, give the four pixels that grow from each corner of x's pixels: less than half the products, at a quarter of
    the positions (Shi et al. 2016, arXiv 1609.07009).
    """
    channels, inputs, _, _ = layer.weight.shape
    rows = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float32)  # pixel above or below the corner
    sums = np.einsum("ark,bcl->klabrc", rows, rows).reshape(9, 16)
    flat = g.op("Reshape", g.weight(array(layer.weight)), g.ints(channels * inputs, 9))
    split = g.op("Reshape", g.op("MatMul", flat, g.constant(sums, np.float32)), g.ints(channels, inputs, 4, 2, 2))
    kernels = g.op("Reshape", g.op("Transpose", split, perm=(0, 2, 1, 3, 4)), g.ints(4 * channels, inputs, 2, 2))
    x = g.op("Pad", x, g.ints(0, 0, 1, 1, 0, 0, 1, 1), mode="edge")
    x = g.op("DepthToSpace", g.op("Conv", x, kernels, kernel_shape=(2, 2)), blocksize=2, mode="CRD")
    return g.op("Slice", x, g.ints(1, 1), g.ints(-1, -1), g.ints(2, 3))


def residual(g: OnnxGraph, block: Residual, x: str, style: str = "") -> str:
    """`x + conv2(conv1(x))`."""
    return g.op("Add", x, normed_conv(g, block.conv2, normed_conv(g, block.conv1, x, style), style))


def scale_and_shift(g: OnnxGraph, norm: nn.Module, style: str = "") -> tuple[str, str]:
    """A norm's gamma and beta, (channels,) each.

    Raises:
        ModelError: when it is none of the norms that are known.
    """
    if isinstance(norm, ConditionalInstanceNorm):
        gamma, beta = (g.op("Reshape", linear(g, head, style), g.ints(-1)) for head in (norm.gamma, norm.beta))
        return gamma, beta
    if isinstance(norm, StyleInstanceNorm):
        rows = (g.constant(array(values), np.float32) for values in (norm.gamma, norm.beta))
        gamma, beta = (g.op("Reshape", g.op("MatMul", style, row), g.ints(-1)) for row in rows)
        return gamma, beta
    if isinstance(norm, AffineInstanceNorm):
        return g.constant(array(norm.weight), np.float32), g.constant(array(norm.bias), np.float32)
    raise ModelError(f"cannot export the norm {type(norm).__name__}; mend: use one of offline/networks/blocks.py")


def instance_norm(g: OnnxGraph, x: str, gamma: str, beta: str) -> str:
    """Every channel of x with the spread gamma and the mean beta."""
    return g.op("InstanceNormalization", x, gamma, beta, epsilon=INSTANCE_NORM_EPS)


def conv_in_rows(g: OnnxGraph, layer: nn.Conv2d, x: str) -> str:
    """A convolution of stride 1 whose rows come four at a time: (1, C, ROWS, height / ROWS * width) of pixels.

    Row r of each four is the same kernel r rows further down, so one taller kernel a row and a stride of ROWS give
    all four at once. A norm that follows does not mind the order of pixels.
    """
    weight = array(layer.weight)
    channels, inputs, side, _ = weight.shape
    tall = np.zeros((channels, ROWS, inputs, side + ROWS - 1, side), np.float32)
    for row in range(ROWS):
        tall[:, row, :, row : row + side] = weight
    tall = tall.reshape(channels * ROWS, inputs, side + ROWS - 1, side)
    bias = None if layer.bias is None else np.repeat(array(layer.bias), ROWS)
    x = reflect_by(g, x, side // 2)
    inputs_of = [x, g.weight(tall)] + ([] if bias is None else [g.constant(bias, np.float32)])
    x = g.op("Conv", *inputs_of, kernel_shape=tall.shape[2:], strides=(ROWS, 1))
    return g.op("Reshape", x, g.ints(1, channels, ROWS, -1))


def rows_in_order(g: OnnxGraph, x: str, multiple: int) -> str:
    """(1, 3, ROWS, rows / ROWS * width) -> (1, 3, rows, width); the photo's width rounded up to `multiple`."""
    width = g.op("Shape", "photo", start=3)
    step = g.ints(multiple)
    width = g.op("Mul", g.op("Div", g.op("Add", width, g.ints(multiple - 1)), step), step)
    x = g.op("Reshape", x, g.op("Concat", g.ints(1, 3, ROWS, -1), width, axis=0))
    x = g.op("Transpose", x, perm=(0, 1, 3, 2, 4))
    return g.op("Reshape", x, g.op("Concat", g.ints(1, 3, -1), width, axis=0))


def upsampled(g: OnnxGraph, x: str, times: int) -> str:
    """Every pixel repeated in both directions."""
    if times == 1:
        return x
    scales = g.constant([1, 1, times, times], np.float32)
    return g.op(
        "Resize", x, "", scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


def reflect(g: OnnxGraph, x: str, pads: str) -> str:
    """Continues x by reflection."""
    return g.op("Pad", x, pads, mode="reflect")


def reflect_by(g: OnnxGraph, x: str, n: int) -> str:
    """Continues x by n pixels on all sides."""
    return reflect(g, x, g.ints(0, 0, n, n, 0, 0, n, n))


def conv(
    g: OnnxGraph, x: str, weight: Array, bias: Array | None, like: nn.Conv2d, *, pads: Sequence[int] = (0, 0, 0, 0)
) -> str:
    """A convolution with stride and groups as `like` has them."""
    inputs = [x, g.weight(weight)] + ([] if bias is None else [g.constant(bias, np.float32)])
    return g.op("Conv", *inputs, kernel_shape=weight.shape[2:], strides=like.stride, group=like.groups, pads=pads)


def linear(g: OnnxGraph, layer: nn.Linear, x: str) -> str:
    """A linear layer with bias on (1, features)."""
    return dense(g, x, array(layer.weight), array(layer.bias))


def dense(g: OnnxGraph, x: str, weight: Array, bias: Array) -> str:
    """`weight @ x + bias` on (1, features)."""
    return g.op("Gemm", x, g.weight(weight), g.constant(bias, np.float32), transB=1)


def array(tensor: Tensor) -> Array:
    """A tensor's values."""
    found: Array = tensor.detach().cpu().float().numpy()
    return found


def bytes_per_pixel(channels: int) -> int:
    """Memory that painting takes for each pixel, by the channels of the widest layer at full size.

    Peak of the whole process, measured at 1.2 megapixels with the options that take most: 321 for 8 channels, 563 for
    16, 1096 for 32.
    """
    return 140 + 32 * max(8, channels)
