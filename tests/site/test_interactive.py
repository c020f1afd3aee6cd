"""Figures to work by hand, in the browser of every reader."""

from __future__ import annotations

import datetime as dt
import gzip
import re
from contextlib import closing

import pytest
from audit import DESK, PHONE
from browsers import in_browser, opened
from interactive_runs import worked

pytestmark = in_browser

PAGES = {
    "if-neuron": "index",
    "resets": "if_model",
    "surrogate": "surrogate",
    "raster": "encoding",
    "coincidence": "lif",
    "noise": "heaviside",
    "factors": "bptt",
    "loop": "surrogate_field",
    "stairs": "conversion",
    "order": "timing",
}
NARROWEST = 320
FINGER = 44
PAUSE = 700

# Each control from end to end, the others as they are at first.
CHOICES = """
(root) => [...root.querySelectorAll("input, select")].flatMap((control) =>
  (control.options
    ? [...control.options].map(({ value }) => value)
    : [control.min, control.max].map(Number)
  ).map((value) => ({ [control.name]: value })))
"""
# Set the controls, each time anew; read the table and the sentence of what has been computed.
WORK = """
(root, settings) => settings.map((setting) => {
  const form = root.querySelector("form");
  form.reset();
  for (const [name, value] of Object.entries(setting)) form.elements[name].value = value;
  form.dispatchEvent(new Event("input"));
  return {
    table: [...root.querySelectorAll("tbody tr")].map((row) =>
      [...row.cells].map((cell) => cell.textContent)),
    summary: root.querySelector(".interactive-summary").textContent,
  };
})
"""


def figure_in(page, address: str, name: str, *, motion: str = "reduce"):
    """Open the page that holds a figure, and return the figure, which stands still unless asked."""
    page.emulate_media(reduced_motion=motion)
    page.goto(f"{address}{PAGES[name]}.html")
    return page.locator(f"[data-interactive={name}]")


@pytest.mark.parametrize("name", PAGES)
def test_the_controls_set_what_is_computed(browser, address, name):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        settings = figure.evaluate(CHOICES)
        assert len(settings) > len(figure.locator("input, select").all())
        shown = figure.evaluate(WORK, settings)
    expected = worked(name, settings)
    assert [each["table"] for each in shown] == [each["table"] for each in expected]
    assert [each["summary"] for each in shown] == [each["summary"] for each in expected]


# ---- In every reader's hands ----


@pytest.mark.parametrize("name", PAGES)
def test_it_fits_the_narrowest_screen_and_a_finger(browser, address, name):
    with opened(browser, address, width=NARROWEST) as page:
        figure = figure_in(page, address, name)
        figure.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROWEST
        for target in figure.locator("input, select, button, summary").all():
            box = target.bounding_box()
            assert box["height"] >= FINGER
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= NARROWEST
        size = "e => Math.min(...[...e.querySelectorAll('text')].map((text) =>"
        size += " parseFloat(getComputedStyle(text).fontSize) * e.getScreenCTM().a))"
        assert figure.locator("svg").evaluate(size) >= 9


@pytest.mark.parametrize("name", PAGES)
def test_it_is_worked_by_keys_alone_and_says_what_it_is(browser, address, name):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        controls = figure.locator("input, select, button").all()
        controls[0].focus()
        for control in controls:
            assert control.evaluate("e => e === document.activeElement")
            if control.get_attribute("type") != "button":
                assert control.evaluate("e => e.labels[0].innerText").strip()
                keys = ["ArrowRight", "ArrowLeft"]
                if control.input_value() == control.get_attribute("max"):
                    keys.reverse()
                seen = [(control.input_value(), figure.locator("svg").inner_html())]
                for key in keys:
                    page.keyboard.press(key)
                    seen.append((control.input_value(), figure.locator("svg").inner_html()))
                assert seen[0] == seen[2]
                assert seen[0][0] != seen[1][0]
                assert seen[0][1] != seen[1][1]
            page.keyboard.press("Tab")
        assert figure.locator("summary").evaluate("e => e === document.activeElement")
        page.keyboard.press("Enter")
        assert figure.locator("table").is_visible()
        page.keyboard.press("Tab")
        assert figure.locator(".interactive-table").evaluate("e => e === document.activeElement")


def test_what_is_heard(browser, address):
    """The names, values and units that a screen reader is given."""
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, "resets")
        page.get_by_role("slider", name="入力を続ける長さ").press("ArrowLeft")
        page.get_by_role("slider", name="入力（1ステップあたり）").press("ArrowRight")
        heard = figure.aria_snapshot()
        for part in (
            'group "入力を0.6から1.0まで動かすと、発火の回数が変わらないのは、どちらの',
            'slider "入力（1ステップあたり）": "0.34"',
            'slider "閾値": "1"',
            'slider "入力を続ける長さ": "19"',
            'button "元に戻す"',
            'img "上下2段の膜電位の折れ線グラフ。',
        ):
            assert part in heard
        duration = page.get_by_role("slider", name="入力を続ける長さ")
        assert duration.get_attribute("aria-valuetext") == "19ステップ"


@pytest.mark.parametrize("name", PAGES)
def test_who_listens_is_told_once_and_only_when_all_is_at_rest(browser, address, name):
    with closing(browser.new_context()) as context:  # a clock is that of all its tabs
        page = context.new_page()
        page.clock.install(time=dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        figure = figure_in(page, address, name)
        page.clock.pause_at(dt.datetime(2000, 1, 2, tzinfo=dt.UTC))
        status = figure.get_by_role("status")
        assert figure.get_by_role("status").count() == 1
        status.evaluate(
            "e => { window.told = []; new MutationObserver(() => told.push(e.textContent))"
            ".observe(e, { childList: true, characterData: true, subtree: true }) }"
        )
        slider = figure.locator("input").first
        for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight"):
            slider.press(key)
            page.clock.run_for(PAUSE - 1)
        assert page.evaluate("told") == []
        page.clock.run_for(1)
        shown = figure.locator(".interactive-summary").inner_text()
        assert page.evaluate("told") == [shown]
        page.clock.run_for(100 * PAUSE)
        assert page.evaluate("told") == [shown]


@pytest.mark.parametrize("name", PAGES)
def test_nothing_moves_when_the_script_takes_over(browser, address, name):
    """Without a script at work, the figure has its controls already, and they are idle."""
    boxes = "root => [root, ...root.querySelectorAll('*')].filter((e) => !e.closest('svg *'))"
    boxes += ".map((e) => JSON.stringify([e.tagName, e.getBoundingClientRect()]))"
    seen = []
    for script in ("", None):
        with opened(browser, address, width=PHONE) as page:
            if script is not None:
                page.route("**/_static/interactive/*.js*", lambda route: route.fulfill(body=""))
            figure = figure_in(page, address, name)
            assert figure.locator("input").first.is_disabled() == (script is not None)
            seen.append([figure.evaluate(boxes), figure.locator("svg").inner_html()])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("name", PAGES)
def test_it_goes_back_to_what_was_drawn_when_the_site_was_built(browser, address, name):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        first = figure.locator("svg, .interactive-summary, details, .interactive-value").all()
        before = [one.inner_html() for one in first]
        for control in figure.locator("input").all():
            control.press("ArrowRight")
            control.press("ArrowRight")
        assert before != [one.inner_html() for one in first]
        figure.get_by_role("button", name="元に戻す").click()
        assert before == [one.inner_html() for one in first]


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_there_is_a_still_figure_and_nothing_dead(browser, address, name):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{address}{PAGES[name]}.html")
    figure = page.locator(f"[data-interactive={name}]")
    assert figure.locator("svg").is_visible()
    assert figure.locator(".interactive-summary").is_visible()
    assert figure.locator("form").is_hidden()
    figure.locator("summary").click()
    assert figure.locator("table").is_visible()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_moves_by_itself_for_who_wants_no_motion(browser, address, name):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        for target in figure.locator("input, button, summary").all():
            target.hover()
        figure.locator("input").first.press("ArrowRight")
        before = figure.locator("svg").inner_html()
        page.wait_for_timeout(500)
        assert figure.locator("svg").inner_html() == before
        assert figure.evaluate("root => root.getAnimations({ subtree: true }).length") == 0
        moving = (
            "root => [...root.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e);"
            " return s.transitionDuration !== '0s' || s.animationName !== 'none' }).length"
        )
        assert figure.evaluate(moving) == 0


def colour(figure, selector: str, property_: str) -> str:
    return figure.locator(selector).first.evaluate(f"e => getComputedStyle(e).{property_}")


def test_it_follows_the_scheme(browser, address):
    seen = []
    for scheme in ("light", "dark"):
        with opened(browser, address, width=DESK, scheme=scheme) as page:
            figure = figure_in(page, address, "if-neuron")
            body = page.locator("body").evaluate("e => getComputedStyle(e).color")
            assert colour(figure, "svg text", "fill") == body
            seen.append(
                [
                    colour(figure, *part)
                    for part in (("svg .potential", "stroke"), ("svg .spike", "stroke"))
                ]
            )
    assert len({*seen[0], *seen[1]}) == 4


def test_it_is_seen_in_forced_colours(browser, address):
    """A reader's own few colours: every shape is drawn in one of them."""
    context = browser.new_context(forced_colors="active", locale="ja-JP")
    page = context.new_page()
    system = "name => { const e = document.createElement('i'); e.style.color = name;"
    system += " document.body.append(e); return getComputedStyle(e).color }"
    for name, shapes in {
        "resets": {"potential": "stroke", "threshold": "stroke", "dot": "fill"},
        "raster": {"reference": "stroke", "dot": "fill", "axis": "stroke"},
        "surrogate": {"gradient": "stroke", "outline": "stroke", "filled": "fill"},
        "noise": {"curve": "stroke", "gradient": "stroke", "filled": "fill"},
        "loop": {"arrow": "stroke", "curve": "stroke"},
        "stairs": {"point": "fill", "reference": "stroke"},
    }.items():
        figure = figure_in(page, address, name)
        text, highlight = (page.evaluate(system, colour) for colour in ("CanvasText", "Highlight"))
        assert colour(figure, "svg text", "fill") == text
        for shape, property_ in shapes.items():
            assert colour(figure, f"svg .{shape}", property_) == text, shape
        marks = {"spike": "stroke", "fired": "stroke", "chosen": "fill"}
        for mark, property_ in marks.items():
            for marked in figure.locator(f"svg .{mark}").all():
                assert marked.evaluate(f"e => getComputedStyle(e).{property_}") == highlight
    context.close()


# ---- Its state in the address ----


@pytest.mark.parametrize(
    ("name", "place"), [*((name, "server") for name in PAGES), ("loop", "file")]
)
def test_the_address_opens_the_figure_as_it_is_seen(browser, address, built_site, name, place):
    """All keep their state in one way, so one is asked from a folder."""
    site = address if place == "server" else f"{built_site.as_uri()}/"
    seen = "root => ['svg', '.interactive-summary', 'tbody'].map((part) =>"
    seen += " root.querySelector(part).innerHTML)"
    with opened(browser, site, width=DESK) as page:
        figure = figure_in(page, site, name)
        first, visited = page.url, page.evaluate("history.length")
        control = figure.locator("input").first
        control.press("ArrowRight")
        here = figure.evaluate("root => root.closest('figure').id")
        value = control.input_value()
        state = f"?{control.get_attribute('name')}={value}#{here}"
        page.wait_for_url(first + state)
        shown = figure.evaluate(seen)
        page.goto(f"{site}404.html")
        figure = figure_in(page, site, name)
        assert figure.evaluate(seen) != shown
        page.goto(first + state)
        assert figure.evaluate(seen) == shown
        assert figure.locator("svg").is_visible()
        figure.get_by_role("button", name="元に戻す").click()
        page.wait_for_url(f"{first}#{here}")
        assert page.evaluate("history.length") == visited + 3


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("gap=99", ""),
        ("gap=2.5&leak=0.07", ""),
        ("gap=&strength=strong", ""),
        ("gap=3&leak=2", "?gap=3"),
        ("utm=1&gap=3", "?utm=1&gap=3"),
    ],
)
def test_what_a_control_cannot_be_set_to_is_passed_over(browser, address, asked, kept):
    with opened(browser, address, width=DESK) as page:
        page.goto(f"{address}lif.html?{asked}")
        gap = page.get_by_role("slider", name="あとの2つの入力の隔たり")
        assert gap.input_value() == ("3" if "gap=3" in asked else "8")
        page.wait_for_url(f"{address}lif.html{kept}#fig-touch-coincidence")


# ---- What it costs ----


def test_only_the_pages_that_hold_a_figure_load_its_few_kilobytes(built_site):
    homes = {}
    for path in sorted(built_site.rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        scripts = re.findall(r"_static/interactive/([a-z-]+)\.js\?v=", text)
        assert re.findall(r'data-interactive="([a-z-]+)"', text) == scripts
        homes |= dict.fromkeys(scripts, path.stem)
    assert homes == PAGES
    for name in PAGES:
        script = (built_site / "_static" / "interactive" / f"{name}.js").read_bytes()
        assert len(gzip.compress(script, 9, mtime=0)) < 8 * 1024
