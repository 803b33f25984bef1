"""Every recipe with the loss network that its options name, instead of a small one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from impasto import models
from impasto.models import places
from impasto.offline.adain import AdaInRecipe, AdaInTrainOptions
from impasto.offline.dumoulin import DumoulinRecipe, DumoulinTrainOptions
from impasto.offline.ghiasi import GhiasiRecipe, GhiasiTrainOptions
from impasto.offline.impasto import ImpastoRecipe, ImpastoTrainOptions
from impasto.offline.johnson import JohnsonRecipe, JohnsonTrainOptions
from impasto.offline.recipe import Recipe

from .base import CPU, CROP, make_batch, painting


def make(name: str, encoder: str, folder: Path) -> Recipe:
    if encoder == "vgg16" and places.locate(models.entry("vgg16")) is None:
        pytest.skip("the file of VGG-16 is not on this machine: impasto models pull vgg16")
    style = (painting(folder, "style.png", 3),)
    where = {"device": CPU, "dtype": torch.float32}
    common = {"encoder": encoder, "crop": CROP, "batch": 2}
    match name:
        case "johnson":
            return JohnsonRecipe(JohnsonTrainOptions(**common, style=style, style_size=64, width=0.1), **where)
        case "dumoulin":
            return DumoulinRecipe(DumoulinTrainOptions(**common, style=style, style_size=64, width=0.1), **where)
        case "ghiasi":
            trunk = {"trunk": "efficientnet-lite0", "width": 0.1}
            return GhiasiRecipe(GhiasiTrainOptions(**common, **trunk), **where)
        case "adain":
            return AdaInRecipe(AdaInTrainOptions(**common, layer="relu2_1"), **where)
    return ImpastoRecipe(ImpastoTrainOptions(**common, size="tiny"), **where)


@pytest.mark.parametrize("encoder", ["vgg19", "vgg16"])
@pytest.mark.parametrize("name", ["johnson", "dumoulin", "ghiasi", "adain", "impasto"])
def test_looks_with_what_it_is_told(name: str, encoder: str, tmp_path: Path) -> None:
    recipe = make(name, encoder, tmp_path)
    reading = recipe.read(make_batch(2))
    assert all(term.isfinite() for term in reading.terms.values())
    torch.stack(list(reading.terms.values())).sum().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in recipe.network.parameters())
    for residual in (value for key, value in reading.observed.items() if key.startswith("gram_")):
        assert 0 < residual < 1.5
