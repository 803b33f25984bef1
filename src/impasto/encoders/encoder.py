"""The Encoder: a pretrained CNN that turns an image into named feature maps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from impasto.encoders.winograd import WinogradConv
from impasto.errors import LimitError, OptionError


@dataclass(frozen=True)
class Layer:
    """What a tap yields.

    Attributes:
        name: what to ask for.
        channels: of the feature map.
        stride: image pixels from one feature to the next.
        least: smallest side of an image, in pixels, that leaves a feature map.
    """

    name: str
    channels: int
    stride: int
    least: int = 1


class Preprocess(nn.Module):
    """RGB in [0, 1] to what a network was trained on: `(gain * image - mean) / std`, channels reversed for BGR.

    Computed in float32 at least, whatever the network's precision: 8 bits of mantissa would round the image to steps
    of its own noise, and 103.939 to 104.

    Args:
        mean: one number a channel, in the network's order of channels.
        std: likewise, all ones by default.
        gain: 255 for networks trained on bytes.
        bgr: whether the network takes blue first.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float], std: Sequence[float] = (1.0, 1.0, 1.0), *, gain: float = 1.0, bgr: bool = False
    ) -> None:
        super().__init__()
        self.gain, self.bgr = gain, bgr
        self.scales = any(s != 1 for s in std)
        self._exact = {"mean": tuple(mean), "std": tuple(std)}
        for name, values in self._exact.items():
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] to the same shape, float32 (float64 stays)."""
        image = image.to(torch.promote_types(image.dtype, torch.float32))
        if self.bgr:
            image = image.flip(1)
        if self.gain != 1:
            image = image * self.gain
        image = image - self.mean
        return image / self.std if self.scales else image

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """`.to(torch.bfloat16)` moves the constants, but does not round them."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, values in self._exact.items():
            old = getattr(self, name)
            if old.dtype != torch.float32 and not old.is_meta:
                setattr(self, name, torch.tensor(values, device=old.device).view(1, -1, 1, 1))
        return self


class Encoder(nn.Module):
    """A pretrained CNN: image -> named feature maps. Frozen: no parameter takes a gradient, and it stays in eval mode.

    One forward pass serves every tap that is asked for, and computes no layer beyond the last of them. Preprocessing
    belongs to the encoder. `encoder.to(torch.bfloat16, memory_format=torch.channels_last)` works: the image is
    prepared in float32 and then takes the weights' type.

    Args:
        name: what messages call it.
        layers: every tap, in the order of computation.
        preprocess: from RGB in [0, 1] to what the network takes.
        means: each tap's mean absolute activation over photographs, for `normalised=True`; may be empty.

    Attributes:
        name: what messages call it.
        layers: the names of the taps, in the order of computation.
    """

    def __init__(
        self, name: str, layers: Sequence[Layer], *, preprocess: nn.Module, means: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self.layers = tuple(layer.name for layer in layers)
        self.preprocess = preprocess
        self._layers = {layer.name: layer for layer in layers}
        self._means = dict(means or {})

    def forward(self, image: Tensor, taps: Sequence[str], *, normalised: bool = False) -> dict[str, Tensor]:
        """The feature maps at `taps`.

        Args:
            image: (B, 3, H, W), RGB in [0, 1] (values slightly outside are taken as they are), any floating type.
            taps: names from `layers`, in any order.
            normalised: divide each map by its layer's mean activation over photographs, one number a layer, so that
                the weights of losses carry over from one layer, and from one encoder, to another.

        Returns:
            Tap -> (B, C, H', W') in the weights' type, in the order of `taps`.

        Raises:
            OptionError: on an unknown tap, or an image of another shape.
            LimitError: when the image is too small for a tap.
        """
        self._check(image, taps)
        if not taps:
            return {}
        x = self.preprocess(image).to(self._dtype(image), memory_format=self._order())
        found = self._features(x, frozenset(taps))
        if normalised:
            return {tap: found[tap] / self.mean_activation(tap) for tap in taps}
        return {tap: found[tap] for tap in taps}

    def _features(self, x: Tensor, taps: Collection[str]) -> dict[str, Tensor]:
        """Tap -> feature map of the prepared image; the one thing a family of encoders has to say."""
        raise NotImplementedError

    def stride(self, layer: str) -> int:
        """Image pixels from one feature to the next at `layer`."""
        return self.layer(layer).stride

    def channels(self, layer: str) -> int:
        """How many channels the map at `layer` has."""
        return self.layer(layer).channels

    def layer(self, name: str) -> Layer:
        """What is known of the tap `name`.

        Raises:
            OptionError: when there is none; the message lists those there are.
        """
        if name not in self._layers:
            raise OptionError(f"{self.name} has no layer {name!r}; it has: {', '.join(self.layers)}")
        return self._layers[name]

    def mean_activation(self, layer: str) -> float:
        """Mean absolute activation at `layer` over photographs.

        Raises:
            OptionError: on an unknown layer, or when it was never measured for this encoder.
        """
        self.layer(layer)
        if layer not in self._means:
            raise OptionError(f"the mean activation of {self.name}'s {layer} is not known; use the raw features")
        return self._means[layer]

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode: a training loop around it must not touch batch statistics."""
        return super().train(False)

    def _freeze(self) -> None:
        """Called at the end of a family's constructor."""
        self.requires_grad_(False)
        self.eval()

    def _dtype(self, image: Tensor) -> torch.dtype:
        return next((p.dtype for p in self.parameters()), image.dtype)

    def _order(self) -> torch.memory_format:
        """Of memory: the weights', since a first layer whose image lies in another takes four times as long back."""
        weight = next((p for p in self.parameters() if p.ndim == 4), None)
        last = weight is not None and weight.is_contiguous(memory_format=torch.channels_last)
        return torch.channels_last if last else torch.preserve_format

    def _check(self, image: Tensor, taps: Sequence[str]) -> None:
        if isinstance(taps, str):
            raise OptionError(f"taps is a list of layers, such as [{taps!r}]")
        least = max((self.layer(tap).least for tap in taps), default=1)
        if image.ndim != 4 or image.shape[1] != 3 or not image.is_floating_point():
            raise OptionError(
                f"{self.name} takes floating RGB of shape (B, 3, H, W), not {image.dtype} {tuple(image.shape)}"
            )
        height, width = image.shape[-2:]
        if min(height, width) < least:
            tap = max(taps, key=lambda t: self.layer(t).least)
            raise LimitError(
                f"an image of {width}x{height} is too small for {self.name}'s {tap}; give at least {least}x{least}"
            )


class StagedEncoder(Encoder):
    """An encoder whose network is a chain: each stage takes what the one before it gave, and can be tapped."""

    def __init__(
        self,
        name: str,
        layers: Sequence[Layer],
        stages: Mapping[str, nn.Module],
        *,
        preprocess: nn.Module,
        means: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(name, layers, preprocess=preprocess, means=means)
        self.stages = nn.ModuleDict(stages)
        self._freeze()

    def onward(self, features: Tensor, layer: str, taps: Sequence[str]) -> dict[str, Tensor]:
        """The feature maps at `taps`, which all lie beyond `layer`, from the map there.

        Args:
            features: (B, C, H, W), as `forward` gave it; not normalised.
            layer: where it was tapped.
            taps: names from `layers`.

        Raises:
            OptionError: on an unknown tap, or one that does not lie beyond.
        """
        stages = list(self.stages.items())
        start = 1 + [name for name, _ in stages].index(self.layer(layer).name)
        for tap in taps:
            if self.layer(tap).name not in {name for name, _ in stages[start:]}:
                raise OptionError(f"{tap} does not lie beyond {layer} in {self.name}")
        return _pass(stages[start:], features, frozenset(taps))

    def _features(self, x: Tensor, taps: Collection[str]) -> dict[str, Tensor]:
        return _pass(list(self.stages.items()), x, taps)


def _pass(stages: Sequence[tuple[str, nn.Module]], x: Tensor, taps: Collection[str]) -> dict[str, Tensor]:
    """Tap -> feature map of a chain that `x` goes through, as far as the last tap."""
    found: dict[str, Tensor] = {}
    fused = False
    for (name, stage), (_, after) in zip(stages, [*stages[1:], ("", None)], strict=True):
        # A ReLU goes with its convolution, or at least overwrites its output, unless that output was asked for.
        rectify = isinstance(after, nn.ReLU) and name not in taps
        if isinstance(stage, WinogradConv):
            x = stage(x, relu=rectify)
        elif not fused:
            x = stage(x)
            if rectify:
                x = functional.relu_(x)
        fused = rectify
        if name in taps:
            found[name] = x
            if len(found) == len(taps):
                break
    return found
