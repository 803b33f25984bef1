"""Orders: what guests may ask for, what is refused before it is queued, and what a stored order paints."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event as StopSignal
from typing import Any

import numpy as np
import pytest

from impasto.errors import ImpastoError, LimitError, OptionError
from impasto.image import write
from impasto.methods import METHODS
from impasto.picture import Picture
from impasto.studio.gallery import built_in, open_picture
from impasto.studio.limits import Limits
from impasto.studio.orders import OURS, Order, check, check_work, guest_methods, perform
from impasto.studio.store import Store, picture_file

PHOTO, MASK = "a" * 32, "b" * 32
QUICK = {"encoder": "efficientnet-lite0", "size": 48, "steps": 2}


def order(**changes: Any) -> Order:
    told: dict[str, Any] = {"job": "stylize", "method": "fast", "content": PHOTO, "styles": ("starry-hills",)}
    return Order(**{**told, "options": {}, **changes})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a photo, and a mask whose left half is white."""
    kept = Store(str(tmp_path))
    photo = np.random.default_rng(0).random((40, 60, 3), np.float32)
    mask = np.zeros((40, 60, 3), np.float32)
    mask[:, :30] = 1
    for name, pixels in ((PHOTO, photo), (MASK, mask)):
        write(Picture(pixels), tmp_path / picture_file(name))
    return kept


class TestChecked:
    @pytest.mark.parametrize("method", [m.name for m in guest_methods()])
    def test_every_option_is_spelled_out_but_ours(self, method: str) -> None:
        told = check(order(method=method), Limits()).options
        assert set(told) == {s.name for s in METHODS[method].options_class.specs()} - set(OURS)
        assert json.loads(json.dumps(told)) == told

    @pytest.mark.parametrize(
        "changes",
        [
            {"method": "nothing"},
            {"method": "johnson"},
            {"content": None},
            {"content": "starry-hills"},
            {"content": "../../etc/passwd"},
            {"styles": ()},
            {"styles": ("no-such-style",)},
            {"styles": ("/etc/passwd",)},
            {"styles": ("starry-hills",) * 9},
            {"options": {"unknown": 1}},
            {"options": {"strength": float("nan")}},
            {"options": {"strength": True}},
            {"options": {"size": 10**400}},
            {"options": {"size": "512"}},
            {"options": {"blend": {"a": 1}}},
            {"options": {"mask": ["/etc/passwd"]}},
            {"options": {"mask": "relative.png"}},
            {"method": "gatys", "options": {"init": "/etc/passwd"}},
            {"method": "gatys", "options": {"semantic": ["x", "y"]}},
            {"method": "gatys", "options": {"semantic": [MASK]}},
            {"method": "gatys", "options": {"style_mask": [MASK, MASK]}},
            {"method": "gatys", "options": {"encoder": "/etc/passwd"}},
            {"method": "gatys", "options": {"encoder": ""}},
            {"method": "gatys", "options": {"style_layers": ["x"]}},
            {"method": "gatys", "options": {"content_layers": ["relu9_1"]}},
            {"options": {"blend": [1, 2]}},
            {"options": {"blend": [0]}},
            {"options": {"mask": [MASK, MASK]}},
            {"job": "reconstruct", "method": "gatys", "styles": (), "layers": ("relu9_9",)},
            {"method": "gatys", "options": {"mix_scales": True}},
            {
                "method": "gatys",
                "styles": ("starry-hills", "knife-sea"),
                "options": {"mix_scales": True, "blend": [2, 1]},
            },
            {"method": "gatys", "options": {"init": "fast", "style_mask": [MASK]}},
            {"method": "gatys", "options": {"encoder": "efficientnet-lite0", "pooling": "max"}},
            {"job": "texture", "content": None, "method": "gatys", "options": {"size": 64}},
            {"job": "texture", "content": None, "method": "gatys", "options": {"strength": 0.4}},
            {
                "job": "texture",
                "content": None,
                "method": "gatys",
                "tileable": True,
                "options": {"encoder": "efficientnet-lite0"},
            },
            {
                "job": "reconstruct",
                "method": "gatys",
                "styles": (),
                "layers": ("relu1_1",),
                "options": {"style_scale": 2},
            },
            {
                "job": "reconstruct",
                "method": "gatys",
                "styles": (),
                "layers": ("relu1_1",),
                "options": {"preset": "paper"},
            },
            {"job": "texture"},
            {"job": "texture", "content": None, "method": "fast"},
            {"job": "texture", "content": None, "method": "gatys", "styles": ()},
            {"job": "reconstruct", "method": "gatys", "styles": ()},
            {"job": "reconstruct", "method": "laplacian", "styles": (), "layers": ("relu1_1",)},
        ],
    )
    def test_what_is_refused(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ImpastoError) as refused:
            check(order(**changes), Limits())
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("name", OURS)
    def test_what_is_not_for_guests(self, name: str) -> None:
        with pytest.raises(OptionError, match=name):
            check(order(method="gatys", options={name: "1"}), Limits())

    def test_statistics_have_a_preset(self) -> None:
        asked = {"job": "reconstruct", "method": "gatys", "styles": (), "layers": ("relu1_1",)}
        assert (
            check(order(**asked, statistics=True, options={"preset": "paper"}), Limits()).options["preset"] == "paper"
        )

    def test_two_scales_of_two_paintings(self) -> None:
        asked = order(method="gatys", styles=("starry-hills", "knife-sea"), options={"mix_scales": True})
        assert check(asked, Limits()).options["mix_scales"]

    @pytest.mark.parametrize(
        ("changes", "fits"),
        [
            ({"options": {"size": 2000, "steps": 375}}, True),  # of 2.67 megapixels
            ({"options": {"size": 2000, "steps": 376}}, False),
            ({"options": {"size": 2230}}, True),
            ({"options": {"size": 2240}}, False),  # the best in 300 steps, where none are named
            ({"options": {"size": 2240, "steps": None, "quality": "good"}}, True),
            ({"options": {"size": None}}, False),
            ({"options": {"size": None, "quality": "draft"}}, True),
            ({"job": "reconstruct", "styles": (), "layers": ("relu1_1",), "options": {"size": 8000}}, False),
            (
                {"job": "reconstruct", "styles": (), "layers": ("relu1_1",), "options": {"size": 8000, "steps": 41}},
                True,
            ),
            ({"job": "texture", "content": None, "size": (2000, 1500)}, True),
            ({"job": "texture", "content": None, "size": (2000, 1700)}, False),
            ({"job": "texture", "content": None}, True),
        ],
    )
    def test_too_much_work(self, changes: dict[str, Any], fits: bool) -> None:
        checked = check(order(method="gatys", **changes), Limits())
        photo = (6000, 4000) if checked.content else (0, 0)
        if fits:
            check_work(checked, photo, Limits())
            return
        with pytest.raises(LimitError, match=r"mend: \d+ steps"):
            check_work(checked, photo, Limits())

    def test_too_long_a_side(self) -> None:
        with pytest.raises(LimitError, match="8192"):
            check(order(options={"size": 9000}), Limits())
        for asked, photo in ((order(), (9000, 10)), (order(job="texture", content=None, size=(9000, 100)), (0, 0))):
            with pytest.raises(LimitError, match="8192"):
                check_work(asked, photo, Limits())

    def test_they_are_checked_without_torch(self) -> None:
        told = "import sys, impasto.studio.app, impasto.studio.orders as o; from impasto.studio.limits import Limits; "
        told += f"o.check(o.Order('stylize', 'gatys', '{PHOTO}', ('starry-hills',), {{}}), Limits()); "
        subprocess.run([sys.executable, "-c", told + "sys.exit('torch' in sys.modules)"], check=True, timeout=120)

    def test_a_stored_order_is_the_same(self) -> None:
        asked = check(order(options={"mask": [MASK], "blend": [2.0]}), Limits()).named("photo-starry-hills")
        assert Order.from_stored(json.loads(json.dumps(asked.to_stored()))) == asked
        assert asked.reads() == [PHOTO, MASK]


class TestPerformed:
    def paint(self, asked: Order, store: Store, **more: Any) -> tuple[Picture, list[str]]:
        seen: list[str] = []
        checked = check(asked, Limits())
        picture = perform(checked, store, on_event=lambda e: seen.append(type(e).__name__), stop=StopSignal(), **more)
        assert json.loads(json.dumps(dict(picture.settings)))["options"] == checked.options
        return picture, seen

    def test_fast(self, store: Store) -> None:
        picture, seen = self.paint(order(), store)
        assert picture.size == (60, 40)
        assert seen[-1] == "Done"
        assert picture.settings["styles"] == ("starry-hills",)

    def test_a_mask_is_a_picture_by_its_id(self, store: Store) -> None:
        picture, _ = self.paint(order(options={"mask": [MASK]}), store)
        photo = open_picture(store, PHOTO)
        assert np.abs(picture.pixels[:, 32:] - photo.pixels[:, 32:]).max() < 0.01
        assert np.abs(picture.pixels[:, :28] - photo.pixels[:, :28]).mean() > 0.03

    def test_an_optimising_method_shows_each_step(self, store: Store) -> None:
        _, seen = self.paint(order(method="gatys", options=QUICK), store)
        assert seen.count("Preview") == seen.count("Progress") == 2

    def test_texture(self, store: Store) -> None:
        asked = order(job="texture", method="gatys", content=None, size=(64, 48), tileable=True)
        with pytest.raises(OptionError, match="pooling"):
            self.paint(replace(asked, options=QUICK), store)
        asked = replace(asked, options={"steps": 2})
        picture, _ = self.paint(asked, store)
        assert picture.size == (64, 48)

    def test_reconstruct(self, store: Store) -> None:
        asked = order(job="reconstruct", method="gatys", styles=(), options=QUICK, layers=("block1",))
        with pytest.raises(OptionError, match="block1"):
            self.paint(asked, store)
        picture, _ = self.paint(order(job="reconstruct", method="gatys", styles=(), layers=("relu1_1",),
                                      options={"size": 48, "steps": 2}), store)  # fmt: skip
        assert picture.size == (48, 32)


def test_built_in_styles_are_square_pictures_of_ours() -> None:
    assert len(built_in()) >= 12
    assert all(min(style.size) >= 512 and style.path.stat().st_size < 200_000 for style in built_in().values())
