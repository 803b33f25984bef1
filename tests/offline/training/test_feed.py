"""Batches are a function of seed and step; crops show what they should."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.offline.album import Album
from impasto.offline.augment import Augment, cut, develop, draw
from impasto.offline.data import index
from impasto.offline.feed import Feed, places
from impasto.offline.recipe import Batch

CPU = torch.device("cpu")


@pytest.fixture
def albums(photos: Path, paintings: Path) -> Iterator[tuple[Album, Album]]:
    made = [Album(index([p], "--content").entries, side=40, room=1 << 20) for p in (photos, paintings)]
    yield made[0], made[1]
    for album in made:
        album.close()


def batches(
    albums: tuple[Album, Album], first: int, end: int, share: slice = slice(0, 6), seed: int = 1
) -> list[Batch]:
    feed = Feed(*albums, batch=6, crop=32, seed=seed, share=share, device=CPU)
    found = list(feed.batches(first, end))
    feed.close()
    return found


def test_a_batch_depends_on_seed_and_step_alone(albums: tuple[Album, Album]) -> None:
    whole = batches(albums, 0, 5)
    later = batches(albums, 3, 5)
    for one, other in zip(whole[3:], later, strict=True):
        assert torch.equal(one.content, other.content)
        assert torch.equal(one.style, other.style)
        assert (one.step, one.seed) == (other.step, other.seed)
    assert whole[0].content.shape == (6, 3, 32, 32)
    assert whole[0].content.dtype == torch.float32
    assert whole[0].content.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= whole[0].style.min() < whole[0].style.max() <= 1
    assert len({b.seed for b in whole}) == 5
    assert not torch.equal(whole[0].content, whole[1].content)
    assert not torch.equal(batches(albums, 0, 1, seed=2)[0].content, whole[0].content)


def test_shares_make_the_whole_batch(albums: tuple[Album, Album]) -> None:
    (whole,) = batches(albums, 2, 3)
    parts = [batches(albums, 2, 3, share)[0] for share in (slice(0, 3), slice(3, 6))]
    assert torch.equal(torch.cat([p.content for p in parts]), whole.content)
    assert torch.equal(torch.cat([p.style for p in parts]), whole.style)
    assert torch.cat([p.index for p in parts]).tolist() == list(range(6))
    assert {p.seed for p in parts} == {whole.seed}


def test_every_picture_comes_once_before_any_comes_again() -> None:
    order = np.concatenate([places(7, 4, step, (3, 0)) for step in range(7)])
    for epoch in order.reshape(4, 7):
        assert sorted(epoch) == list(range(7))
    assert not np.array_equal(order[:7], order[7:14])
    assert places(2, 5, 0, (0, 0)).shape == (5,)  # fewer pictures than samples


def test_a_crop_is_what_was_cut() -> None:
    """A crop of the square's own size, not flipped, is the square; mirrored and turned, it is that."""
    picture = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    draws = draw(Augment(smallest=0.8, largest=0.8, mirror=False), 2, np.random.default_rng(1))
    canvas, sides = cut([picture, picture], draws, 48)
    assert sides.tolist() == [32, 32]
    crops = develop(canvas, sides, draws, 32, colour=False)
    left, top = round(float(draws.place[0, 0]) * 18), round(float(draws.place[0, 1]) * 8)
    expected = torch.from_numpy(picture[top : top + 32, left : left + 32].copy()).permute(2, 0, 1) / 255
    assert torch.allclose(crops[0], expected, atol=2e-5)
    draws.mirror[:], draws.turn[1] = True, True
    flipped = develop(canvas, sides, draws, 32, colour=False)
    assert torch.allclose(flipped[0], expected.flip(2), atol=2e-5)
    assert torch.allclose(flipped[1], crops[1].flip(1, 2), atol=2e-5)


def test_what_lies_beyond_a_small_square_is_never_seen() -> None:
    picture = np.full((12, 12, 3), 255, np.uint8)
    draws = draw(Augment(), 4, np.random.default_rng(0))
    canvas, sides = cut([picture] * 4, draws, 64)
    assert develop(canvas, sides, draws, 48, colour=False).min() == 1


def test_colours_vary_only_where_they_should() -> None:
    picture = np.full((40, 40, 3), (200, 100, 50), np.uint8)
    for colour in (0.0, 1.0):
        draws = draw(Augment(colour=colour), 16, np.random.default_rng(0))
        canvas, sides = cut([picture] * 16, draws, 40)
        means = develop(canvas, sides, draws, 32, colour=True).mean((2, 3))
        if colour:
            assert (means.std(0) > 0.02).all()
            assert (means - means.new_tensor([200, 100, 50]) / 255).mean(0).abs().max() < 0.15
        else:
            assert torch.allclose(means, means.new_tensor([[200, 100, 50]]) / 255, atol=1e-5)


def test_both_flips_happen_half_the_time() -> None:
    draws = draw(Augment(turn=True), 1000, np.random.default_rng(0))
    assert 430 < draws.mirror.sum() < 570
    assert 430 < draws.turn.sum() < 570
    assert not draw(Augment(mirror=False), 100, np.random.default_rng(0)).mirror.any()
    assert 0.5 <= draws.scale.min() < 0.55
    assert 0.95 < draws.scale.max() <= 1
