"""Many styles, one network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ModelError
from impasto.offline.dumoulin import DumoulinRecipe, DumoulinTrainOptions
from impasto.offline.recipe import Recipe
from impasto.offline.weights import save_network

from .base import CPU, CROP, RecipeTests, blots, eyes, make_batch, painting, total


def dumoulin(folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> DumoulinRecipe:
    torch.manual_seed(0)
    styles = folder / "styles"
    styles.mkdir(exist_ok=True)
    for i, name in enumerate(("b.png", "a.png", "c.png")):
        painting(styles, name, 3 + i)
    given = {"style": (styles,), "style_size": 64, "width": 0.1, "crop": CROP, "batch": 4}
    chosen = DumoulinTrainOptions(**given | options)
    return DumoulinRecipe(chosen, device=CPU, dtype=dtype, perception=eyes(dtype))


class TestDumoulin(RecipeTests):
    terms = frozenset({"style", "moments", "content"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return dumoulin(folder, dtype=dtype, **options)


class TestDumoulinsPaper(TestDumoulin):
    terms = frozenset({"style", "content"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return dumoulin(folder, dtype=dtype, loss="paper", **options)


def test_styles_are_called_after_their_files(tmp_path: Path) -> None:
    assert dumoulin(tmp_path).about() == {"styles": ["a", "b", "c"]}


def test_every_style_gets_its_turn(tmp_path: Path) -> None:
    """Each sample is compared with the painting that it was told to become, all equally often."""
    recipe = dumoulin(tmp_path)
    told: list[int] = []
    recipe.network.register_forward_pre_hook(lambda _, args: told.extend(args[1].argmax(1).tolist()))
    for step in range(3):
        batch = replace(make_batch(4), step=step)
        recipe.read(batch)
        wanted = recipe.target(batch).grams["relu2_2"]
        for row, gram in zip(told[-4:], wanted, strict=True):
            assert torch.equal(gram, recipe._targets.grams["relu2_2"][row])
    assert sorted(told) == sorted([0, 1, 2] * 4)


def test_paints_in_the_style_that_the_painting_shows(tmp_path: Path) -> None:
    recipe = dumoulin(tmp_path)
    with torch.no_grad():
        for norm in (m for _, m in recipe.network.norms()):
            norm.beta[1] += 0.5
    photo, shown = blots(1, 32, 7), []
    for seed in (4, 3, 5):  # a, b, c
        file = painting(tmp_path, "seen.png", seed)
        from impasto.offline.paintings import read_paintings

        (seen,) = read_paintings([file], size=64, device=CPU)
        with torch.no_grad():
            shown.append(recipe.paint(recipe.network, photo, seen.pixels))
    assert torch.equal(shown[0], shown[2])
    assert not torch.allclose(shown[0], shown[1])


class TestFinetune:
    def trained(self, folder: Path) -> Path:
        recipe = dumoulin(folder)
        path = folder / "trained.safetensors"
        save_network(recipe.network, path, about=recipe.about())
        return path

    def finetune(self, folder: Path) -> DumoulinRecipe:
        file = self.trained(folder)
        more = folder / "more"
        more.mkdir()
        for i, name in enumerate(("a.png", "new.png")):
            painting(more, name, 20 + i)
        return dumoulin(folder, style=(more,), finetune=file)

    def test_learns_new_styles_by_norms_alone(self, tmp_path: Path) -> None:
        recipe = self.finetune(tmp_path)
        assert recipe.about() == {"styles": ["a", "b", "c", "a-2", "new"]}
        before = {k: v.clone() for k, v in recipe.network.state_dict().items()}
        batch = make_batch(4, step=1)
        learning = [p for p in recipe.network.parameters() if p.requires_grad]
        optimiser = torch.optim.Adam(learning, lr=1e-2)
        first = total(recipe.read(batch)).item()
        for _ in range(8):
            optimiser.zero_grad()
            total(recipe.read(batch)).backward()
            optimiser.step()
        assert total(recipe.read(batch)).item() < 0.95 * first
        for key, value in recipe.network.state_dict().items():
            if key.endswith((".gamma", ".beta")):
                assert torch.equal(value[:3], before[key][:3]), key  # what it knew before
                assert not torch.equal(value[3:], before[key][3:]), key
            else:
                assert torch.equal(value, before[key]), key

    def test_paints_the_new_styles(self, tmp_path: Path) -> None:
        recipe = self.finetune(tmp_path)
        told: list[int] = []
        recipe.network.register_forward_pre_hook(lambda _, args: told.extend(args[1].argmax(1).tolist()))
        recipe.read(make_batch(4))
        assert sorted(told) == [3, 3, 4, 4]

    def test_refuses_another_file(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="does not exist"):
            dumoulin(tmp_path, finetune=tmp_path / "absent.safetensors")
