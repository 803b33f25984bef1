"""Our own network: any painting's style in one pass, small enough for a plain processor.

The idea is that of Ghiasi et al. 2017, a style code that sets the scale and shift of every instance norm, with three
departures. The code is read from channel statistics of a frozen VGG-16 instead of pixels: the losses are functions of
the same numbers, so the map is nearly linear and learnt in minutes. The trunk goes on to an eighth of the size, where
a cheap 3x3 kernel sees a whole brush stroke. And no layer is without the style's say, the first ones included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto.errors import OptionError
from impasto.losses import Moments, channel_moments, widen
from impasto.offline.networks.blocks import InstanceNorm, check_size, pad_to_multiple, reflect_conv, to_picture
from impasto.offline.networks.running_norm import RunningNorm

Size = Literal["tiny", "small", "base"]

ENCODER: Final = "vgg16"
POOLING: Final = "average"
TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")
STATISTICS = 2 * (64 + 128 + 256 + 512)  # a mean and a deviation for every channel of the taps
HIDDEN = 512
SMALLEST = 9  # reflected to 16, of which two pixels are left at an eighth: the least that can be reflected again
STRIDE = 8


@dataclass(frozen=True)
class Shape:
    """How large a network is.

    Attributes:
        widths: channels at the whole, half, quarter and eighth of the size.
        quarter: residual blocks at a quarter, before the dip to an eighth and again after it.
        eighth: residual blocks at an eighth.
        code: length of the style code.
    """

    widths: tuple[int, int, int, int]
    quarter: int
    eighth: int
    code: int


SIZES: dict[str, Shape] = {
    "tiny": Shape((8, 16, 32, 48), 1, 2, 64),
    "small": Shape((16, 32, 64, 96), 1, 3, 128),
    "base": Shape((32, 64, 128, 192), 1, 4, 192),
}


def style_statistics(maps: Sequence[Tensor]) -> Tensor:
    """What the predictor reads a style from: log channel means and deviations of a painting's feature maps.

    Args:
        maps: (N, C, H, W) at each of `TAPS`, raw, of VGG-16 with average pooling.

    Returns:
        (N, 1920), float32: the first map's means, its deviations, the second's means, and so on.
    """
    return statistics_of([channel_moments(features) for features in maps])


def statistics_of(moments: Sequence[Moments]) -> Tensor:
    """The same from moments that are known already, of each of `TAPS`."""
    return torch.log1p(torch.cat([part for each in moments for part in each], 1))


class StyledConv(nn.Module):
    """Reflect-padded convolution, instance norm with scale `1 + a` and shift `b` from the code, and ReLU.

    The layer that reads a and b from the code starts at zero: the network starts as one with plain instance norm,
    and a large step size does no harm.

    Shapes: x (N, inputs, H, W), code (N, D) -> (N, outputs, H', W').
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        code: int,
        stride: int = 1,
        upsample: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = reflect_conv(inputs, outputs, kernel, stride=stride)
        self.affine = nn.Linear(code, 2 * outputs)
        nn.init.zeros_(self.affine.weight)
        nn.init.zeros_(self.affine.bias)
        self.normal = InstanceNorm()
        self.upsample = upsample
        self.relu = relu

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Convolves x and restyles the result."""
        if self.upsample > 1:
            x = functional.interpolate(x, scale_factor=self.upsample, mode="nearest")
        a, b = widen(self.affine(code)).chunk(2, 1)
        x = self.normal(self.conv(x), 1 + a, b)
        return torch.relu(x) if self.relu else x


class StyledResidual(nn.Module):
    """`x + b(a(x))`, both restyled, ReLU after the first only.

    Shapes: x (N, C, H, W), code (N, D) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, code: int) -> None:
        super().__init__()
        self.a = StyledConv(channels, channels, 3, code=code)
        self.b = StyledConv(channels, channels, 3, code=code, relu=False)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Adds what the block has to say to what it was given."""
        residual: Tensor = self.b(self.a(x, code), code)
        return x + residual


class Transfer(nn.Module):
    """Repaints photos with the style that a code asks for: an hourglass with a dip to an eighth of the size.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 9, code (N, D) -> picture in [0, 1] (N, 3, H, W). Sides
    that do not divide by 8 are continued by reflection and cropped again.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        whole, half, quarter, eighth = shape.widths
        code = shape.code
        self.down = nn.ModuleList(
            [
                StyledConv(3, whole, 9, code=code),
                StyledConv(whole, half, 3, code=code, stride=2),
                StyledConv(half, quarter, 3, code=code, stride=2),
            ]
        )
        self.before = nn.ModuleList(StyledResidual(quarter, code=code) for _ in range(shape.quarter))
        self.dip = StyledConv(quarter, eighth, 3, code=code, stride=2)
        self.deep = nn.ModuleList(StyledResidual(eighth, code=code) for _ in range(shape.eighth))
        self.rise = StyledConv(eighth, quarter, 3, code=code, upsample=2)
        self.after = nn.ModuleList(StyledResidual(quarter, code=code) for _ in range(shape.quarter))
        self.up = nn.ModuleList(
            [StyledConv(quarter, half, 3, code=code, upsample=2), StyledConv(half, whole, 3, code=code, upsample=2)]
        )
        self.out = StyledConv(whole, 3, 9, code=code, relu=False)

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`."""
        check_size(photo, SMALLEST)
        x = pad_to_multiple(photo, STRIDE)
        for layer in (*self.down, *self.before):
            x = layer(x, code)
        deep = self.dip(x, code)
        for layer in self.deep:
            deep = layer(deep, code)
        x = x + self.rise(deep, code)
        for layer in (*self.after, *self.up):
            x = layer(x, code)
        return to_picture(self.out(x, code), photo)


class StylePredictor(nn.Module):
    """Reads the style code from statistics: (N, 1920) -> (N, code)."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.norm = RunningNorm(STATISTICS)
        self.mlp = nn.Sequential(
            nn.Linear(STATISTICS, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, code)
        )

    def forward(self, statistics: Tensor) -> Tensor:
        """The code."""
        code: Tensor = self.mlp(self.norm(statistics))
        return code


class ImpastoNetwork(nn.Module):
    """The two that are trained together: `predictor` reads a painting's code, `transfer` repaints photos with it.

    Args:
        size: "tiny" and "small" for speed, "base" for quality.

    Attributes:
        arguments: what it was made with.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 9, code (N, D) -> picture in [0, 1] (N, 3, H, W).

    Raises:
        OptionError: on an unknown size.
        LimitError: from `forward`, when the photo is smaller.

    Example:
        >>> network = ImpastoNetwork(size="tiny").eval()
        >>> code = network.encode(torch.zeros(1, 1920))
        >>> network(torch.rand(1, 3, 18, 27), code).shape
        torch.Size([1, 3, 18, 27])
    """

    def __init__(self, *, size: Size = "small") -> None:
        super().__init__()
        if size not in SIZES:
            raise OptionError(f"unknown size {size!r}; choose one of: {', '.join(SIZES)}")
        self.arguments: dict[str, object] = {"size": size}
        self.transfer = Transfer(SIZES[size])
        self.predictor = StylePredictor(SIZES[size].code)

    def encode(self, statistics: Tensor) -> Tensor:
        """(N, 1920) from `style_statistics` -> (N, D)."""
        code: Tensor = self.predictor(statistics)
        return code

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`; one code serves all photos of a batch."""
        picture: Tensor = self.transfer(photo, code)
        return picture
