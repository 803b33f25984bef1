"""Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization network.

Two networks, one code between them. The style prediction network P reads a painting and says 100 numbers; the style
transfer network T repaints a photo and lets these numbers set the scale and shift of its instance norms. Both learn
together on Gram losses, after which any painting is a style in one pass.
"""

from __future__ import annotations

from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto.offline.networks.blocks import StyledConv, StyledResidual, pad_to_multiple, reflect_conv

CODE = 100  # length of the style code: the bottleneck of P (section 2.2)
RESIDUALS = 5  # table 2 of Dumoulin et al. 2017, which T follows
SMALLEST = 5  # the 9x9 kernels reflect four pixels
BATCH_NORM_EPS = 1e-3  # TF-slim's, as published


class Trunk(Protocol):
    """A network whose last features a style can be read from."""

    out_channels: int

    def __call__(self, x: Tensor) -> Tensor:
        """RGB in [0, 1] (N, 3, H, W) -> features (N, out_channels, h, w)."""
        ...


class ContractConv(nn.Module):
    """Reflect-padded convolution, batch norm and ReLU: the style has no say yet.

    Shapes: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = reflect_conv(inputs, outputs, kernel, stride=stride)
        self.norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS, momentum=1e-3)
        self.norm.weight.requires_grad_(False)  # shift without scale: the next convolution can scale by itself

    def forward(self, x: Tensor) -> Tensor:
        """Convolves."""
        return torch.relu(self.norm(self.conv(x)))


class StyleTransferNetwork(nn.Module):
    """T: repaints photos with the style that a code asks for.

    Contract by 4, five residual blocks, expand by 4; style speaks in every layer after the contraction.

    Args:
        width: multiple of the paper's 32, 64, 128 channels; 1.0 is the paper's, 0.25 the published mobile network.
        code: length of the style code.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 5, code (N, code) -> picture in [0, 1] (N, 3, H, W).
    Sides that do not divide by 4 are continued by reflection and cropped again.

    Example:
        >>> network = StyleTransferNetwork(width=0.25)
        >>> network(torch.rand(1, 3, 18, 27), torch.zeros(1, 100)).shape
        torch.Size([1, 3, 18, 27])
    """

    def __init__(self, *, width: float = 1.0, code: int = CODE) -> None:
        super().__init__()
        a, b, c = (round(width * n) for n in (32, 64, 128))
        self.contract1 = ContractConv(3, a, 9)
        self.contract2 = ContractConv(a, b, 3, stride=2)
        self.contract3 = ContractConv(b, c, 3, stride=2)
        self.residuals = nn.ModuleList(StyledResidual(c, code=code) for _ in range(RESIDUALS))
        self.expand1 = StyledConv(c, b, 3, code=code, upsample=2)
        self.expand2 = StyledConv(b, a, 3, code=code, upsample=2)
        self.expand3 = StyledConv(a, 3, 9, code=code, relu=False)

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`."""
        height, width = photo.shape[-2:]
        x = pad_to_multiple(photo, 4)
        x = self.contract3(self.contract2(self.contract1(x)))
        for residual in self.residuals:
            x = residual(x, code)
        x = self.expand2(self.expand1(x, code), code)
        return torch.sigmoid(self.expand3(x, code))[..., :height, :width]


class StylePredictionNetwork(nn.Module):
    """P: reads a painting's style code.

    Args:
        trunk: the pretrained network in front: Inception-v3 up to Mixed_6e in the paper, MobileNetV2 in the published
            mobile network.
        code: length of the style code.

    Shapes: painting in [0, 1] (N, 3, H, W) -> code (N, code).
    """

    def __init__(self, trunk: Trunk, *, code: int = CODE) -> None:
        super().__init__()
        self.trunk = cast("nn.Module", trunk)
        self.bottleneck = nn.Linear(trunk.out_channels, code)

    def forward(self, painting: Tensor) -> Tensor:
        """The code: features averaged over the painting (texture knows no place), then one linear layer."""
        features: Tensor = self.trunk(painting)
        code: Tensor = self.bottleneck(functional.adaptive_avg_pool2d(features, 1).flatten(1))
        return code
