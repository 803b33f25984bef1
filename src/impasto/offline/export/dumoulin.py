"""Dumoulin's network of many styles as ONNX: photo and the styles' weights -> picture."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from impasto.fast.card import PROPERTY, Card
from impasto.offline.export import blocks
from impasto.offline.export.graph import OnnxGraph, Precision
from impasto.offline.networks.dumoulin import SMALLEST, STRIDE, DumoulinNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

    from impasto.fast.card import Part
    from impasto.offline.networks.blocks import Residual


def to_onnx(network: DumoulinNetwork, card: Card, *, precision: Precision = "fp32") -> dict[Part, ModelProto]:
    """The network in evaluation mode.

    Shapes: photo (1, 3, height, width), both at least 5; weights (1, styles); picture as photo.
    """
    g, style = OnnxGraph("dumoulin", precision=precision), "weights"
    x = blocks.padded(g, "photo", STRIDE)
    for contract in (network.contract1, network.contract2, network.contract3):
        x = blocks.normed_conv(g, contract, x, style)
    for block in network.residuals:
        x = blocks.residual(g, cast("Residual", block), x, style)
    for expand in (network.expand1, network.expand2):
        x = blocks.normed_conv(g, expand, x, style)
    x = blocks.conv_in_rows(g, network.expand3.conv, x)
    x = g.op("Sigmoid", blocks.instance_norm(g, x, *blocks.scale_and_shift(g, network.expand3.norm, style)))
    x = blocks.as_photo(g, x, STRIDE)
    told = replace(
        card,
        least=SMALLEST,
        styles=_names(card, network.styles),
        bytes_per_pixel=blocks.bytes_per_pixel(network.contract1.conv.out_channels),
    )
    shapes = {"photo": blocks.FREE, style: (1, network.styles)}
    model = g.build(shapes, (x, "picture", blocks.FREE), metadata={PROPERTY: told.to_json()})
    return {"paint": model}


def _names(card: Card, styles: int) -> tuple[str, ...]:
    """What the training called its styles; numbers for those without a name, and for names that came twice."""
    given = card.about.get("styles")
    named = [str(name) for name in given][:styles] if isinstance(given, list | tuple) else []
    names: list[str] = []
    for i in range(styles):
        name = named[i] if i < len(named) else ""
        names.append(name if name and name not in names and "," not in name else f"style-{i + 1}")
    return tuple(names)
