"""What the page does while it waits: for a place, for a line that broke, for finer pictures, for a job to stop."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from . import browser as shared
from .browser import STYLE, choose, order_slow, paint, photo, shown

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

ORDERS, KEY = "**/api/jobs", "idempotency-key"


def count(page: Page) -> int:
    return len(page.request.get(f"{page.url}api/jobs?limit=500").json())


class TestTheLineBreaks:
    def test_after_an_order_was_sent_and_there_is_one_job(self, page: Page) -> None:
        paint(page)
        before, keys = count(page), []

        def broken(route: Route) -> None:
            keys.append(route.request.headers[KEY])
            if len(keys) > 1:
                return route.continue_()
            route.fetch()  # the order arrives, the answer does not
            return route.abort()

        page.route(ORDERS, broken)
        page.click("#keep")
        page.wait_for_selector("#form-trouble:has-text('does not answer')")
        page.wait_for_selector("#download:not([hidden])")
        assert len(keys) == 2
        assert keys[0] == keys[1]
        assert count(page) == before + 1

    def test_and_another_click_asks_for_the_same_job(self, page: Page) -> None:
        paint(page)
        keys: list[str] = []

        def broken(route: Route) -> None:
            keys.append(route.request.headers[KEY])
            route.abort()

        page.route(ORDERS, broken)
        page.click("#keep")
        page.click("#give-up")
        page.wait_for_selector("#keep:enabled")
        page.click("#keep")
        page.click("#give-up")
        page.wait_for_selector("#keep:enabled")
        assert len(set(keys)) == 1
        page.unroute(ORDERS)
        page.focus("#option-strength")
        page.keyboard.press("Home")
        with page.expect_request(ORDERS) as sent:
            page.click("#keep")
        assert sent.value.headers[KEY] not in keys  # another wish is another job

    def test_while_a_picture_was_on_it_and_it_is_to_be_given_again(self, page: Page) -> None:
        page.route("**/api/pictures", lambda route: route.abort())
        page.set_input_files("#photo-file", {"name": "a.png", "mimeType": "image/png", "buffer": photo()})
        page.wait_for_selector("#rail-trouble:has-text('did not arrive')")
        page.unroute_all()


class TestTwoPhotos:
    def test_the_one_that_was_chosen_last_stays_when_it_comes_first(self, page: Page) -> None:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route) if not held else route.continue_()

        page.route("**/api/pictures", hold)
        for name in ("first.png", "last.png"):
            page.set_input_files("#photo-file", {"name": name, "mimeType": "image/png", "buffer": photo()})
        page.wait_for_function("() => document.getElementById('photo-name').textContent.startsWith('last.png')")
        assert page.is_visible("#upload-part")
        held[0].continue_()
        page.wait_for_selector("#upload-part", state="hidden")
        page.wait_for_timeout(300)
        assert page.text_content("#photo-name") == "last.png, 160 by 120 pixels"


class TestABusyStudio:
    def test_nobody_has_to_wait(self, page: Page) -> None:
        paint(page)
        tries: list[Route] = []

        def busy(route: Route) -> None:
            tries.append(route)
            route.fulfill(status=429, json={"error": "the queue is full"}, headers={"Retry-After": "60"})

        page.route(ORDERS, busy)
        page.focus("#keep")
        page.keyboard.press("Enter")
        page.wait_for_selector("#form-trouble:has-text('the queue is full')")
        page.wait_for_function("() => document.activeElement.id === 'give-up'")
        page.keyboard.press("Enter")
        page.wait_for_selector("#give-up", state="hidden")
        assert page.is_hidden("#form-trouble")
        assert page.is_enabled("#keep")
        assert page.evaluate("() => document.activeElement.id") == "keep"
        page.wait_for_timeout(300)
        assert len(tries) == 1


class TestTheFinerPicture:
    @pytest.mark.parametrize(("seconds", "sizes"), [(0.0, [512, 1024]), (0.9, [512])])
    def test_only_after_a_quick_one_and_what_is_shown_stays(self, page: Page, seconds: float, sizes: list[int]) -> None:
        file, asked = io.BytesIO(), []
        Image.new("RGB", (512, 384), "teal").save(file, "jpeg")

        def answer(route: Route) -> None:
            told: Any = route.request.post_data_json
            asked.append(told["options"]["size"])
            if asked[-1] > 512:
                return route.fulfill(status=422, json={"error": "it takes too long"})
            time.sleep(seconds)
            return route.fulfill(body=file.getvalue(), content_type="image/jpeg")

        page.route("**/api/fast", answer)
        choose(page, size=(1200, 900))
        page.click(f".swatch:has-text('{STYLE}')")
        page.wait_for_selector("#keep:not([hidden])")
        before = shown(page)
        page.wait_for_timeout(2500)
        assert asked == sizes
        assert shown(page) == before
        assert page.is_visible("#after")
        assert page.is_visible("#keep")
        assert page.is_hidden("#stage-trouble")

    def test_a_tiny_photo_does_not_make_the_next_one_small(self, page: Page) -> None:
        file, asked = io.BytesIO(), []
        Image.new("RGB", (64, 48), "teal").save(file, "jpeg")

        def answer(route: Route) -> None:
            told: Any = route.request.post_data_json
            asked.append(told["options"]["size"])
            time.sleep(0.1)
            route.fulfill(body=file.getvalue(), content_type="image/jpeg")

        page.route("**/api/fast", answer)
        choose(page, size=(64, 48))
        for style in (STYLE, "Gold mosaic", "Knife sea"):
            before = page.get_attribute("#after", "src") or ""
            page.click(f".swatch:has-text('{style}')")
            page.wait_for_selector(f"#after[src]:not([src='{before}'])")
        page.set_input_files("#photo-file", {"name": "b.png", "mimeType": "image/png", "buffer": photo((512, 384))})
        page.wait_for_selector("#before[alt='The photo b.png']", state="attached")
        assert asked == [64, 64, 64, 512]


class TestStopping:
    def test_nothing_is_promised_before_the_first_step(self, page: Page) -> None:
        paint(page)
        page.route("**/events", lambda route: None)  # no step is heard of
        order_slow(page)
        page.click("#cancel")
        assert "nothing is painted yet" in page.inner_text("#progress-text")
        page.unroute_all(behavior="ignoreErrors")

    def test_what_is_painted_is_kept_after_it(self, page: Page) -> None:
        paint(page)
        order_slow(page)
        page.wait_for_selector("#progress-text:has-text('Step')")
        page.click("#cancel")
        assert "painted so far is kept" in page.inner_text("#progress-text")
        page.wait_for_selector("#download:not([hidden])")

    def test_a_texture_that_has_nothing_to_show_yet_can_be_stopped(self, page: Page) -> None:
        page.route("**/events", lambda route: None)
        page.locator("[name=mode][value=texture]").check(force=True)
        page.click(f".swatch:has-text('{STYLE}')")
        page.click("#start")
        page.wait_for_selector("#work:not([hidden])")
        page.wait_for_timeout(500)
        assert page.is_visible("#progress-text")
        assert page.is_hidden("#empty")
        assert page.is_hidden("#zoom")
        page.click("#cancel")
        page.unroute_all(behavior="ignoreErrors")
        page.reload()
        page.wait_for_selector("#line:has-text('Stopped')")
        assert f"Texture of {STYLE}" in page.inner_text("#title")
        faint = page.wait_for_selector(".card[aria-current=true] img.faint")
        assert faint is not None
        assert str(faint.get_attribute("src")).startswith("/api/styles/starry-hills")


class TestHistory:
    def test_older_ones_stay_when_a_new_one_comes(self, page: Page) -> None:
        def job(n: int) -> dict[str, Any]:
            told = {"job": "stylize", "method": "fast", "state": "done", "step": 0, "steps": 0, "seconds": 1.0}
            told |= {"content": None, "styles": [STYLE]}
            return {
                **told,
                "id": f"{n:032x}",
                "created": float(n),
                "label": f"job {n}",
                "preview": None,
                "result": None,
            }

        jobs = [job(n) for n in range(1, 61)]

        def answer(route: Route) -> None:
            words = dict(part.split("=") for part in route.request.url.partition("?")[2].split("&"))
            found = [one for one in reversed(jobs) if one["created"] < float(words.get("before", "1e9"))]
            route.fulfill(json=found[: int(words["limit"])])

        page.route("**/api/jobs?*", answer)
        page.reload()
        page.wait_for_selector(".card >> nth=23")
        page.click("#older")
        page.wait_for_selector(".card >> nth=47")
        for n in (61, 62):
            jobs.append(job(n))
            page.evaluate("() => dispatchEvent(new Event('online'))")
            page.wait_for_selector(f"[data-key='open-{n:032x}']")
        names = page.locator(".card-name").all_inner_texts()
        assert names == [f"job {n}" for n in range(62, 12, -1)]
