"""The page in a real browser: from a drop to a download, cancel, refresh, mask, keyboard, and what axe says."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from . import browser as shared
from .browser import (
    PAGE,
    STYLE,
    WAIT,
    choose,
    downloaded,
    drop,
    order_slow,
    paint,
    photo,
    pick_method,
    shown,
    violations,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page


class TestPainting:
    def test_from_photo_to_download(self, page: Page) -> None:
        paint(page)
        page.click("#keep")
        name, file = downloaded(page)
        assert name == "waves-starry-hills.png"
        with Image.open(file) as picture:
            assert picture.size == (160, 120)
            assert "srgb" in str(picture.info.keys()).lower() or picture.info.get("icc_profile")
        page.wait_for_selector(".card:has-text('waves starry hills')")

    def test_a_dropped_result_brings_its_settings_back(self, page: Page) -> None:
        paint(page)
        page.locator("#option-strength").fill("0.4")
        page.select_option("#option-keep_color", "luminance")
        page.click("#keep")
        result = downloaded(page)[1].read_bytes()
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        page.reload()
        page.wait_for_selector("[data-style]")
        page.set_input_files("#photo-file", {"name": "r.png", "mimeType": "image/png", "buffer": result})
        page.wait_for_selector(".swatch[aria-pressed=true]")
        assert page.input_value("#option-strength") == "0.4"
        assert page.input_value("#option-keep_color") == "luminance"
        assert "waves.png" in page.inner_text("#photo-name")

    def test_sliders_by_keyboard_paint_anew(self, page: Page) -> None:
        paint(page)
        before = shown(page)
        page.focus("#option-strength")
        page.keyboard.press("Home")
        page.wait_for_selector(f"#after:not([src='{before}'])")
        assert page.input_value("#option-strength") == "0"

    def test_blend(self, page: Page) -> None:
        paint(page)
        page.check("#several")
        before = shown(page)
        page.click(".swatch:has-text('Gold mosaic')")
        page.wait_for_selector("#blend-1")
        page.wait_for_selector(f"#after:not([src='{before}'])")
        page.focus("#blend-1")
        page.keyboard.press("End")
        page.click("#keep")
        page.wait_for_selector("#download:not([hidden])")

    def test_before_and_after_by_keyboard(self, page: Page) -> None:
        paint(page)
        handle = page.locator("#handle")
        handle.focus()
        page.keyboard.press("PageUp")
        page.keyboard.press("ArrowRight")
        assert handle.get_attribute("aria-valuenow") == "12"
        page.keyboard.press("End")
        assert handle.get_attribute("aria-valuetext") == "photo 100 percent, painting 0 percent"

    def test_methods_by_keyboard(self, page: Page) -> None:
        paint(page)
        page.focus("#methods > summary")
        page.keyboard.press("Enter")
        page.focus("#method input:checked")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.get_attribute("#methods", "open") is None
        assert "Gatys" in page.inner_text("#method-name")
        assert page.locator(".at-work").count() == 0  # Enter closed the list and began nothing

    def test_what_is_dropped_and_is_no_picture(self, page: Page) -> None:
        page.evaluate("""() => {
            const held = new DataTransfer();
            held.items.add(new File(["words"], "words.txt", { type: "text/plain" }));
            document.body.dispatchEvent(new DragEvent("dragenter", { dataTransfer: held, bubbles: true }));
            const place = document.getElementById("drop-photo");
            place.dispatchEvent(new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
        }""")
        assert "That is no picture" in page.inner_text("#rail-trouble")

    def test_zoom_by_keyboard(self, page: Page) -> None:
        paint(page)
        wide = '() => document.getElementById("frame").getBoundingClientRect().width'
        fitted = page.evaluate(wide)
        page.focus("#wall")
        page.keyboard.press("+")
        assert page.evaluate(wide) == pytest.approx(1.25 * fitted, abs=1)
        page.keyboard.press("1")
        assert page.evaluate(wide) == pytest.approx(160, abs=1)
        assert page.is_checked("[name=zoom][value=full]")
        page.keyboard.press("0")
        assert page.evaluate(wide) == pytest.approx(fitted, abs=1)

    def test_a_pasted_picture_is_the_photo_and_the_next_a_painting(self, page: Page) -> None:
        paste = """(bytes) => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: held, bubbles: true }));
        }"""
        page.evaluate(paste, list(photo()))
        page.wait_for_selector("#photo-thumb:not([hidden])")
        page.evaluate(paste, list(photo()))
        page.wait_for_selector("#keep:not([hidden])")
        assert page.locator(".swatch[aria-pressed=true]:has-text('pasted')").count() == 1
        page.click("#notice button:has-text('Make it the photo')")
        page.wait_for_selector("#notice[hidden]", state="attached")
        page.wait_for_selector(".swatch:has-text('pasted')", state="detached")
        assert page.locator(".swatch[aria-pressed=true]").count() == 0

    def test_a_drop_goes_where_it_was_dropped(self, page: Page) -> None:
        drop(page, "drop-photo", photo())
        page.wait_for_selector("#photo-thumb:not([hidden])")
        drop(page, "drop-painting", photo())
        page.wait_for_selector(".swatch[aria-pressed=true]:has-text('dropped')")
        page.locator(".away[aria-label='Delete dropped.png']").click()
        page.click("dialog.sure button:has-text('Delete')")
        page.wait_for_selector(".swatch:has-text('dropped')", state="detached")

    def test_an_error_stands_where_it_belongs(self, page: Page) -> None:
        paint(page)
        page.fill("#option-size", "9000")
        page.locator("#option-size").blur()
        page.click("#keep")
        page.wait_for_selector("#form-trouble:not([hidden])")
        assert "8192" in page.inner_text("#form-trouble")
        page.fill("#option-size", "128")
        page.locator("#option-size").blur()
        page.wait_for_selector("#form-trouble", state="hidden")
        page.context.clear_cookies()

    def test_what_is_no_picture(self, page: Page) -> None:
        page.set_input_files("#photo-file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
        page.wait_for_selector("#rail-trouble:not([hidden])")
        assert "not a picture" in page.inner_text("#rail-trouble")
        page.click(f".swatch:has-text('{STYLE}')")
        assert page.is_hidden("#rail-trouble")

    def test_what_is_too_large_is_not_sent(self, page: Page) -> None:
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        page.set_input_files("#photo-file", {"name": "a.png", "mimeType": "image/png", "buffer": b"0" * 25_100_000})
        page.wait_for_selector("#rail-trouble:has-text('the picture has 25.1 MB; mend: at most 25.0 MB')")
        assert "POST" not in sent
        assert page.is_hidden("#upload-part")


class TestJobs:
    def test_refresh_in_mid_job_and_cancel(self, page: Page) -> None:
        paint(page)
        order_slow(page)
        page.wait_for_selector("#progress-text:has-text('Step')")
        page.reload()
        page.wait_for_selector("#progress-text:has-text('Step')")
        page.wait_for_selector("#after:not([hidden])")
        page.wait_for_selector("#curve:not([hidden])")
        page.click("#cancel")
        assert "Stopping" in page.inner_text("#progress-text")
        page.wait_for_selector("#work[hidden]", state="attached")
        page.wait_for_selector(".card:has-text('stopped')")
        page.wait_for_selector("#download:not([hidden])")

    def test_a_second_tab_sees_the_job(self, page: Page, address: str) -> None:
        paint(page)
        order_slow(page, steps=60)
        other = page.context.new_page()
        other.goto(address)
        other.wait_for_selector(".at-work .card")
        other.click(".at-work .card")
        other.wait_for_selector("#work:not([hidden])")
        other.click("#cancel")
        page.wait_for_selector("#work[hidden]", state="attached")

    def test_deleted_from_the_history(self, page: Page) -> None:
        paint(page)
        page.click("#keep")
        page.wait_for_selector("#download:not([hidden])")
        cards = page.locator("#history li")
        count = cards.count()
        page.locator("#history .away").first.click()
        page.click("dialog.sure button:has-text('Delete')")
        page.wait_for_selector(f"#history li:nth-child({count})", state="detached")


class TestMask:
    def test_a_brushed_mask_reaches_the_job(self, page: Page) -> None:
        paint(page)
        page.click("#mask-open")
        canvas = page.locator("#canvas")
        box: Any = canvas.bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2, steps=4)
        page.mouse.up()
        page.click("#mask-use")
        page.wait_for_selector("#mask-state:not([hidden])")
        with page.expect_request("**/api/jobs") as sent:
            page.click("#keep")
        mask = sent.value.post_data_json["options"]["mask"]
        page.wait_for_selector("#download:not([hidden])")
        kept = page.evaluate("async (id) => (await fetch(`/api/pictures/${id}`)).json()", mask[0])
        assert (kept["kind"], kept["width"], kept["height"]) == ("mask", 160, 120)

    def test_by_keyboard(self, page: Page) -> None:
        paint(page)
        page.click("#mask-open")
        page.focus("#canvas")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Space")
        page.click("#mask-use")
        page.wait_for_selector("#mask-state:not([hidden])")

    def test_a_slider_does_not_cost_what_is_brushed(self, page: Page) -> None:
        paint(page)
        page.click("#mask-open")
        page.focus("#canvas")
        page.keyboard.press("Space")
        before = shown(page)
        page.focus("#option-strength")
        page.keyboard.press("Home")
        assert page.is_visible("#canvas")
        page.click("#mask-use")
        page.wait_for_selector("#mask-state:not([hidden])")
        page.wait_for_selector(f"#after:not([src='{before}'])")


class TestPicturesOfOptions:
    def test_a_job_begins_with_a_picture_of_ones_own(self, page: Page) -> None:
        paint(page)
        pick_method(page, "gatys")
        page.fill("#option-size", "64")
        page.locator("#more summary").click()
        page.fill("#option-steps", "2")
        page.select_option("#option-init", "own")
        page.set_input_files("#option-init-file", {"name": "i.png", "mimeType": "image/png", "buffer": photo()})
        page.wait_for_selector("img[alt='the first picture']")
        with page.expect_request("**/api/jobs") as sent:
            page.click("#start")
        assert re.fullmatch("[0-9a-f]{32}", sent.value.post_data_json["options"]["init"])
        page.wait_for_selector("#download:not([hidden])")

    def test_maps_of_what_is_where(self, page: Page) -> None:
        paint(page)
        pick_method(page, "gatys")
        page.fill("#option-size", "64")
        page.locator("#more summary").click()
        page.fill("#option-steps", "2")
        for n in (1, 2):
            page.set_input_files("#option-semantic-file", {"name": "m.png", "mimeType": "image/png", "buffer": photo()})
            page.wait_for_selector(f"#rest img[alt='picture {n}']")
        with page.expect_request("**/api/jobs") as sent:
            page.click("#start")
        assert len(sent.value.post_data_json["options"]["semantic"]) == 2
        page.wait_for_selector("#download:not([hidden])")


class TestModes:
    def test_what_is_clicked_before_the_paintings_are_there_counts(self, browser: Browser, address: str) -> None:
        context = browser.new_context()
        context.set_default_timeout(WAIT)
        page = context.new_page()
        waiting: list[Any] = []
        page.route("**/api/styles", lambda route: waiting.append(route))
        page.goto(address)
        page.wait_for_selector("#modes:not([disabled])")
        page.check("[name=mode][value=texture]", force=True)
        page.wait_for_selector("#width", state="visible")
        waiting.pop().continue_()
        page.wait_for_selector(".swatch[data-style]")
        assert page.is_checked("[name=mode][value=texture]")
        assert page.is_visible("#width")
        context.close()

    def test_texture_laid_two_by_two(self, page: Page) -> None:
        pick_method(page, "gatys")
        page.select_option("#option-keep_color", "luminance")  # which means nothing to a texture
        page.check("[name=mode][value=texture]", force=True)
        assert page.locator("#option-keep_color").count() == 0
        page.click(f".swatch:has-text('{STYLE}')")
        for name in ("width", "height"):
            page.fill(f"#{name}", "64")
        page.locator("#more summary").click()
        page.fill("#option-steps", "2")
        page.locator("#option-steps").blur()
        page.click("#start")
        page.wait_for_selector("#tile-part:not([hidden])")
        page.check("#tile")
        assert page.is_visible("#tiles")

    def test_inside_a_layer(self, page: Page) -> None:
        choose(page)
        page.check("[name=mode][value=reconstruct]", force=True)
        page.check("[name=layer][value=relu1_1]", force=True)
        page.fill("#option-size", "64")
        page.locator("#more summary").click()
        page.fill("#option-steps", "2")
        page.locator("#option-steps").blur()
        page.click("#start")
        page.wait_for_selector("#download:not([hidden])")


class TestForEverybody:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_axe_finds_nothing(self, page: Page, theme: str) -> None:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        views = [lambda: None, lambda: paint(page), lambda: page.click("#mask-open")]
        for view in views:
            view()
            assert violations(page) == ""

    @pytest.mark.parametrize("width", [360, 390, 800, 1024, 1920])
    def test_nothing_is_wider_than_the_window(self, page: Page, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 900})
        paint(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width

    def test_weight(self) -> None:
        pictures = (".jpg", ".png", ".webp")
        assert sum(f.stat().st_size for f in PAGE.iterdir() if f.suffix not in pictures) <= 250_000

    def test_a_server_that_comes_and_goes(self, page: Page) -> None:
        with contextlib.suppress(AssertionError):
            page.context.set_offline(True)
        page.wait_for_selector("#trouble:not([hidden])")
        page.context.set_offline(False)
        page.wait_for_selector("#trouble[hidden]", state="attached")
