"""What visitors delete of their own, and that they are asked before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import browser as shared
from .browser import choose, file, kept, paint, photo, pick_method, violations

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

FOCUS = "() => document.activeElement.textContent"


def status(page: Page, picture: str) -> int:
    return page.request.get(f"{page.url}api/pictures/{picture}").status


def masked(page: Page) -> str:
    """A brushed mask; its id."""
    page.click("#mask-open")
    page.focus("#canvas")
    page.keyboard.press("Space")
    page.click("#mask-use")
    page.wait_for_selector("#mask-state:not([hidden])")
    return str(kept(page)["mask"]["id"])


class TestThePhoto:
    def test_by_keyboard_and_only_when_it_is_meant(self, page: Page) -> None:
        choose(page)
        identity = kept(page)["photo"]["id"]
        for key in ("Escape", "Enter"):  # the button that keeps it has the focus
            page.focus("#photo-away")
            page.keyboard.press("Enter")
            page.wait_for_selector("dialog.sure")
            assert page.evaluate(FOCUS) == "Keep it"
            page.keyboard.press(key)
            page.wait_for_selector("dialog.sure", state="detached")
            assert page.evaluate("() => document.activeElement.id") == "photo-away"
        assert status(page, identity) == 200
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS) == "Delete"
        page.keyboard.press("Enter")
        page.wait_for_selector("#photo-thumb", state="hidden")
        assert status(page, identity) == 404
        assert kept(page)["photo"] is None


class TestAllOfThem:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_each_kind_can_be_deleted(self, page: Page, theme: str) -> None:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": 390, "height": 844})
        paint(page)
        page.set_input_files("#style-file", file("own.png", photo()))
        page.wait_for_selector(".swatch[aria-pressed=true]:has-text('own')")
        ids = {"mask": masked(page), "photo": kept(page)["photo"]["id"], "painting": kept(page)["styles"][0]["id"]}
        page.focus("#pictures-open")
        page.keyboard.press("Enter")
        for kind, identity in ids.items():
            page.locator(f"#pictures-list button[aria-label^='Delete the {kind}']").first.click()
            page.wait_for_selector("dialog.sure")
            assert violations(page) == ""
            page.click("dialog.sure button:has-text('Delete')")
            page.wait_for_selector("dialog.sure", state="detached")
            page.wait_for_function("() => document.activeElement.id === 'pictures-close'")
            assert status(page, identity) == 404
        page.keyboard.press("Escape")
        assert page.is_hidden("#pictures")
        assert page.is_hidden("#mask-state")
        assert page.locator(".swatch:has-text('own')").count() == 0

    def test_what_a_job_needs_stays_and_is_told(self, page: Page) -> None:
        choose(page)
        page.route(
            "**/api/pictures/*", lambda route: route.fulfill(status=409, json={"error": "a job needs this picture"})
        )
        page.click("#pictures-open")
        page.locator("#pictures-list button").first.click()
        page.click("dialog.sure button:has-text('Delete')")
        page.wait_for_selector("#pictures-trouble:has-text('a job needs')")
        assert page.is_visible("#pictures")


class TestElsewhere:
    """What another tab has deleted or brought."""

    def test_a_painting_deleted_elsewhere_is_chosen_no_longer(self, page: Page) -> None:
        paint(page)
        page.set_input_files("#style-file", file("own.png", photo()))
        page.wait_for_selector(".swatch[aria-pressed=true]:has-text('own')")
        assert page.request.delete(f"{page.url}api/pictures/{kept(page)['styles'][0]['id']}").status == 204
        page.focus("#option-strength")
        page.keyboard.press("Home")
        page.wait_for_selector("#notice:has-text('No longer here: the painting; choose again.')")
        page.wait_for_selector(".swatch:has-text('own')", state="detached")
        assert kept(page)["styles"] == []
        assert page.is_hidden("#stage-trouble")

    def test_a_photo_deleted_elsewhere_is_chosen_no_longer(self, page: Page) -> None:
        paint(page)
        assert page.request.delete(f"{page.url}api/pictures/{kept(page)['photo']['id']}").status == 204
        pick_method(page, "gatys")
        page.click("#start")
        page.wait_for_selector("#notice:has-text('No longer here: the photo; choose again.')")
        assert page.is_visible("#choose-photo")
        assert page.is_hidden("#form-trouble")

    def test_whoever_comes_back_to_a_tab_finds_what_another_brought(self, page: Page) -> None:
        with page.expect_request("**/api/styles"):
            got = page.request.post(
                f"{page.url}api/pictures", multipart={"file": file("brought.png", photo()), "kind": "style"}
            )
            assert got.status == 201, got.text()
            page.evaluate("() => dispatchEvent(new Event('focus'))")
        page.wait_for_selector(".swatch:has-text('brought')")
