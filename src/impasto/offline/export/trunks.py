"""The trunks that style predictors look with, as ONNX nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import nn

from impasto.encoders import efficientnet, inception
from impasto.encoders.encoder import Preprocess
from impasto.errors import ModelError
from impasto.offline.export import blocks
from impasto.offline.networks.mobilenet import InvertedResidual, MobileNetV2, SameConv

if TYPE_CHECKING:
    from impasto.offline.export.graph import OnnxGraph


def trunk(g: OnnxGraph, network: nn.Module, x: str) -> str:
    """The last features of a painting (1, 3, height, width) in [0, 1], sides dividing by 32.

    Raises:
        ModelError: when the trunk is not known here.
    """
    if isinstance(network, MobileNetV2):
        x = _same(g, network.stem, x)
        for block in network.blocks:
            x = _inverted(g, cast("InvertedResidual", block), x)
        return _same(g, network.head, x)
    if not isinstance(network, nn.Sequential):
        raise ModelError(f"cannot export a predictor with the trunk {type(network).__name__}; mend: use MobileNetV2")
    for layer in network:
        x = _layer(g, layer, x)
    return x


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[blocks.Array, blocks.Array]:
    """Weight and bias of a convolution that does what the batch norm behind it did as well."""
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: S101 (ours all track both)
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return blocks.array(conv.weight * scale[:, None, None, None]), blocks.array(norm.bias - norm.running_mean * scale)


def _layer(g: OnnxGraph, layer: nn.Module, x: str) -> str:
    if isinstance(layer, Preprocess):
        return _prepared(g, layer, x)
    if isinstance(layer, inception.ConvNorm):
        return _conv_norm(g, layer, x)
    if isinstance(layer, inception.Mixed):
        return _mixed(g, layer, x)
    if isinstance(layer, nn.MaxPool2d):
        return g.op("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2))
    if isinstance(layer, efficientnet.Activated):
        return _clipped(g, _lite_conv(g, layer, x))
    if isinstance(layer, efficientnet.Block):
        inner = x if layer.expand is None else _clipped(g, _lite_conv(g, layer.expand, x))
        y = _lite_conv(g, layer.project, _clipped(g, _lite_conv(g, layer.depthwise, inner)))
        return g.op("Add", x, y) if layer.residual else y
    raise ModelError(f"cannot export a trunk with the layer {type(layer).__name__}; mend: use mobilenet-v2")


def _prepared(g: OnnxGraph, layer: Preprocess, x: str) -> str:
    """`(gain * x - mean) / std`."""
    x = g.op("Mul", x, g.constant(layer.gain / blocks.array(layer.std), np.float32))
    return g.op("Sub", x, g.constant(blocks.array(layer.mean) / blocks.array(layer.std), np.float32))


def _conv_norm(g: OnnxGraph, layer: inception.ConvNorm, x: str) -> str:
    down, across = (int(n) for n in layer.conv.padding)
    weight, bias = folded(layer.conv, layer.bn)
    return g.op("Relu", blocks.conv(g, x, weight, bias, layer.conv, pads=(down, across, down, across)))


def _mixed(g: OnnxGraph, layer: inception.Mixed, x: str) -> str:
    parts: list[str] = []
    for names in layer.names:
        y = x
        for name in names:
            y = _conv_norm(g, cast("inception.ConvNorm", layer.get_submodule(name)), y)
        parts.append(y)
    if layer.branch_pool is None:
        parts.append(g.op("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2)))
    else:
        mean = g.op("AveragePool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1), count_include_pad=1)
        parts.append(_conv_norm(g, layer.branch_pool, mean))
    return g.op("Concat", *parts, axis=1)


def _lite_conv(g: OnnxGraph, layer: efficientnet.SameConv, x: str) -> str:
    """TensorFlow's padding, which for sides that divide by the stride does not depend on them."""
    whole = max(layer.kernel_size[0] - layer.stride[0], 0)
    before, after = whole // 2, whole - whole // 2
    bias = None if layer.bias is None else blocks.array(layer.bias)
    return blocks.conv(g, x, blocks.array(layer.weight), bias, layer, pads=(before, before, after, after))


def _same(g: OnnxGraph, block: SameConv, x: str) -> str:
    left, right, top, bottom = block.pad
    assert block.conv.bias is not None  # noqa: S101 (SameConv always has one)
    weight, bias = blocks.array(block.conv.weight), blocks.array(block.conv.bias)
    x = blocks.conv(g, x, weight, bias, block.conv, pads=(top, left, bottom, right))
    return x if block.linear else _clipped(g, x)


def _inverted(g: OnnxGraph, block: InvertedResidual, x: str) -> str:
    wide = _same(g, block.expand, x) if block.expand else x
    y = _same(g, block.project, _same(g, block.depthwise, wide))
    return g.op("Add", x, y) if block.adds else y


def _clipped(g: OnnxGraph, x: str) -> str:
    """ReLU6."""
    return g.op("Clip", x, g.constant(0, np.float32), g.constant(6, np.float32))
