"""The site in the reader's hands: a phone and a desk, light and dark."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from audit import DESK, OPEN_FOLDS, PHONE
from browsers import in_browser, opened
from pages import MOVED
from playwright.sync_api import expect
from site_server import served

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = in_browser


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_outputs_that_are_sentences_are_broken_rather_than_cut(browser, address, width):
    with opened(browser, address, width=width) as page:
        for name in ("autograd_function", "nir", "verification"):
            page.goto(f"{address}{name}.html", wait_until="networkidle")
            page.evaluate(OPEN_FOLDS)
            outputs = page.locator(".tag_wrap-output .cell_output pre").all()
            assert outputs, name
            for output in outputs:
                assert output.evaluate("node => node.scrollWidth <= node.clientWidth"), name


# ---- The buttons ----


# The size of code and of prose, and how many columns of code a visible cell shows: in the font that
# goes with the page, and in the one that stands in for it.
CODE = """() => document.fonts.ready.then(() => {
  const code = document.querySelector(".bd-article section > div.cell:not(.tag_hide-input) pre");
  const { fontSize, fontFamily, paddingLeft, paddingRight } = getComputedStyle(code);
  const width = code.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  const canvas = document.createElement("canvas").getContext("2d");
  const columns = (family) => {
    canvas.font = `${fontSize} ${family}`;
    return Math.floor(100 * width / canvas.measureText("0".repeat(100)).width);
  };
  const others = fontFamily.slice(fontFamily.indexOf(",") + 1);
  const prose = getComputedStyle(document.querySelector(".bd-article section > p:last-of-type"));
  return [fontSize, prose.fontSize, columns(fontFamily), columns(others)];
})"""


@pytest.mark.parametrize(("width", "columns"), [(PHONE, 40), (DESK, 76)])
def test_code_is_as_large_as_prose_and_a_desk_shows_all_its_columns(reading, width, columns):
    with reading("lif.html", width=width) as page:
        size, prose, *seen = page.evaluate(CODE)
        assert size == prose
        assert columns <= min(seen) <= max(seen) <= 1.02 * min(seen)


def wait_until_on_screen(page: Page, selector: str, *, shown: bool = True) -> None:
    """Wait until a reader could click there, or could not."""
    page.wait_for_function(
        """([selector, shown]) => {
          const e = document.querySelector(selector);
          const { x, y, width, height } = e.getBoundingClientRect();
          const hit = document.elementFromPoint(x + width / 2, y + height / 2);
          return (hit !== null && (e === hit || e.contains(hit)) && e.checkVisibility()) === shown;
        }""",
        arg=[selector, shown],
    )


@pytest.mark.parametrize("width", [PHONE, 768, DESK])
def test_the_menu_opens_and_closes_by_mouse(reading, width):
    chapter = "nav[aria-label=章の一覧] a"
    with reading("if_pytorch.html", width=width) as page:
        button = page.locator(".primary-toggle")
        wide = width > 992
        wait_until_on_screen(page, chapter, shown=wide)
        button.click()
        wait_until_on_screen(page, chapter, shown=not wide)
        if wide:
            button.click()
        else:
            page.mouse.click(width - 5, 400)  # beside it
        wait_until_on_screen(page, chapter, shown=wide)


@pytest.mark.parametrize(
    ("button", "key", "name"),
    [("primary-toggle", "Enter", "メニュー"), ("secondary-toggle", "Space", "目次")],
)
def test_drawers_open_and_close_by_keyboard(reading, button, key, name):
    with reading("if_pytorch.html", width=PHONE) as page:
        page.locator(f".{button}").focus()
        page.keyboard.press(key)
        drawer = page.get_by_role("dialog", name=name)
        drawer.wait_for()
        assert page.evaluate(
            "document.querySelector('dialog[open]').contains(document.activeElement)"
        )
        page.keyboard.press("Escape")
        drawer.wait_for(state="detached")
        assert page.evaluate("document.activeElement.className").split()[1] == button


def test_the_menu_folds_by_keyboard_and_says_whether_it_is_open(reading):
    with reading("if_pytorch.html") as page:
        button = page.locator(".primary-toggle")
        button.focus()
        for expanded in ("true", "false", "true"):
            assert button.get_attribute("aria-expanded") == expanded
            assert page.evaluate("document.activeElement.matches('.primary-toggle')")
            # What is folded away must not be reached either.
            folded = expanded == "false"
            wait_until_on_screen(page, "nav[aria-label=章の一覧] a", shown=not folded)
            page.keyboard.press("Tab")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Enter")


@pytest.mark.parametrize("width", [992, 1100, DESK])
def test_what_stands_beside_the_text_is_not_cut(reading, width):
    with reading("if_pytorch.html", width=width) as page:
        side = page.locator("#pst-primary-sidebar").bounding_box()
        left, right = side["x"], side["x"] + side["width"]
        words = page.locator("#pst-primary-sidebar :is(summary, .book-part[open] a)").evaluate_all(
            "all => all.map((e) => [e.textContent.trim(), e.getBoundingClientRect().toJSON()])"
        )
        assert words
        assert not [text for text, box in words if box["left"] < left or box["right"] > right]


def test_a_link_in_the_contents_closes_them(reading):
    with reading("if_pytorch.html", width=PHONE) as page:
        page.locator(".secondary-toggle").click()
        link = page.locator("dialog[open] a").nth(3)
        place = link.get_attribute("href")
        link.click()
        page.locator("dialog[open]").wait_for(state="detached")
        assert page.evaluate("location.hash") == place
        page.wait_for_function(
            "id => { const { top } = document.getElementById(id).getBoundingClientRect();"
            " return 0 <= top && top < innerHeight / 2 }",
            arg=place[1:],
        )


def test_the_contents_show_what_is_being_read(reading):
    with reading("if_pytorch.html") as page:
        link = page.locator("#pst-page-toc-nav a").nth(4)
        link.click()
        page.locator("#pst-page-toc-nav a[aria-current=true]").wait_for()
        page.wait_for_function(
            "href => document.querySelector('#pst-page-toc-nav a[aria-current=true]')"
            "?.getAttribute('href') === href",
            arg=link.get_attribute("href"),
        )


def test_a_colour_scheme_is_chosen_and_kept(reading, address):
    with reading("index.html") as page:
        html = page.locator("html")
        assert html.get_attribute("data-theme") == "light"
        page.locator(".theme-switch-button").focus()
        page.keyboard.press("Enter")
        schemes = page.locator("#book-schemes")
        schemes.wait_for()
        page.keyboard.press("Escape")
        schemes.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.matches('.theme-switch-button')")
        page.keyboard.press("Enter")
        schemes.get_by_text("暗い配色").click()
        schemes.wait_for(state="hidden")
        assert html.get_attribute("data-theme") == "dark"
        page.goto(f"{address}if_model.html", wait_until="networkidle")
        assert html.get_attribute("data-theme") == "dark"
        pressed = page.locator("[aria-pressed=true]")
        assert pressed.get_attribute("data-mode") == "dark"


def test_what_was_read_to_its_end_is_marked_until_the_marks_are_taken_away(
    browser, built_site, address
):
    for start in (address, f"{built_site.as_uri()}/"):
        with opened(browser, start, width=DESK) as page:
            page.goto(f"{start}lif.html", wait_until="load")
            clear = page.get_by_role("button", name="読んだ印を消す")
            ticked = page.locator(".book-part a:has(.book-tick)")
            assert not clear.is_visible()
            assert ticked.count() == 0
            page.locator(".prev-next-area .right-next").scroll_into_view_if_needed()
            ticked.wait_for()
            page.goto(f"{start}surrogate.html", wait_until="load")
            page.locator(".book-part summary").first.click()
            assert page.get_by_role("link", name="1.5 LIFモデル 読んだ").is_visible()
            assert ticked.count() == 1
            clear.focus()
            page.keyboard.press("Enter")
            assert ticked.count() == 0
            assert page.locator(".book-read [role=status]").inner_text() == "読んだ印を消しました。"
            page.goto(f"{start}lif.html", wait_until="load")
            assert ticked.count() == 0


def test_marks_that_are_none_of_ours_do_no_harm(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}index.html", wait_until="load")
        page.evaluate("localStorage.setItem('read', '{')")
        page.goto(f"{address}lif.html", wait_until="load")
        assert page.locator(".book-tick").count() == 0


@pytest.mark.parametrize(
    ("chosen", "system", "shown"),
    [
        (None, "dark", "dark"),
        (None, "light", "light"),
        ("light", "dark", "light"),
        ("auto", "dark", "dark"),
    ],
)
def test_the_colour_scheme_is_settled_before_anything_is_shown(
    browser, address, chosen, system, shown
):
    with opened(browser, address, width=DESK, scheme=system) as page:
        page.goto(f"{address}404.html")
        page.evaluate("(chosen) => chosen && localStorage.setItem('mode', chosen)", chosen)
        page.route("**/page.js*", lambda route: route.fulfill(body=""))
        page.goto(f"{address}index.html")
        assert page.evaluate("document.documentElement.dataset.theme") == shown


def test_what_scrolls_is_reached_by_keyboard_and_says_what_it_is(reading):
    with reading("if_pytorch.html", width=PHONE) as page:
        box = page.locator(".bd-article .cell_input pre", has_text="上に書いたクラス")
        box.scroll_into_view_if_needed()
        page.wait_for_function("e => e.tabIndex === 0", arg=box.element_handle())
        assert box.get_attribute("role") == "group"
        assert box.get_attribute("aria-label") == "コード（スクロールできます）"
        page.set_viewport_size({"width": 2000, "height": 844})
        page.wait_for_function("e => !e.hasAttribute('tabindex')", arg=box.element_handle())
        assert box.get_attribute("role") is None


# ---- On paper ----


def test_the_print_has_the_text_and_nothing_around_it(reading, address):
    with reading("if_pytorch.html", scheme="dark") as page:
        page.emulate_media(media="print")
        for around in (".bd-sidebar-primary", ".bd-header-article", ".prev-next-footer", "summary"):
            assert not page.locator(around).first.is_visible(), around
        colours = page.locator("body, .bd-article p, .bd-article pre span").evaluate_all(
            "all => [...new Set(all.map((e) => getComputedStyle(e).color))]"
        )
        assert colours == ["rgb(0, 0, 0)"]
        assert page.locator(".bd-article h1").is_visible()
        assert not page.locator(".tag_hide-input:has(figure) details pre").first.is_visible()
        answer = page.locator(".tag_hide-cell details:not([open])").first
        label = answer.locator("summary").evaluate("e => getComputedStyle(e, '::before').content")
        assert label.strip('"') in answer.text_content()
        folded = answer.locator("pre").first
        assert folded.evaluate("e => e.checkVisibility({ contentVisibilityAuto: true })")
        assert folded.bounding_box()["height"] > 0
        page.goto(f"{address}references.html", wait_until="networkidle")
        link = page.locator(".bd-article a[href^=http]").first
        shown = link.evaluate("e => getComputedStyle(e, '::after').content")
        assert "（" in shown


def test_what_scripts_add_is_japanese(reading):
    with reading("if_pytorch.html") as page:
        button = page.locator("button.copybtn").first
        button.wait_for(state="attached")
        assert button.get_attribute("data-tooltip") == "コピー"
        assert "クリップボードにコピー" in button.inner_html()


def test_links_in_code_are_not_copied_and_are_reached_by_keyboard(browser, address):
    with opened(browser, address, width=DESK) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{address}if_pytorch.html", wait_until="networkidle")
        linked = page.locator("a.code-link[tabindex]")
        cell = page.locator(".cell_input:visible", has=linked).first
        cell.hover()
        cell.locator("button.copybtn").click()
        cell.locator("button.copybtn.success").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.strip() == cell.locator("pre").text_content().strip()
        first = page.locator("a.code-link:not([tabindex]):visible").first
        first.focus()
        line = "e => getComputedStyle(e).textDecorationStyle"
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        assert first.evaluate("e => e === document.activeElement")
        assert first.evaluate(line) == "solid"
        page.keyboard.press("Tab")
        assert first.evaluate(line) == "dotted"


# ---- Search ----


def marks(page: Page) -> list[str]:
    """What is marked on a page as looked for, once the page is whole."""
    page.wait_for_load_state("load")
    return page.evaluate("[...(CSS.highlights.get('search') ?? [])].map(String)")


def first_mark_on_screen(page: Page) -> str:
    """Wait until a mark is in view, and return its text."""
    in_view = (
        "() => { const range = [...CSS.highlights.get('search')].find(range => {"
        " const box = range.getBoundingClientRect();"
        " return box.height > 0 && box.top > 60 && box.bottom < innerHeight });"
        " return range && String(range) }"
    )
    return page.wait_for_function(in_view).json_value()


@pytest.mark.parametrize(("width", "key"), [(PHONE, "/"), (DESK, "Control+k"), (DESK, "Enter")])
def test_a_key_opens_the_search(reading, width, key):
    with reading("if_pytorch.html", width=width) as page:
        within = page.get_by_role("button", name="検索") if key == "Enter" else page.locator("body")
        within.press(key)
        field = page.get_by_role("dialog", name="検索").get_by_role("searchbox", name="検索")
        expect(field).to_be_focused()
        page.keyboard.type("1/2")
        assert field.input_value() == "1/2"
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?q=1%2F2")
        assert page.locator("main input[name=q]").input_value() == "1/2"


def test_results_are_in_japanese_and_show_what_was_looked_for(reading):
    with reading("search.html?q=Ｈｅａｖｉｓｉｄｅ", width=PHONE) as page:
        results = page.locator("ul.search > li")
        said = page.get_by_role("main").get_by_role("status").inner_text()
        assert said == f"{results.count()}件見つかりました。"
        assert results.count() > 1
        for result in results.all():
            assert {text.lower() for text in result.locator("mark").all_inner_texts()} == {
                "heaviside"
            }
            assert len(result.locator("p.context").inner_text()) <= 150
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_results_follow_what_is_typed_and_are_there_on_coming_back(reading):
    with reading("search.html") as page:
        status = page.get_by_role("main").get_by_role("status")
        assert status.inner_text().startswith("空白で区切ると")
        # What was there as the page came is not announced, but described.
        field = page.get_by_role("main").get_by_role("search").get_by_role("searchbox", name="検索")
        expect(field).to_have_accessible_description(status.inner_text())
        page.keyboard.type("しきい値")  # The field has the focus.
        expect(status).to_contain_text("「しきい値」は「閾値」でも探しました。")
        page.locator("ul.search a").first.click()
        page.wait_for_url("**mark=**")
        assert set(marks(page)) <= {"しきい値", "閾値"}
        page.go_back()
        assert page.locator("main input[name=q]").input_value() == "しきい値"
        page.locator("ul.search a").first.wait_for()


def test_arrows_move_through_the_results(reading):
    with reading("search.html?q=発火") as page:
        focus = "document.activeElement.getAttribute('href')"
        links = [link.get_attribute("href") for link in page.locator("ul.search a").all()]
        seen = []
        for key in ("ArrowUp", "ArrowDown", "ArrowDown", "ArrowUp"):
            page.keyboard.press(key)
            seen.append(page.evaluate(focus))
        assert seen == [None, links[0], links[1], links[0]]
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.name") == "q"
        # While Japanese is being converted, the keys are the converter's.
        page.evaluate(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown',"
            " { key: 'ArrowDown', bubbles: true, isComposing: true }))"
        )
        assert page.evaluate("document.activeElement.name") == "q"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**mark=**")


def test_a_page_is_opened_where_it_has_what_was_looked_for(reading):
    with reading("search.html?q=DETACH_reset", width=PHONE) as page:
        page.locator("ul.search a").first.click()
        page.wait_for_url("**mark=**")
        assert first_mark_on_screen(page) == "detach_reset"
        assert set(marks(page)) == {"detach_reset"}
        page.keyboard.press("Escape")
        assert not marks(page)


def test_a_mark_crosses_the_borders_of_elements_and_opens_folded_cells(reading, address):
    """Each name and sign of code is an element of its own, and exercises' solutions are folded."""
    with reading("if_pytorch.html") as page:
        folded = page.locator("details:not([open]) pre").first
        word = max(folded.evaluate("e => e.textContent").split(), key=len)
        query = urlencode({"mark": word.lower()})
        page.goto(f"{address}if_pytorch.html?{query}", wait_until="networkidle")
        assert first_mark_on_screen(page) == word


@pytest.mark.parametrize("anchor", ["%", "%e9", "nowhere", ""])
def test_a_mark_is_shown_whatever_a_link_names_as_its_place(browser, tmp_path, anchor):
    shutil.copy(DOCS / "_ext" / "book" / "search" / "static" / "search.js", tmp_path)
    text = "<article><p style='margin: 99px'>発火</p></article><script src=search.js></script>"
    page = f"<!doctype html><html lang=ja><meta charset=utf-8><title>t</title>{text}"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with opened(browser, tmp_path.as_uri(), width=DESK) as page:
        page.goto(f"{tmp_path.as_uri()}/page.html?mark=発火#{anchor}")
        assert first_mark_on_screen(page) == "発火"


def test_marks_are_seen(reading, address):
    for scheme in ("light", "dark"):
        with reading("search.html?q=発火", scheme=scheme) as page:
            mark = page.locator("p.context mark").first
            found = mark.evaluate("e => getComputedStyle(e).backgroundColor")
            around = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
            assert found != around
            page.goto(f"{address}if_pytorch.html?mark=発火", wait_until="networkidle")
            style = "getComputedStyle(document.querySelector('p'), '::highlight(search)')"
            assert page.evaluate(f"{style}.backgroundColor") == found


# What is waited for is a function: an expression would be evaluated, which the policy forbids.
IN_THE_BOX = "() => document.activeElement.name === 'q'"


@pytest.mark.parametrize("place", ["file", "folder"])
def test_search_needs_no_server_and_no_place_of_its_own(browser, built_site, place):
    with ExitStack() as stack:
        if place == "file":
            address = f"{built_site.as_uri()}/"
        else:
            address = f"{stack.enter_context(served(built_site.parent))}{built_site.name}/"
        page = stack.enter_context(opened(browser, address, width=DESK))
        page.goto(f"{address}index.html", wait_until="networkidle")
        page.keyboard.press("/")
        page.wait_for_function(IN_THE_BOX)
        page.keyboard.type("代理")
        page.keyboard.press("Enter")
        page.wait_for_url("**search.html?q=**")
        page.wait_for_function(IN_THE_BOX)
        page.keyboard.type("勾配")
        # It waits for a pause: until then, there is what 代理 alone has found.
        page.wait_for_url("**search.html?q=*%E5%8B%BE%E9%85%8D")
        result = page.locator("ul.search > li").first
        expect(result.locator("mark", has_text="代理勾配").first).to_be_attached()
        result.locator("a").click()
        page.wait_for_url("**mark=**")
        assert set(marks(page)) == {"代理勾配"}


COUNTING = """() => {
  const whole = finding;
  window.searches = 0;
  window.finding = function* (query) {
    searches += 1;
    return yield* whole(query);
  };
}"""
CONVERTED = """(type) => {
  const input = document.querySelector("main input[name=q]");
  const kind = type === "input" ? InputEvent : CompositionEvent;
  input.dispatchEvent(new kind(type, { bubbles: true, isComposing: type === "input" }));
}"""


def test_a_search_waits_for_a_pause_and_for_the_end_of_a_conversion(reading):
    with reading("search.html") as page:
        page.evaluate(COUNTING)
        page.keyboard.type("代理勾配 の の の")
        page.locator("ul.search mark").first.wait_for()
        assert page.evaluate("searches") == 1
        page.evaluate(CONVERTED, "input")
        page.wait_for_timeout(500)
        assert page.evaluate("searches") == 1
        page.evaluate(CONVERTED, "compositionend")
        page.wait_for_function("() => searches === 2")


# ---- The policy ----


POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)"')
ASKED = re.compile(r'<(?:script|img|link)[^>]+(?:src|href)="(?!data:)[^"#?]*(\.\w+)')


def one_of_each_policy(site: Path) -> list[str]:
    """Name a page of those that have the same policy and ask for the same kinds of files."""
    found: dict[tuple[str, ...], str] = {}
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        # The theme's macros, which nobody opens, and an address that leads on at once.
        if not name.startswith("_static/") and name.removesuffix(".html") not in MOVED:
            text = path.read_text(encoding="utf-8")
            (policy,) = POLICY.findall(text)
            found.setdefault((policy, *sorted(set(ASKED.findall(text)))), name)
    return list(found.values())


def test_no_page_does_what_its_policy_forbids(browser, built_site):
    """Here from a disk, where 'self' means less: test_every_page.py opens all on a server."""
    start = f"{built_site.as_uri()}/"
    with opened(browser, start, width=DESK) as page:
        for name in one_of_each_policy(built_site):
            page.goto(start + name)
            assert page.evaluate("document.documentElement.dataset.mode") == "auto", name


ATTACKS = """() => {
  window.blocked = [];
  addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
  const add = (name, values) => {
    const made = Object.assign(document.createElement(name), values);
    document.body.append(made);
    return made;
  };
  add("script", { textContent: "window.ran = 'script'" });
  add("script", { src: "https://example.invalid/x.js" });
  add("style", { textContent: "body { color: red }" });
  add("div", { innerHTML: `<i onclick="window.ran = 'attribute'"></i>` }).firstChild.click();
  add("iframe", { src: "search.html" });
  add("object", { data: "search.html" });
  add("img", { src: "https://example.invalid/x.png" });
  add("base", { href: "https://example.invalid/" });
  add("form", { action: "https://example.invalid/" }).submit();
  fetch("https://example.invalid/").catch(() => {});
  // Out of the reach of the browser's tools, which may do more than pages may.
  setTimeout(() => {
    const runs = [() => eval("window.ran = 'eval'"), () => new Function("window.ran = 'new'")()];
    for (const run of runs) try { run(); } catch { blocked.push("eval"); }
  });
}"""
FORBIDDEN = {
    *("script-src-elem", "script-src-attr", "style-src-elem", "frame-src", "object-src"),
    *("img-src", "base-uri", "form-action", "connect-src", "eval"),
}


@pytest.mark.parametrize("place", ["file", "server"])
def test_what_is_put_into_a_page_does_nothing(browser, built_site, address, place):
    start = f"{built_site.as_uri()}/" if place == "file" else address
    with closing(browser.new_page()) as page:
        page.goto(f"{start}if_pytorch.html")
        page.evaluate(ATTACKS)
        page.wait_for_function(
            "wanted => wanted.every((name) => blocked.includes(name))", arg=sorted(FORBIDDEN)
        )
        assert page.evaluate("window.ran") is None
        assert page.evaluate("blocked.filter((name) => name === 'eval').length") == 2


# ---- What a page can be taken away as ----


def test_a_page_is_taken_away_by_keyboard_and_without_scripts(browser, built_site, address):
    context = browser.new_context(java_script_enabled=False, locale="ja-JP")
    page = context.new_page()
    page.goto(f"{address}if_model.html")
    menu = page.locator("details.takeaway")
    link = menu.get_by_text("ノートブック（.ipynb）")
    assert not link.is_visible()
    menu.locator("summary").press("Enter")
    assert link.is_visible()
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "if_model.ipynb"
    file = built_site / "download" / "if_model.ipynb"
    assert Path(download.value.path()).read_bytes() == file.read_bytes()
    context.close()
