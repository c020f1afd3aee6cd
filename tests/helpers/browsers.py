"""The site in a browser: its pages, tabs that complain of nothing, the marks of tests with tabs."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pages
import pytest
from audit import AXE, CHROMIUM, NAMES, failure_of
from book_runs import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason=f"no browser: set CHROMIUM, or install one of {', '.join(NAMES)}"
)
needs_axe = pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: npm ci")
in_browser = [needs_browser, pytest.mark.slow]

PAGES = [*pages.PAGES, "search", "_modules/index"]
"""The pages that have the site's own look, by name."""


@cache
def window(browser: Browser, width: int, scheme: str) -> BrowserContext:
    """Keep one for all tabs: a new one loads the site's scripts and fonts anew."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale="ja-JP"
    )
    context.set_default_timeout(1000 * PATIENCE)
    return context


def forget(context: BrowserContext, page: Page, others: set[Page]) -> None:
    """Close a tab and what it has opened, and leave nothing of it for the next one."""
    if not others:
        session = context.new_cdp_session(page)
        session.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        context.clear_permissions()
    for each in set(context.pages) - others:
        each.close()


@contextmanager
def opened(browser: Browser, *addresses: str, width: int, scheme: str = "light") -> Iterator[Page]:
    """Open a tab. On leaving it, nothing must have been complained of, or asked of others."""
    context = window(browser, width, scheme)
    others = set(context.pages)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((*addresses, "data:"))
            else complaints.append(f"asked for {request.url}")
        ),
    )
    page.on("requestfailed", lambda request: complaints.extend(failure_of(request)))
    try:
        yield page
        assert not complaints
    finally:
        forget(context, page, others)
