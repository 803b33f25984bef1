"""What every recipe promises. A new one subclasses `RecipeTests` and fills in `make` and `terms`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from impasto.encoders.adaptor import ModuleEncoder
from impasto.offline.perception import Perception
from impasto.offline.recipe import Batch, Reading, Recipe

CPU = torch.device("cpu")
CROP = 32
TAPS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def blots(count: int, side: int, seed: int) -> Tensor:
    """(count, 3, side, side): smooth colours instead of noise, in which a loss network sees something."""
    return nn.functional.interpolate(random(count, 3, 5, 5, seed=seed), (side, side), mode="bicubic").clamp(0, 1)


def eyes(dtype: torch.dtype = torch.float32) -> Perception:
    """A small random network with the channels and strides of VGG-16's taps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for inputs, outputs in ((3, 64), (64, 128), (128, 256), (256, 512)):
            conv = nn.Conv2d(inputs, outputs, 3 if inputs == 3 else 1, padding=1 if inputs == 3 else 0)
            nn.init.kaiming_normal_(conv.weight)
            layers += [conv, nn.ReLU(), nn.AvgPool2d(2)]
    encoder = ModuleEncoder(
        nn.Sequential(*layers),
        {tap: str(3 * i + 1) for i, tap in enumerate(TAPS)},
        mean=(120.0, 120.0, 120.0),
        gain=255,
        name="eyes",
        means=dict.fromkeys(TAPS, 60.0),
        probe=CROP,
    ).to(dtype=dtype)
    return Perception(encoder, style=TAPS, content=TAPS[2:3])


def painting(folder: Path, name: str, seed: int, size: tuple[int, int] = (80, 64)) -> Path:
    """A file with smooth colours of (width, height)."""
    pixels = blots(1, 96, seed)[0].permute(1, 2, 0).numpy()
    path = folder / name
    Image.fromarray((pixels * 255).astype(np.uint8)).resize(size).save(path)
    return path


def make_batch(count: int, *, step: int = 0, seed: int = 11) -> Batch:
    return Batch(
        content=blots(count, CROP, 1), style=blots(count, CROP, 2), index=torch.arange(count), step=step, seed=seed,
        whole=count,
    )  # fmt: skip


def part(batch: Batch, rows: slice) -> Batch:
    """Another process's share."""
    return replace(batch, content=batch.content[rows], style=batch.style[rows], index=batch.index[rows])


def total(reading: Reading) -> Tensor:
    return torch.stack(list(reading.terms.values())).sum()


def settle(recipe: Recipe) -> None:
    """Out of training mode, in which running statistics move at every reading."""
    recipe.network.eval()


class RecipeTests:
    """Base of every recipe's tests.

    Attributes:
        terms: names of the loss's terms.
        batch: samples a batch.
        steps: of Adam, after which the loss of one batch has to be clearly lower.
    """

    terms: frozenset[str] = frozenset()
    batch = 4
    steps = 8
    rate = 3e-3
    falls_to = 0.8

    def make(self, folder: Path, *, dtype: torch.dtype = torch.float32, **options: Any) -> Recipe:
        """A small recipe, the same each time."""
        raise NotImplementedError

    def test_terms_are_finite_scalars_with_names(self, tmp_path: Path) -> None:
        reading = self.make(tmp_path).read(make_batch(self.batch))
        assert set(reading.terms) == self.terms
        for name, value in (*reading.terms.items(), *reading.observed.items()):
            assert value.shape == (), name
            assert value.dtype == torch.float32, name
            assert value.isfinite(), name
        assert all(value > 0 for value in reading.terms.values())
        assert not any(value.requires_grad for value in reading.observed.values())

    def test_gradients_reach_every_weight_that_learns(self, tmp_path: Path) -> None:
        recipe = self.make(tmp_path)
        self.stir(recipe)
        total(recipe.read(make_batch(self.batch))).backward()
        for name, parameter in recipe.network.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name
                assert parameter.grad.abs().max() > 0, name
            else:
                assert parameter.grad is None, name

    def stir(self, recipe: Recipe) -> None:
        """Moves weights that start at zero, behind which no gradient passes."""
        with torch.no_grad():
            for parameter in recipe.network.parameters():
                parameter += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3))

    def test_learns(self, tmp_path: Path) -> None:
        recipe, batch = self.make(tmp_path), make_batch(self.batch, step=1)
        first = total(recipe.read(batch)).item()
        learning = [p for p in recipe.network.parameters() if p.requires_grad]
        optimiser = torch.optim.Adam(learning, lr=self.rate)
        for _ in range(self.steps):
            optimiser.zero_grad()
            total(recipe.read(batch)).backward()
            optimiser.step()
        assert total(recipe.read(batch)).item() < self.falls_to * first

    def test_reading_is_a_function_of_the_batch(self, tmp_path: Path) -> None:
        recipe, batch = self.make(tmp_path), make_batch(self.batch)
        settle(recipe)
        first = recipe.read(batch)
        torch.rand(3)  # whatever else draws random numbers
        second = recipe.read(batch)
        assert {k: v.item() for k, v in first.terms.items()} == {k: v.item() for k, v in second.terms.items()}

    def test_shares_of_a_batch_average_to_the_whole(self, tmp_path: Path) -> None:
        """So that two processes learn what one would."""
        recipe, batch = self.make(tmp_path), make_batch(self.batch)
        settle(recipe)
        self.stir(recipe)
        half = self.batch // 2
        shares = [recipe.read(part(batch, slice(0, half))), recipe.read(part(batch, slice(half, None)))]
        whole = recipe.read(batch)
        for name in (*whole.terms, *whole.observed):
            found = torch.stack([(share.terms | share.observed)[name] for share in shares]).mean()  # type: ignore[operator]
            torch.testing.assert_close(found, (whole.terms | whole.observed)[name], rtol=1e-3, atol=1e-5)  # type: ignore[operator]

    def test_half_precision_is_for_networks_not_for_losses(self, tmp_path: Path) -> None:
        batch = make_batch(self.batch)
        exact, rough = (self.make(tmp_path, dtype=d).read(batch) for d in (torch.float32, torch.bfloat16))
        for name, value in rough.terms.items():
            assert value.dtype == torch.float32
            assert value.item() == pytest.approx(exact.terms[name].item(), rel=0.1, abs=0.02), name

    def test_paints_a_picture(self, tmp_path: Path) -> None:
        recipe = self.make(tmp_path)
        settle(recipe)
        with torch.no_grad():
            painted = recipe.paint(recipe.network, blots(1, 48, 5), blots(1, 40, 6))
        assert painted.shape == (1, 3, 48, 48)
        assert painted.dtype == torch.float32
        assert painted.min() >= 0
        assert painted.max() <= 1

    def test_what_it_says_of_itself_is_json(self, tmp_path: Path) -> None:
        about = self.make(tmp_path).about()
        assert json.loads(json.dumps(about)) == about
