"""The first page in the reader's hands: a fountain that moves, and where to begin."""

from __future__ import annotations

import re

import pytest
import torch
from audit import DESK, PHONE
from browsers import in_browser, opened
from bs4 import BeautifulSoup

from snn_docs import IF

pytestmark = in_browser

FOLD = {DESK: 900, PHONE: 844}
SECONDS = 12
# Where the tip of the pen is, in steps and as a potential, and whether the water stands as high.
PEN = """root => {
  const part = (name) => root.querySelector(`[data-part=${name}]`);
  const [pen, line] = [part("pen"), part("line").getAttribute("d")];
  return {
    pen: [pen.getAttribute("cx"), pen.getAttribute("cy")],
    line: line.split("L").at(-1),
    level: part("level").getAttribute("d").match(/ ([\\d.]+)H/)[1],
    water: part("water").getAttribute("d"),
    tube: part("tube").getAttribute("transform"),
    knock: +part("knock").getAttribute("opacity"),
    fired: root.querySelectorAll(".marks > g:not(.ahead) > .spike").length,
  };
}"""


def fountain(page, address: str, motion: str = "no-preference"):
    page.emulate_media(reduced_motion=motion)
    page.goto(f"{address}index.html")
    return page.locator("[data-interactive=if-neuron]")


# ---- Where one begins ----


@pytest.mark.parametrize("width", FOLD)
def test_the_first_screen_has_the_title_the_sentence_the_picture_and_both_buttons(
    browser, address, width
):
    with opened(browser, address, width=width) as page:
        page.set_viewport_size({"width": width, "height": FOLD[width]})
        fountain(page, address, "reduce")
        for part in ("h1", "h1 ~ p strong", ".door-start a >> nth=0", ".door-start a >> nth=1"):
            box = page.locator(f".bd-article {part}").first.bounding_box()
            assert box["y"] + box["height"] <= FOLD[width], part
        picture = page.locator("#fig-touch-neuron svg").bounding_box()
        assert picture["y"] + picture["height"] <= FOLD[width]
        if width == DESK:
            controls = page.locator("#fig-touch-neuron form").bounding_box()
            assert controls["y"] + controls["height"] <= FOLD[width]


@pytest.mark.parametrize(
    ("button", "title"), [("はじめる", "IFモデル"), ("まずコード", "IFモデルをPyTorchで動かす")]
)
def test_a_button_leads_to_where_one_begins(browser, address, button, title):
    with opened(browser, address, width=PHONE) as page:
        fountain(page, address, "reduce")
        page.get_by_role("link", name=button, exact=True).click()
        heading = page.get_by_role("heading", level=1)
        assert heading.inner_text().removesuffix("#") == title


def test_the_way_through_the_book_is_in_the_order_of_its_contents(built_site):
    page = BeautifulSoup((built_site / "index.html").read_text(encoding="utf-8"), "html.parser")
    chapters = [link["href"] for link in page.select(".book-part a")]
    stops = [link["href"] for link in page.select(".door-path a")]
    assert stops == sorted(stops, key=chapters.index)
    beside = [link["href"] for link in page.select(".door-rest a")]
    experiments = [name for name in chapters if name.startswith("experiments/")]
    assert sorted([*stops, *beside, *experiments]) == sorted(chapters)
    assert all(link.select("svg[aria-hidden]") for link in page.select(".door-path a"))


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_a_whole_card_is_its_link(browser, address, width):
    with opened(browser, address, width=width) as page:
        fountain(page, address, "reduce")
        card = page.locator(".door-made ~ .cell").last
        assert not card.locator("summary").is_visible()
        card.click(position={"x": 9, "y": 9})
        page.wait_for_url("**/speech.html")


def test_old_addresses_of_the_first_page_hold(built_site):
    page = BeautifulSoup((built_site / "index.html").read_text(encoding="utf-8"), "html.parser")
    kept = {"why", "start", "fig-looks", "fig-goal", "fig-touch-neuron"}
    kept |= {"この本で作るもの", "なぜスパイクを使うのか", "章の地図", "手元で動かす"}
    assert kept <= {node["id"] for node in page.select("[id]")}


# ---- The fountain ----


def seen_in(page, figure, script: str) -> list[dict]:
    """Look at each picture until the fountain has knocked for the second time."""
    return figure.evaluate(
        f"""async (root) => {{
          const look = {PEN};
          const seen = [];
          const end = performance.now() + {1000 * SECONDS};
          while (performance.now() < end && !({script})(seen)) {{
            await new Promise(requestAnimationFrame);
            seen.push(look(root));
          }}
          return seen;
        }}"""
    )


TWO_KNOCKS = "(seen) => seen.length && seen.at(-1).fired === 2 && seen.at(-1).knock < 0.5"


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_fountain_fills_falls_knocks_and_begins_anew(browser, address, width):
    with opened(browser, address, width=width) as page:
        figure = fountain(page, address)
        seen = seen_in(page, figure, TWO_KNOCKS)
    assert len({each["water"] for each in seen}) > 20
    assert len({each["tube"] for each in seen}) > 5
    assert max(each["knock"] for each in seen) > 0.5
    assert [each["fired"] for each in seen] == sorted(each["fired"] for each in seen)
    assert seen[-1]["fired"] == 2
    assert any(not each["water"] for each in seen)  # Empty, as the reset leaves it.


def test_the_water_stands_as_high_as_the_pen_which_draws_the_line(browser, address):
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address)
        threshold = float(figure.locator("line.threshold").first.get_attribute("y1"))
        upright = figure.locator("[data-part=tube]").get_attribute("transform")
        seen = seen_in(page, figure, TWO_KNOCKS)
    compared = 0
    for each in seen:
        assert each["line"] == " ".join(each["pen"])
        assert each["level"] == each["pen"][1]
        height = float(each["pen"][1])
        if each["tube"] == upright and each["water"] and height >= threshold:
            corners = re.findall(r"[\d.]+ ([\d.]+)", each["water"])
            assert min(map(float, corners)) == pytest.approx(height, abs=0.11)
            compared += 1
    assert compared > 20


def test_the_line_that_is_drawn_goes_through_the_package_s_potentials(browser, address):
    """Where each step ends, as the axes place what `IF` computes; the table has every bit."""
    spikes, potentials = IF().record(torch.full((20,), 0.3))
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address, "reduce")
        path = figure.locator("[data-part=line]").get_attribute("d")
        axes = figure.locator("line.axis").first
        left, right, bottom = (float(axes.get_attribute(name)) for name in ("x1", "x2", "y1"))
        rows = figure.locator("tbody tr").evaluate_all(
            "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
        )
    assert torch.equal(torch.tensor([float(row[1]) for row in rows]), potentials)
    assert [float(row[2]) for row in rows] == spikes.tolist()
    drawn = [tuple(map(float, point.split())) for point in path[1:].split("L")]
    one = (bottom - drawn[1][1]) / potentials[0].item()
    pairs = zip(potentials.tolist(), spikes.tolist(), strict=True)
    expected = [(left, bottom)]
    for step, (potential, spike) in enumerate(pairs, 1):
        x = left + (right - left) * step / 20
        expected.append((x, bottom - one * potential))
        expected += [(x, bottom)] if spike else []
    assert drawn == [pytest.approx(point, abs=0.4) for point in expected]


def test_a_reader_stops_it_and_lets_it_go_on(browser, address):
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address)
        page.wait_for_timeout(1000)
        figure.get_by_role("button", name="止める").press("Enter")
        before = figure.locator("svg").inner_html()
        page.wait_for_timeout(500)
        assert figure.locator("svg").inner_html() == before
        figure.get_by_role("button", name="動かす").press("Enter")
        page.wait_for_timeout(500)
        assert figure.locator("svg").inner_html() != before


def prefer(page, motion):
    """Page that has heard of it: of two changes between two frames, a browser tells neither."""
    page.evaluate("""() => {
        const calm = matchMedia("(prefers-reduced-motion: reduce)");
        window.heard = new Promise((heard) => calm.addEventListener("change", heard));
    }""")
    page.emulate_media(reduced_motion=motion)
    page.evaluate("heard.then(() => null)")


def test_who_wants_no_motion_may_ask_for_it(browser, address):
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address, "reduce")
        before = figure.locator("svg").inner_html()
        page.wait_for_timeout(500)
        assert figure.locator("svg").inner_html() == before
        figure.get_by_role("button", name="動かす").click()
        page.wait_for_timeout(800)
        assert figure.locator("svg").inner_html() != before
        prefer(page, "no-preference")
        prefer(page, "reduce")
        figure.get_by_role("button", name="動かす").wait_for()


def test_a_stronger_flow_is_followed_at_once(browser, address):
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address)
        figure.locator("input").first.evaluate(
            "e => { e.value = 2; e.dispatchEvent(new Event('input', { bubbles: true })) }"
        )
        seen = seen_in(page, figure, TWO_KNOCKS)
        assert seen[-1]["fired"] == 2
        assert figure.locator(".marks > g > .spike").count() == 20  # Of 20 steps, each fires.


def test_out_of_sight_it_stands_still(browser, address):
    with opened(browser, address, width=PHONE) as page:
        figure = fountain(page, address)
        page.wait_for_timeout(500)
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        page.wait_for_timeout(300)
        before = figure.locator("svg").inner_html()
        page.wait_for_timeout(500)
        assert figure.locator("svg").inner_html() == before


def test_nothing_around_it_moves_while_it_plays(browser, address):
    boxes = "[...document.querySelectorAll('.bd-article *')].filter((e) => !e.closest('svg *'))"
    boxes += ".map((e) => JSON.stringify(e.getBoundingClientRect()))"
    with opened(browser, address, width=PHONE) as page:
        fountain(page, address)
        before = page.evaluate(boxes)
        page.wait_for_timeout(2500)
        assert page.evaluate(boxes) == before


def test_it_moves_from_a_disk_too(browser, built_site):
    address = f"{built_site.as_uri()}/"
    with opened(browser, address, width=DESK) as page:
        figure = fountain(page, address)
        before = figure.locator("svg").inner_html()
        page.wait_for_timeout(800)
        assert figure.locator("svg").inner_html() != before
