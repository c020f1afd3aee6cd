"""From the door of the book to a search, a page and a cell that runs: by keyboard, and by ear."""

from __future__ import annotations

import re

import pytest
from audit import DESK, PHONE
from book_runs import until
from browsers import in_browser
from live_pages import DOCS, PAGE, SETTINGS, Cell, opened
from live_servers import kernels, served
from playwright.sync_api import expect
from walking import Keyboard, Listener, wrong_names, wrong_stops

from bookproof.kernels.warm import FORKS
from bookproof.server import live

pytestmark = [
    *in_browser,
    pytest.mark.skipif(not FORKS, reason="these tests look for the forks of a template"),
]
WORD = "違う値になります"
NOTHING = "見つかりませんでした。短い言葉に変えて試してください。"
NUMBER = 7
"""Of the cell that follows."""
LEADS_ON = f"ul.search a[href^='{PAGE}?']"
SAYS = SETTINGS.words


@pytest.fixture(scope="module")
def server(own_site):
    with served(live.Book(DOCS, own_site, SETTINGS)) as server:
        yield server


@pytest.fixture(autouse=True)
def no_kernel_is_left():
    yield
    until(lambda: not kernels(SETTINGS.modules))


# By keyboard


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_keyboard_leads_from_the_door_to_a_cell_and_out_of_it(browser, server, width):
    with opened(browser, server, width=width) as page:
        keys = Keyboard(page)
        keys.press("Tab")
        assert keys.is_on(page.get_by_role("link", name="本文へスキップ"))
        find_the_page(keys)
        number = run_a_cell(keys)
        change_a_cell(keys, Cell(page, number))
        stop_a_cell(keys, Cell(page, number))


def find_the_page(keys):
    """Look for a word, and open the page that has it."""
    page = keys.page
    keys.press("/")
    assert keys.is_on(page.get_by_role("dialog", name="検索").get_by_role("searchbox", name="検索"))
    keys.type(WORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    keys.look()
    assert keys.is_on(page.get_by_role("main").get_by_role("searchbox", name="検索"))
    expect(page.get_by_role("main").get_by_role("status")).to_have_text(
        re.compile(r"^\d+件見つかりました。")
    )
    results = page.locator("ul.search a").count()
    keys.go_to(page.locator(LEADS_ON), key="ArrowDown", most=results)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{PAGE}?*")
    page.wait_for_load_state()


def run_a_cell(keys):
    """Go on from the place that was found to the next cell; return its number."""
    page = keys.page
    keys.go_to(page.get_by_role("button", name=SAYS["run"], exact=True), most=30)
    group = page.get_by_role("group").filter(has=page.locator(":focus"))
    number = int(re.search(r"\d+", group.last.get_attribute("aria-label"))[0])
    cell = Cell(page, number)
    assert keys.is_on(cell.button("run"))
    keys.press("Enter")
    cell.says("done")
    expect(cell.output).to_contain_text("電位")
    return number


def change_a_cell(keys, cell):
    keys.go_to(cell.button("edit"), most=5)
    keys.press("Space")
    assert keys.is_on(cell.editor)
    keys.press("Control+a")
    keys.type("print(6 * 7)")
    keys.press("Shift+Enter")
    cell.says("done")
    expect(cell.output).to_have_text("42\n")
    assert keys.is_on(cell.editor)
    keys.press("Tab")  # No stop of the Tab key holds it: not the editor either.
    assert not keys.is_on(cell.editor)
    keys.press("Shift+Tab")
    assert keys.is_on(cell.editor)
    keys.press("Escape")
    assert keys.is_on(cell.button("run"))


def stop_a_cell(keys, cell):
    keys.go_to(cell.editor, key="Shift+Tab", most=5)
    keys.press("Control+a")
    keys.type("while True: pass")
    keys.press("Shift+Enter")
    cell.says("running")
    keys.press("Escape")
    keys.go_to(cell.button("stop"), most=5)
    keys.press("Enter")
    cell.says("stopped")
    assert keys.is_on(cell.button("stop"))
    keys.go_to(cell.button("reset"), most=5)
    keys.press("Enter")
    cell.says("is_reset")
    expect(cell.editor).to_have_count(0)
    assert keys.is_on(cell.button("reset"))


@pytest.mark.parametrize(("width", "path"), [(PHONE, PAGE), (DESK, "rounding.html")])
def test_the_tab_key_leads_through_a_page_and_is_held_nowhere(browser, server, width, path):
    with opened(browser, server, width=width) as page:
        page.goto(f"{server.door.address}/{path}")
        keys, cell = Keyboard(page), Cell(page, 2)
        cell.write("print('Hello')")
        cell.press("run")
        cell.says("done")
        back = keys.stops("Shift+Tab")
        there = keys.stops("Tab")
        # what a cell shows once it has the focus is passed on the way down only
        shown = re.compile(r"live-(stop|restart|edit|reset)")
        down, up = ([stop for stop in way if not shown.search(stop)] for way in (there, back[::-1]))
        assert down[: len(up)] == up
        for stop in ("本文へスキップ", "live-run", "live-editor", "live-output"):
            assert any(stop in what for what in there), stop


# By ear


@pytest.mark.parametrize("path", ["", f"search.html?q={WORD}", PAGE, "404.html"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_each_page_says_what_it_is(browser, server, width, path):
    with opened(browser, server, width=width) as page:
        page.goto(f"{server.door.address}/{path}")
        listener = Listener(page)
        assert not listener.faults()
        if width == DESK:  # On a phone it is in the menu.
            listener.find(("banner", ""), ("link", "スパイキングニューロンをPyTorchで動かす"))


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_what_a_button_opens_says_what_it_is(browser, server, width):
    with opened(browser, server, width=width) as page:
        page.goto(f"{server.door.address}/{PAGE}")
        listener = Listener(page)
        opening = {"検索": "検索"}
        if width == PHONE:
            opening |= {"メニューの開閉": "メニュー", "目次の開閉": "目次"}
        for button, dialog in opening.items():
            listener.press(("button", button))
            expect(page.get_by_role("dialog")).to_be_visible()
            listener.find(("dialog", dialog))
            nodes = listener.nodes()
            assert not [*wrong_names(nodes), *wrong_stops(listener.stops(), nodes)]
            page.keyboard.press("Escape")


def test_an_ear_leads_from_the_door_to_a_cell_that_runs(browser, server):
    with opened(browser, server) as page:
        listener = Listener(page)
        search_by_ear(listener)
        cell = ("group", SAYS["cell"].format(n=NUMBER))
        run_by_ear(listener, cell)
        change_by_ear(listener, cell)


def search_by_ear(listener):
    page = listener.page
    listener.press(("button", "検索"))
    expect(page.get_by_role("dialog")).to_be_visible()
    listener.find(("dialog", "検索"), ("search", ""), ("searchbox", "検索"))
    page.keyboard.insert_text(WORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?*")
    found = listener.text(("main", ""), ("status", ""))
    assert re.fullmatch(r"\d+件見つかりました。(近いページを\d+件加えました。)?", found)
    field = listener.find(("main", ""), ("search", ""), ("searchbox", "検索"))
    assert field.properties["focused"]
    assert field.description == found  # What was there as the page came is not announced.
    listener.listen()
    for typed, said in (("ぬゑぬゑ", NOTHING), (WORD, found)):
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(typed)
        listener.hears(said)
    listener.press(("main", ""), ("link", "IFモデルをPyTorchで動かす"))
    page.wait_for_url(f"**/{PAGE}?*")
    page.wait_for_load_state()


def run_by_ear(listener, cell):
    listener.press(cell, ("button", SAYS["run"]))
    listener.hears(SAYS["done"])
    assert listener.find(cell, ("button", SAYS["stop"])).properties["disabled"]
    assert "電位" in listener.text(("region", SAYS["output"].format(n=NUMBER)))


def change_by_ear(listener, cell):
    page, editor = listener.page, ("textbox", SAYS["code"].format(n=NUMBER))
    for code, said in (
        ("1 / 0", SAYS["failed"].format(n=NUMBER)),
        ("while True: pass", SAYS["running"]),
    ):
        listener.press(cell, ("button", SAYS["edit"]))
        assert listener.find(editor).description == SAYS["keys"]
        assert listener.find(editor).properties["focused"]
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
        page.keyboard.press("Shift+Enter")
        listener.hears(said)
    assert listener.find(cell, ("button", SAYS["run"])).properties["disabled"]
    listener.press(cell, ("button", SAYS["stop"]))
    listener.hears(SAYS["stopped"])
    listener.press(cell, ("button", SAYS["restart"]))
    listener.hears(SAYS["restarted"])
    listener.press(cell, ("button", SAYS["reset"]))
    listener.hears(SAYS["is_reset"])
