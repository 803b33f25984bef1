"""The parts that image transformation networks are built of.

Convolutions pad by reflection (zero padding frames the picture with a dark border), upsampling is nearest-neighbour
followed by a convolution (transposed convolutions leave checkerboards), and a style is spoken through instance norms:
Dumoulin et al. 2017, A learned representation for artistic style, section 2.2 and appendix.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

INSTANCE_NORM_EPS = 1e-5


def reflect_conv(inputs: int, outputs: int, kernel: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A convolution that pads by reflection, so that stride 1 keeps the size.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the square kernel, odd; the input must be larger than half of it.
        stride: 2 halves an even size.
        bias: whether it has one; a norm that follows makes it superfluous.
    """
    pad = kernel // 2
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=pad, padding_mode="reflect", bias=bias)


class ConditionalInstanceNorm(nn.Module):
    """Instance norm whose scale and shift are linear in the style code.

    `gamma(code) * (x - mean(x)) / sqrt(var(x) + eps) + beta(code)`, mean and variance over the pixels of each channel
    of each picture. Dumoulin et al. 2017 learn one row of gamma and beta a style; Ghiasi et al. 2017 predict them.

    Shapes: x (N, C, H, W), code (N, D) -> (N, C, H, W).
    """

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(code, channels)
        self.beta = nn.Linear(code, channels)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Gives x the mean and the spread that the code asks for."""
        gamma = self.gamma(code)[:, :, None, None]
        beta = self.beta(code)[:, :, None, None]
        normal = functional.instance_norm(x, eps=INSTANCE_NORM_EPS)
        restyled: Tensor = gamma * normal + beta
        return restyled


class StyledConv(nn.Module):
    """Reflect-padded convolution, conditional instance norm and, unless told otherwise, ReLU.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the square kernel.
        code: length of the style code.
        upsample: repeat every pixel this often in both directions first.
        relu: False for the layers whose activation stands outside.

    Shapes: x (N, inputs, H, W), code (N, D) -> (N, outputs, upsample * H, upsample * W).
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, code: int, upsample: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = reflect_conv(inputs, outputs, kernel)
        self.norm = ConditionalInstanceNorm(outputs, code)
        self.upsample = upsample
        self.relu = relu

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Convolves x and restyles the result."""
        if self.upsample > 1:
            x = functional.interpolate(x, scale_factor=self.upsample, mode="nearest")
        x = self.norm(self.conv(x), code)
        return torch.relu(x) if self.relu else x


class StyledResidual(nn.Module):
    """`x + conv2(conv1(x))`, both convolutions restyled, ReLU after the first only.

    Shapes: x (N, C, H, W), code (N, D) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, code: int) -> None:
        super().__init__()
        self.conv1 = StyledConv(channels, channels, 3, code=code)
        self.conv2 = StyledConv(channels, channels, 3, code=code, relu=False)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Adds what the block has to say to what it was given."""
        residual: Tensor = self.conv2(self.conv1(x, code), code)
        return x + residual


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflects the right and lower border so that both sides divide by `multiple`; (N, C, H, W), H and W above it."""
    height, width = x.shape[-2:]
    return functional.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect")
