"""What a phone shows: whole formulas, readable tables, and a foot in line with the text."""

from __future__ import annotations

import pytest
import test_browser
from audit import DESK, NARROW, PHONE
from test_browser import DOCS, PAGES, opened

pytestmark = test_browser.pytestmark

WIDE = [name for name in PAGES if ":class: wide-cells" in (DOCS / f"{name}.md").read_text()]
UNFOLD = "document.querySelectorAll('details').forEach((fold) => (fold.open = true))"
CUT = """document.fonts.ready.then(() =>
  [...document.querySelectorAll(".bd-article .math-scroll")]
    .filter((box) => box.scrollWidth > box.clientWidth)
    .map((box) => box.querySelector("annotation").textContent))"""
# In letters of its own size, how wide the text of a cell is that has been broken.
BROKEN = """[...document.querySelectorAll(".bd-article table.wide-cells :is(td, th) > p")]
  .map((text) => {
    const { fontSize, lineHeight } = getComputedStyle(text);
    const { width, height } = text.getBoundingClientRect();
    return [text.textContent, width / parseFloat(fontSize), height / parseFloat(lineHeight)];
  })
  .filter(([, , lines]) => lines > 1.5)"""
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
            page.evaluate(UNFOLD)
            assert page.evaluate(CUT) == [], name


def test_letters_of_figures_can_be_read(browser, address):
    with opened(browser, address, width=PHONE) as page:
        for name in PAGES:
            page.goto(f"{address}{name}.html", wait_until="networkidle")
            page.evaluate(UNFOLD)
            assert not [found for found in page.evaluate(LETTERS) if found[1] < SMALLEST_LETTERS]


@pytest.mark.parametrize("name", ["nir", "peers"])
def test_the_table_at_the_beginning_is_seen_whole(browser, address, name):
    with opened(browser, address, width=PHONE) as page:
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        box = page.locator(".bd-article table").first.locator("..")
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth")


@pytest.mark.parametrize("name", WIDE)
def test_columns_of_words_are_wide_enough_and_scroll_past_the_first(browser, address, name):
    with opened(browser, address, width=PHONE) as page:
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        broken = page.evaluate(BROKEN)
        assert not [cell for cell in broken if cell[1] < 10]
        tables = page.locator(".bd-article table.wide-cells").all()
        assert tables
        for table in tables:
            box = table.locator("..")
            assert box.evaluate("e => e.scrollWidth > e.clientWidth")
            box.evaluate("e => e.scrollTo({ left: e.scrollWidth, behavior: 'instant' })")
            first, second = (table.locator(f"td:nth-child({n})").first for n in (1, 2))
            name, behind = first.bounding_box(), second.bounding_box()
            assert name["x"] == pytest.approx(box.bounding_box()["x"], abs=1)
            assert behind["x"] < name["x"] + name["width"] - 1


@pytest.mark.parametrize("width", [NARROW, PHONE, 800, DESK])
def test_the_foot_is_in_line_with_the_text(browser, address, width):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}lif.html", wait_until="networkidle")
        text = page.locator(".bd-article h1").evaluate(EDGES)
        for foot in (".book-checked", ".takeaway"):
            assert page.locator(foot).evaluate(EDGES) == pytest.approx(text, abs=0.5), foot
