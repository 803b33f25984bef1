"""EfficientNet-Lite0 (Tan and Le 2019, the 2020 "lite" variant without squeeze-and-excitation), ImageNet weights.

A small modern encoder: 3.4 million numbers and a seventh of a VGG's time. The weights come from TensorFlow, hence its
padding, its batch-norm epsilon and its input range. `tests/encoders/test_efficientnet.py` runs the whole classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto import models
from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.encoders.means import mean_activations
from impasto.encoders.pth import read_pth
from impasto.encoders.table import get_spec

STEM, HEAD = 32, 1280  # the lite variants keep both fixed
BN_EPSILON = 1e-3
MEAN, STD = 127.0, 128.0  # on 0..255; not 127.5, as the Lite models' own evaluation has it


class Stage(NamedTuple):
    """A run of blocks: inner width as a multiple of the input's, channels, blocks, stride of the first, kernel."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)


class EfficientNetLite(StagedEncoder):
    """EfficientNet-Lite0, with taps `stem`, `block1_1`, `block2_1`, `block2_2`, ..., `block7_1`, `head`.

    `stem` and `head` lie in [0, 6]; the blocks' outputs have either sign, since a block ends in a linear projection.
    Maps have ceil(side / stride) features along a side, as TensorFlow's "SAME" padding leaves them.

    Args:
        state: the parameters as in the file `efficientnet-lite0-57934424.pth`; the classifier in it is not used.

    Example:
        >>> from impasto.encoders import load_encoder
        >>> encoder = load_encoder("efficientnet-lite0")
        >>> encoder(torch.rand(1, 3, 65, 64), ["block3_2"])["block3_2"].shape
        torch.Size([1, 40, 9, 8])
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        layers, stages = _build()
        super().__init__(
            "efficientnet-lite0",
            layers,
            stages,
            preprocess=Preprocess((MEAN,) * 3, (STD,) * 3, gain=255),
            means=mean_activations("efficientnet-lite0"),
        )
        self.stages.load_state_dict(_fold(state), strict=True, assign=True)
        self._freeze()


class SameConv(nn.Conv2d):
    """A convolution without padding of its own whose output has ceil(side / stride) features along a side."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, device="meta")

    def forward(self, x: Tensor) -> Tensor:
        """(B, I, H, W) to (B, O, ceil(H / stride), ceil(W / stride)); an odd pixel of padding goes right and below."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads: list[int] = []
        for side in (x.shape[-1], x.shape[-2]):
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads) if any(pads) else x)


class Block(nn.Module):
    """An inverted residual: widen, filter each channel, project, and add the input where the shapes agree."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expand
        self.expand = SameConv(inputs, inner, 1) if stage.expand != 1 else None
        self.depthwise = SameConv(inner, inner, stage.kernel, stride=stride, groups=inner)
        self.project = SameConv(inner, stage.channels, 1)
        self.residual = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, channels, ceil(H / stride), ceil(W / stride))."""
        inner = x if self.expand is None else _relu6(self.expand(x))
        y: Tensor = self.project(_relu6(self.depthwise(inner)))
        return x + y if self.residual else y


class Activated(SameConv):
    """A convolution and its ReLU6: the stem and the head."""

    def forward(self, x: Tensor) -> Tensor:
        """As `SameConv`, with values in [0, 6]."""
        return _relu6(super().forward(x))


def load(name: str) -> EfficientNetLite:
    """`EfficientNetLite` with its pretrained weights.

    Raises:
        ModelError: when the weights cannot be had.
    """
    return EfficientNetLite(read_pth(models.path(get_spec(name).weights)))


def _relu6(x: Tensor) -> Tensor:
    return functional.relu6(x, inplace=True)  # only ever on a convolution's fresh output


def _build() -> tuple[list[Layer], dict[str, nn.Module]]:
    """The taps and their modules, without weights."""
    layers, stages = [Layer("stem", STEM, 2)], dict[str, nn.Module](stem=Activated(3, STEM, 3, stride=2))
    channels, stride = STEM, 2
    for s, stage in enumerate(STAGES, 1):
        for i in range(1, stage.repeats + 1):
            step = stage.stride if i == 1 else 1
            stages[f"block{s}_{i}"] = Block(channels, stage, step)
            channels, stride = stage.channels, stride * step
            layers.append(Layer(f"block{s}_{i}", channels, stride))
    stages["head"] = Activated(channels, HEAD, 1)
    layers.append(Layer("head", HEAD, stride))
    return layers, stages


def _fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The file's parameters under our names, every batch norm folded into the convolution before it.

    A frozen batch norm is one multiplication and one addition a channel; folding them saves half of the memory traffic.
    """
    names = [f"block{s}_{i}" for s, stage in enumerate(STAGES, 1) for i in range(1, stage.repeats + 1)]
    pairs = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
    for number, name in enumerate(names):
        theirs = f"_blocks.{number}."
        pairs[f"{name}.depthwise"] = (f"{theirs}_depthwise_conv", f"{theirs}_bn1")
        pairs[f"{name}.project"] = (f"{theirs}_project_conv", f"{theirs}_bn2")
        if f"{theirs}_expand_conv.weight" in state:
            pairs[f"{name}.expand"] = (f"{theirs}_expand_conv", f"{theirs}_bn0")
    folded: dict[str, Tensor] = {}
    for ours, (conv, norm) in pairs.items():
        scale, shift, mean, var = (state[f"{norm}.{k}"] for k in ("weight", "bias", "running_mean", "running_var"))
        scale = scale / torch.sqrt(var + BN_EPSILON)
        folded[f"{ours}.weight"] = state[f"{conv}.weight"] * scale.view(-1, 1, 1, 1)
        folded[f"{ours}.bias"] = shift - mean * scale
    return folded
