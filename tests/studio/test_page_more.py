"""The page when things go wrong, after a restart, in few clicks, and in every corner of its settings."""

from __future__ import annotations

import io
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from impasto.studio.jobs.database import Database
from impasto.studio.limits import Limits
from impasto.studio.room import Room

from . import browser as shared
from .browser import (
    STYLE,
    bearing,
    downloaded,
    drop,
    kept,
    order_slow,
    paint,
    photo,
    pick_method,
    studio,
    violations,
    visit,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = shared.MARKS
address, browser, page = shared.address, shared.browser, shared.page

STAYS = "Your pictures stay on the machine that runs this studio; it sends them nowhere."
APART = """() => {
    const [photo, painting] = ["before", "after"].map((id) => {
        const sheet = new OffscreenCanvas(64, 64).getContext("2d");
        sheet.drawImage(document.getElementById(id), 0, 0, 64, 64);
        return sheet.getImageData(0, 0, 64, 64).data;
    });
    return photo.reduce((sum, value, n) => sum + Math.abs(value - painting[n]), 0) / photo.length;
}"""
COUNT = """() => {
    window.acts = [];
    for (const kind of ["pointerdown", "keydown", "drop", "paste"]) addEventListener(kind, () => acts.push(kind), true);
}"""


class TestFewClicks:
    def test_two_clicks_from_an_empty_page_to_a_painting(self, page: Page) -> None:
        page.evaluate(COUNT)
        page.click("#example")
        page.click(f".swatch:has-text('{STYLE}')")
        page.wait_for_selector("#after:not([hidden])")
        assert page.evaluate("acts") == ["pointerdown", "pointerdown"]
        assert "painted at once" in page.inner_text("#line")
        assert page.evaluate(APART) > 4

    def test_from_a_drop_to_the_finished_file(self, page: Page) -> None:
        drop(page, "drop-photo", photo())
        page.click(f".swatch:has-text('{STYLE}')")
        page.click("#keep")
        name, file = downloaded(page)
        assert name == "dropped-starry-hills.png"
        with Image.open(file) as painted, Image.open(io.BytesIO(photo())) as before:
            assert (painted.format, painted.size) == ("PNG", before.size)
            assert np.abs(np.asarray(painted.convert("RGB"), float) - np.asarray(before, float)).mean() > 10


class TestRestart:
    def test_what_was_painted_is_there_afterwards(self, browser: Browser, tmp_path: Path) -> None:
        with ExitStack() as until_the_end:
            with studio(tmp_path) as address:
                page = until_the_end.enter_context(visit(browser, address))
                paint(page)
                page.click("#keep")
                page.wait_for_selector("#download:not([hidden])")
                url = f"{address.rstrip('/')}{page.get_attribute('#after', 'src')}"
                before = page.request.get(url).body()
            port = int(address.rstrip("/").rpartition(":")[2])
            assert until_the_end.enter_context(studio(tmp_path, port=port)) == address
            page.reload()
            page.click(".card:has-text('waves starry hills')")
            page.wait_for_selector(f"#after[src='{url.removeprefix(address.rstrip('/'))}']:not([hidden])")
            assert page.evaluate("() => document.querySelector('.card img').naturalWidth") > 0
            assert page.request.get(url).body() == before  # from the server: a browser may have kept it


class TestWhatGoesWrong:
    def test_a_stop_that_does_not_arrive_can_be_pressed_again(self, page: Page) -> None:
        paint(page)
        order_slow(page)
        page.wait_for_selector("#progress-text:has-text('Step')")
        page.route("**/cancel", lambda route: route.abort())
        page.click("#cancel")
        page.wait_for_selector("#stage-trouble:not([hidden])")
        assert page.is_enabled("#cancel")
        page.unroute("**/cancel")
        page.click("#cancel")
        assert page.is_hidden("#stage-trouble")
        page.wait_for_selector("#work[hidden]", state="attached")
        page.wait_for_selector(".card:has-text('stopped')")

    def test_a_mask_that_is_gone_begins_empty(self, page: Page) -> None:
        paint(page)
        page.click("#mask-open")
        page.focus("#canvas")
        page.keyboard.press("Space")
        page.click("#mask-use")
        page.wait_for_selector("#mask-state:not([hidden])")
        pick_method(page, "gatys")  # which reads the mask only when it paints
        page.reload()
        page.wait_for_selector("#mask-open", state="visible")
        page.route(f"**/api/pictures/{kept(page)['mask']['id']}/file", lambda route: route.fulfill(status=404))
        page.click("#mask-open")
        page.wait_for_selector("#mask-trouble:not([hidden])")
        assert "begins empty" in page.inner_text("#mask-trouble")
        page.click("#mask-cancel")
        page.wait_for_selector("#canvas", state="detached")
        page.click("#mask-open")
        page.focus("#canvas")
        page.keyboard.press("Space")
        page.click("#mask-use")
        page.wait_for_selector("#canvas", state="detached")

    @pytest.mark.parametrize("method", ["constructor", "gatys"])
    def test_names_that_every_object_has(self, page: Page, method: str) -> None:
        data = bearing({"method": method, "options": {"strength": 0.4, "constructor": "x", "toString": "x"}})
        page.set_input_files("#photo-file", {"name": "r.png", "mimeType": "image/png", "buffer": data})
        page.wait_for_selector("#notice:has-text('settings are back')")
        now = kept(page)
        known = method == "gatys"
        assert now["method"] == (method if known else "fast")
        assert now["options"][method] == ({"strength": 0.4} if known else {})
        assert page.locator("#options .field").count() > 0


class TestWherePicturesAre:
    def test_the_page_promises_what_is_so(self, browser: Browser, page: Page, address: str, tmp_path: Path) -> None:
        for place in ("#promise", "#privacy"):
            page.wait_for_selector(f"{place}:has-text('{STAYS}')")
            assert "deleted after 30 days, the oldest sooner when there are more than 10 GB." in page.inner_text(place)
            assert "this machine" not in page.inner_text(place)  # it may be at the other end of a tunnel
        assert page.request.get(f"{address}api/limits").json()["local"] is True
        elsewhere = studio(tmp_path, "--store", "memory://impasto")
        with elsewhere as other_address, visit(browser, other_address) as other:
            for place in ("#promise", "#privacy"):
                other.wait_for_selector(f"{place}:has-text('where it keeps them')")
                assert STAYS not in other.inner_text(place)

    @pytest.mark.parametrize(
        ("seconds", "size", "said"),
        [
            (86_400, 10**9, "after 1 day, the oldest sooner when there are more than 1 GB"),
            (7200, 5 * 10**8, "after 2 hours, the oldest sooner when there are more than 500 MB"),
            (60, 10**10, "after 1 minute, "),
        ],
    )
    def test_it_says_how_long_they_are_kept(self, page: Page, seconds: float, size: int, said: str) -> None:
        told = {"local": True, "keep_seconds": seconds, "keep_bytes": size}
        script = "async (told) => (await import('/page/promise.js')).promise(told)"
        assert said in page.evaluate(script, told)

    def test_a_store_or_a_database_elsewhere_is_not_local(self, database: Database, tmp_path: Path) -> None:
        here = database.engine.dialect.name == "sqlite"
        assert Room(database, str(tmp_path / "pictures"), Limits()).local == here
        assert not Room(database, "memory://impasto", Limits()).local


class TestForEverybody:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    @pytest.mark.parametrize("width", [390, 1280])
    def test_axe_finds_nothing_in_the_settings(self, page: Page, width: int, theme: str) -> None:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 844})
        paint(page)
        pick_method(page, "gatys")
        page.locator("#more summary").click()
        for mode in ("stylize", "texture", "reconstruct"):
            page.check(f"[name=mode][value={mode}]", force=True)
            assert page.is_visible("#rest")
            assert violations(page) == ""
        page.locator("#methods > summary").click()
        assert violations(page) == ""
