"""Content and style loss in Ghiasi's units, and the normalised residual."""

from __future__ import annotations

import pytest
import torch

from impasto.evaluation.perceptual import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    content_loss,
    grams,
    residual,
    style_loss,
)

from .conftest import random


def maps(seed: int, batch: int = 2) -> dict[str, torch.Tensor]:
    """Maps of other sizes and channels at each layer, odd ones among them."""
    return {tap: random(batch, 3 + i, 9 - i, 4 + i, seed=10 * seed + i) for i, tap in enumerate(STYLE_LAYERS)}


def test_equal_maps_have_no_loss() -> None:
    features = maps(0)
    assert content_loss(features[CONTENT_LAYER], features[CONTENT_LAYER]).tolist() == [0, 0]
    assert style_loss(grams(features), grams(features)).tolist() == [0, 0]
    assert residual(grams(features)["relu1_2"], grams(features)["relu1_2"]).tolist() == [0, 0]


def test_content_is_the_mean_squared_difference() -> None:
    one = torch.zeros(2, 3, 4, 5)
    other = torch.tensor([2.0, 3.0]).view(2, 1, 1, 1).expand(2, 3, 4, 5)
    assert content_loss(one, other).tolist() == [4, 9]


def test_style_is_the_published_sum() -> None:
    """Against the formula written out: Gram matrices by loops over positions, 0.5e-3 of each layer's mean square."""
    found, style = maps(1, 1), maps(2, 1)
    expected = 0.0
    for tap in STYLE_LAYERS:
        a, b = (m[tap][0].double().flatten(1) for m in (found, style))
        expected += 0.5e-3 * ((a @ a.T / a.shape[1] - b @ b.T / b.shape[1]) ** 2).mean().item()
    assert style_loss(grams(found), grams(style)).item() == pytest.approx(expected, rel=1e-5)


def test_paintings_may_have_another_size() -> None:
    small, large = maps(1), {tap: m.repeat(1, 1, 2, 3) for tap, m in maps(1).items()}
    assert style_loss(grams(small), grams(large)).max().item() < 1e-12  # the same texture, more of it


def test_a_batch_is_each_sample() -> None:
    found, style = maps(1), maps(2)
    for loss in (
        lambda a, b: content_loss(a[CONTENT_LAYER], b[CONTENT_LAYER]),
        lambda a, b: style_loss(grams(a), grams(b)),
        lambda a, b: residual(grams(a)["relu2_2"], grams(b)["relu2_2"]),
    ):
        alone = [loss(*({t: m[i : i + 1] for t, m in each.items()} for each in (found, style))) for i in range(2)]
        torch.testing.assert_close(loss(found, style), torch.cat(alone))


def test_residual_is_symmetric_bounded_and_has_no_unit() -> None:
    a, b = grams(maps(1))["relu4_3"], grams(maps(2))["relu4_3"]
    torch.testing.assert_close(residual(a, b), residual(b, a))
    torch.testing.assert_close(residual(1e4 * a, 1e4 * b), residual(a, b))
    assert residual(a, 0 * a).tolist() == [1, 1]
    assert residual(0 * a, 0 * a).tolist() == [0, 0]
    first, second = torch.diag_embed(torch.tensor([[1.0, 0], [0, 1]])).unbind()
    assert residual(first[None], second[None]).item() == 1  # nothing in common
    assert residual(torch.ones(1, 1, 1), torch.full((1, 1, 1), 3.0)).item() == pytest.approx(4 / 10)


def test_half_precision_is_measured_in_full() -> None:
    features = torch.full((1, 1, 64, 64), 200.0, dtype=torch.bfloat16)
    assert content_loss(features, 0 * features).item() == 40_000
    assert grams({"relu1_2": features})["relu1_2"].item() == 40_000


def test_no_layers_is_no_loss() -> None:
    with pytest.raises(ValueError, match="no layers"):
        style_loss({}, {})
