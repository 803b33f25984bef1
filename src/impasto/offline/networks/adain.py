"""Huang and Belongie 2017, Arbitrary style transfer in real-time with adaptive instance normalization.

Photo and painting pass through a frozen VGG-19, the photo's features take the mean and deviation of the painting's,
channel by channel, and a decoder that mirrors the encoder makes a picture of them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto.encoders.means import mean_activations
from impasto.encoders.table import VGG_BLOCKS
from impasto.errors import OptionError
from impasto.losses.loss import widen
from impasto.offline.networks.blocks import reflect_conv

WIDTHS = (64, 128, 256, 512, 512)  # of VGG's five blocks
VARIANCE_FLOOR = 1e-5


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Gives the channels of `content` the mean and deviation of those of `style`.

    Args:
        content: (N, C, H, W), any floating type; statistics are computed in float32 at least.
        style: (N, C, H', W') or (1, C, H', W').

    Returns:
        As `content`.
    """
    deviation, mean = torch.var_mean(widen(style), dim=(2, 3), correction=0, keepdim=True)
    own, centre = torch.var_mean(widen(content), dim=(2, 3), correction=0, keepdim=True)
    scale = torch.sqrt((deviation + VARIANCE_FLOOR) / (own + VARIANCE_FLOOR))
    return ((widen(content) - centre) * scale + mean).to(content.dtype)


class AdaInDecoder(nn.Module):
    """Makes a picture of a VGG's features: its convolutions in reverse order, pooling turned into upsampling.

    Convolutions pad by reflection and nothing is normalised: a norm would take off the very statistics that carry the
    style. The paper's last convolution is linear; ours ends in a sigmoid, so that every output is a picture. Features
    are divided by the mean activation of their layer first, hundreds at relu4_1, where random weights would start at
    saturated blacks and whites.

    Args:
        encoder: "vgg19" or "vgg16".
        layer: whose raw features it takes: relu1_1, relu2_1, ..., relu5_1, or the relu of any other convolution.

    Attributes:
        arguments: what it was made with.
        stride: pixels a feature.

    Shapes: (N, C, H, W), H and W at least 2 -> RGB in [0, 1] (N, 3, stride * H, stride * W).

    Raises:
        OptionError: on an unknown encoder or layer.

    Example:
        >>> AdaInDecoder(layer="relu2_1")(torch.rand(1, 128, 6, 9)).shape
        torch.Size([1, 3, 12, 18])
    """

    scale: Tensor

    def __init__(self, *, encoder: str = "vgg19", layer: str = "relu4_1") -> None:
        super().__init__()
        if encoder not in VGG_BLOCKS:
            raise OptionError(f"no decoder mirrors {encoder!r}; choose one of: {', '.join(VGG_BLOCKS)}")
        self.arguments: dict[str, object] = {"encoder": encoder, "layer": layer}
        plan = _plan(encoder, layer)
        self.convs = nn.ModuleDict()
        channels = 3
        mirrored: list[tuple[str, nn.Conv2d]] = []
        for name in plan:
            if name.startswith("conv"):
                width = WIDTHS[int(name[4]) - 1]
                mirrored.append((name, reflect_conv(width, channels, 3, bias=True)))
                channels = width
        self.convs.update(dict(reversed(mirrored)))
        self.steps = tuple(reversed(plan))
        self.stride = 2 ** sum(name.startswith("pool") for name in plan)
        scale = mean_activations(encoder, "max").get(layer, 1.0)
        self.register_buffer("scale", torch.tensor(scale))  # saved: the table may be measured again one day

    def forward(self, features: Tensor) -> Tensor:
        """The picture."""
        x = features / self.scale
        for name in self.steps:
            if name.startswith("pool"):
                x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            else:
                x = self.convs[name](x)
                x = x if name == "conv1_1" else torch.relu(x)
        return torch.sigmoid(widen(x))


def _plan(encoder: str, layer: str) -> list[str]:
    """The encoder's convolutions and poolings up to `layer`, in its own order."""
    plan: list[str] = []
    for block, count in enumerate(VGG_BLOCKS[encoder], 1):
        for i in range(1, count + 1):
            plan.append(f"conv{block}_{i}")
            if layer == f"relu{block}_{i}":
                return plan
        plan.append(f"pool{block}")
    raise OptionError(f"{encoder} has no layer {layer!r} to decode; choose a relu, such as relu4_1")
