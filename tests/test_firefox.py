"""The site in the other browser: a walk through it, on a phone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bidi import ENTER, ESCAPE, firefox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bidi import Firefox

NAMES = ("firefox", "firefox-esr")
BROWSER = os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
PAGES = [
    *sorted(path.stem for path in (Path(__file__).parent.parent / "docs").glob("*.md")),
    "search",
]
PHONE = 390

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason=f"no Firefox: set FIREFOX, or install one of {', '.join(NAMES)}"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Firefox]:
    with firefox(BROWSER, tmp_path_factory.mktemp("profile")) as browser:
        browser.resize(PHONE)
        yield browser


@pytest.fixture
def tab(browser) -> Iterator[Firefox]:
    """Give the tab to a test. Afterwards, nothing must have been complained of."""
    browser.complaints.clear()
    yield browser
    browser.evaluate("1")  # What was said before has been heard now.
    assert not browser.complaints


@pytest.mark.parametrize("name", PAGES)
def test_pages_load_fit_and_are_quiet(tab, address, name):
    tab.open(f"{address}{name}.html")
    assert tab.evaluate("[...document.querySelectorAll('h1')].some((e) => e.checkVisibility())")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_a_complaint_is_heard(browser, address):
    browser.open(f"{address}index.html")
    browser.complaints.clear()
    browser.evaluate("console.warn('mind')")
    browser.evaluate("1")
    assert any("mind" in line for line in browser.complaints)


def test_the_menu_opens_by_touch_and_closes_by_key(tab, address):
    tab.open(f"{address}if_pytorch.html")
    assert not tab.evaluate("document.querySelector('dialog[open]')")
    tab.tap(".primary-toggle")
    tab.wait_for("document.querySelector('dialog[open] nav.bd-docs-nav a')")
    tab.press(ESCAPE)
    tab.wait_for("!document.querySelector('dialog[open]')")
    assert tab.evaluate("document.activeElement.matches('.primary-toggle')")


def test_the_search_finds_and_marks(tab, address):
    tab.open(f"{address}index.html")
    tab.press("/")
    tab.wait_for("document.activeElement.name === 'q'")
    tab.press("代理勾配" + ENTER)
    tab.wait_for("location.pathname.endsWith('search.html')")
    tab.wait_for("document.querySelector('ul.search a')")
    assert "代理勾配" in tab.evaluate("document.querySelector('ul.search mark').textContent")
    tab.tap("ul.search a")
    tab.wait_for("location.search.includes('mark=')")
    tab.wait_for("CSS.highlights.get('search')?.size > 0")


def test_a_colour_scheme_is_chosen_by_touch(tab, address):
    tab.open(f"{address}index.html")
    tab.tap(".theme-switch-button")
    tab.wait_for("document.querySelector('#book-schemes').matches(':popover-open')")
    tab.tap("#book-schemes [data-mode=dark]")
    tab.wait_for("document.documentElement.dataset.theme === 'dark'")
    tab.wait_for("!document.querySelector('#book-schemes').matches(':popover-open')")
