"""The nearest-neighbour search."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.errors import OptionError
from impasto.losses.nonparametric import matching
from impasto.losses.nonparametric.matching import (
    alone,
    cosine_distance,
    cosines,
    nearest,
    principal,
    rows_of,
    some_of,
    tile_side,
    two_sided,
    unit,
)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


SMALL = [110, 500, 4000, 1 << 26]
"""Bytes: one or two vectors at a time, tiles that do not divide either side, all at once."""


@pytest.mark.parametrize("chunk_bytes", SMALL)
def test_finds_the_highest_cosine(chunk_bytes: int) -> None:
    queries, bank = random(23, 5, seed=1), random(31, 5, seed=2)
    table = torch.nn.functional.cosine_similarity(queries[:, None], bank[None], dim=2)
    index, similarity = nearest(queries, bank, chunk_bytes=chunk_bytes)
    assert index.tolist() == table.argmax(1).tolist()
    torch.testing.assert_close(similarity, table.amax(1))


@pytest.mark.parametrize("chunk_bytes", SMALL)
def test_of_several_alike_the_first(chunk_bytes: int) -> None:
    bank = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    index, _ = nearest(torch.tensor([[4.0, 0.0], [0.0, 8.0]]), bank, chunk_bytes=chunk_bytes)
    assert index.tolist() == [1, 0]


def test_length_does_not_matter() -> None:
    queries, bank = random(9, 4, seed=1), random(11, 4, seed=2)
    gains = torch.linspace(0.01, 100, 11)[:, None]
    assert nearest(queries, gains * bank)[0].tolist() == nearest(3 * queries, bank)[0].tolist()


def test_zero_vectors_are_like_nothing() -> None:
    index, similarity = nearest(torch.zeros(2, 3), random(4, 3))
    assert index.tolist() == [0, 0]
    assert similarity.tolist() == [0, 0]
    index, similarity = nearest(random(2, 3), torch.zeros(4, 3))
    assert index.tolist() == [0, 0]
    assert similarity.tolist() == [0, 0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_similarity_is_float32_and_has_no_gradient(dtype: torch.dtype) -> None:
    queries = random(3, 4).to(dtype).requires_grad_()
    index, similarity = nearest(queries, random(5, 4, seed=1).to(dtype))
    assert index.dtype == torch.long
    assert similarity.dtype == torch.float32
    assert not similarity.requires_grad


@pytest.mark.parametrize("chunk_bytes", [2000, 40_000])
@pytest.mark.parametrize("search", [nearest, two_sided])
def test_holds_no_more_than_it_says(monkeypatch: pytest.MonkeyPatch, search: object, chunk_bytes: int) -> None:
    """By the shapes of what is multiplied: both operands at length 1, and their product."""
    held = []
    plain = matching.unit

    def watched(vectors: Tensor, faint: float) -> Tensor:
        held.append(vectors.shape)
        return plain(vectors, faint)

    monkeypatch.setattr(matching, "unit", watched)
    assert callable(search)
    search(random(150, 6, seed=1), random(220, 6, seed=2), chunk_bytes=chunk_bytes)
    pairs = list(zip(held[::2], held[1::2], strict=True))
    assert max(4 * (n * m + n * d + m * d) for (n, d), (m, _) in pairs) <= chunk_bytes
    assert sum(n * m for (n, _), (m, _) in pairs) == 150 * 220


@pytest.mark.parametrize(("dimensions", "chunk_bytes"), [(1, 1 << 20), (4608, 1 << 26), (300, 1 << 16)])
def test_tiles_are_as_large_as_fits(dimensions: int, chunk_bytes: int) -> None:
    def taken(side: int) -> int:
        return 4 * (side * side + 2 * side * dimensions)

    side = tile_side(dimensions, chunk_bytes)
    assert taken(side) <= chunk_bytes < taken(side + 2)


def test_one_vector_at_a_time_at_least() -> None:
    assert tile_side(10_000, 16) == 1


@pytest.mark.parametrize("chunk_bytes", SMALL)
def test_both_sides_at_once(chunk_bytes: int) -> None:
    x, y = random(23, 5, seed=1), random(31, 5, seed=2)
    to_y, to_x = two_sided(x, y, chunk_bytes=chunk_bytes)
    assert to_y.tolist() == cosines(x, y).argmax(1).tolist()
    assert to_x.tolist() == cosines(x, y).argmax(0).tolist()


def test_cosine_distance_by_hand() -> None:
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    y = torch.tensor([[0.0, 5.0], [-2.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(cosine_distance(x, y), torch.tensor([1.0, 2.0, 0.0, 0.0]))


def test_unit_vectors_keep_no_length() -> None:
    torch.testing.assert_close(unit(random(4, 3)).norm(dim=1), torch.ones(4))
    assert unit(torch.zeros(2, 3)).tolist() == [[0.0] * 3] * 2


def test_rows_are_positions() -> None:
    features = random(1, 3, 2, 4)
    assert rows_of(features)[5].tolist() == features[0, :, 1, 1].tolist()
    with pytest.raises(OptionError, match="batch of 2"):
        alone(random(2, 3, 2, 4))


def test_some_of_all_is_a_draw_without_repetition() -> None:
    drawn = some_of(100, 30, seed=3)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    assert len(drawn) == 30
    assert drawn.tolist() == some_of(100, 30, seed=3).tolist()
    assert drawn.tolist() != some_of(100, 30, seed=4).tolist()
    assert some_of(5, 30).tolist() == [0, 1, 2, 3, 4]


def test_a_guide_says_what_is_drawn_and_how_likely() -> None:
    guide = torch.full((1, 1, 20, 50), 1e-6)
    guide[..., :20] = 1
    guide[..., 20:40] = 0.25
    across = some_of(1000, 200, guide=guide) % 50
    assert across.max() < 40
    assert 0.6 < (across < 20).float().mean() < 0.9
    assert len(some_of(1000, 999, guide=guide)) == 800
    assert len(some_of(9, 4, guide=torch.zeros(1, 1, 3, 3))) == 4


def test_principal_directions_hold_as_much_as_the_best() -> None:
    rows = random(300, 60) * torch.arange(1, 61) ** -0.7 @ torch.linalg.qr(random(60, 60, seed=1)).Q
    found = principal(rows, 12)
    torch.testing.assert_close(found.T @ found, torch.eye(12), atol=1e-5, rtol=0)
    best = torch.linalg.eigh(rows.T @ rows).eigenvectors[:, -12:]
    assert (rows @ found).square().sum() > 0.98 * (rows @ best).square().sum()


def test_all_directions_are_as_they_are() -> None:
    assert torch.equal(principal(random(9, 5), 5), torch.eye(5))
