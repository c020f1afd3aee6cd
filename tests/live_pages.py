"""Live cells in a browser: the way in, and a cell as its reader has it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from audit import DESK
from live_servers import PATIENCE
from playwright.sync_api import expect

from snn_docs.book.settings import find_settings

DOCS = Path(__file__).parent.parent / "docs"
SETTINGS = find_settings(DOCS / "index")
PAGE = "if_pytorch.html"


@contextmanager
def opened(browser, server, *, width=DESK, scheme="light"):
    """Go through the door. On leaving, nothing must have been complained of, or asked of others."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale="ja-JP"
    )
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    ours = (server.door.address, server.door.file.as_uri(), "data:")
    page.on(
        "request",
        lambda request: (
            complaints.append(request.url) if not request.url.startswith(ours) else None
        ),
    )
    try:
        page.goto(server.door.file.as_uri())
        page.wait_for_url(f"{server.door.address}/")
        yield page
        assert not complaints
    finally:
        context.close()


class Cell:
    """A cell, by its number."""

    def __init__(self, page, number):
        self.page = page
        name = SETTINGS.live["cell"].format(n=number)
        self.bar = page.get_by_role("group", name=name, exact=True)
        self.state = self.bar.get_by_role("status")
        self.box = page.locator("div.cell:has(.live-bar)").nth(number - 1)
        self.output = page.get_by_role(
            "region", name=SETTINGS.live["output"].format(n=number), exact=True
        )
        self.editor = page.get_by_role(
            "textbox", name=SETTINGS.live["code"].format(n=number), exact=True
        )

    def button(self, name):
        return self.bar.get_by_role("button", name=SETTINGS.live[name], exact=True)

    def press(self, name):
        self.button(name).click()

    def says(self, name, number=0):
        expect(self.state).to_have_text(
            SETTINGS.live[name].format(n=number), timeout=1000 * PATIENCE
        )

    def write(self, code):
        self.press("edit")
        self.editor.fill(code)
