"""What the page keeps and brings back: damaged settings, and what of an earlier result is no longer here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from . import browser as shared
from .browser import STYLE, WAIT, bearing, choose, file, kept, paint, photo, pick_method

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

GONE = "0" * 32
KEEP = "(told) => { for (const one of [sessionStorage, localStorage]) one.setItem('impasto-studio', told); }"


def give(page: Page, settings: dict[str, Any]) -> str:
    """Brings a picture that says how it was painted; what the page says of it."""
    page.set_input_files("#photo-file", file("r.png", bearing(settings)))
    page.wait_for_selector("#notice:has-text('settings')")
    return page.inner_text("#notice p")


def upload(page: Page, kind: str) -> str:
    origin = page.url.rstrip("/")
    told = page.request.post(
        f"{origin}/api/pictures", multipart={"kind": kind, "file": file("p.png", photo())}, headers={"Origin": origin}
    )
    return str(told.json()["id"])


class TestCraftedSettings:
    @pytest.mark.parametrize("options", [{"style_layers": 5}, {"semantic": 5}, {"steps": "x", "strength": [2]}])
    def test_in_a_picture(self, page: Page, options: dict[str, Any]) -> None:
        told = give(page, {"method": "gatys", "options": {**options, "quality": "draft"}})
        assert "Left out, as it does not fit here" in told
        assert kept(page)["options"]["gatys"] == {"quality": "draft"}
        page.reload()
        page.wait_for_selector(".swatch[data-style]")
        assert "Gatys" in page.inner_text("#method-name")

    @pytest.mark.parametrize(
        "told",
        [
            {"method": "gatys", "options": {"gatys": {"style_layers": 5, "semantic": 5, "quality": "draft"}}},
            {
                "photo": 5,
                "styles": {"a": 1},
                "options": [],
                "texture": {"width": "x"},
                "mask": {},
                "job": 3,
                "mode": "x",
            },
            {"photo": {"id": 5}, "styles": [None], "layers": 5, "options": {"gatys": 5}},
        ],
    )
    def test_among_what_is_kept(self, page: Page, told: Any) -> None:
        page.evaluate(KEEP, json.dumps(told))
        page.reload()
        page.wait_for_selector("#notice:has-text('does not fit and is left out')")
        assert page.locator("#options .field").count() > 0
        page.reload()
        page.wait_for_selector(".swatch[data-style]")
        paint(page) if told.get("method") != "gatys" else choose(page)
        assert page.is_hidden("#notice")  # it was left out for good

    def test_its_own_faults_are_no_reason_to_begin_anew(self, browser: Browser, address: str) -> None:
        context = browser.new_context()
        context.set_default_timeout(WAIT)
        page = context.new_page()
        loads: list[str] = []
        page.on("framenavigated", lambda frame: loads.append(frame.url))
        page.route("**/api/methods", lambda route: route.fulfill(json={}))
        page.goto(address)
        page.wait_for_selector("#notice button:has-text('Forget the settings')")
        page.wait_for_timeout(1500)
        assert len(loads) == 1
        page.unroute("**/api/methods")
        page.click("#notice button:has-text('Forget the settings')")
        page.wait_for_selector(".swatch[data-style]")
        context.close()


class TestWhatIsNotBack:
    def test_every_picture_that_is_gone_is_named(self, page: Page) -> None:
        options = {"mask": [GONE], "style_mask": [GONE], "semantic": [GONE, GONE], "init": GONE, "strength": 0.4}
        told = give(page, {"method": "gatys", "content": GONE, "styles": [GONE, "starry-hills"], "options": options})
        for name in ("photo", "1 of its paintings", "its mask", "masks of its paintings", "maps", "it begins with"):
            assert name in told
        assert kept(page)["options"]["gatys"] == {"strength": 0.4}

    def test_what_is_here_is_back_and_not_named(self, page: Page) -> None:
        mask = upload(page, "mask")
        options = {"mask": [mask], "style_mask": [mask], "init": mask}
        order = {"method": "gatys", "content": upload(page, "photo"), "styles": ["starry-hills"], "options": options}
        assert give(page, order) == "The settings of that picture are back."
        assert kept(page)["mask"]["id"] == mask
        assert kept(page)["options"]["gatys"] == {"style_mask": [mask], "init": mask}
        order["options"] = {"mask": [mask, mask]}
        assert "its other masks" in give(page, order)

    def test_the_painting_that_is_chosen_is_in_sight(self, page: Page) -> None:
        last = page.locator("#gallery [data-style]").last
        last.click()
        page.reload()
        page.wait_for_selector(".swatch[aria-pressed=true]")
        row, inside = page.locator("#gallery").bounding_box(), last.bounding_box()
        assert row is not None
        assert inside is not None
        assert row["x"] <= inside["x"] <= row["x"] + row["width"] - inside["width"] / 2
        assert page.evaluate("() => scrollY") == 0

    def test_in_the_history_too(self, page: Page) -> None:
        paint(page)
        page.click("#keep")
        page.wait_for_selector("#download:not([hidden])")
        photo = kept(page)["photo"]["id"]
        pick_method(page, "gatys")
        origin = page.url.rstrip("/")
        page.request.delete(f"{origin}/api/pictures/{photo}", headers={"Origin": origin})
        page.locator(".card", has_text="waves starry hills").first.click()
        page.wait_for_selector("#notice:has-text('No longer here: its photo')")
        assert page.locator(f".swatch[aria-pressed=true]:has-text('{STYLE}')").count() == 1
