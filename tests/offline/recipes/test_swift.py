"""A painter that learns from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import ModelError, OptionError
from impasto.offline.networks.ghiasi import GhiasiNetwork
from impasto.offline.networks.johnson import JohnsonNetwork
from impasto.offline.recipe import Recipe
from impasto.offline.swift import SwiftRecipe, SwiftTrainOptions
from impasto.offline.weights import save_network

from .base import CPU, CROP, RecipeTests, make_batch, settle


def swift(folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> SwiftRecipe:
    path = folder / "teacher.safetensors"
    torch.manual_seed(5)
    teacher = GhiasiNetwork(width=0.1, trunk="efficientnet-lite0", code=20)
    for parameter in teacher.prediction.bottleneck.parameters():
        parameter.data *= 20  # a random trunk tells paintings apart by little
    save_network(teacher, path)
    torch.manual_seed(0)
    given = {"width": 0.1, "crop": CROP, "teacher": path}
    return SwiftRecipe(SwiftTrainOptions(**given | options), device=CPU, dtype=dtype)


class TestSwift(RecipeTests):
    terms = frozenset({"pixels", "edges", "broad", "texture"})
    rate = 1e-2

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return swift(folder, dtype=dtype, **options)


def test_reads_styles_as_its_teacher_does_and_leaves_the_reading(tmp_path: Path) -> None:
    recipe, painting = swift(tmp_path), torch.rand(1, 3, 64, 64)
    settle(recipe)
    with torch.no_grad():
        assert torch.equal(recipe.network.encode(painting), recipe.teacher.encode(painting))
    assert not any(p.requires_grad for p in recipe.network.prediction.parameters())
    assert all(p.requires_grad for p in recipe.network.transfer.parameters())
    assert recipe.network.arguments["painter"] == "swift"


def test_a_pupil_that_paints_as_its_teacher_has_no_loss(tmp_path: Path) -> None:
    recipe = swift(tmp_path)
    recipe.network = recipe.teacher
    assert all(term.item() == 0 for term in recipe.read(make_batch(2)).terms.values())


def test_a_shifted_texture_is_the_same_and_a_blurred_one_is_not(tmp_path: Path) -> None:
    recipe = swift(tmp_path)
    grain = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    blurred = torch.nn.functional.avg_pool2d(grain, 3, stride=1, padding=1)
    shifted = recipe._texture(grain.roll(5, 3), grain)
    assert shifted < 0.1 < 0.3 < recipe._texture(blurred, grain)


def test_codes_between_painting_and_photo_are_taught_too(tmp_path: Path) -> None:
    recipe, batch = swift(tmp_path), make_batch(4)
    with torch.no_grad():
        code, plain = recipe._codes(batch), recipe._codes(replace(batch, index=torch.tensor([1, 2, 3, 5])))
    assert not torch.equal(code[0], plain[0])
    assert torch.equal(code[1:], plain[1:])


def test_of_small_batches_most_are_the_painting_itself(tmp_path: Path) -> None:
    recipe, batch = swift(tmp_path), make_batch(1)
    with torch.no_grad():
        codes = [recipe._codes(replace(batch, step=step)) for step in range(4)]
    assert [torch.equal(code, codes[1]) for code in codes] == [False, True, True, True]


def test_wrong_teachers(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="mend: --teacher FILE"):
        swift(tmp_path, teacher=None)
    with pytest.raises(ModelError, match="does not exist"):
        swift(tmp_path, teacher=tmp_path / "none.safetensors")
    save_network(JohnsonNetwork(width=0.1), tmp_path / "j.safetensors")
    with pytest.raises(ModelError, match="holds a network of 'johnson', not of 'ghiasi'"):
        swift(tmp_path, teacher=tmp_path / "j.safetensors")


def test_learns_on_from_what_it_learnt_of_another_teacher(tmp_path: Path) -> None:
    first = swift(tmp_path)
    for parameter in first.network.transfer.parameters():
        parameter.data += 0.01
    save_network(first.network, tmp_path / "start.safetensors")
    second = swift(tmp_path, start=tmp_path / "start.safetensors")
    for one, other in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert second.about() == {"teacher": "teacher.safetensors", "start": "start.safetensors"}
    with pytest.raises(ModelError, match="another shape; mend: --width"):
        swift(tmp_path, start=tmp_path / "start.safetensors", width=0.2)
