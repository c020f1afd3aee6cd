"""A reader who has no mouse, and one who sees no screen: how each finds the way through a page."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
from book_runs import until
from playwright.sync_api import TimeoutError as TooLateError

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

JAPANESE = re.compile("[ぁ-んァ-ヶ一-龠]")

# ---- By keyboard ----

# What has the focus, and what keeps a reader from seeing it there.
FOCUS = """() => {
  let e = document.activeElement;
  while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  if (e === document.body) return { what: "", faults: [] };
  const what = e.outerHTML.slice(0, 120);
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(e);
  const faults = [];
  if (!e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
    faults.push("hidden");
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2 || /, 0\\)$/.test(outlineColor))
    faults.push("without an outline");
  const box = e.getClientRects()[0];  // The first line of a link that is broken.
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  const whole = bottom - top > box.height - 2 && right - left > box.width - 2;
  if (right <= left || bottom <= top || (!whole && box.height < innerHeight / 2))
    return { what, faults: [...faults, "outside of the window"] };
  const above = e.getRootNode().elementsFromPoint((left + right) / 2, (top + bottom) / 2)
    .find((hit) => hit.checkVisibility({ opacityProperty: true }));
  if (!e.contains(above) && above?.closest("label")?.control !== e)
    faults.push(`covered by ${above?.outerHTML.slice(0, 80)}`);
  return { what, faults };
}"""
SECONDS = 60


class Keyboard:
    """Does nothing but press keys, and looks where the focus is after each."""

    def __init__(self, page: Page) -> None:
        self.page, self.focus = page, page.locator(":focus")

    def press(self, key: str) -> str:
        """Press a key; return what has the focus then, which must be seen."""
        self.page.keyboard.press(key)
        return self.look()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def look(self) -> str:
        """Return what has the focus, once the page has scrolled there."""
        focus = self.page.evaluate(FOCUS)
        if focus["faults"]:
            with suppress(TooLateError):
                scrolled = f"() => ({FOCUS})().faults.length === 0"
                self.page.wait_for_function(scrolled, timeout=1000 * SECONDS)
            focus = self.page.evaluate(FOCUS)
        assert not focus["faults"], f"{focus['what']} has the focus, but is {focus['faults']}"
        return focus["what"]

    def is_on(self, wanted: Locator) -> bool:
        return wanted.and_(self.focus).count() == 1

    def go_to(self, wanted: Locator, *, key: str = "Tab", most: int) -> None:
        """Press a key until something has the focus, but no more often than a reader would."""
        for _ in range(most):
            self.press(key)
            if self.is_on(wanted):
                return
        pytest.fail(f"{most} times {key} does not lead to {wanted}")

    def stops(self, key: str) -> list[str]:
        """Go on till the page ends; return where the focus has been."""
        most = self.page.locator("*").count()
        stops = list(takewhile(bool, (self.press(key) for _ in range(most))))
        assert len(stops) < most, f"{key} never leaves the page"
        return stops


# ---- By ear ----

AT_MOST_ONCE = ("banner", "contentinfo", "search")
# What does something: it must say what, in the book's language.
CONTROLS = ("DisclosureTriangle", "button", "checkbox", "radio", "searchbox", "slider", "textbox")
# What a listener is told to be in, or may go to.
PLACES = ("dialog", "navigation", "region")
# What says nothing of what it is for.
NOTHING = ("generic", "none", "pre", "StaticText")
# Where the Tab key stops.
STOPS = """[...(document.querySelector("dialog:modal") ?? document).querySelectorAll("*")].filter(
  (e) => e.tabIndex >= 0 && !e.disabled && !e.closest("[inert]")
    && e.checkVisibility({ visibilityProperty: true }))"""


@dataclass
class Node:
    """What a listener is told of an element."""

    id: str
    parent: str
    role: str
    name: str
    description: str
    element: int
    properties: dict[str, Any]

    @classmethod
    def told(cls, raw: dict[str, Any]) -> Node:
        words = (raw.get(key, {}).get("value", "") for key in ("role", "name", "description"))
        properties = {p["name"]: p["value"].get("value") for p in raw.get("properties", [])}
        ids = raw["nodeId"], raw.get("parentId", "")
        return cls(*ids, *words, raw["backendDOMNodeId"], properties)


class Listener:
    """Finds the way by roles and names, in the tree that Chromium gives to screen readers."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.places: set[str] = set()

    def nodes(self) -> list[Node]:
        """Return what there is, in the order in which it is read."""
        tree = self.session.send("Accessibility.getFullAXTree")["nodes"]
        known = {raw["nodeId"]: raw for raw in tree}
        nodes, ahead = [], [tree[0]]
        while ahead:
            raw = ahead.pop()
            if not raw["ignored"] and "backendDOMNodeId" in raw:  # The lines of a text have none.
                nodes.append(Node.told(raw))
            ahead += [known[child] for child in reversed(raw["childIds"]) if child in known]
        return nodes

    def query(self, place: Node | None = None, **what: str) -> list[Node]:
        """Return what has a role, or a name, in some place or on the page."""
        if place:
            inside: dict[str, Any] = {"backendNodeId": place.element}
        else:
            document = self.session.send("Runtime.evaluate", {"expression": "document"})
            inside = {"objectId": document["result"]["objectId"]}
        nodes = self.session.send("Accessibility.queryAXTree", {**inside, **what})["nodes"]
        return [Node.told(raw) for raw in nodes if not raw["ignored"]]

    def find(self, *way: tuple[str, str]) -> Node:
        """Follow roles and beginnings of names, each within the one before; return the last."""
        place: Node | None = None
        for role, name in way:
            there = self.query(place, role=role)
            place = next((node for node in there if node.name.startswith(name)), None)
            assert place, f"no {role} {name!r} of {way}, but {[node.name for node in there]}"
        assert place
        return place

    def text(self, *way: tuple[str, str]) -> str:
        """Return what is read out of a place."""
        return "".join(node.name for node in self.query(self.find(*way), role="StaticText"))

    def press(self, *way: tuple[str, str]) -> None:
        """Go to what is found, and press Enter there. What changes from now on is heard."""
        self.session.send("DOM.focus", {"backendNodeId": self.find(*way).element})
        self.listen()
        self.page.keyboard.press("Enter")

    def listen(self) -> None:
        """Remember the places that are listened to: what comes with its place is often missed."""
        nodes = [*self.query(role="status"), *self.query(role="alert")]
        self.places = {node.id for node in nodes if node.properties.get("live") != "off"}

    def hears(self, words: str) -> None:
        """Wait until one of these places says something."""

        def said() -> bool:
            nodes = self.query(role="StaticText", accessibleName=words)
            return any(node.parent in self.places for node in nodes)

        until(said)

    def stops(self) -> list[int]:
        """Return the elements where the Tab key stops."""
        there = self.session.send("Runtime.evaluate", {"expression": STOPS})["result"]
        own = {"objectId": there["objectId"], "ownProperties": True}
        elements = self.session.send("Runtime.getProperties", own)["result"]
        ids = [one["value"]["objectId"] for one in elements if one["name"].isdecimal()]
        described = (self.session.send("DOM.describeNode", {"objectId": id_}) for id_ in ids)
        return [one["node"]["backendNodeId"] for one in described]

    def faults(self) -> list[str]:
        """Return what keeps a listener from finding the way."""
        nodes = self.nodes()
        return [
            *wrong_language(self.page),
            *wrong_landmarks(nodes),
            *wrong_outline(nodes),
            *wrong_names(nodes),
            *wrong_stops(self.stops(), nodes),
        ]


def wrong_language(page: Page) -> list[str]:
    language = page.locator("html").get_attribute("lang")
    return [] if language == "ja" else [f"the language is {language!r}"]


def wrong_landmarks(nodes: list[Node]) -> list[str]:
    roles = Counter(node.role for node in nodes)
    names = Counter(node.name for node in nodes if node.role == "navigation")
    return [
        *([] if roles["main"] == 1 else [f"{roles['main']} times main"]),
        *(f"{roles[role]} times {role}" for role in AT_MOST_ONCE if roles[role] > 1),
        *(f"{count} times navigation {name!r}" for name, count in names.items() if count > 1),
    ]


def wrong_outline(nodes: list[Node]) -> list[str]:
    headings = [node for node in nodes if node.role == "heading"]
    levels = [int(node.properties["level"]) for node in headings]
    return [
        *([] if levels.count(1) == 1 else [f"{levels.count(1)} headings of the first level"]),
        *(
            f"from level {before} to {after}: {node.name!r}"
            for before, after, node in zip(levels, levels[1:], headings[1:], strict=False)
            if after > before + 1
        ),
    ]


def wrong_names(nodes: list[Node]) -> list[str]:
    return [
        f"{node.role} is called {node.name!r}"
        for node in nodes
        if (node.role in {*CONTROLS, *PLACES} and not JAPANESE.search(node.name))
        or (node.role in {"link", "image"} and not node.name)
    ]


def wrong_stops(stops: list[int], nodes: list[Node]) -> list[str]:
    told = {node.element: node for node in nodes}
    return [
        f"the Tab key stops at what is not told of: {node and (node.role, node.name)}"
        for node in map(told.get, stops)
        if not node or node.role in NOTHING or not node.name
    ]
