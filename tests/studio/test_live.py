"""The fast method while the caller waits: what is kept between two pictures changes none of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import impasto
from impasto.fast import FastOptions, ghiasi
from impasto.image import fit, read, resize_picture
from impasto.studio import live
from impasto.studio.gallery import open_picture
from impasto.studio.store import Store, picture_file

from .conftest import STYLE

PHOTO = Path(__file__).parents[2] / "examples" / "photos" / "raccoon.jpg"
IDENTITY = "0" * 32
SIDE = 96


@pytest.fixture
def url(tmp_path: Path) -> str:
    store, file = Store(str(tmp_path)), io.BytesIO()
    impasto.write(resize_picture(read(PHOTO), fit(read(PHOTO).size, 200)), file, format="png")
    store.put(picture_file(IDENTITY), file.getvalue())
    return str(tmp_path)


def painted(url: str, styles: list[str], **options: Any) -> Any:
    file, seconds = live.repaint(url, IDENTITY, styles, options, SIDE, "png")
    assert seconds > 0
    return read(file).pixels


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strength": 0.5},
        {"strength": 0.5, "style_scale": 0.5, "size": 64},
        {"strength": 0.25, "keep_color": "luminance", "style_scale": 2.0},
        {"strength": 0.75, "keep_color": "linear"},
        {"strength": 0.0},
        {"blend": [2, 1]},
        {"photorealistic": True},
        {"photorealistic": True, "strength": 0.5, "size": 64},
    ],
)
def test_pictures_are_the_methods_own_and_the_same_again(url: str, options: dict[str, Any]) -> None:
    styles = [STYLE, "knife-sea"] if "blend" in options else [STYLE]
    store = Store(url)
    seen = open_picture(store, IDENTITY)
    seen = resize_picture(seen, fit(seen.size, SIDE))
    asked = FastOptions.from_dict({"size": SIDE, **options})
    wanted = impasto.stylize(seen, [open_picture(store, style) for style in styles], options=asked)
    first = painted(url, styles, **options)
    assert first.shape[:2] == wanted.pixels.shape[:2]
    assert np.abs(first - wanted.pixels).max() < 2 / 255  # a kept painting is smaller, a file has 8 bits
    np.testing.assert_array_equal(painted(url, styles, **options), first)


def test_a_strength_slider_takes_one_pass_a_picture(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    passes, real = [], ghiasi.engine.paint

    def counted(*words: Any, **more: Any) -> Any:
        passes.append(words)
        return real(*words, **more)

    monkeypatch.setattr(ghiasi.engine, "paint", counted)
    painted(url, [STYLE], strength=0.8)
    assert len(passes) == 2
    pictures = [painted(url, [style], strength=s) for style in (STYLE, "knife-sea") for s in (0.2, 0.5)]
    assert len(passes) == 6
    assert all(np.abs(a - b).mean() > 0.002 for a in pictures for b in pictures if a is not b)
