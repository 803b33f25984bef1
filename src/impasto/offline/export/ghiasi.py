"""Ghiasi's pair as ONNX: painting -> code, photo and code -> picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from impasto.fast.card import PROPERTY, Card
from impasto.offline.export import blocks
from impasto.offline.export.graph import OnnxGraph, Precision
from impasto.offline.export.trunks import folded, trunk
from impasto.offline.networks.blocks import Residual
from impasto.offline.networks.ghiasi import FAR_AFTER, SwiftTransferNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onnx import ModelProto
    from torch import nn

    from impasto.fast.card import Part
    from impasto.offline.networks.blocks import NormedConv
    from impasto.offline.networks.ghiasi import (
        ContractConv,
        GhiasiNetwork,
        StylePredictionNetwork,
        StyleTransferNetwork,
    )


def to_onnx(network: GhiasiNetwork, card: Card, *, precision: Precision = "fp32") -> dict[Part, ModelProto]:
    """Both halves in evaluation mode, as `transfer_to_onnx` and `predict_to_onnx`."""
    channels = network.transfer.whole
    code = network.prediction.bottleneck.out_features
    paints = replace(card, least=network.transfer.least, code=code, bytes_per_pixel=blocks.bytes_per_pixel(channels))
    reads = replace(paints, part="predict")
    return {
        "paint": transfer_to_onnx(network.transfer, metadata={PROPERTY: paints.to_json()}, precision=precision),
        "predict": predict_to_onnx(network.prediction, metadata={PROPERTY: reads.to_json()}, precision=precision),
    }


def transfer_to_onnx(
    network: StyleTransferNetwork | SwiftTransferNetwork, *, metadata: Mapping[str, str], precision: Precision = "fp32"
) -> ModelProto:
    """The style transfer network in evaluation mode: (photo, code) -> picture.

    Shapes: photo (1, 3, height, width) in [0, 1], both at least `network.least`; code (1, D); picture as photo.
    """
    g = OnnxGraph("style transfer", precision=precision)
    x = blocks.padded(g, "photo", network.stride)
    x = _swiftly(g, network, x) if isinstance(network, SwiftTransferNetwork) else _as_in_the_paper(g, network, x)
    shapes = {"photo": blocks.FREE, "code": (1, network.expand1.norm.gamma.in_features)}
    return g.build(shapes, (x, "picture", blocks.FREE), metadata=metadata)


def _swiftly(g: OnnxGraph, network: SwiftTransferNetwork, x: str) -> str:
    x = _styled(g, x, network.contract1, network.contract2, *network.residuals, network.expand1, network.expand2)
    return g.op("Slice", g.op("Sigmoid", x), g.ints(0, 0), g.op("Shape", "photo", start=2), g.ints(2, 3))


def _as_in_the_paper(g: OnnxGraph, network: StyleTransferNetwork, x: str) -> str:
    for contract in (network.contract1, network.contract2, network.contract3):
        x = _contract(g, contract, x)
    for i, residual in enumerate(network.residuals):
        if network.far is not None and i == FAR_AFTER:
            far = network.far
            seen = _styled(g, x, far.contract1, far.contract2, *far.residuals, far.expand1, far.expand2)
            x = g.op("Add", x, seen)
        x = _styled(g, x, residual)
    x = _styled(g, x, network.expand1, network.expand2)
    x = blocks.conv_in_rows(g, network.expand3.conv, x)
    norm = network.expand3.norm
    x = g.op("Sigmoid", blocks.instance_norm(g, x, *blocks.scale_and_shift(g, norm, "code")))
    return blocks.as_photo(g, x, network.stride)


def predict_to_onnx(
    network: StylePredictionNetwork, *, metadata: Mapping[str, str], precision: Precision = "fp32"
) -> ModelProto:
    """The style prediction network: painting -> code.

    Shapes: painting (1, 3, height, width) in [0, 1], sides dividing by 32; code (1, D).

    Raises:
        ModelError: when the trunk is not known here.
    """
    g = OnnxGraph("style prediction", precision=precision)
    x = g.op("Flatten", g.op("GlobalAveragePool", trunk(g, network.trunk, "painting")))
    x = blocks.linear(g, network.bottleneck, x)
    shape = (1, network.bottleneck.out_features)
    return g.build({"painting": blocks.FREE}, (x, "code", shape), metadata=metadata)


def _styled(g: OnnxGraph, x: str, *layers: nn.Module) -> str:
    """One after the other: residual blocks, and convolutions whose norms listen to the code."""
    for layer in layers:
        if isinstance(layer, Residual):
            x = blocks.residual(g, layer, x, "code")
        else:
            x = blocks.normed_conv(g, cast("NormedConv", layer), x, "code")
    return x


def _contract(g: OnnxGraph, block: ContractConv, x: str) -> str:
    """Batch norm folds into the convolution in front of it."""
    x = blocks.reflect_by(g, x, block.conv.kernel_size[0] // 2)
    return g.op("Relu", blocks.conv(g, x, *folded(block.conv, block.norm), block.conv))
