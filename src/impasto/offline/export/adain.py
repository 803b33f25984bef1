"""AdaIN and WCT as ONNX: encoder, feature transform and decoder in one graph, several paintings mixed as asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from impasto.fast.card import PROPERTY, Card
from impasto.offline.export import blocks
from impasto.offline.export.graph import OnnxGraph, Precision
from impasto.offline.export.vgg import features
from impasto.offline.networks import wct
from impasto.offline.networks.adain import VARIANCE_FLOOR, AdaInDecoder

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import nn

    from impasto.encoders.vgg import Vgg
    from impasto.fast.card import Part

Transform = Literal["adain", "wct"]

BYTES_PER_PIXEL = 1000  # peak of the whole process for each pixel: 790 measured, the network itself included
FLOAT_EPS = float(np.finfo(np.float32).eps)
TINY = float(np.finfo(np.float32).tiny)


def to_onnx(
    network: AdaInDecoder,
    card: Card,
    *,
    precision: Precision = "fp32",
    transform: Transform = "adain",
    encoder: Vgg | None = None,
) -> dict[Part, ModelProto]:
    """The whole method: (photo, painting, weights, strength) -> picture.

    Shapes: photo (1, 3, height, width); painting (styles, 3, h, w), sides at least 16; weights (styles,), which sum to
    1; strength (1,), from the photo's features (0) to the paintings' (1); picture as photo.

    Args:
        network: the decoder.
        card: what the file says of itself.
        precision: of stored weights, the encoder's too.
        transform: what is done to the features.
        encoder: another than the published one that the decoder was made for.

    Raises:
        ModelError: when the encoder's weights cannot be had.
    """
    layer = str(network.arguments["layer"])
    eyes = encoder or _encoder(str(network.arguments["encoder"]))
    multiple = max(blocks.ROWS, network.stride)
    g = OnnxGraph(transform, precision=precision)
    (content,) = features(g, eyes, blocks.padded(g, "photo", multiple), [layer])
    (style,) = features(g, eyes, "painting", [layer])
    restyled = {"adain": _adain, "wct": _whiten_colour}[transform](g, content, style)
    away = g.op("Mul", g.op("Sub", restyled, content), "strength")
    x = _decode(g, network, g.op("Add", content, away))
    x = blocks.as_photo(g, g.op("Sigmoid", x), multiple)
    told = replace(card, network=transform, least=multiple + 1, bytes_per_pixel=BYTES_PER_PIXEL)
    shapes: dict[str, tuple[int | str, ...]] = {
        "photo": blocks.FREE, "painting": ("styles", 3, "style height", "style width"), "weights": ("styles",),
        "strength": (1,),
    }  # fmt: skip
    return {"paint": g.build(shapes, (x, "picture", blocks.FREE), metadata={PROPERTY: told.to_json()})}


def _encoder(name: str) -> Vgg:
    from impasto.encoders import load_encoder

    return cast("Vgg", load_encoder(name))


def _adain(g: OnnxGraph, content: str, style: str) -> str:
    """One instance norm, whose scale and shift are the paintings' mixed deviations and means."""
    mean = g.op("ReduceMean", style, axes=(2, 3), keepdims=1)
    away = g.op("Sub", style, mean)
    variance = g.op("ReduceMean", g.op("Mul", away, away), axes=(2, 3), keepdims=0)
    deviation = g.op("Sqrt", g.op("Add", variance, g.constant(VARIANCE_FLOOR, np.float32)))
    gamma, beta = (g.op("MatMul", "weights", x) for x in (deviation, g.op("Flatten", mean)))
    return g.op("InstanceNormalization", content, gamma, beta, epsilon=VARIANCE_FLOOR)


def _whiten_colour(g: OnnxGraph, content: str, style: str) -> str:
    """Whitened by the photo's covariance, coloured by the paintings' mixed roots: one matrix for every pixel."""
    flat, _ = _centred(g, content)
    texture, mean = _centred(g, style)
    _, whitening = _square_roots(g, _covariance(g, flat))
    colouring, _ = _square_roots(g, _covariance(g, texture))
    share = g.op("Reshape", "weights", g.ints(-1, 1, 1))
    colouring, mean = (g.op("ReduceSum", g.op("Mul", x, share), g.ints(0), keepdims=1) for x in (colouring, mean))
    coloured = g.op("Add", g.op("MatMul", g.op("MatMul", colouring, whitening), flat), mean)
    return g.op("Reshape", coloured, g.op("Shape", content))


def _centred(g: OnnxGraph, x: str) -> tuple[str, str]:
    """(N, C, positions) around zero, and the means (N, C, 1)."""
    flat = g.op("Reshape", x, g.ints(0, 0, -1))
    mean = g.op("ReduceMean", flat, axes=(2,), keepdims=1)
    return g.op("Sub", flat, mean), mean


def _covariance(g: OnnxGraph, flat: str) -> str:
    """(N, C, C), with the ridge that `wct` has."""
    positions = g.op("Cast", g.op("Shape", flat, start=2), to=1)  # 1 is float32
    covariance = g.op("Div", g.op("MatMul", flat, g.op("Transpose", flat, perm=(0, 2, 1))), positions)
    variances = g.op("ReduceMean", g.op("Mul", flat, flat), axes=(2,), keepdims=1)
    ridge = g.op("Mul", g.op("ReduceMean", variances, axes=(1,), keepdims=1), g.constant(wct.RIDGE, np.float32))
    ridge = g.op("Add", ridge, g.constant(FLOAT_EPS, np.float32))
    return g.op("Add", covariance, g.op("Mul", _identity(g, covariance), ridge))


def _square_roots(g: OnnxGraph, matrix: str) -> tuple[str, str]:
    """Newton and Schulz's coupled iteration, as `wct.square_roots`: (N, C, C) each."""
    squares = g.op("ReduceSumSquare", matrix, axes=(1, 2), keepdims=1)
    norm = g.op("Max", g.op("Sqrt", squares), g.constant(TINY, np.float32))
    one = _identity(g, matrix)
    root, inverse = g.op("Div", matrix, norm), one
    three_halves = g.op("Mul", one, g.constant(1.5, np.float32))
    half = g.constant(0.5, np.float32)
    for _ in range(wct.ITERATIONS):
        step = g.op("Sub", three_halves, g.op("Mul", g.op("MatMul", inverse, root), half))
        root, inverse = g.op("MatMul", root, step), g.op("MatMul", step, inverse)
    scale = g.op("Sqrt", norm)
    return g.op("Mul", root, scale), g.op("Div", inverse, scale)


def _identity(g: OnnxGraph, like: str) -> str:
    """(C, C) with ones on the diagonal, C that of (N, C, C)."""
    square = g.op("ConstantOfShape", g.op("Shape", like, start=1))
    return g.op("EyeLike", square, dtype=1)


def _decode(g: OnnxGraph, network: AdaInDecoder, x: str) -> str:
    """Before the sigmoid, rows four at a time."""
    x = g.op("Div", x, g.constant(blocks.array(network.scale), np.float32))
    for name in network.steps:
        if name.startswith("pool"):
            x = blocks.upsampled(g, x, 2)
            continue
        layer = cast("nn.Conv2d", network.convs[name])
        if name == "conv1_1":
            return blocks.conv_in_rows(g, layer, x)
        assert layer.bias is not None  # noqa: S101 (the decoder's convolutions all have one)
        x = blocks.reflect_by(g, x, layer.kernel_size[0] // 2)
        x = g.op("Relu", blocks.conv(g, x, blocks.array(layer.weight), blocks.array(layer.bias), layer))
    return x
