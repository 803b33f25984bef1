"""Sliced Wasserstein distance."""

from __future__ import annotations

import pytest
import torch

from impasto.evaluation.sliced import TAPS, Profile, profile, sliced_wasserstein

from .conftest import random


def of(*maps: torch.Tensor) -> Profile:
    return profile(dict(zip(TAPS, maps, strict=False)))


def test_the_same_features_anywhere_are_0() -> None:
    """A distribution has no place: shuffled positions, and the same picture again."""
    features = random(2, 5, 6, 7)
    moved = features.flatten(2)[..., torch.randperm(42, generator=torch.Generator().manual_seed(1))].view_as(features)
    assert sliced_wasserstein(of(features), of(features)).tolist() == [0, 0]
    assert sliced_wasserstein(of(moved), of(features)).max().item() < 1e-6


def test_one_channel_shifted_by_its_spread_is_1() -> None:
    """Along the one direction there is, a shift moves every quantile alike."""
    features = random(1, 1, 16, 16)
    spread = features.var(correction=0).sqrt()
    assert sliced_wasserstein(of(features + spread), of(features)).item() == pytest.approx(1, rel=1e-4)
    assert sliced_wasserstein(of(features - 3 * spread), of(features)).item() == pytest.approx(3, rel=1e-4)


def test_agrees_with_sorted_lists_where_sizes_agree() -> None:
    """With as many positions as quantiles the distance is that of two sorted lists, direction by direction."""
    a, b = random(1, 3, 32, 32), 2 * random(1, 3, 32, 32, seed=1)
    directions = torch.nn.functional.normalize(torch.randn(64, 3, generator=torch.Generator().manual_seed(2021)), dim=1)
    seen = [(directions @ m[0].flatten(1)).sort(1).values for m in (a, b)]
    expected = (seen[0] - seen[1]).square().mean().sqrt() / seen[1].var(1, correction=0).mean().sqrt()
    assert sliced_wasserstein(of(a), of(b)).item() == pytest.approx(expected.item(), rel=1e-4)


def test_more_of_the_same_texture_is_nearly_the_same() -> None:
    features, other = random(1, 4, 24, 24), 0.5 * random(1, 4, 24, 24, seed=3)
    larger = features.repeat(1, 1, 3, 2)
    assert sliced_wasserstein(of(larger), of(features)).item() < 0.01
    assert sliced_wasserstein(of(other), of(features)).item() > 0.3


def test_sees_what_gram_matrices_cannot() -> None:
    """Two distributions with the same second moments: plus or minus 1, and a normal one."""
    generator = torch.Generator().manual_seed(0)
    coins = torch.randint(0, 2, (1, 2, 64, 64), generator=generator) * 2.0 - 1
    normal = torch.randn(1, 2, 64, 64, generator=generator)
    assert sliced_wasserstein(of(coins), of(normal)).item() > 0.2


def test_every_layer_counts_alike_whatever_its_gain() -> None:
    a, b = random(1, 3, 8, 8), random(1, 3, 8, 8, seed=1)
    c, d = random(1, 3, 8, 8, seed=2), random(1, 3, 8, 8, seed=3) ** 2
    alone = [sliced_wasserstein(of(x), of(y)).item() for x, y in ((a, b), (c, d))]
    assert sliced_wasserstein(of(a, 1e4 * c), of(b, 1e4 * d)).item() == pytest.approx(sum(alone) / 2, rel=1e-3)


def test_a_batch_is_each_sample_and_runs_repeat() -> None:
    a, b = random(2, 3, 5, 7), random(2, 3, 4, 9, seed=1)
    both = sliced_wasserstein(of(a), of(b))
    torch.testing.assert_close(both, sliced_wasserstein(of(a), of(b)), rtol=0, atol=0)
    torch.testing.assert_close(
        both, torch.cat([sliced_wasserstein(of(a[i : i + 1]), of(b[i : i + 1])) for i in (0, 1)])
    )


def test_a_flat_painting_is_no_division_by_zero() -> None:
    flat = torch.zeros(1, 3, 4, 4)
    assert sliced_wasserstein(of(flat), of(flat)).item() == 0
    assert sliced_wasserstein(of(random(1, 3, 4, 4)), of(flat)).isfinite().all()


def test_no_layers_is_no_distance() -> None:
    with pytest.raises(ValueError, match="no layers"):
        sliced_wasserstein(of(), of())
