"""What a phone shows: whole tables, and a foot in line with the text."""

from __future__ import annotations

import pytest
from audit import DESK, NARROW, PHONE
from browsers import in_browser, opened

pytestmark = in_browser

# Where the text of an element begins and ends.
EDGES = """(element) => {
  const { left, right } = element.getBoundingClientRect();
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return [left + parseFloat(paddingLeft), right - parseFloat(paddingRight)];
}"""


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
