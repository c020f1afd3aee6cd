"""From the door of the book to a search and a page: by keyboard, and by ear."""

from __future__ import annotations

import re
from contextlib import contextmanager

import browsers
import pytest
from audit import DESK, PHONE
from browsers import in_browser
from playwright.sync_api import expect
from walking import Keyboard

pytestmark = in_browser
PAGE = "if_pytorch.html"
WORD = "続きを動かします"
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


def test_an_ear_leads_from_the_door_to_the_place_in_a_page(browser, address):
    """By roles and names; axe asks each page, and each dialog, whether it has those."""
    with opened(browser, address) as page:
        page.get_by_role("button", name="検索").press("Enter")
        dialog = page.get_by_role("dialog", name="検索").get_by_role("search")
        expect(dialog.get_by_role("searchbox", name="検索")).to_be_focused()
        page.keyboard.insert_text(WORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html?*")
        main = page.get_by_role("main")
        status = main.get_by_role("status")
        expect(status).to_have_text(re.compile(r"^\d+件見つかりました。"))
        found = status.inner_text()
        field = main.get_by_role("search").get_by_role("searchbox", name="検索")
        expect(field).to_be_focused()
        # What was there as the page came is not announced.
        expect(field).to_have_accessible_description(found)
        for typed, said in (("ぬゑぬゑ", NOTHING), (WORD, found)):
            page.keyboard.press("Control+A")
            page.keyboard.insert_text(typed)
            expect(status).to_have_text(said)
        main.get_by_role("link", name="IFモデルをPyTorchで動かす").first.press("Enter")
        page.wait_for_url(f"**/{PAGE}?*")
