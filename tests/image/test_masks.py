"""Masks: read, shared out, put together, and found in semantic maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.errors import OptionError, PictureError
from impasto.image.masks import LABELS, composite, label_regions, partition, read_map, read_mask
from impasto.picture import Pixels

RED, BLUE, SAND, GREEN = (0.9, 0.1, 0.1), (0.1, 0.1, 0.9), (0.9, 0.8, 0.5), (0.1, 0.7, 0.2)


def left_half(width: int = 40, height: int = 30, *, value: int = 255) -> Image.Image:
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, : width // 2] = value
    return Image.fromarray(pixels)


def map_of(*stripes: tuple[float, float, float], size: tuple[int, int] = (60, 30)) -> Pixels:
    """Upright stripes of equal width."""
    width, height = size
    places = np.arange(width) * len(stripes) // width
    return np.broadcast_to(np.asarray(stripes, np.float32)[places], (height, width, 3)).copy()


class TestReadMask:
    def test_white_is_in_and_black_is_out(self) -> None:
        mask, remarks = read_mask(left_half(), (40, 30))
        assert mask.shape == (30, 40)
        assert mask.dtype == np.float32
        np.testing.assert_allclose(mask[:, :20], 1, atol=1e-5)
        np.testing.assert_allclose(mask[:, 20:], 0, atol=1e-5)
        assert remarks == []

    def test_grey_is_a_part(self) -> None:
        mask, _ = read_mask(left_half(value=128), (40, 30))
        assert mask[:, :18].mean() == pytest.approx(128 / 255, abs=1e-3)

    def test_one_of_the_same_shape_is_resized_without_a_word(self) -> None:
        mask, remarks = read_mask(left_half(80, 60), (40, 30))
        assert mask.shape == (30, 40)
        assert mask[:, 21:].max() < 0.2
        assert remarks == []

    def test_one_of_another_shape_is_stretched_and_that_is_said(self, tmp_path: Path) -> None:
        left_half(40, 40).save(tmp_path / "sky ü.png")
        mask, (remark,) = read_mask(tmp_path / "sky ü.png", (40, 30))
        assert mask.shape == (30, 40)
        assert mask[:, :18].min() > 0.9
        assert remark == "sky ü.png is 40x40; it was resized to 40x30"

    def test_what_is_transparent_is_out(self) -> None:
        seen = np.full((30, 40, 4), 255, np.uint8)
        seen[:15, :, 3] = 0
        mask, _ = read_mask(Image.fromarray(seen), (40, 30))
        assert mask[:14].max() < 0.01
        assert mask[16:].min() > 0.99

    def test_all_black_is_refused(self, tmp_path: Path) -> None:
        left_half(value=0).save(tmp_path / "night.png")
        with pytest.raises(OptionError, match=r"^night\.png is all black; white says where to paint$"):
            read_mask(tmp_path / "night.png", (40, 30))

    def test_no_picture_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "mask.png").write_bytes(b"none")
        with pytest.raises(PictureError, match=r"mask\.png"):
            read_mask(tmp_path / "mask.png", (40, 30))


class TestPartition:
    def test_shares_and_what_is_left_are_all_of_each_pixel(self) -> None:
        masks = list(np.random.default_rng(0).random((3, 5, 7), np.float32))
        shares, rest = partition(masks)
        np.testing.assert_allclose(sum(shares) + rest, 1, atol=1e-6)
        assert min(share.min() for share in [*shares, rest]) >= 0

    def test_where_they_do_not_meet_masks_stay_as_they_are(self) -> None:
        first = np.zeros((4, 6), np.float32)
        first[:, :2] = 0.7
        second = first[:, ::-1].copy()
        (one, two), rest = partition([first, second])
        assert np.array_equal(one, first)
        assert np.array_equal(two, second)
        np.testing.assert_allclose(rest, 1 - first - second, atol=1e-6)


def test_composite_is_the_photo_outside_to_the_last_bit() -> None:
    painted, photo = np.random.default_rng(0).random((2, 8, 9, 3), np.float32)
    mask = np.zeros((8, 9), np.float32)
    mask[:, 4:] = 1
    made = composite(painted, photo, mask)
    assert np.array_equal(made[:, :4], photo[:, :4])
    np.testing.assert_allclose(made[:, 4:], painted[:, 4:], atol=1e-6)


class TestLabelRegions:
    def test_what_has_one_colour_belongs_together(self) -> None:
        regions, remarks = label_regions(map_of(RED, RED, BLUE), map_of(BLUE, RED, size=(20, 10)))
        assert len(regions) == 2
        assert not remarks
        areas = {round(float(here.mean()), 2): round(float(there.mean()), 2) for here, there in regions}
        assert areas == {0.67: 0.5, 0.33: 0.5}
        for side in (0, 1):
            np.testing.assert_allclose(sum(region[side] for region in regions), 1, atol=1e-5)

    def test_a_little_off_is_the_same_colour(self) -> None:
        slightly = tuple(np.asarray(RED) + 0.04)
        assert len(label_regions(map_of(RED, BLUE), map_of(slightly, BLUE))[0]) == 2  # type: ignore[arg-type]

    def test_a_colour_that_the_other_has_not_goes_to_the_nearest_of_both(self) -> None:
        """Sand is nearer to red than to blue."""
        regions, remarks = label_regions(map_of(RED, BLUE, SAND), map_of(RED, BLUE))
        assert len(regions) == 2
        assert remarks == ["colours of the photo's semantic map that the other has not: 1; they go to the nearest"]
        small, large = sorted(float(here.mean()) for here, _ in regions)
        assert small == pytest.approx(1 / 3, abs=0.03)
        assert large == pytest.approx(2 / 3, abs=0.03)

    def test_soft_edges_and_specks_are_no_labels(self) -> None:
        soft = map_of(RED, BLUE, size=(600, 300))
        soft[:, 300] = (np.asarray(RED) + np.asarray(BLUE)) / 2
        soft[5, 5] = GREEN
        assert len(label_regions(soft, soft)[0]) == 2

    def test_no_colour_in_common_is_refused(self) -> None:
        with pytest.raises(OptionError, match="no colour in common"):
            label_regions(map_of(RED), map_of(BLUE))

    def test_a_photograph_as_a_map_has_a_bounded_number_of_labels(self) -> None:
        noisy = np.random.default_rng(0).random((50, 60, 3), np.float32)
        regions, remarks = label_regions(noisy, noisy)
        assert 1 <= len(regions) <= LABELS
        assert remarks == [
            f"the {whose}'s semantic map has more than 8 colours; the rest go to the nearest"
            for whose in ("photo", "painting")
        ]


def test_a_map_of_another_shape_is_stretched_and_that_is_said() -> None:
    found, remarks = read_map(map_of(RED, BLUE, size=(40, 10)), (20, 20))
    assert found.shape == (20, 20, 3)
    assert remarks == ["the map is 40x10; it was resized to 20x20"]
    assert read_map(map_of(RED, BLUE, size=(40, 40)), (20, 20))[1] == []
