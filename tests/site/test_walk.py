"""From the door of the book to a search and a page: by keyboard, and by ear."""

from __future__ import annotations

import re
from contextlib import contextmanager

import browsers
import pytest
from audit import DESK, PHONE
from browsers import in_browser
from playwright.sync_api import expect
from walking import Keyboard, Listener, wrong_names, wrong_stops

pytestmark = in_browser
PAGE = "if_pytorch.html"
WORD = "違う値になります"
NOTHING = "見つかりませんでした。短い言葉に変えて試してください。"
LEADS_ON = f"ul.search a[href^='{PAGE}?']"


@contextmanager
def opened(browser, address, *, width=DESK):
    with browsers.opened(browser, address, width=width) as page:
        page.goto(address)
        yield page


# By keyboard


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_keyboard_leads_from_the_door_to_the_place_in_a_page(browser, address, width):
    with opened(browser, address, width=width) as page:
        keys = Keyboard(page)
        keys.press("Tab")
        assert keys.is_on(page.get_by_role("link", name="本文へスキップ"))
        keys.press("/")
        dialog = page.get_by_role("dialog", name="検索")
        assert keys.is_on(dialog.get_by_role("searchbox", name="検索"))
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


@pytest.mark.parametrize(("width", "path"), [(PHONE, PAGE), (DESK, "rounding.html")])
def test_the_tab_key_leads_through_a_page_and_is_held_nowhere(browser, address, width, path):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}{path}")
        keys = Keyboard(page)
        down = [keys.press("Tab") for _ in range(40)]
        up = keys.stops("Shift+Tab")
        there = keys.stops("Tab")
        assert up == down[-2::-1]
        assert there[: len(down)] == down
        assert "本文へスキップ" in there[0]


# By ear


@pytest.mark.parametrize("path", ["", f"search.html?q={WORD}", PAGE, "404.html"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_each_page_says_what_it_is(browser, address, width, path):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}{path}")
        if path.startswith("search"):  # It looks at page after page, and tells when it has.
            expect(page.locator("#search-summary")).to_contain_text("件見つかりました。")
        listener = Listener(page)
        assert not listener.faults()
        if width == DESK:  # On a phone it is in the menu.
            listener.find(("banner", ""), ("link", "スパイキングニューロンをPyTorchで動かす"))


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_what_a_button_opens_says_what_it_is(browser, address, width):
    with opened(browser, address, width=width) as page:
        page.goto(f"{address}{PAGE}")
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


def test_an_ear_leads_from_the_door_to_the_place_in_a_page(browser, address):
    with opened(browser, address) as page:
        listener = Listener(page)
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
