"""Any style, predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ModelError
from impasto.losses import gram_matrix
from impasto.offline.ghiasi import GhiasiRecipe, GhiasiTrainOptions
from impasto.offline.recipe import Recipe

from .base import CPU, CROP, RecipeTests, blots, eyes, make_batch, settle


def ghiasi(*, dtype: torch.dtype = torch.float32, **options: Any) -> GhiasiRecipe:
    torch.manual_seed(0)
    given = {"width": 0.1, "crop": CROP, "trunk": "efficientnet-lite0", "pretrained": False}
    return GhiasiRecipe(GhiasiTrainOptions(**given | options), device=CPU, dtype=dtype, perception=eyes(dtype))


class TestGhiasi(RecipeTests):
    terms = frozenset({"style", "moments", "content"})
    batch = 2

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return ghiasi(dtype=dtype, **options)


class TestGhiasisPaper(TestGhiasi):
    terms = frozenset({"style", "content", "tv"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return ghiasi(dtype=dtype, loss="paper", **options)


def test_paper_is_the_authors_loss_by_hand() -> None:
    recipe, batch = ghiasi(loss="paper"), make_batch(2)
    settle(recipe)
    with torch.no_grad():
        painted = recipe.network(batch.content, recipe.network.encode(batch.style))
    sight = recipe.perception
    seen, photo, style = (sight.look(p, sight.all) for p in (painted, batch.content, batch.style))
    grams = sum((gram_matrix(seen[tap]) - gram_matrix(style[tap])).square().mean() for tap in sight.style)
    steps = [(painted[..., 1:] - painted[..., :-1]), (painted[:, :, 1:] - painted[:, :, :-1])]
    terms = recipe.read(batch).terms
    content = (seen["relu3_3"] - photo["relu3_3"]).square().mean()
    assert terms["content"].item() == pytest.approx(content.item(), rel=1e-4)
    assert terms["style"].item() == pytest.approx(0.5e-3 * float(grams), rel=1e-4)
    halves = sum((step.square().sum() / 2 / (2 * 3 * CROP**2)).item() for step in steps)
    assert terms["tv"].item() == pytest.approx(1e4 * halves, rel=1e-4)


def test_observes_the_raw_content_loss() -> None:
    recipe, batch = ghiasi(loss="paper"), make_batch(2)
    settle(recipe)
    reading = recipe.read(batch)
    assert reading.observed["raw_content"].item() == pytest.approx(reading.terms["content"].item(), rel=1e-5)


def test_the_painting_decides() -> None:
    recipe = ghiasi(pretrained=True)
    settle(recipe)
    photo = blots(1, 32, 1)
    with torch.no_grad():
        one, other = (recipe.paint(recipe.network, photo, blots(1, 64, seed)) for seed in (2, 9))
    assert (one - other).abs().max() > 1e-5


def test_a_trunk_without_weights_says_so() -> None:
    with pytest.raises(ModelError, match="no ImageNet weights for mobilenet-v2"):
        ghiasi(trunk="mobilenet-v2", pretrained=True)


def test_begins_with_what_the_trunk_knows() -> None:
    from impasto.encoders import efficientnet

    known = efficientnet.load("efficientnet-lite0").stages.state_dict()
    found = ghiasi(pretrained=True).network.prediction.trunk.state_dict()
    key = next(key for key in known if key.endswith("weight"))
    torch.testing.assert_close(found[key], known[key])
