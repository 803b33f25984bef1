"""The page on a telephone: what is painted stays in sight of the sliders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import browser as shared
from .browser import paint, shown, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

WIDE = "() => document.documentElement.scrollWidth"
TOP = """(selector) => {
    const box = document.querySelector(selector).getBoundingClientRect();
    const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return [box.top, box.bottom, hit === document.querySelector(selector)];
}"""


class TestPicture:
    @pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640), (820, 1180)])
    def test_it_is_in_sight_of_every_slider(self, page: Page, width: int, height: int) -> None:
        page.set_viewport_size({"width": width, "height": height})
        paint(page)
        for slider in ("strength", "style_scale"):
            before = shown(page)
            page.focus(f"#option-{slider}")
            page.keyboard.press("Home")
            page.wait_for_selector(f"#after:not([src='{before}'])")
            picture: Any = page.locator("#after").bounding_box()
            assert picture["y"] >= 0
            assert picture["height"] <= 0.45 * height
            top, bottom, reached = page.evaluate(TOP, f"#option-{slider}")
            assert picture["y"] + picture["height"] <= top < bottom <= height
            assert reached  # it is not behind the picture
        assert page.evaluate(WIDE) <= width
        assert violations(page) == ""

    def test_the_history_covers_it(self, page: Page) -> None:
        page.set_viewport_size({"width": 390, "height": 844})
        paint(page)
        page.click("#keep")
        page.wait_for_selector("#download:not([hidden])")
        page.locator(".card").first.click()
        page.wait_for_function("() => scrollY === 0")
        assert page.evaluate("() => document.activeElement.id") == "wall"

    def test_a_low_window_keeps_its_room(self, page: Page) -> None:
        page.set_viewport_size({"width": 844, "height": 390})
        paint(page)
        assert page.evaluate("() => getComputedStyle(document.getElementById('wall')).position") == "relative"
        assert page.evaluate(WIDE) <= 844


class TestMask:
    def test_what_is_brushed_survives_a_refresh(self, page: Page) -> None:
        paint(page)
        page.click("#mask-open")
        page.focus("#canvas")
        page.keyboard.press("Space")
        painted = "() => document.getElementById('canvas').toDataURL()"
        before = page.evaluate(painted)
        page.reload()
        page.wait_for_selector("#canvas")
        assert page.evaluate(painted) == before
        page.click("#mask-use")
        page.wait_for_selector("#mask-state:not([hidden])")
        page.reload()
        page.wait_for_selector("#keep:not([hidden])")
        assert page.locator("#canvas").count() == 0
