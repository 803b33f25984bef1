"""A frozen VGG inside a graph: what predictors and feature transforms look with."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from torch import nn

from impasto.errors import ModelError
from impasto.offline.export import blocks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from impasto.encoders.encoder import Preprocess
    from impasto.encoders.vgg import Vgg
    from impasto.offline.export.graph import OnnxGraph

PADS = {"zeros": "", "reflect": "reflect", "replicate": "edge"}


def features(g: OnnxGraph, encoder: Vgg, x: str, taps: Sequence[str]) -> list[str]:
    """The feature maps of a picture in [0, 1] at `taps`, which are in the order of computation.

    Raises:
        ModelError: when the encoder has a layer that is not known here.
    """
    found: dict[str, str] = {}
    prepare = cast("Preprocess", encoder.preprocess)
    mean = blocks.array(prepare.mean.flip(1) / prepare.gain)  # the rest of it is in the first convolution's weights
    x = g.op("Sub", x, g.constant(mean, np.float32))
    for i, (name, stage) in enumerate(encoder.stages.items()):
        x = _stage(g, stage, x, gain=prepare.gain if i == 0 else None)
        if name in taps:
            found[name] = x
        if len(found) == len(taps):
            break
    return [found[tap] for tap in taps]


def _stage(g: OnnxGraph, stage: nn.Module, x: str, *, gain: float | None) -> str:
    if isinstance(stage, nn.ReLU):
        return g.op("Relu", x)
    if isinstance(stage, nn.MaxPool2d | nn.AvgPool2d):
        kind = "MaxPool" if isinstance(stage, nn.MaxPool2d) else "AveragePool"
        return g.op(kind, x, kernel_shape=(2, 2), strides=(2, 2))
    if not isinstance(stage, nn.Conv2d) or stage.padding_mode not in PADS:
        raise ModelError(f"cannot export the layer {stage}; mend: use a VGG with zero, reflect or replicate padding")
    weight = blocks.array(stage.weight)
    if gain is not None:  # blue first, and 0..255
        weight = np.ascontiguousarray(weight[:, ::-1]) * np.float32(gain)
    bias = None if stage.bias is None else blocks.array(stage.bias)
    mode, n = PADS[stage.padding_mode], int(stage.padding[0])
    if not mode:
        return blocks.conv(g, x, weight, bias, stage, pads=(n, n, n, n))
    x = g.op("Pad", x, g.ints(0, 0, n, n, 0, 0, n, n), mode=mode)
    return blocks.conv(g, x, weight, bias, stage)
