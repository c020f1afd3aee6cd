"""A reader who has no mouse: each key that is pressed leads to something that is seen."""

from __future__ import annotations

from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as TooLateError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

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


class Keyboard:
    """Does nothing but press keys, and looks where the focus is after each."""

    def __init__(self, page: Page) -> None:
        self.page, self.focus = page, page.locator(":focus")

    def press(self, key: str) -> str:
        """Press a key; return what has the focus then, which must be seen."""
        self.page.keyboard.press(key)
        return self.look()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def look(self) -> str:
        """Return what has the focus, once the page has scrolled there."""
        focus = self.page.evaluate(FOCUS)
        if focus["faults"]:
            with suppress(TooLateError):
                scrolled = f"() => ({FOCUS})().faults.length === 0"
                self.page.wait_for_function(scrolled, timeout=1000 * SECONDS)
            focus = self.page.evaluate(FOCUS)
        assert not focus["faults"], f"{focus['what']} has the focus, but is {focus['faults']}"
        return focus["what"]

    def is_on(self, wanted: Locator) -> bool:
        return wanted.and_(self.focus).count() == 1

    def go_to(self, wanted: Locator, *, key: str = "Tab", most: int) -> None:
        """Press a key until something has the focus, but no more often than a reader would."""
        for _ in range(most):
            self.press(key)
            if self.is_on(wanted):
                return
        pytest.fail(f"{most} times {key} does not lead to {wanted}")

    def stops(self, key: str) -> list[str]:
        """Go on till the page ends; return where the focus has been."""
        most = self.page.locator("*").count()
        stops = list(takewhile(bool, (self.press(key) for _ in range(most))))
        assert len(stops) < most, f"{key} never leaves the page"
        return stops
