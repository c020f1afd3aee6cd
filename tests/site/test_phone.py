"""What a phone shows: whole formulas, readable tables, and a foot in line with the text."""

from __future__ import annotations

import pytest
import test_browser
from audit import DESK, NARROW, OPEN_FOLDS, PHONE
from test_browser import PAGES, opened

pytestmark = test_browser.pytestmark

CUT = """document.fonts.ready.then(() =>
  [...document.querySelectorAll(".bd-article .math-scroll")]
    .filter((box) => box.scrollWidth > box.clientWidth)
    .map((box) => box.querySelector("annotation").textContent))"""
# The smallest letters of each plot and drawing, as they are seen.
LETTERS = """[...document.querySelectorAll(".bd-article :is(svg.book-figure, .interactive svg)")]
  .map((svg) => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll("text")];
    const sizes = texts.map((text) => parseFloat(getComputedStyle(text).fontSize));
    return [svg.closest("figure")?.id, Math.min(...sizes) * scale];
  })"""
SMALLEST_LETTERS = 9
# Where the text of an element begins and ends.
EDGES = """(element) => {
  const { left, right } = element.getBoundingClientRect();
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return [left + parseFloat(paddingLeft), right - parseFloat(paddingRight)];
}"""


@pytest.mark.parametrize("width", [NARROW, PHONE])
def test_formulas_are_seen_whole(browser, address, width):
    with opened(browser, address, width=width) as page:
        for name in PAGES:
            page.goto(f"{address}{name}.html")
            page.evaluate(OPEN_FOLDS)
            assert page.evaluate(CUT) == [], name


def test_letters_of_figures_can_be_read(browser, address):
    with opened(browser, address, width=PHONE) as page:
        for name in PAGES:
            page.goto(f"{address}{name}.html", wait_until="networkidle")
            page.evaluate(OPEN_FOLDS)
            assert not [found for found in page.evaluate(LETTERS) if found[1] < SMALLEST_LETTERS]


@pytest.mark.parametrize("name", ["nir", "peers"])
def test_tables_of_libraries_are_seen_whole(browser, address, name):
    with opened(browser, address, width=PHONE) as page:
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        boxes = page.locator(".bd-article .pst-scrollable-table-container").all()
        assert boxes
        assert not [box for box in boxes if box.evaluate("e => e.scrollWidth > e.clientWidth")]


@pytest.mark.parametrize("width", [NARROW, PHONE, 800, DESK])
def test_the_foot_is_in_line_with_the_text(browser, address, width):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}lif.html", wait_until="networkidle")
        text = page.locator(".bd-article h1").evaluate(EDGES)
        for foot in (".book-checked", ".takeaway"):
            assert page.locator(foot).evaluate(EDGES) == pytest.approx(text, abs=0.5), foot
