"""Johnson et al. 2016, Perceptual losses for real-time style transfer and super-resolution: one network, one style.

The architecture is that of the paper's supplement in the form that has lasted: instance norm (Ulyanov et al. 2016) for
batch norm, reflection padding of every convolution, nearest-neighbour upsampling for transposed convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn

from impasto.offline.networks.blocks import (
    AffineInstanceNorm,
    NormedConv,
    Residual,
    check_size,
    pad_to_multiple,
    reflect_conv,
    to_picture,
)

RESIDUALS = 5
SMALLEST = 5  # the 9x9 kernels reflect four pixels
STRIDE = 4


class JohnsonNetwork(nn.Module):
    """Repaints photos in the one style that it was trained for.

    The last convolution has a bias and no norm, as in the paper. The paper scales a tanh to 150, beyond what bytes
    hold; ours ends in a sigmoid, which is the same curve scaled to [0, 1]: every output can be shown as it is, and no
    gradient is lost to clipping.

    Args:
        width: multiple of the paper's 32, 64, 128 channels.

    Attributes:
        arguments: what it was made with.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 5 -> picture in [0, 1] (N, 3, H, W).

    Raises:
        LimitError: from `forward`, when the photo is smaller.

    Example:
        >>> import torch
        >>> JohnsonNetwork(width=0.25)(torch.rand(1, 3, 18, 27)).shape
        torch.Size([1, 3, 18, 27])
    """

    def __init__(self, *, width: float = 1.0) -> None:
        super().__init__()
        self.arguments: dict[str, object] = {"width": width}
        a, b, c = (max(1, round(width * n)) for n in (32, 64, 128))
        self.contract1 = _conv(3, a, 9)
        self.contract2 = _conv(a, b, 3, stride=2)
        self.contract3 = _conv(b, c, 3, stride=2)
        self.residuals = nn.ModuleList(Residual(_conv(c, c, 3), _conv(c, c, 3, relu=False)) for _ in range(RESIDUALS))
        self.expand1 = _conv(c, b, 3, upsample=2)
        self.expand2 = _conv(b, a, 3, upsample=2)
        self.expand3 = reflect_conv(a, 3, 9, bias=True)

    def forward(self, photo: Tensor) -> Tensor:
        """Repaints `photo`."""
        check_size(photo, SMALLEST)
        x = pad_to_multiple(photo, STRIDE)
        x = self.contract3(self.contract2(self.contract1(x)))
        for residual in self.residuals:
            x = residual(x)
        x = self.expand2(self.expand1(x))
        return to_picture(self.expand3(x), photo)


def _conv(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, upsample: int = 1, relu: bool = True
) -> NormedConv:
    norm = AffineInstanceNorm(outputs)
    return NormedConv(inputs, outputs, kernel, norm=norm, stride=stride, upsample=upsample, relu=relu)
