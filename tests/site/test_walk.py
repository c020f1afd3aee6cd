"""A page by keyboard: each key that is pressed leads to something that is seen."""

from __future__ import annotations

from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from audit import DESK, PHONE
from browsers import in_browser, opened
from playwright.sync_api import TimeoutError as TooLateError

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = in_browser

# What has the focus, and what keeps a reader from seeing it there.
FOCUS = """() => {
  let e = document.activeElement;
  while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  if (e === document.body) return { what: "", faults: [] };
  const what = e.outerHTML.slice(0, 120);
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(e);
  const faults = [];
  if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    faults.push("hidden");
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2 || /, 0\\)$/.test(outlineColor))
    faults.push("without an outline");
  const box = e.getClientRects()[0];  // The first line of a link that is broken.
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  const whole = bottom - top > box.height - 2 && right - left > box.width - 2;
  if (right <= left || bottom <= top || (!whole && box.height < innerHeight / 2))
    return { what, faults: [...faults, "outside of the window"] };
  const above = e.getRootNode().elementsFromPoint((left + right) / 2, (top + bottom) / 2)
    .find((hit) => hit.checkVisibility({ opacityProperty: true }));
  if (!e.contains(above) && above?.closest("label")?.control !== e)
    faults.push(`covered by ${above?.outerHTML.slice(0, 80)}`);
  return { what, faults };
}"""
SECONDS = 60


def press(page: Page, key: str) -> str:
    """Press a key; return what has the focus then, which must be seen once all has scrolled."""
    page.keyboard.press(key)
    focus = page.evaluate(FOCUS)
    if focus["faults"]:
        with suppress(TooLateError):
            scrolled = f"() => ({FOCUS})().faults.length === 0"
            page.wait_for_function(scrolled, timeout=1000 * SECONDS)
        focus = page.evaluate(FOCUS)
    assert not focus["faults"], f"{focus['what']} has the focus, but is {focus['faults']}"
    return focus["what"]


def stops(page: Page, key: str) -> list[str]:
    """Go on till the page ends; return where the focus has been."""
    most = page.locator("*").count()
    found = list(takewhile(bool, (press(page, key) for _ in range(most))))
    assert len(found) < most, f"{key} never leaves the page"
    return found


@pytest.mark.parametrize(("width", "path"), [(PHONE, "if_pytorch.html"), (DESK, "rounding.html")])
def test_the_tab_key_leads_through_a_page_and_is_held_nowhere(browser, address, width, path):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}{path}")
        down = [press(page, "Tab") for _ in range(40)]
        up = stops(page, "Shift+Tab")
        there = stops(page, "Tab")
        assert up == down[-2::-1]
        assert there[: len(down)] == down
        assert "本文へスキップ" in there[0]
        page.keyboard.press("/")
        assert "searchbox" in page.get_by_role("dialog", name="検索").aria_snapshot()
        page.keyboard.type("続きを動かします")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?*")
        page.locator("ul.search a").first.wait_for()
        assert press(page, "ArrowDown").startswith("<a")
