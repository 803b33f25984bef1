"""The library's front door."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import impasto
from impasto import Done, FastOptions, GatysOptions, Picture, Preview, Progress, Started
from impasto.errors import OptionError, PictureError

Pixels = npt.NDArray[np.uint8]


def quick(
    *, steps: int = 3, preview_every: int = 0, seed: int = 0, init: str = "content", size: int = 48
) -> GatysOptions:
    return GatysOptions(
        steps=steps, preview_every=preview_every, seed=seed, init=init, size=size, encoder="efficientnet-lite0"
    )


@pytest.fixture
def photo() -> Pixels:
    y, x = np.mgrid[:32, :40] / 7.0
    return (np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1) * 100 + 127).astype(np.uint8)


@pytest.fixture
def painting(photo: Pixels) -> Pixels:
    return np.ascontiguousarray(photo[::-1, :, ::-1])


FORMS: dict[str, Callable[[Pixels, Path], Any]] = {
    "a path": lambda p, f: _saved(p, f),
    "a path as text": lambda p, f: str(_saved(p, f)),
    "bytes": lambda p, f: _saved(p, f).read_bytes(),
    "a file": lambda p, f: BytesIO(_saved(p, f).read_bytes()),
    "Pillow": lambda p, f: Image.fromarray(p),
    "uint8": lambda p, f: p,
    "floats": lambda p, f: p / np.float32(255),
    "float64": lambda p, f: p / 255,
    "a Picture": lambda p, f: Picture(p / np.float32(255)),
}


def _saved(values: Pixels, folder: Path) -> Path:
    path = folder / f"{values[0, 0, 0]}.png"
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_pictures_in_every_form(photo: Pixels, painting: Pixels, tmp_path: Path, form: str) -> None:
    """The same pixels in another coat give the same picture."""
    make = FORMS[form]
    expected = impasto.stylize(photo, painting).pixels
    kept = photo.copy(), painting.copy()
    made = impasto.stylize(make(photo, tmp_path), make(painting, tmp_path))
    assert isinstance(made, Picture)
    assert made.size == (40, 32)
    np.testing.assert_allclose(made.pixels, expected, atol=2e-3)
    assert np.array_equal(photo, kept[0]) and np.array_equal(painting, kept[1])


def test_a_style_code_alone_in_a_list_and_in_a_file(photo: Pixels, painting: Pixels, tmp_path: Path) -> None:
    code = impasto.encode(impasto.read(painting))
    code.save(tmp_path / "a.style")
    expected = impasto.stylize(photo, painting).pixels
    for style in (code, [code], (code,), tmp_path / "a.style", str(tmp_path / "a.style")):
        np.testing.assert_allclose(impasto.stylize(photo, style).pixels, expected, atol=1e-4)


def test_several_styles_are_blended(photo: Pixels, painting: Pixels) -> None:
    one = impasto.stylize(photo, painting).pixels
    assert np.allclose(
        impasto.stylize(photo, [painting, photo], options=FastOptions(blend=(1, 0))).pixels, one, atol=1e-4
    )
    both = impasto.stylize(photo, [painting, photo])
    assert np.abs(both.pixels - one).mean() > 1e-3
    with pytest.raises(OptionError, match="3 weights for 2 styles"):
        impasto.stylize(photo, [painting, photo], options=FastOptions(blend=(1, 1, 1)))
    with pytest.raises(OptionError, match="at least one style"):
        impasto.stylize(photo, [])


@pytest.mark.parametrize(
    "wrong", [None, 3, object(), np.zeros((2, 2, 7)), np.array(["a"]), b"", "missing.png", "a.style"]
)
def test_what_is_no_picture_is_refused(photo: Pixels, wrong: Any) -> None:
    with pytest.raises(PictureError):
        impasto.stylize(wrong, photo)
    with pytest.raises(PictureError):
        impasto.stylize(photo, [wrong])


def test_events_of_the_fast_method(photo: Pixels, painting: Pixels) -> None:
    events: list[Any] = []
    made = impasto.stylize(photo, painting, on_event=events.append)
    assert [type(e) for e in events] == [Started, Done]
    assert events[0] == Started("fast", (40, 32))
    assert events[1].picture.pixels is made.pixels
    assert events[1].seconds > 0
    assert not events[1].stopped


def test_events_of_an_online_method(photo: Pixels, painting: Pixels) -> None:
    events: list[Any] = []
    made = impasto.stylize(photo, painting, options=quick(steps=4, preview_every=2), on_event=events.append)
    kinds = [type(e) for e in events if type(e) in (Started, Progress, Preview, Done)]
    assert kinds == [Started, Progress, Progress, Preview, Progress, Progress, Preview, Done]
    steps = [e for e in events if isinstance(e, Progress)]
    assert [(e.step, e.steps) for e in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [e.seconds for e in steps] == sorted(e.seconds for e in steps)
    assert steps[-1].seconds_left == 0
    for event in steps:
        assert sum(v for k, v in event.losses.items() if k != "total") == pytest.approx(event.losses["total"], rel=1e-4)
    assert events[0] == Started("gatys", made.size, 4)
    assert events[-1].losses == steps[-1].losses


def test_stopping_keeps_the_best_so_far(photo: Pixels, painting: Pixels) -> None:
    stop = threading.Event()
    events: list[Any] = []

    def see(event: Any) -> None:
        events.append(event)
        if isinstance(event, Progress) and event.step == 6:
            stop.set()

    made = impasto.stylize(photo, painting, options=quick(steps=1000), on_event=see, stop=stop)
    assert sum(isinstance(e, Progress) for e in events) == 6
    assert events[-1].stopped
    assert made.size == (48, 38)
    start = impasto.stylize(photo, painting, options=quick(steps=1000), stop=stop)
    assert np.abs(made.pixels - start.pixels).max() > 0


def test_stopping_from_another_thread(photo: Pixels, painting: Pixels) -> None:
    stop, began = threading.Event(), threading.Event()
    found: list[Picture] = []

    def paint() -> None:
        found.append(
            impasto.stylize(photo, painting, options=quick(steps=100_000), on_event=lambda _: began.set(), stop=stop)
        )

    worker = threading.Thread(target=paint)
    worker.start()
    assert began.wait(60)
    stop.set()
    worker.join(60)
    assert not worker.is_alive()
    assert found[0].size == (48, 38)


def test_the_fast_method_stopped_before_it_begins_gives_the_photo(photo: Pixels, painting: Pixels) -> None:
    stop = threading.Event()
    stop.set()
    made = impasto.stylize(photo, painting, stop=stop)
    assert np.array_equal((made.pixels * 255).round().astype(np.uint8), photo)


def test_a_listener_that_fails_ends_the_run(photo: Pixels, painting: Pixels) -> None:
    def fail(_event: object) -> None:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        impasto.stylize(photo, painting, on_event=fail)


def test_the_same_seed_gives_the_same_pixels(photo: Pixels, painting: Pixels) -> None:
    one, two = (impasto.stylize(photo, painting, options=quick(seed=4, init="noise")).pixels for _ in range(2))
    other = impasto.stylize(photo, painting, options=quick(seed=5, init="noise")).pixels
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_alpha_and_exif_are_the_photo_s(photo: Pixels, painting: Pixels) -> None:
    alpha = np.linspace(0, 1, 40 * 32, dtype=np.float32).reshape(32, 40)
    given = Picture(photo / np.float32(255), alpha=alpha, exif=b"Exif\0\0rest", bit_depth=16)
    made = impasto.stylize(given, painting, options=FastOptions(size=20))
    assert made.size == (20, 16)
    assert made.alpha is not None
    assert made.alpha.shape == (16, 20)
    assert abs(made.alpha.mean() - alpha.mean()) < 0.01
    assert (made.exif, made.bit_depth) == (given.exif, 16)


# The public names.


def test_public_names_are_few_and_resolve() -> None:
    assert len(impasto.__all__) <= 25
    assert sorted(impasto.__all__) == dir(impasto)
    for name in impasto.__all__:
        assert getattr(impasto, name).__doc__ or name == "METHODS"
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        impasto.nope  # noqa: B018


def test_public_names_stand_in_all_three_lists() -> None:
    """The lazy table, `__all__`, and what a type checker sees."""
    assert set(impasto._HOME) == set(impasto.__all__)
    source = Path(impasto.__file__).read_text()
    for home, names in impasto._HOMES.items():
        line = next(text for text in source.splitlines() if text.strip().startswith(f"from {home} import"))
        assert set(line.split(" import ")[1].replace(" ", "").split(",")) == set(names)


@pytest.mark.parametrize(
    ("script", "heavy"),
    [
        ("import impasto", ["numpy", "PIL", "onnxruntime", "torch"]),
        ("from impasto import stylize, Picture, StyleCode, GatysOptions, load_encoder", ["onnxruntime", "torch"]),
    ],
)
def test_importing_is_light(script: str, heavy: list[str]) -> None:
    code = f"import sys; {script}; print([n for n in {heavy} if n in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
