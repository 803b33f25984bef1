"""The table of encoders, readable without torch. A new encoder is one row here and one file beside it."""

from __future__ import annotations

from dataclasses import dataclass

from impasto import models
from impasto.errors import OptionError

VGG_BLOCKS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks."""

LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each of EfficientNet-Lite0's seven stages."""

INCEPTION_LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2"),
    *("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"),
)
"""Inception-v3's blocks as torchvision names them, as far as we have them."""


def _vgg_layers(blocks: tuple[int, ...]) -> tuple[str, ...]:
    names: list[str] = []
    for block, count in enumerate(blocks, 1):
        names += [f"{kind}{block}_{i}" for i in range(1, count + 1) for kind in ("conv", "relu")]
        names.append(f"pool{block}")
    return tuple(names)


def _lite_layers(repeats: tuple[int, ...]) -> tuple[str, ...]:
    return ("stem", *(f"block{s}_{i}" for s, n in enumerate(repeats, 1) for i in range(1, n + 1)), "head")


@dataclass(frozen=True)
class EncoderSpec:
    """One row of the table.

    Attributes:
        name: what `load_encoder` and `--encoder` call it.
        layers: its taps, in the order of computation.
        weights: name of its entry in the models' index.
        module: where its `load` function lives.
        style: taps that a Gram loss reads when nothing else is said.
        content: likewise for the content loss.
        poolings: the poolings it can be built with, the faithful one first; empty when it has none to choose.
        measured: whether its mean activations are known; without them its taps cannot be had `normalised`.
    """

    name: str
    layers: tuple[str, ...]
    weights: str
    module: str
    style: tuple[str, ...]
    content: tuple[str, ...]
    poolings: tuple[str, ...] = ()
    measured: bool = True

    @property
    def licence(self) -> str:
        """Of the weights."""
        return models.entry(self.weights).licence

    @property
    def paper(self) -> str:
        """Authors, year, title."""
        return models.entry(self.weights).paper


ENCODERS: dict[str, EncoderSpec] = {
    e.name: e
    for e in (
        EncoderSpec(
            name="vgg19",
            layers=_vgg_layers(VGG_BLOCKS["vgg19"]),
            weights="vgg19",
            module="impasto.encoders.vgg",
            style=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),  # Gatys et al. 2016
            content=("relu4_2",),
            poolings=("max", "average"),
        ),
        EncoderSpec(
            name="vgg16",
            layers=_vgg_layers(VGG_BLOCKS["vgg16"]),
            weights="vgg16",
            module="impasto.encoders.vgg",
            style=("relu1_2", "relu2_2", "relu3_3", "relu4_3"),  # Johnson et al. 2016
            content=("relu3_3",),
            poolings=("max", "average"),
        ),
        EncoderSpec(
            name="efficientnet-lite0",
            layers=_lite_layers(LITE0_REPEATS),
            weights="efficientnet-lite0",
            module="impasto.encoders.efficientnet",
            style=("stem", "block1_1", "block2_2", "block3_2", "block5_3"),  # strides 2 to 16, about VGG's
            content=("block3_2",),
        ),
        EncoderSpec(
            name="inception-v3",
            layers=INCEPTION_LAYERS,
            weights="inception-v3",
            module="impasto.encoders.inception",
            style=("Conv2d_2b_3x3", "Conv2d_4a_3x3", "Mixed_5d", "Mixed_6e"),  # strides 2 to 16, about VGG's
            content=("Mixed_5b",),
            measured=False,  # needs the file; `python -m impasto.encoders.measure` does it once that is there
        ),
    )
}


def get_spec(name: str) -> EncoderSpec:
    """The row called `name`.

    Raises:
        OptionError: when there is none; the message lists those there are.
    """
    if name not in ENCODERS:
        raise OptionError(f"unknown encoder {name!r}; choose one of: {', '.join(ENCODERS)}")
    return ENCODERS[name]
