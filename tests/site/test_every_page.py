"""Every page in a browser, opened once: on a phone by day, on a desk by night, and narrower.

One visit serves all that is asked here, since opening a page takes as long as most questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import audit
import pytest
from audit import DESK, NARROW, OPEN_FOLDS, PHONE, TWO_FRAMES
from browsers import PAGES, in_browser, needs_axe
from site_server import served

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.fixture(params=PAGES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def look(browser, address) -> Callable[[str], Look]:
    """Looks at a page when it is first asked for."""
    looks: dict[str, Look] = {}

    def at(name: str) -> Look:
        if name not in looks:
            looks[name] = look_at(browser, address, name)
        return looks[name]

    return at


def test_a_first_visit_is_light_and_asks_nobody_else(look, name):
    seen = look(name)
    requests, weight = seen.first
    assert 0 < weight <= audit.MOST_BYTES[name]
    assert 0 < requests <= audit.MOST_REQUESTS
    assert not seen.visit.hosts


def test_it_is_quiet(look, name):
    assert not look(name).visit.console


@pytest.mark.parametrize("screen", SCREENS)
def test_it_fits_the_screen_and_has_its_colours(look, name, screen):
    width, scheme = SCREENS[screen]
    seen = look(name).measured[screen]
    assert seen["width"] <= width
    assert seen["scheme"] == scheme
    assert seen["headings"] >= 1
    assert not seen["cut"]


def test_it_fits_the_narrowest_phone(look, name):
    assert look(name).wider <= 0


@pytest.mark.parametrize("screen", SCREENS)
def test_a_line_is_at_most_40_characters_long(look, name, screen):
    letters = look(name).measured[screen]["letters in a line"]
    assert letters <= 40
    assert screen == "phone" or name in WITHOUT_LINES or letters >= 30


@pytest.mark.parametrize("screen", SCREENS)
def test_it_asks_at_once_for_the_fonts_that_it_shows_and_no_others(look, name, screen):
    """Browsers complain of others."""
    seen = look(name).measured[screen]
    assert seen["fonts asked for"] == seen["fonts shown"]
    assert len(seen["fonts shown"]) > 2 or name != "api_neurons"


@pytest.mark.parametrize("width", [NARROW, PHONE])
def test_formulas_are_seen_whole(look, name, width):
    assert look(name).formulas[width] == []


def test_letters_of_figures_can_be_read_on_a_phone(look, name):
    seen = look(name)
    assert not [found for found in seen.letters if found[1] < SMALLEST_LETTERS]
    assert seen.words == []


@needs_axe
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing(look, name, screen):
    """``make audit`` asks for all rules, in the two other combinations too."""
    assert not look(name).axe[screen]


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
    phone = seen.measured["phone"]
    assert seen.visit.console == ["log: mind"]
    assert (phone["headings"], phone["scheme"], phone["cut"]) == (0, "dim", 1)
    assert phone["width"] >= 900
    assert phone["letters in a line"] == 100
    assert seen.wider > 0
    assert seen.formulas == {PHONE: ["E = mc^2"], NARROW: ["E = mc^2"]}
    assert seen.letters == [["fig-x", 5]]
    assert seen.words == ["tiny"]
    if audit.AXE.is_file():
        assert any(line.startswith("color-contrast") for line in seen.axe["phone"])
        assert any(line.startswith("page-has-heading-one") for line in seen.axe["desk"])
