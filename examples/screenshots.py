"""Takes the README's pictures of the studio: python examples/screenshots.py [--chromium /usr/bin/chromium].

Starts a studio of its own with a temporary folder, paints in it, and looks: at 390, 1024 and 1920 pixels, light and
dark. Needs `pip install "impasto[torch,studio]" playwright`, and Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PHOTO = HERE / "photos" / "coffee.jpg"
WAIT = 300_000


@contextmanager
def studio() -> Iterator[str]:
    """Its address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--port", "0"]
        environment = {**os.environ, "XDG_DATA_HOME": folder, "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603 - our own
        try:
            assert process.stdout is not None  # noqa: S101
            found = re.search(r"http://\S+/", process.stdout.readline())
            assert found  # noqa: S101
            yield found[0]
        finally:
            process.terminate()
            process.wait()


def opened(browser: Browser, address: str, width: int, height: int, scheme: str) -> Page:
    """The page in a window of this size."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("[data-style]")
    return page


def paint(page: Page, painting: str) -> None:
    """The fast method's picture of it, half uncovered."""
    page.set_input_files("#photo-file", PHOTO)
    page.wait_for_selector("#photo-thumb:not([hidden])")
    page.click(f".swatch:has-text('{painting}')")
    page.wait_for_selector("#keep:not([hidden])")
    page.wait_for_timeout(4000)  # for the finer one
    page.focus("#handle")
    for _ in range(4):
        page.keyboard.press("PageUp")
    page.evaluate("() => document.activeElement.blur()")


def optimise(page: Page) -> None:
    """A job in its middle, with its curve."""
    page.locator("#methods > summary").click()
    page.click("#method label:has(input[value=gatys])")
    page.fill("#option-size", "384")
    page.check("#option-quality input[value=good]", force=True)
    page.click("#start")
    page.wait_for_selector("#curve:not([hidden])")
    page.wait_for_timeout(25_000)


def main() -> None:
    """Takes them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path, default=DOCS)
    asked = parser.parse_args()
    with studio() as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        for width, height, scheme, painting in (
            (1920, 1080, "light", "Lily window"),
            (1024, 900, "dark", "Starry hills"),
            (390, 844, "light", "Gold mosaic"),
        ):
            page = opened(browser, address, width, height, scheme)
            paint(page, painting)
            if width == 1024:
                optimise(page)
            file = asked.out / f"studio-{width}.png"
            page.screenshot(path=file)
            Image.open(file).convert("RGB").save(file.with_suffix(".jpg"), quality=86)
            file.unlink()
            sys.stdout.write(f"{file.with_suffix('.jpg')}\n")
        browser.close()


if __name__ == "__main__":
    main()
