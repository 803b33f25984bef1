"""Any torch module as an Encoder, by forward hooks on the layers that are named."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial

import torch
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder, Layer, Preprocess
from impasto.errors import LimitError, OptionError


class _Stop(BaseException):
    """Ends a module's forward after the last tap. No Exception: a module that catches those must not swallow it."""


class ModuleEncoder(Encoder):
    """Any torch module, tapped at the submodules that are named.

    The module is frozen in place. One probe run finds out the order of the layers, their channels and strides, and
    which outputs a later layer overwrites (`nn.ReLU(inplace=True)`): those, and only those, are copied.

    Not for two threads at a time: hooks belong to the module.

    Args:
        module: takes (B, 3, H, W).
        layers: tap -> path of the submodule, as `module.get_submodule` takes it. A submodule that runs more than once
            is tapped at its first run.
        mean: the channels' means in the module's training, in its order of channels.
        std: likewise, their standard deviations.
        gain: 255 when the module was trained on bytes.
        bgr: whether it takes blue first.
        name: what messages call it; the class's name if not given.
        means: each tap's mean activation, for `normalised=True`; `measure.measure` finds them.
        probe: side of the probe image in pixels.

    Raises:
        OptionError: when a path names no submodule, or one that does not run or does not give a (B, C, H, W) map.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(inplace=True))
        >>> encoder = ModuleEncoder(net, {"first": "0"}, mean=(0.5,) * 3, std=(0.5,) * 3)
        >>> encoder.channels("first"), encoder.stride("first")
        (8, 2)
    """

    def __init__(
        self,
        module: nn.Module,
        layers: Mapping[str, str],
        *,
        mean: Sequence[float],
        std: Sequence[float] = (1.0, 1.0, 1.0),
        gain: float = 1.0,
        bgr: bool = False,
        name: str = "",
        means: Mapping[str, float] | None = None,
        probe: int = 256,
    ) -> None:
        name = name or type(module).__name__
        module.requires_grad_(False)
        module.eval()
        paths = {tap: _submodule(module, path, name) for tap, path in layers.items()}
        found, overwritten = _probe(module, paths, name, probe)
        super().__init__(name, found, preprocess=Preprocess(mean, std, gain=gain, bgr=bgr), means=means)
        self.module = module
        self._paths = dict(layers)
        self._overwritten = overwritten
        device = next((p.device for p in module.parameters()), torch.device("cpu"))
        self.preprocess.to(device)
        self._freeze()

    def _features(self, x: Tensor, taps: Collection[str]) -> dict[str, Tensor]:
        modules = {tap: self.module.get_submodule(self._paths[tap]) for tap in taps}
        try:
            found = _run(self.module, x, modules, copy=self._overwritten)
        except RuntimeError as error:
            # The words of torch's convolutions and poolings for a map that is smaller than their kernel.
            if "too small" in str(error) or "can't be greater than" in str(error):
                raise self._too_small(x) from error
            raise
        if any(0 in found[tap].shape for tap in taps):
            raise self._too_small(x)
        return found

    def _too_small(self, x: Tensor) -> LimitError:
        return LimitError(f"an image of {x.shape[-1]}x{x.shape[-2]} is too small for {self.name}; give a larger one")


def _submodule(module: nn.Module, path: str, name: str) -> nn.Module:
    try:
        return module.get_submodule(path)
    except AttributeError:
        known = ", ".join(p for p, _ in module.named_modules() if p)
        raise OptionError(f"{name} has no submodule {path!r}; it has: {known}") from None


def _run(
    module: nn.Module, x: Tensor, taps: Mapping[str, nn.Module], *, copy: Collection[str] = (), whole: bool = False
) -> dict[str, Tensor]:
    """Each tap's output in the order of computation; `whole` runs on to the module's end."""
    found: dict[str, Tensor] = {}

    def keep(_module: nn.Module, _inputs: object, output: object, *, tap: str) -> None:
        if tap not in found and isinstance(output, Tensor):
            last = len(found) + 1 == len(taps) and not whole
            found[tap] = output.clone() if tap in copy and not last else output
        if len(found) == len(taps) and not whole:
            raise _Stop

    with ExitStack() as hooks:
        for tap, submodule in taps.items():
            hooks.callback(submodule.register_forward_hook(partial(keep, tap=tap)).remove)
        with suppress(_Stop):
            module(x)
    return found


def _probe(
    module: nn.Module, taps: Mapping[str, nn.Module], name: str, side: int
) -> tuple[list[Layer], frozenset[str]]:
    """What there is to know of each tap, in the order of computation, and which of them a later layer overwrites."""
    weight = next(module.parameters(), torch.zeros(1))
    image = torch.zeros(1, 3, side, side, dtype=weight.dtype, device=weight.device)
    versions: dict[str, int] = {}
    with torch.no_grad(), ExitStack() as hooks:
        for tap, submodule in taps.items():
            hook = submodule.register_forward_hook(partial(_note_version, versions=versions, tap=tap))
            hooks.callback(hook.remove)
        found = _run(module, image, taps, whole=True)
    for tap in taps:
        if tap not in found or found[tap].ndim != 4:
            raise OptionError(f"{name}'s layer {tap!r} gives no (B, C, H, W) map; name another")
    layers = [Layer(tap, map_.shape[1], max(1, round(side / map_.shape[-1]))) for tap, map_ in found.items()]
    return layers, frozenset(tap for tap, map_ in found.items() if map_._version != versions[tap])


def _note_version(_module: nn.Module, _inputs: object, output: object, *, versions: dict[str, int], tap: str) -> None:
    """A tensor's version counts its in-place changes."""
    if isinstance(output, Tensor):
        versions.setdefault(tap, output._version)
