"""How an online method sees: an encoder on a device in a number format, and the layers that matter."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from impasto.encoders import get_spec, load_encoder
from impasto.encoders.device import pick_device, pick_dtype
from impasto.encoders.encoder import Encoder
from impasto.encoders.vgg import Padding, PaddingAt
from impasto.encoders.winograd import accelerate
from impasto.errors import OptionError
from impasto.losses import IMAGE, tile_of
from impasto.online.options import OnlineOptions, Pooling
from impasto.online.tiles import Window, add, whole_window, windows
from impasto.picture import Pixels

Sums = Callable[[Tensor, Tensor | None], tuple[Tensor, ...]]
"""(features, guide) -> sums over positions, such as `gram_sums`."""

WHOLE, TILE = 1 << 20, 768
"""Pixels of the largest picture that is looked at all at once, and of a tile's side in larger ones: both take about a
gigabyte with VGG-19, and find the same."""

LEAST_GUIDE = 1e-6
"""Weight of a position that a mask leaves out, so that no mean is taken of nothing."""

__all__ = ["Sight", "open_eyes", "pick_device", "pick_dtype"]


@dataclass(frozen=True, eq=False)
class Sight:
    """An encoder ready to look.

    Attributes:
        encoder: on its device, in its number format.
        style: taps that the texture model reads.
        content: taps that the content loss reads.
        device: where pictures have to be.
    """

    encoder: Encoder
    style: tuple[str, ...]
    content: tuple[str, ...]
    device: torch.device

    def tensor(self, pixels: Pixels) -> Tensor:
        """(H, W, 3) to (1, 3, H, W), float32, on the device."""
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].to(self.device)

    @torch.no_grad()
    def look(self, pixels: Pixels, taps: Sequence[str]) -> dict[str, Tensor]:
        """The feature maps of a picture (H, W, 3) at `taps`. A large picture is seen tile by tile."""
        seen = self._windows(pixels, taps)
        if len(seen) == 1:
            found: dict[str, Tensor] = self.encoder(self.tensor(pixels), taps)
            return found
        sizes = self.map_sizes(pixels.shape[0], pixels.shape[1], taps)
        whole: dict[str, Tensor] = {}
        for window in seen:
            maps, places = window.inside(self.encoder, self.encoder(self._cut(pixels, window), taps))
            for tap, found_here in maps.items():
                if tap not in whole:
                    whole[tap] = found_here.new_empty(1, found_here.shape[1], *sizes[tap])
                whole[tap][(..., *places[tap])] = found_here
        return whole

    @torch.no_grad()
    def gather(
        self, pixels: Pixels, taps: Sequence[str], sums: Sums, *, mask: Pixels | None = None
    ) -> dict[str, tuple[Tensor, ...]]:
        """What `sums(features, guide)` of each layer adds up to over a picture, or over a mask of it (H, W).

        A large picture is seen tile by tile: its shallow maps are never whole.
        """
        guides = self.guides(mask, taps)
        seen = self._windows(pixels, taps)
        if len(seen) == 1:
            return {tap: sums(found, guides[tap]) for tap, found in self.look(pixels, taps).items()}
        added: dict[str, tuple[Tensor, ...]] = {}
        for window in seen:
            maps, places = window.inside(self.encoder, self.encoder(self._cut(pixels, window), taps))
            for tap, found in maps.items():
                guide = guides[tap]
                here = sums(found, None if guide is None else tile_of(guide, places, tap))
                added[tap] = add(added.get(tap, ()), here)
        return {tap: tuple(total.to(self.device, torch.float32) for total in totals) for tap, totals in added.items()}

    def _windows(self, pixels: Pixels, taps: Sequence[str]) -> list[Window]:
        """What a picture is seen through: all of it at once where it is small, or the encoder must have it so."""
        size = pixels.shape[0], pixels.shape[1]
        found = windows(self.encoder, taps, size, TILE) if size[0] * size[1] > WHOLE else None
        return found or [whole_window(size)]

    def _cut(self, pixels: Pixels, window: Window) -> Tensor:
        return self.tensor(pixels[window.rows.start : window.rows.end, window.columns.start : window.columns.end])

    def guides(self, mask: Pixels | None, taps: Sequence[str]) -> dict[str, Tensor | None]:
        """A mask (H, W) as guides (1, 1, H', W') for each layer's map of a picture of that size; None stays None."""
        if mask is None:
            return dict.fromkeys(taps)
        whole = torch.from_numpy(mask)[None, None].to(self.device).clamp_min(LEAST_GUIDE)
        sizes = self.map_sizes(mask.shape[0], mask.shape[1], [tap for tap in taps if tap != IMAGE])
        return {tap: functional.adaptive_avg_pool2d(whole, sizes[tap]) if tap != IMAGE else whole for tap in taps}

    @torch.no_grad()
    def map_sizes(self, height: int, width: int, taps: Sequence[str]) -> dict[str, tuple[int, int]]:
        """(height, width) of each layer's map, looked up on two thin strips: each network rounds its own way."""
        thin = max((self.encoder.layer(tap).least for tap in taps), default=1)
        tall, long = (
            self.encoder(torch.zeros(1, 3, h, w, device=self.device), taps) for h, w in ((height, thin), (thin, width))
        )
        return {tap: (tall[tap].shape[2], long[tap].shape[3]) for tap in taps}


def those_of(encoder: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """A paper's layers, as far as an encoder has layers of these names; none where it has not: its usual ones do."""
    return tuple(tap for tap in wanted if tap in get_spec(encoder).layers)


def open_eyes(
    options: OnlineOptions,
    style: Sequence[str] = (),
    content: Sequence[str] = (),
    *,
    faithful: bool = False,
    encoder: Encoder | None = None,
) -> Sight:
    """Loads the encoder that the options name, as fast as this machine can run it.

    Args:
        options: encoder, pooling, device, precision.
        style: the texture model's layers, the encoder's usual ones when empty; in any order, one that is named twice
            counts once.
        content: likewise for the content.
        faithful: the network exactly as it was trained. Otherwise its first layer sees the border pixels repeated
            instead of black, which keeps dark frames out of the picture, and it pools by averages, which keeps faces.

        encoder: one of the caller's own instead of the one that the options name; both kinds of layers must be given.

    Raises:
        OptionError: on an unknown encoder, layer or device.
    """
    device = pick_device(options.device)
    dtype = pick_dtype(options.precision, device)
    if encoder is not None:
        taps = tuple(style), tuple(content)
        if not all(taps):
            raise OptionError(f"say which style_layers and content_layers of {encoder.name} to use")
        if any(p.device != device or p.dtype != dtype for p in encoder.parameters()):
            encoder = copy.deepcopy(encoder)  # the caller's stays as and where it is
        encoder = _moved(encoder, device, dtype)
    else:
        spec = get_spec(options.encoder)
        has_choice = bool(spec.poolings)
        encoder = ready(
            spec.name,
            pooling=options.pooling or ("average" if has_choice and not faithful else None),
            padding="zeros" if faithful or not has_choice else "replicate",
            device=device,
            dtype=dtype,
        )
        taps = tuple(style) or spec.style, tuple(content) or spec.content
    return Sight(encoder, _by_depth(encoder, taps[0]), _by_depth(encoder, taps[1]), device)


def _by_depth(encoder: Encoder, taps: Sequence[str]) -> tuple[str, ...]:
    """Each layer once, the shallowest first: methods weigh them by their place and their number."""
    for tap in taps:
        encoder.layer(tap)
    return tuple(sorted(set(taps), key=encoder.layers.index))


def ready(
    name: str,
    *,
    pooling: Pooling | None,
    padding: Padding,
    padding_at: PaddingAt = "first",
    device: torch.device,
    dtype: torch.dtype,
) -> Encoder:
    """The encoder called `name` on a device, in a number format, as fast as it can be there."""
    encoder = _moved(load_encoder(name, pooling=pooling, padding=padding, padding_at=padding_at), device, dtype)
    accelerate(encoder)
    return encoder


def _moved(encoder: Encoder, device: torch.device, dtype: torch.dtype) -> Encoder:
    moved: Encoder = encoder.to(device=device, dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved
