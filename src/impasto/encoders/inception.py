"""Inception-v3 (Szegedy et al. 2016, Rethinking the Inception architecture for computer vision) up to Mixed_6e.

The encoder, and the trunk that Ghiasi et al. 2017 read a style from. Modules and parameters are named as torchvision
names them, so that its file `inception_v3_google-0cc3c7bd.pth` loads as it is; what lies beyond Mixed_6e is left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto import models
from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.encoders.means import mean_activations
from impasto.encoders.pth import read_pth
from impasto.encoders.table import get_spec
from impasto.errors import ModelError

NAME = "inception-v3"
BN_EPSILON = 1e-3  # TensorFlow's, where the weights come from
Kernel = tuple[int, int]  # height, width
POINT, SQUARE, LARGE, ROW, COLUMN = (1, 1), (3, 3), (5, 5), (1, 7), (7, 1)


class Conv(NamedTuple):
    """One convolution of a branch: name, channels out, kernel."""

    name: str
    channels: int
    kernel: Kernel


Branch = tuple[Conv, ...]


class ConvNorm(nn.Module):
    """Convolution without a bias, batch norm, ReLU: (B, inputs, H, W) to (B, outputs, H', W')."""

    def __init__(self, inputs: int, outputs: int, kernel: Kernel, *, stride: int = 1, pads: bool = True) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if pads else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=BN_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Convolves."""
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class Mixed(nn.Module):
    """Branches side by side, each a chain of convolutions, and last one that pools; their channels one after another.

    Args:
        inputs: channels in.
        branches: every chain's convolutions.
        pool: channels of the convolution after an average over 3x3; None for a block that halves the size: there the
            last convolution of each branch strides, and the pooling branch is a maximum over 3x3 alone.

    Attributes:
        channels: out.
    """

    def __init__(self, inputs: int, branches: tuple[Branch, ...], pool: int | None) -> None:
        super().__init__()
        self.names = tuple(tuple(conv.name for conv in branch) for branch in branches)
        self.channels = sum(branch[-1].channels for branch in branches) + (inputs if pool is None else pool)
        for branch in branches:
            channels = inputs
            for conv in branch:
                last = pool is None and conv is branch[-1]
                layer = ConvNorm(channels, conv.channels, conv.kernel, stride=2 if last else 1, pads=not last)
                self.add_module(conv.name, layer)
                channels = conv.channels
        self.branch_pool = None if pool is None else ConvNorm(inputs, pool, POINT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, channels, H, W), or about half of H and W."""
        parts: list[Tensor] = []
        for names in self.names:
            y = x
            for name in names:
                y = self.get_submodule(name)(y)
            parts.append(y)
        if self.branch_pool is None:
            parts.append(functional.max_pool2d(x, 3, stride=2))
        else:  # zeros beyond the border count in the average, as in torchvision
            parts.append(self.branch_pool(functional.avg_pool2d(x, 3, stride=1, padding=1)))
        return torch.cat(parts, 1)


class Inception(StagedEncoder):
    """Inception-v3, with taps `Conv2d_1a_3x3`, ..., `maxpool1`, ..., `Mixed_5b`, ..., `Mixed_6e`. All lie above 0.

    Args:
        state: the parameters under torchvision's names; those of layers that we leave out are not used.

    Raises:
        ModelError: when a parameter is missing or has another shape.
    """

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        layers, stages = _build()
        super().__init__(NAME, layers, stages, preprocess=_preprocess(), means=mean_activations(NAME))
        fill(self.stages, state)
        self._freeze()


class InceptionTrunk(nn.Sequential):
    """The same network for training further: batch norms learn, parameters take gradients. Random until `fill`ed.

    Shapes: RGB in [0, 1] (B, 3, H, W), sides at least 43 -> features (B, 768, about H / 16, about W / 16).
    """

    out_channels = 768

    def __init__(self) -> None:
        _, stages = _build()
        super().__init__(OrderedDict(preprocess=_preprocess(), **stages))


def load(name: str) -> Inception:
    """`Inception` with its pretrained weights.

    Raises:
        ModelError: when the weights cannot be had.
    """
    return Inception(read_state(name))


def read_state(name: str = NAME) -> dict[str, Tensor]:
    """The parameters in torchvision's file, under its names.

    Raises:
        ModelError: when the weights cannot be had.
    """
    return read_pth(models.path(get_spec(name).weights))


def fill(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies into `module`, stages of ours, what it needs of `state`; how often a batch norm has learnt is no matter.

    Raises:
        ModelError: when a parameter is missing or has another shape.
    """
    own = module.state_dict()
    wanted = {key: value for key, value in own.items() if not key.endswith("num_batches_tracked")}
    wrong = [key for key, value in wanted.items() if key not in state or state[key].shape != value.shape]
    if wrong:
        raise ModelError(
            f"the weights lack {wrong[0]} of {NAME}, or have it in another shape; mend: impasto models pull {NAME}"
        )
    module.load_state_dict({key: state[key] for key in wanted}, strict=False)


def _preprocess() -> Preprocess:
    """[0, 1] to [-1, 1], as TensorFlow trained it.

    torchvision first takes ImageNet's mean m off and divides by its deviation s, like for its other networks, and then
    undoes that inside (`transform_input`): ((x - m) / s) * (s / 0.5) + (m - 0.5) / 0.5 = (x - 0.5) / 0.5.
    """
    return Preprocess((0.5,) * 3, (0.5,) * 3)


def _mixed_35(inputs: int, pool: int) -> Mixed:
    """Figure 5 of the paper: 5b to 5d, 35x35 features for an image of 299."""
    branches = (
        (Conv("branch1x1", 64, POINT),),
        (Conv("branch5x5_1", 48, POINT), Conv("branch5x5_2", 64, LARGE)),
        (Conv("branch3x3dbl_1", 64, POINT), Conv("branch3x3dbl_2", 96, SQUARE), Conv("branch3x3dbl_3", 96, SQUARE)),
    )
    return Mixed(inputs, branches, pool)


def _halve(inputs: int, outer: int) -> Mixed:
    """Figure 10: 6a."""
    branches = (
        (Conv("branch3x3", outer, SQUARE),),
        (Conv("branch3x3dbl_1", 64, POINT), Conv("branch3x3dbl_2", 96, SQUARE), Conv("branch3x3dbl_3", 96, SQUARE)),
    )
    return Mixed(inputs, branches, None)


def _mixed_17(inputs: int, inner: int) -> Mixed:
    """Figure 6: 6b to 6e, 17x17 features; a 7x7 kernel as a row and a column."""
    kernels = (COLUMN, ROW, COLUMN, ROW)
    double = [Conv(f"branch7x7dbl_{i}", 192 if i == 5 else inner, kernel) for i, kernel in enumerate(kernels, 2)]
    branches = (
        (Conv("branch1x1", 192, POINT),),
        (Conv("branch7x7_1", inner, POINT), Conv("branch7x7_2", inner, ROW), Conv("branch7x7_3", 192, COLUMN)),
        (Conv("branch7x7dbl_1", inner, POINT), *double),
    )
    return Mixed(inputs, branches, 192)


def _build() -> tuple[list[Layer], dict[str, nn.Module]]:
    """The taps and their modules, random."""
    stages: dict[str, nn.Module] = {
        "Conv2d_1a_3x3": ConvNorm(3, 32, SQUARE, stride=2, pads=False),
        "Conv2d_2a_3x3": ConvNorm(32, 32, SQUARE, pads=False),
        "Conv2d_2b_3x3": ConvNorm(32, 64, SQUARE),
        "maxpool1": nn.MaxPool2d(3, 2),
        "Conv2d_3b_1x1": ConvNorm(64, 80, POINT),
        "Conv2d_4a_3x3": ConvNorm(80, 192, SQUARE, pads=False),
        "maxpool2": nn.MaxPool2d(3, 2),
    }
    channels = 192
    blocks: dict[str, tuple[Callable[[int, int], Mixed], int]] = {
        "Mixed_5b": (_mixed_35, 32),
        "Mixed_5c": (_mixed_35, 64),
        "Mixed_5d": (_mixed_35, 64),
        "Mixed_6a": (_halve, 384),
        "Mixed_6b": (_mixed_17, 128),
        "Mixed_6c": (_mixed_17, 160),
        "Mixed_6d": (_mixed_17, 160),
        "Mixed_6e": (_mixed_17, 192),
    }
    for name, (make, width) in blocks.items():
        block = stages[name] = make(channels, width)
        channels = block.channels
    return _layers(stages), stages


def _layers(stages: Mapping[str, nn.Module]) -> list[Layer]:
    """What every tap yields, from its module's geometry."""
    layers: list[Layer] = []
    channels, stride, least = 3, 1, 1
    for name, stage in stages.items():
        step, shrinks = 1, False
        if isinstance(stage, ConvNorm):
            channels, step = stage.conv.out_channels, stage.conv.stride[0]
            shrinks = stage.conv.kernel_size[0] > 1 and stage.conv.padding[0] == 0
        elif isinstance(stage, Mixed):
            channels, halves = stage.channels, stage.branch_pool is None
            step, shrinks = (2, True) if halves else (1, False)
        else:
            step, shrinks = 2, True
        least += 2 * stride if shrinks else 0  # a 3x3 kernel needs two features more than it leaves
        stride *= step
        layers.append(Layer(name, channels, stride, least))
    return layers
