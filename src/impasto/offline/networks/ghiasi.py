"""Ghiasi et al. 2017, Exploring the structure of a real-time, arbitrary neural artistic stylization network.

Two networks, one code between them. The style prediction network P reads a painting and says 100 numbers; the style
transfer network T repaints a photo and lets these numbers set the scale and shift of its instance norms. Both learn
together on Gram losses, after which any painting is a style in one pass.
"""

from __future__ import annotations

from typing import Literal, Self, cast, get_args

from torch import Tensor, nn
from torch.nn import functional

from impasto.errors import OptionError
from impasto.offline.networks.blocks import (
    ConditionalInstanceNorm,
    NormedConv,
    StyledConv,
    StyledResidual,
    check_size,
    pad_to_multiple,
    to_picture,
)
from impasto.offline.networks.trunks import TRUNKS, Trunk, TrunkName

Painter = Literal["paper", "swift"]

CODE = 100  # length of the style code: the bottleneck of P (section 2.2)
RESIDUALS = 5  # table 2 of Dumoulin et al. 2017, which T follows
SWIFT_RESIDUALS = 3  # of the swift variation
FAR_AFTER = 2  # residual blocks before the far path joins; those that are left may work on what it says
SMALLEST = 5  # the 9x9 kernels reflect four pixels
SMALLEST_FAR = 17  # continued to 32, of which two pixels are left at a sixteenth
BATCH_NORM_EPS = 1e-3  # TF-slim's, as published


class ContractConv(NormedConv):
    """Reflect-padded convolution, batch norm and ReLU: the style has no say yet.

    Shapes: (N, inputs, H, W) -> (N, outputs, H / stride, W / stride).
    """

    norm: nn.BatchNorm2d

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        norm = nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS, momentum=1e-3)
        norm.weight.requires_grad_(False)  # shift without scale: the next convolution can scale by itself
        super().__init__(inputs, outputs, kernel, norm=norm, stride=stride)


class FarPath(nn.Module):
    """What T sees from afar, an addition of ours: down to a sixteenth of the size, where a 3x3 kernel spans a figure.

    The published networks stop at a quarter, where ten such kernels span no more than a large brush stroke. Its last
    norm says nothing at first: a network that is given a far path paints as it did before (Chen et al. 2016, Net2Net,
    arXiv 1511.05641), and learns on from there.

    Args:
        channels: that come in, and go out.
        blocks: residual blocks at the sixteenth.
        code: length of the style code.

    Shapes: x (N, channels, H, W), sides dividing by 4, code (N, code) -> as x.
    """

    def __init__(self, channels: int, *, blocks: int, code: int) -> None:
        super().__init__()
        wide, wider = 2 * channels, 3 * channels
        self.contract1 = StyledConv(channels, wide, 3, code=code, stride=2)
        self.contract2 = StyledConv(wide, wider, 3, code=code, stride=2)
        self.residuals = nn.ModuleList(StyledResidual(wider, code=code) for _ in range(blocks))
        self.expand1 = StyledConv(wider, wide, 3, code=code, upsample=2)
        self.expand2 = StyledConv(wide, channels, 3, code=code, upsample=2, relu=False)

    def silence(self) -> None:
        """Makes what it adds zero, for every style."""
        for head in (self.expand2.norm.gamma, self.expand2.norm.beta):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        """What is to be added to x."""
        x = self.contract2(self.contract1(x, code), code)
        for residual in self.residuals:
            x = residual(x, code)
        more: Tensor = self.expand2(self.expand1(x, code), code)
        return more


class StyleTransferNetwork(nn.Module):
    """T: repaints photos with the style that a code asks for.

    Contract by 4, five residual blocks, expand by 4; style speaks in every layer after the contraction.

    Args:
        width: multiple of the paper's 32, 64, 128 channels; 1.0 is the paper's, 0.25 the published mobile network.
        code: length of the style code.
        far: residual blocks of the `FarPath`; 0 is the paper's, without one.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 5, or 17 with a far path, code (N, code) -> picture in
    [0, 1] (N, 3, H, W). Sides that do not divide by 4, or 16, are continued by reflection and cropped again.

    Example:
        >>> network = StyleTransferNetwork(width=0.25)
        >>> network(torch.rand(1, 3, 18, 27), torch.zeros(1, 100)).shape
        torch.Size([1, 3, 18, 27])
    """

    def __init__(self, *, width: float = 1.0, code: int = CODE, far: int = 0) -> None:
        super().__init__()
        a, b, c = (round(width * n) for n in (32, 64, 128))
        self.stride, self.least = (16, SMALLEST_FAR) if far else (4, SMALLEST)
        self.whole = a  # channels at the photo's whole size
        self.contract1 = ContractConv(3, a, 9)
        self.contract2 = ContractConv(a, b, 3, stride=2)
        self.contract3 = ContractConv(b, c, 3, stride=2)
        self.residuals = nn.ModuleList(StyledResidual(c, code=code) for _ in range(RESIDUALS))
        self.far = FarPath(c, blocks=far, code=code) if far else None
        self.expand1 = StyledConv(c, b, 3, code=code, upsample=2)
        self.expand2 = StyledConv(b, a, 3, code=code, upsample=2)
        self.expand3 = StyledConv(a, 3, 9, code=code, relu=False)

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`."""
        check_size(photo, self.least)
        x = pad_to_multiple(photo, self.stride)
        x = self.contract3(self.contract2(self.contract1(x)))
        for i, residual in enumerate(self.residuals):
            if self.far is not None and i == FAR_AFTER:
                x = x + self.far(x, code)
            x = residual(x, code)
        x = self.expand2(self.expand1(x, code), code)
        return to_picture(self.expand3(x, code), photo)


class SwiftTransferNetwork(nn.Module):
    """T for speed, a variation of ours: nothing is convolved at the photo's whole size.

    The published T spends much of its time on 8 channels at the whole size, where processors do little at once. Here
    the first kernel halves, the last one speaks while it doubles, and three residual blocks do for five.

    Args:
        width: multiple of 64 and 128 channels, at half and at a quarter of the size.
        code: length of the style code.

    Shapes: as `StyleTransferNetwork`, H and W at least 5.

    Example:
        >>> network = SwiftTransferNetwork(width=0.25)
        >>> network(torch.rand(1, 3, 18, 27), torch.zeros(1, 100)).shape
        torch.Size([1, 3, 18, 27])
    """

    stride, least = 4, SMALLEST

    def __init__(self, *, width: float = 0.25, code: int = CODE) -> None:
        super().__init__()
        half, quarter = (round(width * n) for n in (64, 128))
        self.whole = max(3, half // 4)  # a quarter of the positions takes a quarter of the memory
        self.contract1 = StyledConv(3, half, 5, code=code, stride=2)
        self.contract2 = StyledConv(half, quarter, 3, code=code, stride=2)
        self.residuals = nn.ModuleList(StyledResidual(quarter, code=code) for _ in range(SWIFT_RESIDUALS))
        self.expand1 = StyledConv(quarter, half, 3, code=code, upsample=2)
        self.expand2 = StyledConv(half, 3, 3, code=code, upsample=2, relu=False)

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`."""
        check_size(photo, self.least)
        x = pad_to_multiple(photo, self.stride)
        for layer in (self.contract1, self.contract2, *self.residuals, self.expand1, self.expand2):
            x = layer(x, code)
        return to_picture(x, photo)


class StylePredictionNetwork(nn.Module):
    """P: reads a painting's style code.

    Args:
        trunk: the pretrained network in front: Inception-v3 up to Mixed_6e in the paper, MobileNetV2 in the published
            mobile network.
        code: length of the style code.

    Shapes: painting in [0, 1] (N, 3, H, W) -> code (N, code).
    """

    def __init__(self, trunk: Trunk, *, code: int = CODE) -> None:
        super().__init__()
        self.trunk = cast("nn.Module", trunk)
        self.bottleneck = nn.Linear(trunk.out_channels, code)

    def forward(self, painting: Tensor) -> Tensor:
        """The code: features averaged over the painting (texture knows no place), then one linear layer."""
        features: Tensor = self.trunk(painting)
        code: Tensor = self.bottleneck(functional.adaptive_avg_pool2d(features, 1).flatten(1))
        return code


class GhiasiNetwork(nn.Module):
    """P and T, which learn together.

    Magenta's heads start near zero, so that every norm first forgets what it is given, and need a step size of 1e-5
    and millions of steps. Ours start at a scale of 1 and a shift of 0, plus a little of the code, and take 1e-3.

    Args:
        width: multiple of T's 32, 64, 128 channels.
        trunk: what P looks with: "inception-v3" up to Mixed_6e is the paper's; random until `load_trunk`.
        code: length of the style code.
        far: residual blocks of T's far path, 0 for none.
        painter: "paper" for a `StyleTransferNetwork`, "swift" for a `SwiftTransferNetwork`.

    Attributes:
        arguments: what it was made with.
        prediction: P.
        transfer: T.

    Shapes: photo in [0, 1] (N, 3, H, W), H and W at least 5, or 17 with a far path, code (N, code) -> picture in
    [0, 1] (N, 3, H, W).

    Raises:
        OptionError: on an unknown trunk or painter, or a swift one that is to see far.
        LimitError: from `forward` and `encode`, when a picture is too small.

    Example:
        >>> import torch
        >>> network = GhiasiNetwork(width=0.25, trunk="mobilenet-v2").eval()
        >>> code = network.encode(torch.rand(1, 3, 64, 64))
        >>> network(torch.rand(1, 3, 18, 27), code).shape
        torch.Size([1, 3, 18, 27])
    """

    transfer: StyleTransferNetwork | SwiftTransferNetwork

    def __init__(
        self,
        *,
        width: float = 1.0,
        trunk: TrunkName = "inception-v3",
        code: int = CODE,
        far: int = 0,
        painter: Painter = "paper",
    ) -> None:
        super().__init__()
        if trunk not in TRUNKS:
            raise OptionError(f"unknown trunk {trunk!r}; choose one of: {', '.join(TRUNKS)}")
        if painter not in get_args(Painter):
            raise OptionError(f"unknown painter {painter!r}; choose one of: {', '.join(get_args(Painter))}")
        if painter == "swift" and far:
            raise OptionError("a swift painter cannot see far; mend: leave --far out")
        self.arguments: dict[str, object] = {
            "width": width, "trunk": trunk, "code": code, "far": far, "painter": painter
        }  # fmt: skip
        self.prediction = StylePredictionNetwork(TRUNKS[trunk].make(), code=code)
        if painter == "swift":
            self.transfer = SwiftTransferNetwork(width=width, code=code)
        else:
            self.transfer = StyleTransferNetwork(width=width, code=code, far=far)
        self._finished = False
        for module in self.transfer.modules():
            if isinstance(module, ConditionalInstanceNorm):
                nn.init.ones_(module.gamma.bias)
                nn.init.zeros_(module.beta.bias)
        if isinstance(self.transfer, StyleTransferNetwork) and self.transfer.far is not None:
            self.transfer.far.silence()

    def learn_on(self) -> None:
        """From a finished network: P stays as it is, and every batch norm keeps the statistics that it has."""
        self.prediction.requires_grad_(False)
        self._finished = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As of every module, but for the batch norms of a network that learns on."""
        super().train(mode)
        for module in self.modules():
            if self._finished and isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def load_trunk(self) -> None:
        """Gives the trunk what it learnt on ImageNet: where training starts.

        Raises:
            ModelError: when these weights cannot be had.
        """
        TRUNKS[str(self.arguments["trunk"])].fill(self.prediction.trunk)

    def encode(self, painting: Tensor) -> Tensor:
        """Painting in [0, 1] (N, 3, H, W) -> code (N, code)."""
        check_size(painting, TRUNKS[str(self.arguments["trunk"])].least)
        code: Tensor = self.prediction(painting)
        return code

    def forward(self, photo: Tensor, code: Tensor) -> Tensor:
        """Repaints `photo`."""
        picture: Tensor = self.transfer(photo, code)
        return picture
