"""A studio, a browser that visits it, and what visitors do there.

Debian's Chromium and Playwright's driver; the server is a real one, with a worker of its own.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from impasto.image import read, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page

CHROMIUM = Path("/usr/bin/chromium")
playwright = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed; mend: pip install playwright"
)
MARKS = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed; mend: apt-get install chromium"),
    pytest.mark.slow,
]

STYLE = "Starry hills"
PAGE = Path(__file__).parents[2] / "src" / "impasto" / "studio" / "page"
WAIT = 120_000
"""Milliseconds; how long things take on a busy machine is not what is tested here."""

DROP = """([bytes, id]) => {
    const held = new DataTransfer();
    held.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
    for (const [target, kind] of [[document.body, "dragenter"], [document.getElementById(id), "drop"]]) {
        target.dispatchEvent(new DragEvent(kind, { dataTransfer: held, bubbles: true, cancelable: true }));
    }
}"""


@contextmanager
def studio(data: Path, *words: str, port: int = 0) -> Iterator[str]:
    """A studio that keeps what it keeps in a folder; its address."""
    command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--port", str(port), *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "XDG_DATA_HOME": str(data), "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+/", process.stdout.readline())
        assert found
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def visit(browser: Browser, address: str) -> Iterator[Page]:
    """The page as a new visitor sees it; whatever its console has to say is a fault."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(WAIT)
    opened = context.new_page()
    said: list[str] = []
    refusal = "Failed to load resource"  # Chromium says so of every answer that the page is there to tell
    opened.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.goto(address)
    opened.wait_for_selector("[data-style]")  # the paintings have come
    yield opened
    context.close()
    assert [text for text in said if not text.startswith(refusal)] == []


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio of its own."""
    with studio(tmp_path_factory.mktemp("data")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with visit(browser, address) as opened:
        yield opened


def photo(size: tuple[int, int] = (160, 120)) -> bytes:
    y, x = np.mgrid[: size[1], : size[0]] / 16.0
    waves = np.stack([np.sin(x), np.cos(y), np.sin(x + y)], -1)
    file = io.BytesIO()
    Image.fromarray((waves * 80 + 127).astype(np.uint8)).save(file, "png")
    return file.getvalue()


def bearing(settings: dict[str, Any]) -> bytes:
    """A picture whose file says how it was painted."""
    file = io.BytesIO()
    write(read(photo()), file, format="png", settings=settings)
    return file.getvalue()


def kept(page: Page) -> Any:
    """What the page is set to."""
    return page.evaluate("() => JSON.parse(sessionStorage.getItem('impasto-studio'))")


def file(name: str, data: bytes) -> FilePayload:
    """A file to be chosen."""
    return {"name": name, "mimeType": "image/png", "buffer": data}


def choose(page: Page, *, name: str = "waves.png", size: tuple[int, int] = (160, 120)) -> None:
    page.set_input_files("#photo-file", file(name, photo(size)))
    page.wait_for_selector("#photo-thumb:not([hidden])")


def paint(page: Page) -> None:
    """Photo and painting: nothing else is needed."""
    choose(page)
    page.click(f".swatch:has-text('{STYLE}')")
    page.wait_for_selector("#keep:not([hidden])")


def shown(page: Page) -> str:
    return str(page.get_attribute("#after", "src"))


def pick_method(page: Page, name: str) -> None:
    page.locator("#methods > summary").click()
    page.locator(f"#method input[value='{name}']").check()


def order_slow(page: Page, *, steps: int = 400) -> None:
    pick_method(page, "gatys")
    page.fill("#option-size", "128")
    page.locator("#more summary").click()
    page.fill("#option-steps", str(steps))
    page.locator("#option-quality input[value='good']").check(force=True)
    page.click("#start")
    page.wait_for_selector("#work:not([hidden])")


def drop(page: Page, where: str, data: bytes) -> None:
    """Drags a picture over the page and lets it fall."""
    page.evaluate(DROP, [list(data), where])


def downloaded(page: Page) -> tuple[str, Path]:
    """The name and the file that the button gives once the picture is finished."""
    page.wait_for_selector("#download:not([hidden])")
    with page.expect_download() as download:
        page.click("#download")
    return download.value.suggested_filename, Path(str(download.value.path()))


def violations(page: Page) -> str:
    """What axe finds, in words; nothing if nothing."""
    axe: Any = pytest.importorskip("axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python")
    page.wait_for_timeout(300)
    found = axe.Axe().run(page)
    return str(found.generate_report()) if found.violations_count else ""
