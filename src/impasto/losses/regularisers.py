"""What every picture should be, whatever it shows."""

from __future__ import annotations

from torch import Tensor

from impasto.losses.loss import IMAGE, Features, Loss, widen


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels (Johnson et al. 2016; Mahendran and Vedaldi 2015, beta 2).

    Args:
        image: (B, C, H, W), H and W at least 1, any floating type; computed in float32 at least.

    Returns:
        A scalar, 0 for a flat image.
    """
    image = widen(image)
    down = (image[..., 1:, :] - image[..., :-1, :]).square()
    across = (image[..., 1:] - image[..., :-1]).square()
    return (down.sum() + across.sum()) / image.numel()


class TotalVariation(Loss):
    """Smoothness of the picture itself: takes out grain, and too much of it takes out strokes."""

    label = "tv"
    taps = (IMAGE,)

    def forward(self, features: Features) -> Tensor:
        """A scalar, 0 for a flat picture."""
        return total_variation(features[IMAGE])
