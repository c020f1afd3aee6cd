"""Live cells in a browser: the way in, and a cell as its reader has it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

import browsers
from audit import DESK
from live_servers import PATIENCE
from playwright.sync_api import expect

from bookproof.settings import find_settings

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = find_settings(DOCS / "index")
PAGE = "if_pytorch.html"


@contextmanager
def opened(browser, server, *, width=DESK, scheme="light"):
    """Go through the door. On leaving, nothing must have been complained of, or asked of others."""
    way = server.door.address, server.door.file.as_uri()
    with browsers.opened(browser, *way, width=width, scheme=scheme) as page:
        page.goto(server.door.file.as_uri())
        page.wait_for_url(f"{server.door.address}/")
        yield page


def unfold(page):
    """Show the cells whose code a page folds away."""
    page.locator("details").evaluate_all("all => all.forEach(e => e.open = true)")


class Cell:
    """A cell, by its number."""

    def __init__(self, page, number):
        self.page = page
        name = SETTINGS.words["cell"].format(n=number)
        self.bar = page.get_by_role("group", name=name, exact=True)
        self.state = self.bar.get_by_role("status")
        self.box = page.locator("div.cell:has(.live-bar)").nth(number - 1)
        self.output = page.get_by_role(
            "region", name=SETTINGS.words["output"].format(n=number), exact=True
        )
        self.editor = page.get_by_role(
            "textbox", name=SETTINGS.words["code"].format(n=number), exact=True
        )

    def button(self, name):
        return self.bar.get_by_role("button", name=SETTINGS.words[name], exact=True)

    def press(self, name):
        if not self.button(name).is_visible():  # the first one is
            self.button("run").focus()
        self.button(name).click()

    def says(self, name, number=0):
        expect(self.state).to_have_text(
            SETTINGS.words[name].format(n=number), timeout=1000 * PATIENCE
        )

    def write(self, code):
        self.press("edit")
        self.editor.fill(code)
