"""The judge: looks at photo, painting and results with frozen encoders, and says every metric by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from impasto import models
from impasto.encoders import get_spec, load_encoder
from impasto.errors import ModelError
from impasto.evaluation import perceptual, sliced
from impasto.evaluation.report import CONTENT, RESIDUALS, SLICED, SSIM, STYLE
from impasto.evaluation.ssim import ssim

if TYPE_CHECKING:
    from impasto.encoders.encoder import Encoder
    from impasto.picture import Picture

CRITIC = "vgg16"  # with average pooling: in its units Ghiasi's losses are told


@dataclass(frozen=True, eq=False)
class Judge:
    """What looks, and what could not be had.

    Attributes:
        critic: VGG-16 with average pooling, for content, style and residuals, or None.
        outsider: an encoder that no training looked with, for the sliced distance, or None.
        device: where they are.
        missing: one line for each encoder that could not be had: what is left out, and how to get it.
    """

    critic: Encoder | None
    outsider: Encoder | None
    device: torch.device
    missing: tuple[str, ...] = ()

    def look(self, picture: Picture) -> Look:
        """Everything that is compared later, of one picture of any size."""
        image = torch.from_numpy(np.ascontiguousarray(picture.pixels.transpose(2, 0, 1)[None])).to(self.device)
        content, grams, profile = None, dict[str, Tensor](), None
        with torch.inference_mode():
            if self.critic:
                maps = self.critic(image, perceptual.STYLE_LAYERS)
                content, grams = maps[perceptual.CONTENT_LAYER], perceptual.grams(maps)
            if self.outsider:
                profile = sliced.profile(self.outsider(image, sliced.TAPS))
        return Look(image, content, grams, profile)


@dataclass(frozen=True, eq=False)
class Look:
    """A picture as a judge has seen it.

    Attributes:
        image: (1, 3, H, W).
        content: features at Ghiasi's content layer, None where the judge has no VGG-16.
        grams: tap -> (1, C, C), empty likewise.
        profile: for the sliced distance, None where the judge has no outsider.
    """

    image: Tensor
    content: Tensor | None
    grams: Mapping[str, Tensor]
    profile: sliced.Profile | None


def compare(result: Look, content: Look, style: Look) -> dict[str, float]:
    """Every metric that can be had, by its name, of a restyled picture.

    Args:
        result: the picture.
        content: the photo it was made of, of the same size.
        style: the painting, of any size.
    """
    found: dict[str, Tensor] = {}
    if result.content is not None and content.content is not None:
        found[CONTENT] = perceptual.content_loss(result.content, content.content)
        found[STYLE] = perceptual.style_loss(result.grams, style.grams)
        for name, tap in zip(RESIDUALS, perceptual.STYLE_LAYERS, strict=True):
            found[name] = perceptual.residual(result.grams[tap], style.grams[tap])
    found[SSIM] = ssim(result.image, content.image)
    if result.profile and style.profile:
        found[SLICED] = sliced.sliced_wasserstein(result.profile, style.profile)
    return {name: float(value) for name, value in found.items()}


def call_judge(device: torch.device | None = None, *, outsider: bool = True) -> Judge:
    """A judge with every encoder that is here or can be downloaded; what cannot is told, and no other takes its place.

    Args:
        device: where to look; the CPU if not given.
        outsider: whether the sliced distance is wanted; it takes as long as all the rest.
    """
    where = device or torch.device("cpu")
    missing: list[str] = []
    critic = stranger = None
    try:
        critic = load_encoder(CRITIC, pooling="average").to(where)
    except ModelError as error:
        missing.append(_left_out("content, style and the residuals", CRITIC, error))
    try:
        stranger = load_encoder(sliced.ENCODER).to(where) if outsider else None
    except ModelError as error:
        missing.append(_left_out("the sliced Wasserstein distance", sliced.ENCODER, error))
    return Judge(critic, stranger, where, tuple(missing))


def _left_out(what: str, encoder: str, error: ModelError) -> str:
    file = models.entry(get_spec(encoder).weights).file
    return f"left out: {what}; {error}; or set IMPASTO_MODELS=FOLDER to a folder that holds {file}"
