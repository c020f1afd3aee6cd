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
# The smallest letters of each picture, as they are seen. A formula's exponents are smaller.
LETTERS = """[...document.querySelectorAll(".bd-article :is(svg.book-figure, .interactive svg)")]
  .map((svg) => {
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const size = (element) => parseFloat(getComputedStyle(element).fontSize);
    const sizes = [...svg.querySelectorAll("text")].map((text) =>
      text.querySelector("tspan") ? Math.max(...[...text.children].map(size)) : size(text));
    return [svg.closest("figure")?.id, Math.min(...sizes) * scale];
  })"""
SMALLEST_LETTERS = 11
# Words of a picture that the screen cuts off.
BEYOND = """[...document.querySelectorAll(".bd-article svg.book-figure text")]
  .filter((text) => {
    const { left, right, width } = text.getBoundingClientRect();
    return width && (left < 0 || right > innerWidth);
  })
  .map((text) => text.textContent.trim())"""
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
            small = [found for found in page.evaluate(LETTERS) if found[1] < SMALLEST_LETTERS]
            assert not small, name
            assert page.evaluate(BEYOND) == [], name


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
