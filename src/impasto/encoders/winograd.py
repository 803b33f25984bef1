"""Convolutions of 3x3 in a quarter of the multiplications, for processors without bf16 arithmetic.

Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray 2016, arXiv 1509.09308, section 4.3): tiles of 4x4 outputs are
computed from 6x6 inputs as 36 independent matrix products over the channels. The tiles go through in bands that fit
the processor's cache, because the transforms are limited by memory, not by arithmetic. Results differ from the direct
sum in the fifth digit.

The gradient with respect to the input is the same operation with the kernel turned by 180 degrees and its channels
exchanged; there is none with respect to the frozen kernel.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

# Lavin and Gray, section 4.3: input, kernel and output transforms
_INPUT = ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
          (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1))  # fmt: skip
_KERNEL = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
           (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))  # fmt: skip
_OUTPUT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))

BAND_TILES = 192
"""Tiles of one band: fewer read the kernel too often, more leave the cache."""

ONE_PICTURE, BATCHES = 64, 128
"""Channels below which the transforms cost more than the products save, for a large picture and for many small ones."""


def transform_kernel(weight: Tensor) -> Tensor:
    """(O, C, 3, 3) to the (36, C, O) matrices that tiles are multiplied by, column of the tile by column."""
    o, c = weight.shape[:2]
    g = torch.tensor(_KERNEL, dtype=weight.dtype)
    return (torch.kron(g, g) @ weight.permute(3, 2, 1, 0).reshape(9, c * o)).view(36, c, o)


def convolve(
    x: Tensor, kernel: Tensor, bias: Tensor | None, *, relu: bool = False, alive: Tensor | None = None
) -> Tensor:
    """3x3 convolution with a border of zeros.

    Args:
        x: (B, C, H, W) float32.
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
    space = [out.new_empty(n * b * rows * across) for n in (36 * c, 36 * c, 36 * o, 24 * o, 16 * o)]
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
        torch.bmm(cut.view(36, n, c), kernel, out=product.view(36, n, o))
        _transform(_OUTPUT, product.view(6, 6, n * o), half.view(6, 4, n * o))
        _transform(_OUTPUT, half.view(6, 4, n * o).transpose(0, 1), result.view(4, 4, n * o))
        if bias is not None:
            result.view(-1, o).add_(bias)
        if relu:
            result.clamp_(min=0)
        _place(result.view(4, 4, b, k, across, o), out[:, 4 * top :])


def _transform(matrix: tuple[tuple[int, ...], ...], tiles: Tensor, out: Tensor) -> None:
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
        out = convolve(x, conv.forward_kernel, conv.bias, relu=relu)
        ctx.conv = conv
        ctx.save_for_backward(*((out,) if relu else ()))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (alive,) = ctx.saved_tensors or (None,)
        return convolve(grads[0], ctx.conv.backward_kernel, None, alive=alive), None, None


class WinogradConv(nn.Module):
    """Takes the place of a frozen 3x3 `nn.Conv2d` of stride 1 with a border of zeros, in float32 on the CPU.

    Its kernels, each four times the size of the weights, are made when they are first needed: a layer beyond the last
    tap costs nothing.
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

    def forward(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """(B, C, H, W) to (B, O, H, W), followed by a ReLU if asked for: in the cache, where it costs nothing."""
        result: Tensor = _Winograd.apply(x, self, relu)  # type: ignore[no-untyped-call]
        return result


def accelerate(module: nn.Module, *, least: int = ONE_PICTURE) -> int:
    """Replaces every wide enough 3x3 convolution inside a frozen float32 module on the CPU.

    Args:
        module: changed in place.
        least: channels that are wide enough; `BATCHES` where many small pictures go through at once.

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
    if conv.weight.dtype != torch.float32 or conv.weight.device.type != "cpu":
        return False
    return min(conv.in_channels, conv.out_channels) >= least
