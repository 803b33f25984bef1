"""One style, one network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ImpastoError
from impasto.losses import gram_matrix
from impasto.offline.johnson import JohnsonRecipe, JohnsonTrainOptions
from impasto.offline.recipe import Recipe

from .base import CPU, CROP, RecipeTests, eyes, make_batch, painting


def johnson(folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> JohnsonRecipe:
    torch.manual_seed(0)
    style = painting(folder, "blue night.png", 3)
    chosen = JohnsonTrainOptions(**{"style": (style,), "style_size": 64, "width": 0.1, "crop": CROP} | options)
    return JohnsonRecipe(chosen, device=CPU, dtype=dtype, perception=eyes(dtype))


class TestJohnson(RecipeTests):
    terms = frozenset({"style", "moments", "content"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return johnson(folder, dtype=dtype, **options)

    def test_knows_the_paintings_name(self, tmp_path: Path) -> None:
        assert self.make(tmp_path).about() == {"styles": ["blue night"]}

    def test_a_weight_weighs_its_own_term(self, tmp_path: Path) -> None:
        batch = make_batch(2)
        plain, heavy = (self.make(tmp_path, **o).read(batch).terms for o in ({}, {"content_weight": 6.0}))
        assert heavy["content"].item() == pytest.approx(3 * plain["content"].item(), rel=1e-4)
        assert heavy["style"].item() == pytest.approx(plain["style"].item(), rel=1e-4)
        smooth = self.make(tmp_path, tv_weight=2.0).read(batch).terms
        assert set(smooth) == {*plain, "tv"}


class TestJohnsonsPaper(TestJohnson):
    terms = frozenset({"style", "content", "tv"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return johnson(folder, dtype=dtype, loss="paper", **options)

    def test_a_weight_weighs_its_own_term(self, tmp_path: Path) -> None:
        """The paper's are the paper's, whatever the balanced loss is told."""
        batch = make_batch(2)
        plain, other = (self.make(tmp_path, **o).read(batch).terms for o in ({}, {"content_weight": 6.0}))
        assert {k: v.item() for k, v in plain.items()} == {k: v.item() for k, v in other.items()}

    def test_is_the_authors_loss_by_hand(self, tmp_path: Path) -> None:
        """Content 1 * MSE; style 5 * MSE of Gram / (C H W) a layer; 1e-6 * squared steps of bytes, summed."""
        recipe, batch = johnson(tmp_path, loss="paper"), make_batch(4)
        with torch.no_grad():
            painted = recipe.network(batch.content)
        sight = recipe.perception
        seen, photo = sight.look(painted, sight.all), sight.look(batch.content, sight.all)
        content = (seen["relu3_3"] - photo["relu3_3"]).square().mean()
        style = sum(
            (gram_matrix(seen[tap]) / seen[tap].shape[1] - recipe.target(batch).grams[tap] / seen[tap].shape[1])
            .square()
            .mean()
            for tap in sight.style
        )
        pixels = 255 * painted
        across, down = pixels[..., 1:] - pixels[..., :-1], pixels[:, :, 1:] - pixels[:, :, :-1]
        steps = across.square().sum() + down.square().sum()
        terms = recipe.read(batch).terms
        assert terms["content"].item() == pytest.approx(content.item(), rel=1e-4)
        assert terms["style"].item() == pytest.approx(5 * float(style), rel=1e-4)
        assert terms["tv"].item() == pytest.approx(1e-6 * steps.item(), rel=1e-4)


@pytest.mark.parametrize(
    ("names", "words"),
    [((), "--style is not given"), (("one.png", "two.png"), "one painting"), (("absent.png",), "does not exist"),
     (("empty.png",), "empty.png"), (("narrow.png",), "too narrow")],
)  # fmt: skip
def test_refuses_what_is_not_one_painting(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    for name in ("one.png", "two.png"):
        painting(tmp_path, name, 1)
    painting(tmp_path, "narrow.png", 1, (96, 6))
    (tmp_path / "empty.png").write_bytes(b"")
    options = JohnsonTrainOptions(style=tuple(tmp_path / name for name in names))
    with pytest.raises(ImpastoError, match=words) as caught:
        JohnsonRecipe(options, device=CPU, dtype=torch.float32, perception=eyes())
    assert "\n" not in str(caught.value)
