"""The site in the other browser: a walk through it, on a phone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pages
import pytest
from bidi import ENTER, ESCAPE, firefox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bidi import Firefox

DOCS = Path(__file__).parents[2] / "docs"
NAMES = ("firefox", "firefox-esr")
BROWSER = os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)
PAGES = [*pages.PAGES, "search"]
PHONE = 390
HALF_READ = "Incorrect number of children"
"""What Firefox says of a formula that it draws before all of it has been read."""
INCOMPLETE = """[...document.querySelectorAll("msub, msup, mfrac, mover, munder, mroot")]
  .filter((part) => part.children.length !== 2)
  .concat([...document.querySelectorAll("msubsup, munderover")]
    .filter((part) => part.children.length !== 3))
  .map((part) => part.outerHTML)"""
TORN = """[...document.querySelectorAll(
    "h1, h2, h3, .subtitle, figcaption p, th, td, p:has(> strong)")]
  .filter((block) => block.checkVisibility())
  .flatMap((block) => [...block.querySelectorAll("wbr")].flatMap((mark) => {
    const range = document.createRange(), phrase = mark.nextSibling;
    if (!/^[\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}ー]+$/u.test(phrase?.data)) return [];
    range.selectNodeContents(phrase);
    const lines = [...range.getClientRects()];
    const length = lines.reduce((sum, line) => sum + line.width, 0);
    return lines.length > 1 && length < block.clientWidth * 0.9 ? [phrase.data] : [];
  }))"""
"""Phrases, of nothing but letters, that a line's end has torn though a line has room for them."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None, reason=f"no Firefox: set FIREFOX, or install one of {', '.join(NAMES)}"
    ),
]


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
    assert not [line for line in browser.complaints if HALF_READ not in line]


@pytest.mark.parametrize("name", PAGES)
def test_pages_load_fit_and_are_quiet(tab, address, name):
    tab.open(f"{address}{name}.html")
    assert tab.evaluate("[...document.querySelectorAll('h1')].some((e) => e.checkVisibility())")
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert tab.evaluate(INCOMPLETE) == []
    assert tab.evaluate(TORN) == []


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


def test_what_a_term_means_is_shown_to_the_mouse_and_gone_with_escape(tab, address):
    shown = "document.querySelector('#at-hand-shown')"
    tab.open(f"{address}lif_steps.html")
    term = ".bd-article a[href*='#term-']"
    tab.evaluate(f"document.querySelector(\"{term}\").scrollIntoView({{ block: 'center' }})")
    tab.hover(term)
    tab.wait_for(f"!{shown}.hidden")
    assert "タイムステップ" in tab.evaluate(f"{shown}.textContent")
    box = tab.evaluate(f"{shown}.getBoundingClientRect().toJSON()")
    assert 0 <= box["left"] <= box["right"] <= PHONE
    tab.press(ESCAPE)
    tab.wait_for(f"{shown}.hidden")


def test_a_colour_scheme_is_chosen_by_touch(tab, address):
    tab.open(f"{address}index.html")
    tab.tap(".theme-switch-button")
    tab.wait_for("document.querySelector('#book-schemes').matches(':popover-open')")
    tab.tap("#book-schemes [data-mode=dark]")
    tab.wait_for("document.documentElement.dataset.theme === 'dark'")
    tab.wait_for("!document.querySelector('#book-schemes').matches(':popover-open')")
