"""Which pictures are taken, and how they are paired."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impasto.errors import ImpastoError, OptionError, PictureError
from impasto.evaluation.options import EvaluateOptions
from impasto.evaluation.pairs import choose_pairs, pair_up, square
from impasto.picture import Picture

from .conftest import picture

HELD_OUT, TRAINED = "pond-000014.png", "pond-000015.png"  # 20 and 21


def keep(path: Path, colour: int, mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.new(mode, size, colour if mode == "L" else (colour, 0, 0)).save(path)
    return path


def options(content: Path, style: Path, **more: object) -> EvaluateOptions:
    return EvaluateOptions.from_dict({"content": [content], "style": [style], "size": 32, **more})


@pytest.mark.parametrize(("contents", "styles"), [(1, 1), (3, 3), (4, 6), (5, 7), (8, 2)])
def test_all_pairs_differ_and_pictures_take_turns(contents: int, styles: int) -> None:
    for count in (1, contents, contents * styles // 2 + 1, contents * styles, contents * styles + 9):
        pairs = pair_up(contents, styles, count)
        assert len(set(pairs)) == len(pairs) == min(count, contents * styles)
        for side, number in ((0, contents), (1, styles)):
            used = Counter(pair[side] for pair in pairs)
            assert max(used.values()) - min(used.get(i, 0) for i in range(number)) <= 1


def test_no_pairs_of_nothing() -> None:
    with pytest.raises(OptionError):
        pair_up(0, 3, 5)


@pytest.mark.parametrize(("width", "height"), [(40, 30), (30, 41), (7, 300), (33, 33)])
def test_squares_show_the_middle(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.float32)
    short = min(width, height)
    top, left = (height - short) // 2, (width - short) // 2
    pixels[top : top + short, left : left + short] = 1
    made = square(Picture(pixels, path=Path("a.png")), 48)
    assert (made.size, made.path) == ((48, 48), Path("a.png"))
    assert made.pixels.min() == 1


def test_a_square_of_its_own_size_is_not_resampled() -> None:
    whole = picture(32, 32)
    np.testing.assert_array_equal(square(whole, 32).pixels, whole.pixels)


def test_folders_shards_and_grey_pictures(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "style.tar", "w") as shard:
        for number in range(3):
            file = keep(tmp_path / "loose" / f"{number}.png", 80 * number)
            shard.add(file, f"deep/{file.name}")
    keep(tmp_path / "photos" / "grey.png", 100, "L")
    pairs, troubles = choose_pairs(options(tmp_path / "photos", tmp_path / "style.tar"))
    assert troubles == []
    assert sorted(p.style.name for p in pairs) == ["0.png", "1.png", "2.png"]
    for pair in pairs:
        assert pair.content.size == pair.style.size == (32, 32)
        assert pair.style.pixels[0, 0, 0] == pytest.approx(80 * int(pair.style.name[0]) / 255, abs=1e-3)
        assert np.ptp(pair.content.pixels) < 1e-6


def test_the_same_seed_takes_the_same_pictures(tmp_path: Path) -> None:
    for number in range(12):
        keep(tmp_path / "all" / f"{number}.png", 20 * number)
    names = [
        [
            (p.content.name, p.style.name)
            for p in choose_pairs(options(tmp_path / "all", tmp_path / "all", pairs=4, seed=s))[0]
        ]
        for s in (0, 0, 1)
    ]
    assert names[0] == names[1] != names[2]


def test_what_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    keep(tmp_path / "photos" / "good.png", 1)
    (tmp_path / "photos" / "bad.png").write_bytes(b"no picture")
    (tmp_path / "photos" / "empty.jpg").write_bytes(b"")
    pairs, troubles = choose_pairs(options(tmp_path / "photos", tmp_path / "photos" / "good.png", pairs=9))
    assert [p.content.name for p in pairs] == ["good.png"]
    assert sorted(t.partition(":")[0] for t in troubles) == ["bad.png", "empty.jpg"]


def test_held_out_pictures_only_and_seen_ones_that_are_not(tmp_path: Path) -> None:
    for name in (HELD_OUT, TRAINED):
        keep(tmp_path / "all" / name, 5)
    here = tmp_path / "all"
    pairs, _ = choose_pairs(options(here, here, seen=[here], held_out=True))
    assert [(p.content.name, p.style.name, p.seen) for p in pairs] == [
        (HELD_OUT, HELD_OUT, False),
        (HELD_OUT, TRAINED, True),
    ]


def test_bad_input_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = keep(tmp_path / "photos" / TRAINED, 1)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    cases: list[tuple[EvaluateOptions, type[ImpastoError], str]] = [
        (EvaluateOptions(), OptionError, "give photos and paintings"),
        (options(tmp_path / "empty", good), PictureError, "empty: no picture in it"),
        (options(tmp_path / "missing", good), OptionError, "missing does not exist"),
        (options(good, tmp_path / "bad.png"), PictureError, "none of 1 pictures can be read"),
        (options(good, good, held_out=True), PictureError, "none held out from training; mend: leave out --held-out"),
    ]
    for given, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            choose_pairs(given)
        assert "\n" not in str(caught.value)
