"""Johnson's network as ONNX: photo -> picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from impasto.fast.card import PROPERTY, Card
from impasto.offline.export import blocks
from impasto.offline.export.graph import OnnxGraph, Precision
from impasto.offline.networks.johnson import SMALLEST, STRIDE, JohnsonNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

    from impasto.fast.card import Part
    from impasto.offline.networks.blocks import Residual


def to_onnx(network: JohnsonNetwork, card: Card, *, precision: Precision = "fp32") -> dict[Part, ModelProto]:
    """The network in evaluation mode. Shapes: photo (1, 3, height, width), both at least 5; picture as photo."""
    g = OnnxGraph("johnson", precision=precision)
    x = blocks.padded(g, "photo", STRIDE)
    for contract in (network.contract1, network.contract2, network.contract3):
        x = blocks.normed_conv(g, contract, x)
    for block in network.residuals:
        x = blocks.residual(g, cast("Residual", block), x)
    for expand in (network.expand1, network.expand2):
        x = blocks.normed_conv(g, expand, x)
    x = g.op("Sigmoid", blocks.conv_in_rows(g, network.expand3, x))
    x = blocks.as_photo(g, x, STRIDE)
    told = replace(card, least=SMALLEST, bytes_per_pixel=blocks.bytes_per_pixel(network.contract1.conv.out_channels))
    metadata = {PROPERTY: told.to_json()}
    return {"paint": g.build({"photo": blocks.FREE}, (x, "picture", blocks.FREE), metadata=metadata)}
