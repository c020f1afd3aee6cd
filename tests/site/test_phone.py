"""What a phone shows: whole tables, and a foot in line with the text."""

from __future__ import annotations

import pytest
from audit import DESK, NARROW, PHONE
from browsers import in_browser

pytestmark = in_browser

# Where the text of an element begins and ends.
EDGES = """(element) => {
  const { left, right } = element.getBoundingClientRect();
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return [left + parseFloat(paddingLeft), right - parseFloat(paddingRight)];
}"""


@pytest.mark.parametrize("name", ["nir", "peers"])
def test_tables_of_libraries_are_seen_whole(reading, name):
    with reading(f"{name}.html", width=PHONE) as page:
        boxes = page.locator(".bd-article .pst-scrollable-table-container").all()
        assert boxes
        assert not [box for box in boxes if box.evaluate("e => e.scrollWidth > e.clientWidth")]


@pytest.mark.parametrize("width", [NARROW, PHONE, 800, DESK])
def test_the_foot_is_in_line_with_the_text(reading, width):
    with reading("lif.html", width=width) as page:
        text = page.locator(".bd-article h1").evaluate(EDGES)
        for foot in (".book-checked", ".takeaway"):
            assert page.locator(foot).evaluate(EDGES) == pytest.approx(text, abs=0.5), foot
