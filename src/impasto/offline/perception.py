"""The loss network as recipes see it: a frozen encoder on a device, its taps, and how pictures are shown to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from impasto.encoders import get_spec, load_encoder
from impasto.encoders.encoder import Encoder
from impasto.encoders.winograd import BATCHES, accelerate
from impasto.errors import ImpastoError, ModelError
from impasto.losses import widen
from impasto.offline.recipe import TrainOptions

RAW_STRIDE = 4
"""Where Ghiasi et al. 2017 compare contents: relu3_3 of VGG-16."""


class Perception:
    """A frozen encoder that several losses share, each picture passing through it once.

    Args:
        encoder: on its device, in its number format.
        style: taps that texture models read, the shallowest first.
        content: taps that content losses read.

    Attributes:
        encoder: likewise.
        style: likewise.
        content: likewise.
    """

    def __init__(self, encoder: Encoder, *, style: Sequence[str], content: Sequence[str]) -> None:
        for tap in (*style, *content):
            encoder.layer(tap)
        self.encoder, self.style, self.content = encoder, tuple(style), tuple(content)

    @property
    def all(self) -> tuple[str, ...]:
        """The taps of both, each once."""
        return tuple(dict.fromkeys((*self.style, *self.content)))

    def look(self, pictures: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """The feature maps of pictures (N, 3, H, W) at `taps`; gradients reach the pictures.

        Raises:
            LimitError: when the pictures are too small for a tap.
        """
        found: dict[str, Tensor] = self.encoder(pictures, tuple(dict.fromkeys(taps)))
        return found

    @torch.no_grad()
    def remember(self, pictures: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """As `look`, without gradients: for what is compared with."""
        return self.look(pictures, taps)

    def at_stride(self, stride: int) -> str:
        """The style tap of this stride, or of the nearest; the deepest of several."""
        return min(reversed(self.style), key=lambda tap: abs(self.encoder.stride(tap) - stride))


def open_perception(
    options: TrainOptions,
    *,
    device: torch.device,
    dtype: torch.dtype,
    pooling: Literal["max", "average"] = "average",
    style: Sequence[str] = (),
    content: Sequence[str] = (),
) -> Perception:
    """Loads the encoder that the options name, as fast as this machine can run it.

    Args:
        options: names the encoder.
        device: where it looks.
        dtype: what it computes in.
        pooling: for encoders that can have either; averages (Ghiasi et al. 2017) give smoother gradients.
        style: taps, the encoder's usual ones when empty.
        content: likewise.

    Raises:
        OptionError: on an unknown encoder or tap.
        ModelError: when its weights cannot be had; the message names ways round it.
    """
    spec = get_spec(options.encoder)
    try:
        encoder = load_encoder(spec.name, pooling=pooling if spec.poolings else None)
    except ModelError as error:
        raise _mended(spec.name, error) from error
    encoder = encoder.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    accelerate(encoder, least=BATCHES)  # on the CPU
    if options.compile:
        encoder.compile(dynamic=False)
    return Perception(encoder, style=style or spec.style, content=content or spec.content)


def _mended(name: str, error: ImpastoError) -> ModelError:
    if name == "vgg19":
        return ModelError(str(error))
    return ModelError(
        f"the loss network {name} cannot be had: {str(error).partition('; mend:')[0]}; mend: set IMPASTO_MODELS to a "
        f"folder that holds its file, or --encoder vgg19, which comes with the torch extra"
    )


def raw_content(seen: Mapping[str, Tensor], photo: Mapping[str, Tensor], tap: str) -> Tensor:
    """Mean squared difference of raw features: the content loss of Ghiasi et al. 2017, by which networks are compared.

    Comparable between networks that are measured with the same encoder, VGG-16's relu3_3 as a rule; its input counts
    from 0 to 255.

    Returns:
        A scalar without a gradient, mean over the samples.
    """
    return (widen(seen[tap].detach()) - widen(photo[tap])).square().mean()


def half(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Within, a network in training computes in bfloat16 where it may, when `dtype` says so; its weights do not."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)
