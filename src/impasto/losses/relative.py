"""How far apart two things are, measured by their own size: what gives every sample and every layer one voice."""

from __future__ import annotations

from torch import Tensor

from impasto.losses.loss import widen

SMALLEST = 1e-20  # two things of no size at all are equal, not 0 / 0


def relative_distance(found: Tensor, target: Tensor) -> Tensor:
    """Squared difference over the sum of both squares, for each sample by itself.

    Layers and paintings differ in size by orders of magnitude, and so do their squared differences; of these only the
    loudest would be learnt. The sum of squares below the line is held constant: its gradient would reward a picture
    for being far off in size.

    Args:
        found: (B, ...), any floating type; computed in float32 at least.
        target: the same shape, or (1, ...) for all samples.

    Returns:
        (B,): 0 when both are equal, 1 when one of them is nothing or both have nothing in common, at most 2.

    Example:
        >>> import torch
        >>> relative_distance(torch.tensor([[3.0, 0.0], [2.0, 2.0]]), torch.tensor([[0.0, 4.0], [2.0, 2.0]]))
        tensor([1., 0.])
    """
    found, target = widen(found), widen(target)
    size = _squares(found) + _squares(target)
    return _squares(found - target) / size.detach().clamp(min=SMALLEST)


def _squares(x: Tensor) -> Tensor:
    return x.square().flatten(1).sum(1)
