"""Our own network's training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from impasto.errors import OptionError
from impasto.offline.impasto import ImpastoRecipe, ImpastoTrainOptions
from impasto.offline.perception import Perception
from impasto.offline.recipe import Recipe

from .base import CPU, CROP, TAPS, RecipeTests, eyes, make_batch, part, settle


def sight(dtype: torch.dtype = torch.float32) -> Perception:
    return Perception(eyes(dtype).encoder, style=TAPS, content=TAPS[2:])


def impasto(*, dtype: torch.dtype = torch.float32, **options: Any) -> ImpastoRecipe:
    torch.manual_seed(0)
    chosen = ImpastoTrainOptions(**{"size": "tiny", "crop": CROP, "batch": 4} | options)
    return ImpastoRecipe(chosen, device=CPU, dtype=dtype, perception=sight(dtype))


class TestImpasto(RecipeTests):
    terms = frozenset({"style", "moments", "content", "identity", "noise"})

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        return impasto(dtype=dtype, **options)


def test_every_eighth_sample_is_its_own_painting() -> None:
    recipe = impasto(batch=10)
    settle(recipe)
    batch = make_batch(10)
    shown: list[torch.Tensor] = []
    recipe.perception.remember = lambda pictures, taps: (  # type: ignore[method-assign]
        shown.append(pictures), Perception.remember(recipe.perception, pictures, taps),
    )[1]  # fmt: skip
    recipe.read(batch)
    (paintings,) = [p for p in shown if not torch.equal(p, batch.content)]
    own = [torch.equal(p, c) for p, c in zip(paintings, batch.content, strict=True)]
    assert own == [i % 8 == 0 for i in range(10)]
    assert not torch.equal(batch.style[0], batch.content[0])  # the batch itself is left alone


@pytest.mark.parametrize("count", [1, 2, 8, 10])
def test_identity_is_the_mean_over_those_samples(count: int) -> None:
    recipe, batch = impasto(batch=count), make_batch(count)
    settle(recipe)
    reading = recipe.read(batch)
    own = [i for i in range(count) if i % 8 == 0]
    alone = impasto(batch=1)
    expected = [alone.read(replace(part(batch, slice(i, i + 1)), whole=1)).terms["identity"].item() for i in own]
    assert reading.terms["identity"].item() == pytest.approx(sum(expected) / len(own), rel=1e-3)


def test_a_batch_of_one_is_not_always_its_own_painting() -> None:
    recipe = impasto(batch=1)
    values = [recipe.read(make_batch(1, step=step)).terms["identity"].item() for step in range(9)]
    assert [v > 0 for v in values] == [step % 8 == 0 for step in range(9)]


def test_noise_is_looked_at_every_fourth_step() -> None:
    recipe = impasto()
    assert ["noise" in recipe.read(make_batch(4, step=step)).terms for step in range(5)] == [True, *[False] * 3, True]
    assert "noise" not in impasto(noise_weight=0.0).read(make_batch(4)).terms


def test_noise_differs_from_update_to_update() -> None:
    recipe = impasto()
    settle(recipe)
    one, other = (recipe.read(make_batch(4, seed=seed)).terms["noise"].item() for seed in (1, 2))
    assert one != other


def test_content_is_steered() -> None:
    recipe = impasto(content_target=1000.0)
    before = recipe.steering.weight
    recipe.steer({"raw_content": 3000.0})
    assert recipe.steering.weight > before
    recipe.steer({})
    assert recipe.state() == {"content_weight": recipe.steering.weight}


def test_a_run_that_goes_on_keeps_its_weight() -> None:
    recipe, batch = impasto(), make_batch(4)
    for _ in range(30):
        recipe.steer({"raw_content": 1.0})
    again = impasto()
    again.restore(recipe.state())
    assert again.steering.weight == recipe.steering.weight < 6
    for r in (recipe, again):
        settle(r)
    found, expected = (r.read(batch).terms["content"].item() for r in (again, recipe))
    assert found == expected
    assert found == pytest.approx(impasto().read(batch).terms["content"].item() * recipe.steering.weight / 6, rel=0.05)


def test_observes_what_it_steers_by() -> None:
    recipe, batch = impasto(), make_batch(4)
    observed = recipe.read(batch).observed
    assert observed["content_weight"].item() == 6
    assert {f"gram_{tap}" for tap in TAPS} | {"raw_content", "content_weight"} == set(observed)


def test_encoders_that_styles_cannot_be_read_from_are_refused() -> None:
    with pytest.raises(OptionError, match="vgg16"):
        ImpastoRecipe(ImpastoTrainOptions(encoder="efficientnet-lite0"), device=CPU, dtype=torch.float32)
    with pytest.raises(OptionError, match="64, 128, 256, 512"):
        ImpastoRecipe(
            ImpastoTrainOptions(), device=CPU, dtype=torch.float32,
            perception=Perception(eyes().encoder, style=TAPS[:3], content=TAPS[1:3]),
        )  # fmt: skip


def test_says_what_styles_are_read_with() -> None:
    assert impasto().about() == {"encoder": "eyes", "taps": list(TAPS), "pooling": "average"}
