"""A decoder for exchanged means and deviations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from impasto.encoders.adaptor import ModuleEncoder
from impasto.errors import OptionError
from impasto.offline.adain import LAYERS, AdaInRecipe, AdaInTrainOptions
from impasto.offline.networks.adain import adain
from impasto.offline.perception import Perception
from impasto.offline.recipe import Recipe

from .base import CPU, CROP, TAPS, RecipeTests, eyes, make_batch


def sight(dtype: torch.dtype) -> Perception:
    """The first two of the small random network's layers, under VGG-19's names."""
    module = eyes().encoder.module
    assert isinstance(module, nn.Sequential)
    encoder = ModuleEncoder(
        module[:6], dict(zip(LAYERS, ("1", "4"), strict=False)), mean=(120.0,) * 3, gain=255,
        means={LAYERS[0]: 60.0, LAYERS[1]: 50.0}, probe=CROP,
    ).to(dtype=dtype)  # fmt: skip
    return Perception(encoder, style=LAYERS[:2], content=LAYERS[1:2])


def recipe_of(*, dtype: torch.dtype = torch.float32, **options: Any) -> AdaInRecipe:
    torch.manual_seed(0)
    chosen = AdaInTrainOptions(**{"crop": CROP, "layer": "relu2_1"} | options)
    return AdaInRecipe(chosen, device=CPU, dtype=dtype, perception=sight(dtype))


class TestAdaIn(RecipeTests):
    terms = frozenset({"content", "style"})
    batch = 2
    rate = 1e-3

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return recipe_of(dtype=dtype, **options)


def test_is_the_papers_loss_by_hand() -> None:
    recipe, batch = recipe_of(), make_batch(2)
    found = recipe.perception
    photo, style = (found.look(p, found.style) for p in (batch.content, batch.style))
    wanted = adain(photo["relu2_1"], style["relu2_1"])
    seen = found.look(recipe.network(wanted), found.style)

    def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
        return x.mean((2, 3)), (x.flatten(2).var(2) + 1e-5).sqrt()

    expected = 0.0
    for tap, mean in (("relu1_1", 60.0), ("relu2_1", 50.0)):
        pairs = zip(statistics(seen[tap] / mean), statistics(style[tap] / mean), strict=True)
        expected += sum((a - b).square().mean().item() for a, b in pairs)
    terms = recipe.read(batch).terms
    assert terms["style"].item() == pytest.approx(10 * expected, rel=1e-4)
    apart = (seen["relu2_1"] - wanted).square().mean().item() / 50**2
    assert terms["content"].item() == pytest.approx(apart, rel=1e-4)


def test_only_the_decoder_learns() -> None:
    recipe = recipe_of()
    before = [p.clone() for p in recipe.perception.encoder.parameters()]
    sum(recipe.read(make_batch(2)).terms.values(), torch.zeros(())).backward()
    assert all(p.grad is None for p in recipe.perception.encoder.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, recipe.perception.encoder.parameters(), strict=True))


def test_a_crop_that_pooling_does_not_divide_is_refused() -> None:
    with pytest.raises(OptionError, match="multiple of 2"):
        recipe_of(crop=33)


def test_defaults_are_the_papers() -> None:
    options = AdaInTrainOptions()
    assert (options.encoder, options.layer, options.style_weight, options.batch) == ("vgg19", "relu4_1", 10, 8)
    assert len(TAPS) == len(LAYERS)
