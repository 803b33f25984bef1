"""Sandler et al. 2018, MobileNetV2: Inverted residuals and linear bottlenecks; as far as a style predictor needs it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

# Table 2 of the paper: expansion, channels out, repeats, stride of the first.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class SameConv(nn.Module):
    """Convolution with TensorFlow's SAME zero padding, batch norm folded into the bias, and ReLU6 unless linear.

    At stride 2 and an even size SAME pads below and to the right only; a symmetric pad would shift every feature by
    half a pixel a stage. Sides that divide by 32 stay even all the way down.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, depthwise: bool = False, linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, groups=inputs if depthwise else 1)
        whole = kernel - stride
        self.pad = (whole // 2, whole - whole // 2) * 2 if whole > 0 else (0, 0, 0, 0)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        x = self.conv(functional.pad(x, self.pad))
        return x if self.linear else functional.relu6(x)


class InvertedResidual(nn.Module):
    """Expand by a 1x1, filter each channel by a 3x3, project by a linear 1x1; add the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = SameConv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = SameConv(wide, wide, 3, stride=stride, depthwise=True)
        self.project = SameConv(wide, outputs, 1, linear=True)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        wide = self.expand(x) if self.expand else x
        y: Tensor = self.project(self.depthwise(wide))
        return x + y if self.adds else y


class MobileNetV2(nn.Module):
    """The trunk at width 1.0 without its classifier, batch norms folded.

    Shapes: RGB in [0, 1] (N, 3, H, W), sides dividing by 32 -> features (N, 1280, H / 32, W / 32).
    """

    out_channels = 1280

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv(3, 32, 3, stride=2)
        blocks: list[InvertedResidual] = []
        channels = 32
        for expansion, outputs, repeats, stride in STAGES:
            for i in range(repeats):
                step = stride if i == 0 else 1
                blocks.append(InvertedResidual(channels, outputs, expansion=expansion, stride=step))
                channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.head = SameConv(channels, self.out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The features that the style code is read from."""
        y: Tensor = self.head(self.blocks(self.stem(x)))
        return y
