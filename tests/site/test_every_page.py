"""Every page in a browser, opened once: on a phone by day, on a desk by night, and narrower.

One visit serves all that is asked here, since opening a page takes as long as most questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import audit
import pytest
from audit import DESK, NARROW, OPEN_FOLDS, PHONE, TWO_FRAMES
from browsers import PAGES, in_browser
from site_server import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = in_browser

SCREENS = {"phone": (PHONE, "light"), "desk": (DESK, "dark")}
WITHOUT_LINES = {"search", "_modules/index"}
"""Pages without an article's text."""
MEASURES = {
    "width": "document.documentElement.scrollWidth",
    "scheme": "document.documentElement.dataset.theme",
    "headings": "document.querySelectorAll('h1').length",
    "cut": """[...document.querySelectorAll(".bd-article :is(svg, img)")]
      .filter((e) => e.getBoundingClientRect().right > innerWidth).length""",
    # the title of a box is a band of its width, and a few words; the door has rows of links
    "letters in a line": """Math.max(...[...document.querySelectorAll(
      ".bd-article :is(p:not(.admonition-title), li, dd):not(.door-path *, .door-rest *)")]
      .map((e) => e.clientWidth / parseFloat(getComputedStyle(e).fontSize)))""",
    "fonts asked for": """[...document.querySelectorAll("link[rel=preload]")]
      .map((e) => e.href.split("/").at(-1)).sort()""",
    "fonts shown": """[...document.fonts]
      .map(({ family, status, style, weight }) => {
        const name = family.replaceAll('"', "");
        if (status !== "loaded") return "";
        if (name === "M PLUS 1 Code") return "m-plus-1-code.woff2";
        const face = (weight === "700" ? "Bold" : "") + (style === "italic" ? "Italic" : "");
        return name.startsWith("KaTeX") ? `${name}-${face || "Regular"}.woff2` : "";
      }).filter(Boolean).sort()""",
}
CUT_FORMULAS = """document.fonts.ready.then(() =>
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


@dataclass
class Look:
    """What a page was seen to be."""

    visit: audit.Visit
    first: tuple[int, int]
    """How many requests a first visit takes, and their bytes."""
    measured: dict[str, dict]
    """The measures on each screen."""
    formulas: dict[int, list[str]]
    """Those that are cut, by the width of the screen."""
    letters: list[tuple[str, float]]
    words: list[str]
    wider: int
    axe: dict[str, list[str]]


def turn_to(page: Page, screen: str) -> None:
    width, scheme = SCREENS[screen]
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.evaluate(TWO_FRAMES)


def measure(page: Page, screen: str) -> dict:
    turn_to(page, screen)
    return {what: page.evaluate(code) for what, code in MEASURES.items()}


def axe(page: Page, screen: str, name: str) -> list[str]:
    """Ask for everything on the desk, where most is shown, and once for a phone's own buttons."""
    turn_to(page, screen)
    rules = audit.SCREEN_RULES if screen == "phone" and name != "index" else ()
    return audit.violations(page, rules=rules) if audit.AXE.is_file() else []


def look_at(browser: Browser, address: str, name: str) -> Look:
    with audit.visited(browser, address, name, width=PHONE) as (page, visit):
        measured = {screen: measure(page, screen) for screen in SCREENS}
        turn_to(page, "phone")
        page.evaluate(OPEN_FOLDS)
        letters, words = page.evaluate(LETTERS), page.evaluate(BEYOND)
        formulas = {PHONE: page.evaluate(CUT_FORMULAS)}
        wider = audit.overflow(page, NARROW)
        formulas[NARROW] = page.evaluate(CUT_FORMULAS)
        first = visit.requests, visit.weight
        found = {screen: axe(page, screen, name) for screen in SCREENS}
    return Look(visit, first, measured, formulas, letters, words, wider, found)


def faults(name: str, seen: Look) -> Iterator[tuple[str, object]]:
    """Yield what is wrong with a page."""
    requests, weight = seen.first
    if not (0 < weight <= audit.MOST_BYTES[name] and 0 < requests <= audit.MOST_REQUESTS):
        yield "a first visit", seen.first
    yield from (("another host", host) for host in seen.visit.hosts)
    yield from (("console", line) for line in seen.visit.console)
    for screen, (width, scheme) in SCREENS.items():
        found = seen.measured[screen]
        if found["width"] > width or found["cut"]:
            yield f"wider than the {screen}", (found["width"], found["cut"])
        if found["scheme"] != scheme:
            yield "scheme", found["scheme"]
        if not found["headings"]:
            yield "no heading", screen
        letters = found["letters in a line"]
        may_be_short = screen == "phone" or name in WITHOUT_LINES
        if letters > 40 or (letters < 30 and not may_be_short):
            yield f"letters in a line on the {screen}", letters
        # Browsers complain of what is asked for and not shown.
        asked, shown = found["fonts asked for"], found["fonts shown"]
        if asked != shown or (name == "api_neurons" and len(shown) <= 2):
            yield f"fonts asked for and shown on the {screen}", (asked, shown)
        yield from (("axe", line) for line in seen.axe[screen])
    if seen.wider > 0:
        yield "wider than the narrowest phone", seen.wider
    yield from (("a formula is cut", cut) for cut in seen.formulas.items() if cut[1])
    yield from (("small letters", each) for each in seen.letters if each[1] < SMALLEST_LETTERS)
    yield from (("words beyond the screen", word) for word in seen.words)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_read_everywhere(browser, address, name):
    """``make audit`` asks axe for all rules, in the two other combinations too."""
    assert not [*faults(name, look_at(browser, address, name))]


WRONG = """<!DOCTYPE html>
<html lang="ja" data-theme="dim"><head><meta charset="utf-8"><title>x</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"></head>
<body><div class="bd-article">
<p style="color: #ccc; width: 900px; font-size: 9px">grey words in a long line</p>
<div class="math-scroll" style="width: 50px; overflow: auto">
<p style="width: 400px"><annotation>E = mc^2</annotation></p></div>
<figure id="fig-x"><svg class="book-figure" width="900" height="20" viewBox="0 0 900 20">
<text x="850" y="9" font-size="5">tiny</text></svg></figure>
</div><script>console.log("mind")</script></body></html>
"""


def test_what_is_wrong_with_a_page_is_seen(browser, tmp_path):
    (tmp_path / "wrong.html").write_text(WRONG, encoding="utf-8")
    with served(tmp_path) as address:
        seen = look_at(browser, address, "wrong")
    found = [*faults("if_model", seen)]
    expected = [
        ("console", "log: mind"),
        *(("no heading", screen) for screen in SCREENS),
        *(("scheme", "dim") for _ in SCREENS),
        *((f"letters in a line on the {screen}", 100) for screen in SCREENS),
        *(("a formula is cut", (width, ["E = mc^2"])) for width in (PHONE, NARROW)),
        ("small letters", ["fig-x", 5]),
        ("words beyond the screen", "tiny"),
    ]
    assert not [fault for fault in expected if fault not in found]
    kinds = {kind for kind, _ in found}
    assert {"wider than the phone", "wider than the narrowest phone"} <= kinds
    if audit.AXE.is_file():
        rules = {line.partition(":")[0] for kind, line in found if kind == "axe"}
        assert {"color-contrast", "page-has-heading-one"} <= {rule.split()[0] for rule in rules}
