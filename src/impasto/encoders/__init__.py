"""Pretrained CNNs that turn an image into named feature maps. Importing this room needs no torch."""

from __future__ import annotations

from importlib import import_module, util
from typing import TYPE_CHECKING, Literal

from impasto.encoders.table import ENCODERS, EncoderSpec, get_spec
from impasto.errors import MissingExtraError, OptionError

if TYPE_CHECKING:
    from impasto.encoders.encoder import Encoder

__all__ = ["ENCODERS", "EncoderSpec", "get_spec", "load_encoder"]


def load_encoder(
    name: str,
    *,
    pooling: Literal["max", "average"] | None = None,
    padding: Literal["zeros", "replicate", "reflect", "circular"] = "zeros",
    padding_at: Literal["first", "all"] = "first",
) -> Encoder:
    """The pretrained encoder called `name`, frozen, on the CPU, in float32.

    Args:
        name: one of `ENCODERS`.
        pooling: "max" or "average" for encoders that can have either (VGG); None for the one it was trained with.
        padding: what lies beyond the border; anything but "zeros" is only known to the VGGs.
        padding_at: whether `padding` applies to the first convolution or to all.

    Raises:
        MissingExtraError: when torch is not installed.
        ModelError: when the weights cannot be had.
        OptionError: on an unknown name, or a pooling or padding that this encoder cannot have.

    Example:
        >>> load_encoder("vgg19").stride("relu4_1")
        8
    """
    spec = get_spec(name)
    if util.find_spec("torch") is None or util.find_spec("safetensors") is None:
        raise MissingExtraError(f"the encoder {name!r}", "torch")
    if not spec.poolings and (pooling or padding != "zeros"):
        raise OptionError(f"{name} has no pooling or padding to choose; leave both as they are")
    load = import_module(spec.module).load
    if not spec.poolings:
        encoder: Encoder = load(name)
    else:
        encoder = load(name, pooling=pooling or spec.poolings[0], padding=padding, padding_at=padding_at)
    return encoder
