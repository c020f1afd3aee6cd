"""What a term, a citation or a number stands for is shown beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audit import AXE, DESK, PHONE, violations
from browsers import in_browser, opened
from sphinx_project import build

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

# ---- What a page brings ----

SETTINGS = (
    "html_math_renderer = 'katex'\nmyst_enable_extensions = ['dollarmath', 'colon_fence']\n"
    "myst_links_external_new_tab = False\n"
)
PAGES = {
    "index.md": "# 題\n\n{term}`閾値`と{term}`閾値`、{eq}`own`と{eq}`other`、{doc}`words`。\n\n"
    "$$\na\n$$ (own)\n\n```{toctree}\nwords\n```\n",
    "words.md": "# 語\n\n:::{glossary}\n閾値\n  いきち、$\\theta$<1。{term}`発火`。"
    "{doc}`index`の`IF`。\n\n発火\n  はっか。\n:::\n\n$$\nb = c\n$$ (other)\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("at_hand")
    extensions = ("myst_parser", "book.formulas", "book.links.at_hand")
    built = build(folder, PAGES, *extensions, settings=SETTINGS)
    assert built.code == 0, built.messages
    return built


def test_what_other_pages_explain_is_in_the_page_once(project):
    kept = project.page().select("template#at-hand > div")
    assert [part["data-of"] for part in kept] == [
        link["href"]
        for link in project.page().select("p a[href*='words.html#']")
        if link.find_previous_sibling("a", href=link["href"]) is None
    ]
    term, formula = kept
    assert "<b>閾値</b> いきち、" in str(term)
    assert "&lt;1。発火。題の<code>IF</code>。" in str(term)
    assert term.select(".katex")
    assert formula.select(".katex-display")


def test_a_page_that_links_to_what_has_changed_is_written_anew(tmp_path):
    extensions = ("myst_parser", "book.formulas", "book.links.at_hand")
    reader = "---\norphan: true\n---\n\n# 読む頁\n\n{term}`閾値`と{eq}`other`。\n"
    build(tmp_path, {**PAGES, "reader.md": reader}, *extensions, settings=SETTINGS)
    changed = PAGES["words.md"].replace("いきち", "しきいち").replace("b = c", "b = d")
    again = build(tmp_path, {"words.md": changed}, *extensions, settings=SETTINGS)
    term, formula = again.page("reader").select("template#at-hand > div")
    assert "しきいち、" in str(term)
    assert "b = d" in str(formula)


def test_nothing_in_it_leads_anywhere_or_has_an_address(project):
    assert not project.page().select("template :is(a, [id])")


def test_a_page_without_such_links_does_not_load_the_script(built_site):
    def loads(name):
        return "at_hand.js" in (built_site / f"{name}.html").read_text(encoding="utf-8")

    assert loads("lif_steps")
    assert not loads("search")


def test_what_is_on_the_page_is_not_repeated(project):
    assert not project.page("words").select("template")


# ---- What a reader sees ----


def shown(page: Page) -> Locator:
    return page.get_by_role("tooltip")


def link(page: Page, kind: str) -> Locator:
    found = page.locator(f".bd-article a.reference.internal{KINDS[kind][1]}").first
    found.scroll_into_view_if_needed()
    return found


# A page, a link of it, and what is shown.
KINDS = {
    "term": ("lif_steps", "[href*='#term-']", "タイムステップ"),
    "term of the page": ("glossary", "[href^='#term-']", "まくでんい"),
    "citation": ("lif_steps", ":has-text('Rotter')", "Exact digital simulation"),
    "formula": ("lif_steps", "[href='#equation-lif-euler']", "Δ"),
    "formula of another page": ("lif_steps", "[href='lif.html#equation-lif-continuous']", "C"),
    "picture": ("lif_steps", ":has(.std-numref)", "電位1からの減り方"),
}


@pytest.mark.parametrize("kind", KINDS)
class TestEachKind:
    pytestmark = in_browser

    @pytest.mark.parametrize(("width", "scheme"), [(PHONE, "light"), (DESK, "dark")])
    def test_it_is_shown_to_a_pointer_moves_nothing_and_is_gone_with_it(
        self, reading, kind, width, scheme
    ):
        name, _, text = KINDS[kind]
        size = "[document.documentElement.scrollWidth, document.querySelector('h1').offsetTop]"
        with reading(f"{name}.html", width=width, scheme=scheme) as page:
            before = page.evaluate(size)
            assert not shown(page).count()
            link(page, kind).hover()
            shown(page).wait_for()
            assert text in shown(page).inner_text()
            box = shown(page).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] >= 0
            assert shown(page).evaluate("e => e.scrollWidth <= e.clientWidth")
            assert page.evaluate(size) == before
            page.mouse.move(2, 2)
            shown(page).wait_for(state="hidden")

    @pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not there: npm ci")
    def test_axe_finds_nothing(self, reading, kind):
        with reading(f"{KINDS[kind][0]}.html") as page:
            link(page, kind).focus()
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Tab")
            shown(page).wait_for()
            assert not violations(page)


class TestInTheHand:
    pytestmark = in_browser

    def test_the_pointer_may_go_there(self, reading):
        with reading("lif_steps.html") as page:
            link(page, "term").hover()
            shown(page).hover()
            page.wait_for_timeout(600)
            assert shown(page).is_visible()

    def test_the_focus_shows_it_and_escape_takes_it_away(self, reading):
        with reading("lif_steps.html") as page:
            term = link(page, "term")
            term.focus()
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Tab")
            assert shown(page).is_visible()
            assert term.get_attribute("aria-describedby") == shown(page).get_attribute("id")
            page.keyboard.press("Escape")
            assert not shown(page).count()
            assert term.get_attribute("aria-describedby") is None
            assert term.evaluate("e => e === document.activeElement")

    def test_a_citation_is_said_once(self, reading):
        """The browser would show, and read out, its title as well."""
        with reading("lif_steps.html") as page:
            work = link(page, "citation")
            title = work.get_attribute("title")
            work.hover()
            shown(page).wait_for()
            assert work.get_attribute("title") is None
            page.keyboard.press("Escape")
            assert work.get_attribute("title") == title

    def test_a_long_press_shows_it_and_a_tap_follows_the_link(self, reading):
        with reading("lif_steps.html", width=PHONE) as page:
            touch = page.context.new_cdp_session(page)
            touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
            box = link(page, "term").bounding_box()
            point = {"x": box["x"] + 5, "y": box["y"] + 5}

            def press(milliseconds):
                touch.send(
                    "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]}
                )
                page.wait_for_timeout(milliseconds)
                touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

            press(900)
            assert shown(page).is_visible()
            page.wait_for_timeout(300)
            assert page.url.endswith("lif_steps.html")
            press(30)
            page.wait_for_url("**/glossary.html#term-*")

    def test_no_server_is_needed(self, browser, built_site):
        folder = f"{built_site.as_uri()}/"
        with opened(browser, folder, width=DESK) as page:
            page.goto(f"{folder}lif_steps.html")
            link(page, "formula of another page").hover()
            shown(page).wait_for()

    def test_it_is_not_printed(self, reading):
        with reading("lif_steps.html") as page:
            link(page, "term").hover()
            shown(page).wait_for()
            page.emulate_media(media="print")
            assert not shown(page).is_visible()
