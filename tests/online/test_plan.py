"""The plan: scales from coarse to fine, and how a picture goes into memory."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from impasto import machine
from impasto.encoders import load_encoder
from impasto.encoders.encoder import Encoder
from impasto.errors import LimitError
from impasto.online.memory import DEFERRED, ENOUGH, PIXEL, SHARE, TILES, Kept, Memory
from impasto.online.options import OnlineOptions
from impasto.online.plan import (
    ANY_SIZE,
    FACTOR,
    FINAL_SHARE,
    SMALLEST,
    Plan,
    Scale,
    ladder,
    plan,
)
from impasto.online.sight import Sight

BLIND = Sight(Encoder("nothing", [], preprocess=nn.Identity()), (), (), torch.device("cpu"))
"""Enough for losses that read the picture itself; sees nothing in tiles."""


@pytest.fixture
def eyes() -> Sight:
    """A shallow look, which is quick to find the reach of."""
    return Sight(load_encoder("efficientnet-lite0"), ("stem", "block2_2"), ("block2_2",), torch.device("cpu"))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says how many bytes are free."""
    return lambda amount: monkeypatch.setattr(machine, "available_memory", lambda: int(amount))


class TestLadder:
    @given(
        st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 2000) | st.integers(1, 9),
        st.none() | st.integers(1, 12), st.sampled_from(sorted(FINAL_SHARE.values())),
    )  # fmt: skip
    @settings(derandomize=True, max_examples=300)
    def test_promises(self, width: int, height: int, steps: int, count: int | None, final: float) -> None:
        least = 16
        scales = ladder((width, height), steps, count, least=least, final=final)
        assert sum(s.steps for s in scales) == steps
        assert all(s.steps >= 1 for s in scales)
        assert scales[-1].size == (width, height)
        assert len(scales) <= (count or 99)
        for coarse, fine in itertools.pairwise(scales):
            assert max(coarse.size) < max(fine.size)
            assert coarse.size[0] <= fine.size[0]
            assert coarse.size[1] <= fine.size[1]
        for scale in scales[:-1]:
            assert min(scale.size) >= least - 1
            for side, whole in zip(scale.size, (width, height), strict=True):
                assert abs(side - whole * max(scale.size) / max(width, height)) <= 1.01

    def test_coarse_steps_are_cheap_and_none_of_their_scales_is_left_out(self) -> None:
        made = [scale.steps for scale in ladder((4096, 3072), 400, final=0.4)]
        assert made == [107, 53, 27, 27, 27, 159]

    def test_a_small_picture_has_one_scale(self) -> None:
        for side in (1, 17, SMALLEST - 1, SMALLEST):
            assert ladder((side, side), 7) == (Scale((side, side), 7),)

    def test_a_large_one_begins_at_the_smallest(self) -> None:
        sizes = [s.size for s in ladder((512, 384), 300)]
        assert sizes[0] == (SMALLEST, SMALLEST * 3 // 4)
        assert len(sizes) == 1 + math.log(512 / SMALLEST, FACTOR)

    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_count_is_respected(self, count: int) -> None:
        assert len(ladder((512, 512), 300, count)) == count

    def test_no_more_scales_than_steps(self) -> None:
        assert [s.steps for s in ladder((2048, 2048), 3)] == [1, 1, 1]
        assert ladder((2048, 2048), 1) == (Scale((2048, 2048), 1),)

    def test_scales_too_thin_for_the_encoder_are_left_out(self) -> None:
        assert [s.size for s in ladder((512, 34), 10, least=16)] == [(256, 17), (512, 34)]
        assert [s.size for s in ladder((512, 34), 10, 12, least=20)] == [(512, 34)]
        assert [s.size for s in ladder((64, 8), 10, least=16)] == [(64, 8)]


class TestMemory:
    def test_the_optimisers_is_counted(self) -> None:
        """Pairs of two pictures each, of three float32 a pixel; Adam keeps none."""
        for size, pairs in (((512, 384), 100), ((4000, 3000), 3)):
            lbfgs, adam = (Memory(BLIND, name).of(size) for name in ("lbfgs", "adam"))
            assert lbfgs - adam >= 24 * size[0] * size[1] * pairs

    def test_tiles_take_less_and_small_ones_least(self, eyes: Sight) -> None:
        size = (4000, 3000)
        taken = [Memory(eyes, "lbfgs").of(size, tile) for tile in (None, *TILES)]
        assert taken == sorted(taken, reverse=True)
        assert taken[-1] < taken[0] / 2

    def test_tiles_never_take_more_than_the_whole(self, eyes: Sight) -> None:
        assert Memory(eyes, "adam").of((300, 200), 1024) == Memory(eyes, "adam").of((300, 200))

    def test_only_what_is_seen_at_once_is_deferred(self, eyes: Sight) -> None:
        """Of the style's last layer but one: the stem's 32 channels at half the size."""
        more = Memory(eyes, "lbfgs").of((300, 200)) - Memory(eyes, "lbfgs").of((300, 200), 1024)
        assert more == pytest.approx(300 * 200 * 32 / 4 * DEFERRED)

    def test_what_a_loss_keeps_is_counted_in_tiles_or_not(self, eyes: Sight) -> None:
        size, kept = (300, 200), Kept(canvas=1000, bank=5e6)
        for tile in (None, 256):
            more = Memory(eyes, "adam", kept).of(size, tile) - Memory(eyes, "adam").of(size, tile)
            assert more == pytest.approx(1000 * 300 * 200 + 5e6)

    def test_losses_that_cannot_be_tiled_never_are(self, eyes: Sight) -> None:
        whole = Memory(eyes, "lbfgs", tiles=False)
        assert whole.of((4000, 3000), 256) == whole.of((4000, 3000)) == Memory(eyes, "lbfgs").of((4000, 3000))

    def test_what_is_not_a_chain_of_layers_is_not_tiled(self) -> None:
        assert Memory(BLIND, "lbfgs").of((4000, 3000), 256) == Memory(BLIND, "lbfgs").of((4000, 3000))


class TestKept:
    KEPT = Kept(canvas=70, style=100, reading=50, bank=9)

    def test_grows_with_the_paintings_and_their_area(self) -> None:
        one = self.KEPT.beside(1, 1)
        assert one == Kept(canvas=70 + 100 + PIXEL, bank=9)
        assert self.KEPT.beside(1, 3).canvas - one.canvas == 2 * (100 + PIXEL)
        assert self.KEPT.beside(0.5, 1).canvas == 70 + (100 + PIXEL) / 4

    def test_a_painting_is_read_before_the_first_step(self) -> None:
        """Where that takes more than a step does, it is what counts."""
        assert self.KEPT.beside(4, 1).canvas == 16 * (100 + PIXEL + 50)

    def test_paintings_of_a_size_of_their_own_do_not_grow_with_the_canvas(self) -> None:
        assert self.KEPT.with_styles([10, 30]) == Kept(canvas=70, bank=9 + 40 * (100 + PIXEL) + 30 * 50)


class TestFitting:
    def test_at_once_where_it_fits(self, eyes: Sight, free: Any) -> None:
        size = (1000, 750)
        free(Memory(eyes, "lbfgs").of(size) / SHARE + 1)
        assert Memory(eyes, "lbfgs").fitting_tile(size) is None
        made = plan(size, OnlineOptions(), eyes)
        assert made.tile is None
        assert made.tile_at(size) is None

    @pytest.mark.parametrize("tile", TILES)
    def test_otherwise_the_largest_tile_that_fits(self, eyes: Sight, free: Any, tile: int) -> None:
        size = (2000, 1500)
        free(Memory(eyes, "lbfgs").of(size, tile) / SHARE + 1)
        assert Memory(eyes, "lbfgs").fitting_tile(size) == tile

    def test_no_larger_tile_than_enough(self, eyes: Sight, free: Any) -> None:
        size = (12_000, 9_000)
        free(Memory(eyes, "lbfgs").of(size, 256) / SHARE + 1)
        assert Memory(eyes, "lbfgs").of(size, 256) > ENOUGH
        assert Memory(eyes, "lbfgs").fitting_tile(size) == 256

    @pytest.mark.parametrize("amount", [5e8, 1e9, 4e9])
    @pytest.mark.parametrize("tiled", [True, False, None])
    def test_a_size_that_is_named_as_fitting_fits(
        self, eyes: Sight, free: Any, amount: float, tiled: bool | None
    ) -> None:
        """In tiles; with a loss that cannot be tiled; with an encoder that cannot."""
        memory = Memory(eyes if tiled is not None else BLIND, "lbfgs", tiles=bool(tiled))
        free(amount)
        with pytest.raises(LimitError, match="mend: --size") as refused:
            memory.fitting_tile((40_000, 30_000))
        fits = int(str(refused.value).rpartition(" ")[2])
        found = memory.fitting_tile((fits, fits * 3 // 4))
        assert memory.of((fits, fits * 3 // 4), found) > 0.85 * amount
        assert (found is not None) == bool(tiled)

    def test_unknown_memory_is_not_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(machine, "available_memory", lambda: None)
        assert Memory(BLIND, "lbfgs").fitting_tile((40_000, 30_000)) is None


def test_scales_are_tiled_where_they_would_take_more_than_the_last(eyes: Sight, free: Any) -> None:
    size = (4000, 3000)
    free(Memory(eyes, "lbfgs").of(size, 512) / SHARE + 1)
    made = plan(size, OnlineOptions(), eyes)
    assert made.tile == 512
    assert made.tile_at(made.scales[0].size) is None
    assert made.tile_at(size) == 512
    assert made.whole == Memory(eyes, "lbfgs").whole_beside(size, 512)
    most = Memory(eyes, "lbfgs").of(size, 512)
    assert Memory(eyes, "lbfgs").of((made.whole, 1)) <= most < Memory(eyes, "lbfgs").of((made.whole + 1, 1))
    assert Memory(eyes, "lbfgs").of((made.at_once, made.at_once * 3 // 4)) <= most


def test_tile_at() -> None:
    assert Plan((), tile=64, whole=200).tile_at((10, 20)) is None
    assert Plan((), tile=64, whole=200).tile_at((10, 21)) == 64
    assert Plan((), whole=200).tile_at((10, 21)) is None


def test_work_grows_with_pixels_and_with_tiles() -> None:
    made = Plan((), tile=64, whole=200)
    assert [made.work(size) - ANY_SIZE for size in ((10, 10), (10, 20))] == [100, 200]
    assert made.work((20, 20)) - ANY_SIZE == 2.5 * 400


def test_rounds_are_of_one_length() -> None:
    """A loss that is made for a step or two is not worth its making, nor is what only begins with it ever seen."""
    plan = Plan((Scale((64, 64), 42), Scale((128, 128), 129), Scale((256, 256), 3)), every=40)
    found = [(scale.size[0], scale.steps, scale.turn) for scale in plan.rounds()]
    assert found == [(64, 21, 0), (64, 21, 1), (128, 32, 0), (128, 32, 1), (128, 32, 2), (128, 33, 3), (256, 3, 0)]
