"""The pretrained networks that a style predictor can look with. A new trunk is one row of `TRUNKS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor, nn

from impasto.encoders import efficientnet, inception
from impasto.encoders.encoder import Preprocess
from impasto.errors import ModelError
from impasto.offline.networks.mobilenet import MobileNetV2

TrunkName = Literal["inception-v3", "mobilenet-v2", "efficientnet-lite0"]


class Trunk(Protocol):
    """A network whose last features a style can be read from."""

    out_channels: int

    def __call__(self, x: Tensor) -> Tensor:
        """RGB in [0, 1] (N, 3, H, W) -> features (N, out_channels, h, w)."""
        ...


class LiteTrunk(nn.Sequential):
    """EfficientNet-Lite0 without its classifier, batch norms folded, for training further. Random until filled.

    Shapes: RGB in [0, 1] (N, 3, H, W) -> features (N, 1280, H / 32, W / 32), rounded up.
    """

    out_channels = efficientnet.HEAD

    def __init__(self) -> None:
        mean, std = (efficientnet.MEAN,) * 3, (efficientnet.STD,) * 3
        super().__init__()
        self.add_module("preprocess", Preprocess(mean, std, gain=255))
        self.add_module("stem", efficientnet.Activated(3, efficientnet.STEM, 3, stride=2))
        channels = efficientnet.STEM
        for s, stage in enumerate(efficientnet.STAGES, 1):
            for i in range(1, stage.repeats + 1):
                block = efficientnet.Block(channels, stage, stage.stride if i == 1 else 1)
                self.add_module(f"block{s}_{i}", block)
                channels = stage.channels
        self.add_module("head", efficientnet.Activated(channels, self.out_channels, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):  # made without memory, since the encoder never needs random weights
                module.to_empty(device="cpu")
                module.reset_parameters()


def _fill_inception(trunk: nn.Module) -> None:
    inception.fill(trunk, inception.read_state())


def _fill_lite(trunk: nn.Module) -> None:
    trunk.load_state_dict(efficientnet.load("efficientnet-lite0").stages.state_dict())


def _fill_mobilenet(trunk: nn.Module) -> None:
    raise ModelError("there are no ImageNet weights for mobilenet-v2; mend: --trunk inception-v3 or efficientnet-lite0")


@dataclass(frozen=True)
class TrunkSpec:
    """One row.

    Attributes:
        make: a random one.
        fill: gives it what it learnt on ImageNet.
        least: smallest side of a painting in pixels.
    """

    make: Callable[[], Trunk]
    fill: Callable[[nn.Module], None]
    least: int = 1


TRUNKS: dict[str, TrunkSpec] = {
    "inception-v3": TrunkSpec(inception.InceptionTrunk, _fill_inception, least=43),
    "mobilenet-v2": TrunkSpec(MobileNetV2, _fill_mobilenet),
    "efficientnet-lite0": TrunkSpec(LiteTrunk, _fill_lite),
}
