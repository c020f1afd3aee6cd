"""How well the built site is made, page by page: a table, and exit status 1 if a bound is broken.

    python tests/helpers/audit.py _build/html [page ...]

Each measure is taken by the tool that others would take: Chromium; Java; and Lighthouse, axe-core
and the HTML checker of the W3C (vnu), which `npm ci` installs. What a missing tool would have
measured is left out, and said to be; with CI set that is an error. Lighthouse measures how fast the
machine is too: nothing else should run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pages import PAGES
from playwright.sync_api import sync_playwright
from site_server import served

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page, Request

MODULES = Path(__file__).parents[2] / "node_modules"
LIGHTHOUSE = MODULES / "lighthouse" / "cli" / "index.js"
AXE = MODULES / "axe-core" / "axe.min.js"
VNU = MODULES / "vnu-jar" / "build" / "dist" / "vnu.jar"
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)

PHONE, DESK, NARROW = 390, 1350, 320
MOST_REQUESTS = 25
# The search holds the text of the whole book: some 6 kB for each of its pages.
MOST_BYTES = defaultdict(lambda: 200_000, search=7_000 * len(PAGES))
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
LEAST = {"mobile": (95, 100, 100, 100), "desktop": (100, 100, 100, 100)}
# These ask search engines to leave them out, which Lighthouse takes for a fault.
UNLISTED = ("404", "search")
# What vnu warns of, and why it stays. Everything else that it says counts.
EXPLAINED = (
    "Trailing slash on void elements",  # Sphinx's style; it changes nothing.
    "The “main” role is unnecessary",  # The theme says it twice.
    "Consider using the “h1” element as a top-level heading only",  # Each page has one.
    "Article lacks heading",  # Its heading is the h1 of its section.
    "Document uses the Unicode Private Use Area",  # KaTeX's ≠, which is hidden from listeners.
    # It knows neither the page's address nor its hashes; browsers judge this, in test_browser.py.
    "Inline script violates Content Security Policy (meta tag)",
    "Resource violates Content Security Policy (meta tag)",
    "This document appears to be written in English",  # The titles of the works in references.
)


def pages(site: Path) -> list[str]:
    """Name the pages of a site, in alphabetical order."""
    return sorted(
        path.relative_to(site).as_posix()[: -len(".html")] for path in site.rglob("*.html")
    )


# ---- What a browser sees ----


def failure_of(request: Request) -> list[str]:
    """Tell of a request without an answer, unless the browser has gone on to another page.

    A font that comes into use as a page is left is not waited for.
    """
    return [] if request.failure == "net::ERR_ABORTED" else [f"failed: {request.url}"]


@dataclass
class Visit:
    """What happened while a page was looked at."""

    address: str
    requests: int = 0
    weight: int = 0
    hosts: set[str] = field(default_factory=set)
    console: list[str] = field(default_factory=list)

    def note_response(self, response) -> None:
        if response.url.startswith("data:"):
            return
        self.requests += 1
        # Compressed, and without headers.
        self.weight += int(response.headers.get("content-length", 0))
        if not response.url.startswith(self.address):
            self.hosts.add(urlsplit(response.url).netloc)


@contextmanager
def visited(
    browser: Browser, address: str, name: str, *, width: int, scheme: str = "light"
) -> Iterator[tuple[Page, Visit]]:
    """Open a page in a browser that has never seen the site."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale="ja-JP"
    )
    page, visit = context.new_page(), Visit(address)
    page.on("console", lambda message: visit.console.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: visit.console.append(str(error)))
    page.on("requestfailed", lambda request: visit.console.extend(failure_of(request)))
    page.on("response", visit.note_response)
    try:
        page.goto(f"{address}{name}.html", wait_until="networkidle")
        yield page, visit
    finally:
        context.close()


def overflow(page: Page, width: int) -> int:
    """Return how many pixels of a page stand out of a window of some width."""
    page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(OPEN_FOLDS)
    page.evaluate(TWO_FRAMES)
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")


OPEN_FOLDS = "for (const fold of document.querySelectorAll('details')) fold.open = true;"
# After which the page's scripts have been told of a new size.
TWO_FRAMES = "async () => { for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame); }"


# What a screen's width and colours can break. All else is in the page, whatever it is seen on.
SCREEN_RULES = (
    *("color-contrast", "link-in-text-block", "target-size"),
    *("scrollable-region-focusable", "landmark-unique", "meta-viewport"),
)


def violations(page: Page, part: str = "document", rules: Sequence[str] = ()) -> list[str]:
    """Return what axe finds wrong in a page, or in the part that a selector names.

    It asks for these rules alone, if there are any.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    # Else colours are looked at while they change. A change may be called off.
    ended = "document.getAnimations().map((animation) => animation.finished)"
    page.evaluate(f"Promise.allSettled({ended}).then(() => null)")
    return page.evaluate(
        "async ([part, rules]) => (await axe.run(part === 'document' ? document : part,"
        " { resultTypes: ['violations'], ...(rules.length && { runOnly: rules }) }))"
        ".violations.flatMap(({ id, nodes }) =>"
        " nodes.map(({ target }) => `${id}: ${target.flat().join(' ')}`))",
        [part, rules],
    )


# A state of a page, how it is reached, and the part of the page that is then another.
STATES = (
    ("menu", ".primary-toggle:visible", "#pst-primary-sidebar-modal[open]"),
    ("contents", ".secondary-toggle:visible", "#pst-secondary-sidebar-modal[open]"),
    ("search", ".search-button__button:visible", "#pst-search-dialog[open]"),
    ("colours", ".theme-switch-button:visible", "#book-schemes"),
)


def violations_in_states(page: Page) -> list[str]:
    """Return what axe finds with folds closed, with folds open, and with each dialog open."""
    found = violations(page)
    if page.locator("details").count():
        page.evaluate(OPEN_FOLDS)
        part = "article" if page.locator("article").count() else "document"
        found += [f"folds open, {line}" for line in violations(page, part)]
    for state, button, dialog in STATES:
        if not page.locator(button).count():
            continue
        page.locator(button).first.click()
        if page.locator(dialog).count() and page.locator(dialog).is_visible():
            found += [f"{state} open, {line}" for line in violations(page, dialog)]
            page.keyboard.press("Escape")
        else:  # On a wide screen, the list of chapters has been folded away.
            page.locator(button).first.click()
    return found


# ---- What other tools see ----


def html_errors(site: Path) -> dict[str, list[str]]:
    """Return what vnu finds wrong, page by page."""
    # It runs so briefly that compiling well takes longer than it saves.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xss4m"]
    command = ["java", *quick, "-jar", str(VNU), "--format", "json", "--exit-zero-always"]
    files = [str(path) for path in sorted(site.rglob("*.html"))]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = {name: [] for name in pages(site)}
    for message in json.loads(done.stderr)["messages"]:
        if message["type"] == "info" and message["message"].startswith(EXPLAINED):
            continue
        path = Path(unquote(urlsplit(message["url"]).path)).relative_to(site.resolve())
        where = f"{message.get('lastLine', 0)}: {message['message']}"
        found[path.as_posix()[: -len(".html")]].append(where)
    return found


def lighthouse(address: str, name: str, form: str) -> tuple[tuple[int, ...], list[str]]:
    """Return the four marks, and the names of the audits that were not passed."""
    command = [
        "node",
        str(LIGHTHOUSE),
        f"{address}{name}.html",
        "--output=json",
        "--quiet",
        "--no-enable-error-reporting",
        "--chrome-flags=--headless=new --no-sandbox",
        f"--only-categories={','.join(CATEGORIES)}",
        *(["--preset=desktop"] if form == "desktop" else []),
        *(["--skip-audits=is-crawlable"] if name in UNLISTED else []),
    ]
    environment = os.environ | {"CHROME_PATH": str(CHROMIUM)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    report = json.loads(done.stdout)
    marks = tuple(round(100 * report["categories"][name]["score"]) for name in CATEGORIES)
    weighted = {
        reference["id"]
        for category in report["categories"].values()
        for reference in category["auditRefs"]
        if reference["weight"]
    }
    failed = [
        f"{audit['id']} {audit.get('displayValue', '')}".strip()
        for audit in report["audits"].values()
        if audit["id"] in weighted and (audit["score"] or 0) < 0.9 and audit["score"] is not None
    ]
    return marks, failed


# ---- The table ----

COLUMNS = (
    "mobile",
    "desktop",
    "kB",
    "requests",
    "hosts",
    "console",
    "axe",
    "vnu",
    "320px",
)


def tools() -> tuple[set[str], list[str]]:
    """Return the columns that can be filled, and what is missing for the others."""
    node = shutil.which("node")
    java = shutil.which("java")
    needs = {
        "a Chromium (set CHROMIUM to name it)": (CHROMIUM, (*COLUMNS[:7], "320px")),
        "node, and Lighthouse (npm ci)": (node and LIGHTHOUSE.is_file(), ("mobile", "desktop")),
        "axe-core (npm ci)": (AXE.is_file(), ("axe",)),
        "java, and vnu (npm ci)": (java and VNU.is_file(), ("vnu",)),
    }
    columns, missing = set(COLUMNS), []
    for need, (there, wanted) in needs.items():
        if not there:
            missing.append(f"{', '.join(wanted)}: needs {need}")
            columns -= set(wanted)
    return columns, missing


@dataclass
class Audit:
    """One page's row, and what is wrong with it."""

    name: str
    cells: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def count(self, column: str, found: list[str]) -> None:
        """Fill a cell with the number of things that must not be there."""
        self.cells[column] = str(len(found))
        self.wrong += [f"{column}: {line}" for line in found]

    def limit(self, column: str, value: int, most: int, shown: str) -> None:
        """Fill a cell with a number that must not be larger than another."""
        self.cells[column] = shown
        if value > most:
            self.wrong.append(f"{column}: {value}, and at most {most} is allowed")

    def look(self, browser: Browser, address: str, columns: set[str]) -> None:
        """Look at the page in a browser: as it comes, then at each width and in each scheme."""
        with visited(browser, address, self.name, width=PHONE) as (page, visit):
            self.limit("kB", visit.weight, MOST_BYTES[self.name], f"{visit.weight / 1000:.0f}")
            self.limit("requests", visit.requests, MOST_REQUESTS, str(visit.requests))
            self.count("hosts", sorted(visit.hosts))
            wide = overflow(page, NARROW)
            self.limit("320px", wide, 0, f"{wide:+d}")
        self.count("console", visit.console)
        if "axe" in columns:
            found = []
            for width in (PHONE, DESK):
                for scheme in ("light", "dark"):
                    with visited(browser, address, self.name, width=width, scheme=scheme) as seen:
                        lines = violations_in_states(seen[0])
                        found += [f"{width} px, {scheme}, {line}" for line in lines]
            self.count("axe", found)

    def rate(self, address: str) -> None:
        """Have Lighthouse rate the page, on a phone and on a desk."""
        for form, least in LEAST.items():
            marks, failed = lighthouse(address, self.name, form)
            self.cells[form] = "/".join(map(str, marks))
            if any(mark < bound for mark, bound in zip(marks, least, strict=True)):
                self.wrong.append(f"{form}: at least {'/'.join(map(str, least))}; {failed}")


def row(cells: list[str]) -> str:
    widths = (26, 16, 16, *(max(5, len(name)) for name in COLUMNS[2:]))
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def audit(site: Path, names: list[str], columns: set[str]) -> list[Audit]:
    """Measure some pages, and print each one's row as soon as it is known."""
    html = html_errors(site) if "vnu" in columns else {}
    audits = []
    print(row(["page", *COLUMNS]))
    with served(site) as address, sync_playwright() as playwright:
        browser = CHROMIUM and playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        for name in names:
            page = Audit(name)
            if "mobile" in columns:
                page.rate(address)
            if browser:
                page.look(browser, address, columns)
            if "vnu" in columns:
                page.count("vnu", html[name])
            audits.append(page)
            print(row([name, *(page.cells.get(column, "-") for column in COLUMNS)]), flush=True)
        if browser:
            browser.close()
    return audits


def main(arguments: list[str]) -> int:
    site = Path(arguments[0]).resolve()
    there = pages(site)
    if unknown := sorted(set(arguments[1:]) - set(there)):
        print(f"no such page: {', '.join(unknown)}; there are {', '.join(there)}", file=sys.stderr)
        return 2
    columns, missing = tools()
    # The code of the package is shown on pages that are alike: one of them is looked at.
    chosen = [name for name in there if "/" not in name or name == "_modules/index"]
    audits = audit(site, arguments[1:] or chosen, columns)
    for page in audits:
        for line in page.wrong:
            print(f"{page.name}: {line}")
    for line in missing:
        print(f"skipped: {line}")
    if missing and os.environ.get("CI"):
        print("with CI set nothing may be skipped")
        return 1
    return int(any(page.wrong for page in audits))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
