"""The parts that image transformation networks are built of.

Convolutions pad by reflection (zero padding frames the picture with a dark border), upsampling is nearest-neighbour
followed by a convolution (transposed convolutions leave checkerboards), and a style is spoken through instance norms:
Dumoulin et al. 2017, A learned representation for artistic style, section 2.2 and appendix.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from impasto.errors import LimitError
from impasto.losses.loss import widen

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


class InstanceNorm(nn.Module):
    """`gamma * (x - mean(x)) / sqrt(var(x) + eps) + beta`, mean and variance over each channel of each picture.

    Computed in float32 at least, whatever x is in, and given back in the type of x. Has no parameters: those who use
    it say where gamma and beta come from. Its mean and variance can be held: see `held_statistics`.

    Shapes: x (N, C, H, W), gamma and beta (N, C) or (1, C) -> (N, C, H, W).
    """

    def __init__(self) -> None:
        super().__init__()
        self._holds = False
        self._held: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Gives every channel of x the spread `gamma` and the mean `beta`."""
        gamma, beta = (widen(v).expand(len(x), -1)[:, :, None, None] for v in (gamma, beta))
        if self._holds:
            return (self._by_held(widen(x)) * gamma + beta).to(x.dtype)
        restyled: Tensor = _Normalise.apply(x, gamma, beta)  # type: ignore[no-untyped-call]
        return restyled

    def hold(self, holds: bool) -> None:
        """From now on keeps the statistics of the first pass for all that follow, or forgets them."""
        self._holds, self._held = holds, None

    def _by_held(self, x: Tensor) -> Tensor:
        if self._held is None:
            var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
            self._held = mean, torch.rsqrt(var + INSTANCE_NORM_EPS)
        mean, scale = self._held
        return (x - mean) * scale


class _Normalise(torch.autograd.Function):
    """Instance norm in few passes over memory, forward and back, in the order of memory that x comes in.

    `torch.nn.functional.instance_norm` copies channels-last tensors into the other order, once for every layer.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        wide = widen(x)
        normal = wide - wide.mean((2, 3), keepdim=True)
        scale = torch.rsqrt(normal.square().mean((2, 3), keepdim=True) + INSTANCE_NORM_EPS)
        normal *= scale
        ctx.save_for_backward(normal, scale, gamma)
        return torch.addcmul(beta, normal, gamma).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normal, scale, gamma = ctx.saved_tensors
        wide = widen(grad)
        beta_slope = wide.mean((2, 3), keepdim=True)
        gamma_slope = (wide * normal).mean((2, 3), keepdim=True)
        wide = torch.addcmul(wide - beta_slope, normal, gamma_slope, value=-1).mul_(gamma * scale)
        positions = grad.shape[2] * grad.shape[3]
        return wide.to(grad.dtype), gamma_slope * positions, beta_slope * positions


@contextmanager
def held_statistics(network: nn.Module) -> Iterator[None]:
    """Within, the first forward pass decides every instance norm's mean and variance, and later passes keep to them.

    A picture that is too large is painted tile by tile: first a small copy of the whole passes through and says what
    the statistics are, then the tiles, which therefore agree where they overlap. Tiles begin at multiples of the
    network's largest stride.

    Args:
        network: of this package; left as it was found.

    Example:
        >>> from impasto.offline.networks.johnson import JohnsonNetwork
        >>> network, photo = JohnsonNetwork(width=0.25).eval(), torch.rand(1, 3, 64, 256)
        >>> with torch.no_grad(), held_statistics(network):
        ...     whole = network(photo)
        ...     left = network(photo[..., :160])
        >>> torch.allclose(left[..., :96], whole[..., :96], atol=1e-5)
        True
    """
    norms = [module for module in network.modules() if isinstance(module, InstanceNorm)]
    for norm in norms:
        norm.hold(True)
    try:
        yield
    finally:
        for norm in norms:
            norm.hold(False)


class AffineInstanceNorm(nn.Module):
    """Instance norm whose scale and shift are learnt: one style, spoken always (Ulyanov et al. 2016).

    Shapes: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.normal = InstanceNorm()

    def forward(self, x: Tensor) -> Tensor:
        """Gives x the mean and the spread that were learnt."""
        restyled: Tensor = self.normal(x, self.weight[None], self.bias[None])
        return restyled


class StyleInstanceNorm(nn.Module):
    """Instance norm with one row of scales and one of shifts for each style, mixed as asked (Dumoulin et al. 2017).

    Shapes: x (N, C, H, W), weights (N, styles) -> (N, C, H, W).
    """

    def __init__(self, channels: int, styles: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(styles, channels))
        self.beta = nn.Parameter(torch.zeros(styles, channels))
        self.normal = InstanceNorm()

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Gives x the mixed styles' mean and spread."""
        restyled: Tensor = self.normal(x, weights @ self.gamma, weights @ self.beta)
        return restyled


class ConditionalInstanceNorm(nn.Module):
    """Instance norm whose scale and shift are linear in the style code (Ghiasi et al. 2017).

    Shapes: x (N, C, H, W), code (N, D) -> (N, C, H, W).
    """

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(code, channels)
        self.beta = nn.Linear(code, channels)
        self.normal = InstanceNorm()

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """Gives x the mean and the spread that the code asks for."""
        restyled: Tensor = self.normal(x, self.gamma(code), self.beta(code))
        return restyled


class NormedConv(nn.Module):
    """Reflect-padded convolution, a norm and, unless told otherwise, ReLU.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the square kernel.
        norm: takes what the convolution gives, and the style where it has a say.
        stride: 2 halves an even size.
        upsample: repeat every pixel this often in both directions first.
        relu: False for the layers whose activation stands outside.

    Shapes: x (N, inputs, H, W), style as `norm` takes it -> (N, outputs, upsample * H / stride, upsample * W / stride).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        norm: nn.Module,
        stride: int = 1,
        upsample: int = 1,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = reflect_conv(inputs, outputs, kernel, stride=stride)
        self.norm = norm
        self.upsample = upsample
        self.relu = relu

    def forward(self, x: Tensor, *style: Tensor) -> Tensor:
        """Convolves x and normalises the result."""
        if self.upsample > 1:
            x = functional.interpolate(x, scale_factor=self.upsample, mode="nearest")
        x = self.norm(self.conv(x), *style)
        return torch.relu(x) if self.relu else x


class Residual(nn.Module):
    """`x + conv2(conv1(x))`; as a rule only the first of the two ends in ReLU.

    Shapes: x (N, C, H, W), style as the convolutions' norms take it -> (N, C, H, W).
    """

    def __init__(self, conv1: NormedConv, conv2: NormedConv) -> None:
        super().__init__()
        self.conv1 = conv1
        self.conv2 = conv2

    def forward(self, x: Tensor, *style: Tensor) -> Tensor:
        """Adds what the block has to say to what it was given."""
        residual: Tensor = self.conv2(self.conv1(x, *style), *style)
        return x + residual


class StyledConv(NormedConv):
    """`NormedConv` whose norm listens to a style code of length `code`."""

    norm: ConditionalInstanceNorm

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
        norm = ConditionalInstanceNorm(outputs, code)
        super().__init__(inputs, outputs, kernel, norm=norm, stride=stride, upsample=upsample, relu=relu)


class StyledResidual(Residual):
    """`Residual` of two `StyledConv`."""

    conv1: StyledConv
    conv2: StyledConv

    def __init__(self, channels: int, *, code: int) -> None:
        conv1 = StyledConv(channels, channels, 3, code=code)
        super().__init__(conv1, StyledConv(channels, channels, 3, code=code, relu=False))


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflects the right and lower border so that both sides divide by `multiple`; (N, C, H, W), H and W above it."""
    height, width = x.shape[-2:]
    return functional.pad(x, (0, -width % multiple, 0, -height % multiple), mode="reflect")


def to_picture(x: Tensor, like: Tensor) -> Tensor:
    """What the last convolution says as RGB in [0, 1], of the size of `like`.

    A sigmoid in float32: half precision has steps of 1/256 just below white, which a loss network would see.
    """
    height, width = like.shape[-2:]
    return torch.sigmoid(widen(x))[..., :height, :width]


def check_size(photo: Tensor, least: int) -> None:
    """Refuses photos (N, 3, H, W) that leave a convolution nothing to reflect.

    Raises:
        LimitError: when a side is below `least`.
    """
    height, width = photo.shape[-2:]
    if min(height, width) < least:
        raise LimitError(f"a photo of {width}x{height} is too small for this network; give at least {least}x{least}")
