"""What every method that optimises pixels understands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from impasto.options import StylizeOptions, option

Precision = Literal["auto", "fp32", "bf16"]
Optimizer = Literal["lbfgs", "adam"]
Pooling = Literal["max", "average"]
Preset = Literal["best", "paper"]
OnePreset = Literal["best"]
"""Of methods whose paper has no settings of its own."""

Quality = Literal["draft", "good", "best"]

STEPS: dict[Quality, int] = {"draft": 21, "good": 104, "best": 300}
"""At all scales together, where `--steps` names none."""


@dataclass(frozen=True, kw_only=True)
class OnlineOptions(StylizeOptions):
    """Options of image optimisation, whatever the texture model."""

    style_mask: tuple[Path, ...] = option((), "which part of each painting counts, white where it does")
    semantic: tuple[Path, ...] = option(
        (), "two maps, of the photo and of the painting: what has one colour in both is painted after its own"
    )
    mix_scales: bool = option(False, "large shapes of the first painting, fine texture of the second")
    size: int | None = option(512, "long side of the result in pixels", low=16, high=32768)
    strength: float = option(0.5, "balance of photo (0) and style (1); 0.5 is the method's own", low=0, high=1)
    preset: Preset = option("best", "our settings for the best picture, or the paper's")
    quality: Quality = option("best", "a first look, a good picture, or all that the method can do")
    steps: int | None = option(
        None, "evaluations of the loss, at all scales together; by the quality if not given", low=1, high=100_000
    )
    scales: int | None = option(None, "coarse-to-fine stages; as many as the size asks for", low=1, high=12)
    optimizer: Optimizer = option("lbfgs", "L-BFGS needs fewer steps, Adam less memory")
    init: str | None = option(
        None, "where to begin: content, noise, fast, a file; else content (strotss: recoloured), drafts fast"
    )
    style_layers: tuple[str, ...] = option((), "layers that make the style; the method's usual ones if not given")
    content_layers: tuple[str, ...] = option((), "layers that make the content; the method's usual ones if not given")
    tv: float | None = option(None, "weight of total variation; the preset's if not given", low=0, high=1e6)
    encoder: str = option("vgg19", "the pretrained network that looks at the pictures")
    pooling: Pooling | None = option(None, "how the encoder's maps shrink; the preset's if not given")
    precision: Precision = option("auto", "number format; auto takes bf16 where the processor has it")
    seed: int = option(
        0, "of all that is drawn: noise, directions, positions, grids; the same seed gives the same picture",
        low=0, high=2**32 - 1,
    )  # fmt: skip
    preview_every: int = option(0, "steps between previews, 0 for none", low=0, high=100_000)
    checkpoint: Path | None = option(
        None, "file that keeps the state of the run; after an interruption the same command goes on from it"
    )
