"""Convolutions of 3x3 in a quarter of the multiplications, for processors.

Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016, arXiv 1509.09308, section 4.3): tiles of 4x4 outputs are
computed from 6x6 inputs as 36 independent matrix products over the channels. The tiles go through in bands that fit
the processor's cache, because the transforms are limited by memory, not by arithmetic.

Tiles are polynomials that are multiplied by their values at five points and at infinity. The paper's points, 0, 1, -1,
2 and -2, lose the most digits; with 0, +-2/3 and +-3/2 the error is half as large (as Barabasz et al. 2020, arXiv
1803.10986, find by search: small, and in pairs whose product is 1). In float32 results differ from the direct sum in
the fifth digit. In bfloat16 the products alone are, and results are off by a hundredth, where the direct sum is off by
a third of that: too much for features, whose texture is a difference of large numbers, but gradients may be so rough.

The gradient with respect to the input is the same operation with the kernel turned by 180 degrees and its channels
exchanged; there is none with respect to the frozen kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

Matrix = tuple[tuple[float, ...], ...]

NEAR, FAR = 2 / 3, 3 / 2
"""The points, beside 0 and infinity, are these and what they are below 0."""


def _rows(near: float, far: float) -> tuple[Matrix, Matrix, Matrix]:
    """What transforms inputs, kernels and outputs along one side of a tile (Lavin and Gray, section 4.1)."""
    n, f = near**2, far**2
    inputs = (
        (n * f, 0, -n - f, 0, 1, 0),
        (0, -near * f, -f, near, 1, 0), (0, near * f, -f, -near, 1, 0),
        (0, -far * n, -n, far, 1, 0), (0, far * n, -n, -far, 1, 0),
        (0, n * f, 0, -n - f, 0, 1),
    )  # fmt: skip
    points = ((0.0, n * f), (near, 2 * n * (n - f)), (-near, 2 * n * (n - f)), (far, 2 * f * (f - n)),
              (-far, 2 * f * (f - n)))  # fmt: skip
    kernels = (*((1 / scale, point / scale, point**2 / scale) for point, scale in points), (0, 0, 1))
    outputs = tuple((*(point**power for point, _ in points), float(power == 3)) for power in range(4))
    return inputs, kernels, outputs


_INPUT, _KERNEL, _OUTPUT = _rows(NEAR, FAR)

BAND_TILES = 192
"""Tiles of one band: fewer read the kernel too often, more leave the cache."""

ONE_PICTURE, BATCHES = 64, 128
"""Channels below which the transforms cost more than the products save, for a large picture and for many small ones."""

HALF = 128
"""The same in bfloat16, which makes the direct sum cheap."""


def transform_kernel(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) to the (36, C, O) matrices that tiles are multiplied by, column of the tile by column."""
    o, c = weight.shape[:2]
    g = torch.tensor(_KERNEL, dtype=torch.float64)
    bent = torch.kron(g, g) @ weight.double().permute(3, 2, 1, 0).reshape(9, c * o)
    return bent.view(36, c, o).to(weight.dtype)


def convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, *, relu: bool = False, alive: Tensor | None = None
) -> Tensor:
    """3x3 convolution with a border of zeros.

    Args:
        x: (B, C, H, W), float32 at least, or bfloat16.
        kernel: (36, C, O), from `transform_kernel`.
        bias: (O,) or None.
        relu: cut the result off at 0.
        alive: (B, C, H, W); x counts as 0 where this is not above 0, which is ReLU's gradient.

    Returns:
        (B, O, H, W) in channels_last order.
    """
    b, _, h, w = x.shape
    out = torch.empty(b, kernel.shape[2], h, w, dtype=x.dtype, memory_format=torch.channels_last)
    padded = _pad(x.permute(0, 2, 3, 1), None if alive is None else alive.permute(0, 2, 3, 1))
    _convolve_padded(padded, kernel, bias, relu, out.permute(0, 2, 3, 1))
    return out


def _pad(x: Tensor, alive: Tensor | None) -> Tensor:
    """(B, H, W, C) with a border of one, and what fills up the last tiles, of zeros."""
    b, h, w, c = x.shape
    padded = x.new_empty(b, 4 * -(-h // 4) + 2, 4 * -(-w // 4) + 2, c)
    for edge in (padded[:, :1], padded[:, h + 1 :], padded[:, :, :1], padded[:, :, w + 1 :]):
        edge.zero_()
    inside = padded[:, 1 : h + 1, 1 : w + 1]
    if alive is None:
        inside.copy_(x)
    else:
        torch.ops.aten.threshold_backward.grad_input(x, alive, 0, grad_input=inside)
    return padded


def _convolve_padded(padded: Tensor, kernel: Tensor, bias: Tensor | None, relu: bool, out: Tensor) -> None:
    """(B, H + 2, W + 2, C) into (B, H, W, O), a band of tile rows of all pictures at a time."""
    c, o = kernel.shape[1:]
    b, down, across = padded.shape[0], (padded.shape[1] - 2) // 4, (padded.shape[2] - 2) // 4
    batch, row, column, _ = padded.stride()
    rows = max(1, min(down, round(BAND_TILES / (b * across))))
    wide = torch.promote_types(kernel.dtype, torch.float32)  # of the transforms
    space = [torch.empty(n * b * rows * across, dtype=wide) for n in (36 * c, 36 * c, 36 * o, 24 * o, 16 * o)]
    narrow = [torch.empty(36 * n * b * rows * across, dtype=kernel.dtype) for n in (c, o) if kernel.dtype != wide]
    for top in range(0, down, rows):
        k = min(rows, down - top)
        n = b * k * across
        tiles = torch.as_strided(
            padded, (6, 6, b, k, across, c), (row, column, batch, 4 * row, 4 * column, 1), 4 * top * row
        )
        cut, bent, product, half, result = (m[: m.numel() // rows * k] for m in space)
        cut.view(6, 6, b, k, across, c).copy_(tiles)
        _transform(_INPUT, cut.view(6, 6, n * c), bent.view(6, 6, n * c))
        _transform(_INPUT, bent.view(6, 6, n * c).transpose(0, 1), cut.view(6, 6, n * c))
        _multiply(cut.view(36, n, c), kernel, product.view(36, n, o), *narrow)
        _transform(_OUTPUT, product.view(6, 6, n * o), half.view(6, 4, n * o))
        _transform(_OUTPUT, half.view(6, 4, n * o).transpose(0, 1), result.view(4, 4, n * o))
        if bias is not None:
            result.view(-1, o).add_(bias)
        if relu:
            result.clamp_(min=0)
        _place(result.view(4, 4, b, k, across, o), out[:, 4 * top :])


def _multiply(tiles: Tensor, kernel: Tensor, out: Tensor, *narrow: Tensor) -> None:
    """(36, N, C) by (36, C, O) into (36, N, O), in the kernel's number format, for which there has to be space."""
    if not narrow:
        torch.bmm(tiles, kernel, out=out)
        return
    given, found = (space[: like.numel()].view(like.shape) for space, like in zip(narrow, (tiles, out), strict=True))
    out.copy_(torch.bmm(given.copy_(tiles), kernel, out=found))


def _transform(matrix: Matrix, tiles: Tensor, out: Tensor) -> None:
    """One side of tiles (A, 6, N) into (A, M, N)."""
    square = torch.tensor(matrix, dtype=tiles.dtype)
    torch.bmm(square.expand(len(tiles), *square.shape), tiles, out=out)


def _place(band: Tensor, out: Tensor) -> None:
    """(4, 4, B, rows, across, O) tiles into the first rows of (B, H, W, O), without what hangs over the edge."""
    _, _, b, k, across, o = band.shape
    h, w = min(4 * k, out.shape[1]), out.shape[2]
    pixels = band.permute(2, 3, 0, 4, 1, 5)
    if (h, w) == (4 * k, 4 * across):
        out[:, :h].view(b, k, 4, across, 4, o).copy_(pixels)
    else:
        out[:, :h].copy_(pixels.reshape(b, 4 * k, 4 * across, o)[:, :h, :w])


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: WinogradConv, relu: bool) -> Tensor:
        half = x.dtype == torch.bfloat16
        out = conv.directly(x, relu=relu) if half else convolve(x, conv.forward_kernel, conv.bias, relu=relu)
        ctx.conv = conv
        ctx.save_for_backward(*((out,) if relu else ()))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (alive,) = ctx.saved_tensors or (None,)
        return convolve(grads[0], ctx.conv.backward_kernel, None, alive=alive), None, None


class WinogradConv(nn.Module):
    """Takes the place of a frozen 3x3 `nn.Conv2d` of stride 1 with a border of zeros, on the CPU.

    In bfloat16 only the gradient is computed so. The kernels, each four times the size of the weights, are made when
    they are first needed: a layer beyond the last tap costs nothing.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.register_buffer("weight", conv.weight.detach(), persistent=False)
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach(), persistent=False)

    @cached_property
    def forward_kernel(self) -> Tensor:
        """(36, C, O)."""
        return transform_kernel(self.weight)

    @cached_property
    def backward_kernel(self) -> Tensor:
        """(36, O, C), of the kernel turned by 180 degrees, inputs and outputs exchanged."""
        return transform_kernel(self.weight.flip(2, 3).transpose(0, 1))

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """In another number format, or elsewhere, the kernels are others."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in ("forward_kernel", "backward_kernel"):
            self.__dict__.pop(name, None)
        return self

    def directly(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """The sum as `nn.Conv2d` computes it, pixel by pixel; (B, C, H, W) to (B, O, H, W)."""
        found = functional.conv2d(x, self.weight, self.bias, padding=1)
        return functional.relu_(found) if relu else found

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(B, C, H, W) to (B, O, H, W), followed by a ReLU if asked for: in the cache, where it costs nothing."""
        result: Tensor = _Winograd.apply(x, self, relu)  # type: ignore[no-untyped-call]
        return result


def accelerate(module: nn.Module, *, least: int = ONE_PICTURE) -> int:
    """Replaces every wide enough 3x3 convolution inside a frozen module on the CPU, in float32 or bfloat16.

    Args:
        module: changed in place.
        least: channels that are wide enough in float32; `BATCHES` where many small pictures go through at once. In
            bfloat16 it is always `HALF`.

    Returns:
        How many were replaced.
    """
    found = 0
    for name, child in module.named_children():
        if isinstance(child, nn.Conv2d) and _gains(child, least):
            setattr(module, name, WinogradConv(child))
            found += 1
        else:
            found += accelerate(child, least=least)
    return found


def _gains(conv: nn.Conv2d, least: int) -> bool:
    plain = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode)
    if plain != ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros") or conv.weight.requires_grad:
        return False
    if conv.weight.dtype not in (torch.float32, torch.bfloat16) or conv.weight.device.type != "cpu":
        return False
    return min(conv.in_channels, conv.out_channels) >= (least if conv.weight.dtype == torch.float32 else HALF)
