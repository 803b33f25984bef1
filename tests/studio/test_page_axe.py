"""What axe says of the page in every state that visitors see, light and dark, narrow and wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import browser as shared
from .browser import file, order_slow, paint, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

DRAG = """() => {
    const held = new DataTransfer();
    held.items.add(new File(["x"], "x.png", { type: "image/png" }));
    for (const place of [document.body, document.getElementById("drop-photo")]) {
        place.dispatchEvent(new DragEvent("dragenter", { dataTransfer: held, bubbles: true }));
    }
}"""


@pytest.fixture(params=[(width, theme) for width in (390, 1280) for theme in ("light", "dark")], ids=str)
def seen(page: Page, request: pytest.FixtureRequest) -> Page:
    """The page as wide as a telephone or a desk, in the colours of day and night."""
    width, theme = request.param
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 844})
    return page


def test_a_job_at_work_and_cards_in_the_history(seen: Page) -> None:
    paint(seen)
    seen.click("#keep")
    seen.wait_for_selector("#download:not([hidden])")
    assert violations(seen) == ""
    order_slow(seen)
    seen.wait_for_selector("#progress-text:has-text('Step')")
    seen.wait_for_selector("#curve:not([hidden])")
    seen.wait_for_selector(".at-work .card")
    assert violations(seen) == ""
    seen.click("#cancel")
    assert violations(seen) == ""
    seen.wait_for_selector("#download:not([hidden])")
    assert violations(seen) == ""


def test_two_paintings_and_what_is_told_of_troubles(seen: Page) -> None:
    paint(seen)
    seen.check("#several")
    seen.click(".swatch:has-text('Gold mosaic')")
    seen.wait_for_selector("#blend-1")
    assert violations(seen) == ""
    seen.set_input_files("#style-file", file("a.png", b"no picture"))
    seen.wait_for_selector("#rail-trouble:not([hidden])")
    busy = {"Retry-After": "60"}
    seen.route(
        "**/api/jobs", lambda route: route.fulfill(status=429, json={"error": "the queue is full"}, headers=busy)
    )
    seen.click("#keep")
    seen.wait_for_selector("#give-up")
    assert violations(seen) == ""
    seen.click("#give-up")
    seen.route("**/api/fast", lambda route: route.fulfill(status=422, json={"error": "that does not fit"}))
    seen.focus("#option-strength")
    seen.keyboard.press("Home")
    seen.wait_for_selector("#stage-trouble:not([hidden])")
    assert violations(seen) == ""


def test_while_a_file_is_dragged_over_it(seen: Page) -> None:
    seen.evaluate(DRAG)
    assert seen.is_visible("#drops .over")
    assert violations(seen) == ""
