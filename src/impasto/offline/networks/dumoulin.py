"""Dumoulin et al. 2017, A learned representation for artistic style: many styles in one network.

All styles share the convolutions; a style is no more than one row of scales and shifts in every instance norm. Rows
mix linearly, and a new style is learnt by adding a row and training nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from impasto.errors import OptionError
from impasto.offline.networks.blocks import (
    NormedConv,
    Residual,
    StyleInstanceNorm,
    check_size,
    pad_to_multiple,
    to_picture,
)

RESIDUALS = 5  # table 2 of the paper
SMALLEST = 5  # the 9x9 kernels reflect four pixels
STRIDE = 4


class DumoulinNetwork(nn.Module):
    """Repaints photos in any mixture of the styles that it was trained for.

    Every convolution, those of the contraction and the last included, is followed by a norm that knows the styles;
    gamma starts at 1 and beta at 0, so that all styles start as the same.

    Args:
        styles: how many.
        width: multiple of the paper's 32, 64, 128 channels.

    Attributes:
        arguments: what it was made with.
        styles: how many.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 5, weights (N, styles), which sum to 1 as a rule ->
    picture in [0, 1] (N, 3, H, W).

    Raises:
        OptionError: when there is not one style, or from `forward`, when weights are of another number of styles.
        LimitError: from `forward`, when the photo is smaller.

    Example:
        >>> network = DumoulinNetwork(styles=2, width=0.25)
        >>> network(torch.rand(1, 3, 18, 27), torch.tensor([[0.3, 0.7]])).shape
        torch.Size([1, 3, 18, 27])
    """

    def __init__(self, *, styles: int, width: float = 1.0) -> None:
        super().__init__()
        if styles < 1:
            raise OptionError(f"a network of {styles} styles cannot be; give at least 1")
        self.styles, self.width = styles, width
        self.arguments: dict[str, object] = {"styles": styles, "width": width}
        a, b, c = (max(1, round(width * n)) for n in (32, 64, 128))
        self.contract1 = self._conv(3, a, 9)
        self.contract2 = self._conv(a, b, 3, stride=2)
        self.contract3 = self._conv(b, c, 3, stride=2)
        self.residuals = nn.ModuleList(
            Residual(self._conv(c, c, 3), self._conv(c, c, 3, relu=False)) for _ in range(RESIDUALS)
        )
        self.expand1 = self._conv(c, b, 3, upsample=2)
        self.expand2 = self._conv(b, a, 3, upsample=2)
        self.expand3 = self._conv(a, 3, 9, relu=False)

    def forward(self, photo: Tensor, weights: Tensor) -> Tensor:
        """Repaints `photo` in the styles mixed by `weights`."""
        check_size(photo, SMALLEST)
        if weights.shape[-1] != self.styles:
            raise OptionError(f"{weights.shape[-1]} weights for a network of {self.styles} styles; give one a style")
        x = pad_to_multiple(photo, STRIDE)
        for layer in (self.contract1, self.contract2, self.contract3, *self.residuals, self.expand1, self.expand2):
            x = layer(x, weights)
        return to_picture(self.expand3(x, weights), photo)

    def norms(self) -> Iterator[tuple[str, StyleInstanceNorm]]:
        """Every norm with its name, in the order of computation."""
        for name, module in self.named_modules():
            if isinstance(module, StyleInstanceNorm):
                yield name, module

    def norm_parameters(self) -> list[nn.Parameter]:
        """All that training a new style changes."""
        return [parameter for _, norm in self.norms() for parameter in (norm.gamma, norm.beta)]

    def extended(self, styles: int) -> DumoulinNetwork:
        """A copy with room for more styles; the new ones start as the mean of those there are.

        Args:
            styles: how many in all.

        Raises:
            OptionError: when that is not more.
        """
        if styles <= self.styles:
            raise OptionError(f"a network of {self.styles} styles cannot be extended to {styles}; give more")
        larger = DumoulinNetwork(styles=styles, width=self.width)
        state = self.state_dict()
        for name, _ in self.norms():
            for key in (f"{name}.gamma", f"{name}.beta"):
                mean = state[key].mean(0, keepdim=True).expand(styles - self.styles, -1)
                state[key] = torch.cat([state[key], mean])
        larger.load_state_dict(state)
        return larger.to(next(self.parameters()).device).train(self.training)

    def _conv(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, upsample: int = 1, relu: bool = True
    ) -> NormedConv:
        norm = StyleInstanceNorm(outputs, self.styles)
        return NormedConv(inputs, outputs, kernel, norm=norm, stride=stride, upsample=upsample, relu=relu)
