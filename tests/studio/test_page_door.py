"""A studio with tokens, and somebody who comes with a browser and without one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from . import browser as shared
from .browser import WAIT, studio, violations
from .server import ANNA, BORIS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = shared.MARKS
browser = shared.browser


@contextlib.contextmanager
def stranger(browser: Browser, theme: str = "light") -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=theme)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_whoever_has_none_is_asked_for_it(browser: Browser, tmp_path: Path, theme: str) -> None:
    with studio(tmp_path, "--token", f"anna:{ANNA}") as address, stranger(browser, theme) as page:
        answer = page.goto(address)
        assert answer
        assert answer.status == 401
        assert violations(page) == ""
        page.keyboard.type(BORIS)
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]:has-text('not known here')")
        assert violations(page) == ""
        page.fill("#token", ANNA)
        page.click("button")
        page.wait_for_selector(".swatch:has-text('Starry hills')")
        assert page.url == address


def test_a_token_that_is_known_no_longer_is_asked_for_anew(browser: Browser, tmp_path: Path) -> None:
    with stranger(browser) as page:
        with studio(tmp_path, "--token", f"anna:{ANNA}") as address:
            page.goto(f"{address}?token={ANNA}")
            page.wait_for_selector(".swatch:has-text('Starry hills')")
            port = int(address.split(":")[2].strip("/"))
        page.wait_for_selector("#trouble:has-text('does not answer')")
        with studio(tmp_path, "--token", f"anna:{BORIS}", port=port):
            page.wait_for_selector("#trouble:has-text('load the page again')")
            page.reload()
            page.fill("#token", BORIS)
            page.keyboard.press("Enter")
            page.wait_for_selector(".swatch:has-text('Starry hills')")
