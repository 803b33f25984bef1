"""Our own pair as ONNX: painting -> code through the VGG-16 that it was trained with, photo and code -> picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from impasto.fast.card import PROPERTY, Card
from impasto.losses.parametric.moments import VARIANCE_FLOOR
from impasto.offline.export import blocks
from impasto.offline.export.graph import OnnxGraph, Precision
from impasto.offline.export.vgg import features
from impasto.offline.networks import impasto

if TYPE_CHECKING:
    from onnx import ModelProto

    from impasto.encoders.vgg import Vgg
    from impasto.fast.card import Part


def to_onnx(
    network: impasto.ImpastoNetwork, card: Card, *, precision: Precision = "fp32", encoder: Vgg | None = None
) -> dict[Part, ModelProto]:
    """Both halves in evaluation mode.

    Shapes: photo (1, 3, height, width), both at least 9; painting (1, 3, height, width), both at least 16; code (1, D).

    Args:
        network: the pair.
        card: what the files say of themselves.
        precision: of stored weights.
        encoder: another VGG-16 than the published one.

    Raises:
        ModelError: when VGG-16's weights cannot be had.
    """
    shape = impasto.SIZES[str(network.arguments["size"])]
    told = replace(
        card, least=impasto.SMALLEST, code=shape.code, bytes_per_pixel=blocks.bytes_per_pixel(shape.widths[0])
    )
    return {
        "paint": _transfer(network.transfer, told, precision),
        "predict": _predictor(network.predictor, replace(told, part="predict"), precision, encoder or _vgg()),
    }


def _vgg() -> Vgg:
    from impasto.encoders import load_encoder

    return cast("Vgg", load_encoder(impasto.ENCODER, pooling="average"))


def _transfer(network: impasto.Transfer, card: Card, precision: Precision) -> ModelProto:
    g = OnnxGraph("impasto transfer", precision=precision)
    x = blocks.padded(g, "photo", impasto.STRIDE)
    for layer in (*network.down, *network.before):
        x = _layer(g, layer, x)
    deep = _layer(g, network.dip, x)
    for layer in network.deep:
        deep = _layer(g, layer, deep)
    x = g.op("Add", x, _layer(g, network.rise, deep))
    for layer in (*network.after, *network.up):
        x = _layer(g, layer, x)
    x = _norm(g, network.out, blocks.conv_in_rows(g, network.out.conv, x))
    x = blocks.as_photo(g, g.op("Sigmoid", x), impasto.STRIDE)
    shapes = {"photo": blocks.FREE, "code": (1, card.code)}
    output = (x, "picture", blocks.FREE)
    return g.build(shapes, output, metadata={PROPERTY: card.to_json()})


def _layer(g: OnnxGraph, layer: nn.Module, x: str) -> str:
    if isinstance(layer, impasto.StyledResidual):
        return g.op("Add", x, _layer(g, layer.b, _layer(g, layer.a, x)))
    styled = cast("impasto.StyledConv", layer)
    x = _norm(g, styled, blocks.upsampled_conv(g, styled.conv, styled.upsample, x))
    return g.op("Relu", x) if styled.relu else x


def _norm(g: OnnxGraph, layer: impasto.StyledConv, x: str) -> str:
    """The scale is 1 + what the code says; the 1 goes into the bias."""
    weights, biases = (np.split(blocks.array(t), 2) for t in (layer.affine.weight, layer.affine.bias))
    heads = zip(weights, (biases[0] + np.float32(1), biases[1]), strict=True)
    gamma, beta = (g.op("Reshape", blocks.dense(g, "code", w, b), g.ints(-1)) for w, b in heads)
    return blocks.instance_norm(g, x, gamma, beta)


def _predictor(network: impasto.StylePredictor, card: Card, precision: Precision, encoder: Vgg) -> ModelProto:
    g = OnnxGraph("impasto predictor", precision=precision)
    maps = features(g, encoder, "painting", impasto.TAPS)
    x = g.op("Concat", *(moment for tap in maps for moment in _moments(g, tap)), axis=1)
    x = g.op("Log", g.op("Add", x, g.constant(1, np.float32)))
    mean, scale = network.norm.running_mean, torch.rsqrt(network.norm.running_var + network.norm.eps)
    x = g.op(
        "Mul", g.op("Sub", x, g.constant(blocks.array(mean), np.float32)), g.constant(blocks.array(scale), np.float32)
    )
    for layer in network.mlp:
        x = blocks.linear(g, layer, x) if isinstance(layer, nn.Linear) else g.op("Mul", x, g.op("Sigmoid", x))  # SiLU
    output = (x, "code", (1, card.code))
    return g.build({"painting": blocks.FREE}, output, metadata={PROPERTY: card.to_json()})


def _moments(g: OnnxGraph, x: str) -> tuple[str, str]:
    """Each channel's mean and deviation over the pixels of (1, C, H, W), (1, C) both; never of one pixel alone."""
    mean = g.op("ReduceMean", x, axes=(2, 3), keepdims=1)
    size = g.op("Cast", g.op("Shape", x, start=2), to=1)  # 1 is float32
    others = g.op("Sub", g.op("ReduceProd", size, keepdims=0), g.constant(1, np.float32))
    squares = g.op("ReduceSumSquare", g.op("Sub", x, mean), axes=(2, 3), keepdims=0)
    variance = g.op("Div", squares, others)
    floor = g.constant(VARIANCE_FLOOR, np.float32)
    return g.op("Flatten", mean), g.op("Sqrt", g.op("Add", variance, floor))
