"""The site in the reader's hands: a phone and a desk, light and dark."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
PAGES = sorted(path.stem for path in (Path(__file__).parent.parent / "docs").glob("*.md"))
PHONE, DESK = 390, 1350

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no browser: set CHROMIUM, or install one of {', '.join(NAMES)}"
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Leave the test's output alone."""


@pytest.fixture(scope="module")
def address(built_site) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(built_site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, *, width: int, scheme: str = "light") -> Iterator[Page]:
    """Open a tab. On leaving it, nothing must have been complained of, or asked of others."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale="ja-JP"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # The theme tells of what it does ("[PST]: Changed to auto mode"); everything else is wrong.
    page.on(
        "console",
        lambda message: (
            None
            if message.type == "log" and message.text.startswith("[PST]")
            else complaints.append(f"{message.type}: {message.text}")
        ),
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((address, "data:"))
            else complaints.append(f"asked for {request.url}")
        ),
    )
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    try:
        yield page
        assert not complaints
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pages_fit_and_are_quiet(browser, address, width, scheme):
    with opened(browser, address, width=width, scheme=scheme) as page:
        for name in PAGES:
            page.goto(f"{address}{name}.html", wait_until="networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.locator("html").get_attribute("data-theme") == scheme
            wide = page.evaluate(
                "w => [...document.querySelectorAll('.bd-article svg, .bd-article img')]"
                ".filter(e => e.getBoundingClientRect().right > w).length",
                width,
            )
            assert not wide, name


@pytest.mark.parametrize("width", [PHONE, 768, DESK])
def test_menu_button_opens_and_closes_the_menu(browser, address, width):
    """The theme's script binds the first button it finds, which can be a hidden one."""
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        button = page.locator(".primary-toggle:visible")
        menu = page.locator("nav[aria-label=章の一覧] a").first
        shown = width > 992
        assert is_on_screen(menu) == shown
        button.click()
        page.wait_for_timeout(500)
        assert is_on_screen(menu) != shown
        if shown:
            button.click()
        else:
            page.mouse.click(width - 5, 400)
        page.wait_for_timeout(500)
        assert is_on_screen(menu) == shown


def is_on_screen(locator: Locator) -> bool:
    """Tell whether a reader could click there."""
    box = locator.bounding_box()
    if box is None or box["x"] + box["width"] <= 0 or not locator.is_visible():
        return False
    return locator.evaluate(
        "e => { const r = e.getBoundingClientRect(); "
        "const hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); "
        "return hit !== null && (e === hit || e.contains(hit)) }"
    )


def test_a_line_is_at_most_40_characters_long(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        characters = page.evaluate(
            "() => { const p = document.querySelector('.bd-article section > p:not(.byline)');"
            " return p.clientWidth / parseFloat(getComputedStyle(p).fontSize) }"
        )
        assert 30 <= characters <= 40


def test_figures_follow_the_scheme(browser, address):
    colours = []
    for scheme in ("light", "dark"):
        with opened(browser, address, width=DESK, scheme=scheme) as page:
            page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
            text = page.locator("svg.book-figure text").first
            colours.append(text.evaluate("e => getComputedStyle(e).fill"))
            body = page.locator("body").evaluate("e => getComputedStyle(e).color")
            assert colours[-1] == body
    assert len(set(colours)) == 2


def test_what_scripts_add_is_japanese(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        button = page.locator("button.copybtn").first
        button.wait_for(state="attached")
        assert button.get_attribute("data-tooltip") == "コピー"
        assert "クリップボードにコピー" in button.inner_html()
        page.goto(f"{address}search.html?q=Heaviside", wait_until="networkidle")
        page.locator("#search-results li").first.wait_for()
        assert page.locator("#search-results h2").inner_text() == "検索結果"
        summary = page.locator(".search-summary", has_text="件見つかりました。")
        summary.wait_for()


def test_outputs_are_not_copied(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        page.locator("button.copybtn").first.wait_for(state="attached")
        assert page.locator(".cell_input button.copybtn").count() > 0
        assert page.locator(".cell_output button.copybtn").count() == 0


def test_wide_formulas_and_code_scroll_by_themselves(browser, address):
    with opened(browser, address, width=PHONE) as page:
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        for scroller in ("pre", ".math-scroll", "table"):
            widest = page.evaluate(
                "s => Math.max(...[...document.querySelectorAll(`.bd-article ${s}`)]"
                ".map(e => e.getBoundingClientRect().right))",
                scroller,
            )
            assert widest <= PHONE, scroller
