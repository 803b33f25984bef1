"""What `impasto evaluate` understands; importing it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from impasto.options import Device, Options, option


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """What is compared, on which pictures.

    Example:
        >>> EvaluateOptions(content=(Path("photos"),), style=(Path("paintings"),), pairs=12).size
        384
    """

    model: tuple[str, ...] = option(
        (),
        "networks to compare: .onnx files, or bundled ones by name, such as magenta-mobile; the default if none",
    )
    network: tuple[Path, ...] = option((), "networks as training left them: run folders, .safetensors; exported first")
    content: tuple[Path, ...] = option((), "photos: images, folders, .tar shards")
    style: tuple[Path, ...] = option((), "paintings: likewise")
    seen: tuple[Path, ...] = option((), "paintings that training saw, to compare with: likewise")
    held_out: bool = option(False, "take only names that training held out; of --seen, only those that it did not")
    pairs: int = option(24, "pairs of a photo and a painting", low=1, high=1000)
    size: int = option(384, "side of the squares that photos and paintings are cut to, in pixels", low=32, high=4096)
    seed: int = option(0, "of the choice of pictures, where there are more than pairs need", low=0, high=2**32 - 1)
    times: bool = option(False, "measure milliseconds a picture at 256, 512, 1024 and 2048 pixels as well")
    device: Device = option("auto", "where the networks run; metrics are computed on the CPU")
