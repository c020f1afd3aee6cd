"""Figures to work by hand, in the reader's browser: right to the last bit, and for every reader."""

from __future__ import annotations

import datetime as dt
import gzip
import random
import re
import shutil

import pytest
import test_browser
import torch
from bs4 import BeautifulSoup
from test_browser import DESK, PHONE, opened

from snn_docs import IF, LIF, encoding, surrogate

pytestmark = test_browser.pytestmark

PAGES = {
    "if-neuron": "index",
    "resets": "if_model",
    "surrogate": "surrogate",
    "raster": "encoding",
    "coincidence": "lif",
}
NARROWEST = 320
FINGER = 44
PAUSE = 700
RUNS = 500
KINDS = ("FastSigmoid", "Triangle", "Boxcar", "StraightThrough")
VALUES = torch.arange(17) / 16

# Set the figure's controls, each time anew, and read the table of what it has computed.
WORK = """
(root, settings) => settings.map((setting) => {
  for (const [name, value] of Object.entries(setting))
    root.querySelector(`[name=${name}]`).value = value;
  root.querySelector("form").dispatchEvent(new Event("input"));
  return [...root.querySelectorAll("tbody tr")].map((row) =>
    [...row.cells].map((cell) => cell.textContent));
})
"""


def figure_in(page, address: str, name: str):
    """Open the page that holds a figure, and return the figure."""
    page.goto(f"{address}{PAGES[name]}.html")
    return page.locator(f"[data-interactive={name}]")


@pytest.fixture(scope="module")
def work(browser, address):
    """What a figure's table says after each setting."""

    def work(name: str, settings: list[dict]) -> list[list[list[str]]]:
        with opened(browser, address, width=DESK) as page:
            return figure_in(page, address, name).evaluate(WORK, settings)

    return work


def hundredths(dice: random.Random, low: int, high: int, step: int) -> float:
    """Choose what a slider from `low` to `high` can be set to, all in hundredths."""
    return dice.randrange(low, high + 1, step) / 100


def bits(numbers) -> list[int]:
    """Return the bits of numbers as float32; those that were written are read for it."""
    numbers = numbers if isinstance(numbers, torch.Tensor) else [float(x) for x in numbers]
    return torch.as_tensor(numbers, dtype=torch.float32).view(torch.int32).tolist()


# ---- The published figures: as many settings as there are draws, by their own controls ----


def test_the_neuron_is_the_package_s_bit_for_bit(work):
    dice = random.Random(0)
    settings = [
        {
            "current": hundredths(dice, 0, 200, 5),
            "threshold": hundredths(dice, 20, 200, 5),
            "left": hundredths(dice, 0, 200, 5),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, work("if-neuron", settings), strict=True):
        layer = IF(threshold=setting["threshold"])
        state = (torch.tensor(0.0), torch.tensor(setting["left"]))
        spikes, v = layer.run(torch.full((20,), setting["current"]), state)
        steps, potentials, fired = zip(*table, strict=True)
        assert [int(step) for step in steps] == list(range(1, 21))
        assert bits(potentials) == bits(v), setting
        assert bits(fired) == bits(spikes), setting


def test_both_resets_are_the_package_s_bit_for_bit(work):
    dice = random.Random(0)
    settings = [
        {
            "current": hundredths(dice, 0, 150, 5),
            "threshold": hundredths(dice, 50, 150, 5),
            "duration": dice.randint(0, 20),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, work("resets", settings), strict=True):
        inputs = torch.zeros(20)
        inputs[: setting["duration"]] = setting["current"]
        columns = list(zip(*table, strict=True))
        for reset, potentials, fired in (("zero", *columns[1:3]), ("subtract", *columns[3:])):
            spikes, v = IF(setting["threshold"], reset=reset).run(inputs)
            assert bits(potentials) == bits(v), (setting, reset)
            assert bits(fired) == bits(spikes), (setting, reset)


def test_two_inputs_meet_in_the_package_s_neurons_bit_for_bit(work):
    dice = random.Random(0)
    settings = [
        {
            "gap": dice.randint(1, 17),
            "strength": hundredths(dice, 30, 120, 5),
            "leak": hundredths(dice, 5, 100, 5),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, work("coincidence", settings), strict=True):
        inputs = torch.zeros(30)
        inputs[[1, 3, 11, 11 + setting["gap"]]] = setting["strength"]
        columns = list(zip(*table, strict=True))
        assert bits(columns[1]) == bits(inputs)
        layers = (IF(), columns[2:4]), (LIF(leak=setting["leak"]), columns[4:])
        for layer, (potentials, fired) in layers:
            spikes, v = layer.run(inputs)
            assert bits(potentials) == bits(v), (setting, layer)
            assert bits(fired) == bits(spikes), (setting, layer)


def test_gradients_are_the_package_s_bit_for_bit(work):
    dice = random.Random(0)
    settings = [
        {
            "kind": dice.choice(KINDS),
            "slope": hundredths(dice, 25, 400, 25),
            "x": hundredths(dice, -200, 200, 5),
        }
        for _ in range(RUNS)
    ]
    grid = (torch.arange(17) - 8) / 4
    for setting, table in zip(settings, work("surrogate", settings), strict=True):
        spike = getattr(surrogate, setting["kind"])(setting["slope"])
        x = torch.cat([torch.tensor([setting["x"]]), grid]).requires_grad_()
        spikes = spike(x)
        (gradient,) = torch.autograd.grad(spikes.sum(), x)
        assert table[0][0].endswith("（選んだ電位）")
        table[0][0] = table[0][0].removesuffix("（選んだ電位）")
        shown = zip(*table, strict=True)
        for numbers, expected in zip(shown, (x.detach(), spikes.detach(), gradient), strict=True):
            assert bits(numbers) == bits(expected), setting


def restored_by(code: str, spikes: torch.Tensor) -> torch.Tensor:
    """Read the values from spikes, as the chapter does."""
    if code != "latency":
        return spikes.mean(0)
    return torch.where(spikes.any(0), 1 - spikes.argmax(0) / (len(spikes) - 1), 0.0)


def encoded(code: str, count: int, draw: int) -> torch.Tensor:
    """Encode the figure's values; the draws come from one generator, one after the other."""
    if code == "latency":
        return encoding.latency(VALUES, count)
    if code != "rate":
        return IF(reset=code).run(encoding.direct(VALUES, count))[0]
    generator = torch.Generator().manual_seed(0)
    return [encoding.rate(VALUES, count, generator=generator) for _ in range(draw)][-1]


def test_codes_are_the_package_s_spike_for_spike_and_bit_for_bit(work):
    dice = random.Random(0)
    settings = [
        {
            "code": dice.choice(["latency", "subtract", "zero"]),
            "count": dice.randrange(4, 65, 4),
            "draw": dice.randint(1, 3),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, work("raster", settings), strict=True):
        values, *columns = zip(*table, strict=True)
        assert bits(values) == bits(VALUES)
        for code, at, restored in (("rate", *columns[:2]), (setting["code"], *columns[2:])):
            spikes = encoded(**{**setting, "code": code})
            assert bits(restored) == bits(restored_by(code, spikes)), (code, setting)
            for steps, train in zip(at, spikes.T, strict=True):
                expected = [str(t + 1) for t in train.nonzero().flatten().tolist()]
                assert steps == ("、".join(expected) or "なし"), (code, setting)


def test_the_sentence_on_a_code_counts_and_measures(browser, address):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, "raster")
        for code in ("latency", "subtract", "zero"):
            expected = []
            for each in ("rate", code):
                spikes = encoded(each, 24, 1)
                rms = (restored_by(each, spikes) - VALUES).double().square().mean().sqrt()
                expected += [f"{int(spikes.sum())}", f"{rms:.3f}"]
            figure.evaluate(WORK, [{"code": code, "count": 24}])
            said = figure.locator(".interactive-summary").inner_text()
            numbers = re.findall(r"\d+\.\d+|\d+(?=個の)", said)
            assert numbers[-4:] == expected


# ---- What the pages invite to try is so ----


def fired(table: list[list[str]], column: int = 2) -> list[int]:
    return [int(row[0]) for row in table if row[column] == "1"]


def test_what_the_neuron_s_page_invites_to(work):
    one, above, tenth, later = work(
        "if-neuron",
        [
            {"current": 1.0},
            {"current": 1.05},
            {"current": 0.1},
            {"current": 0.3, "left": 0.6},
        ],
    )
    assert fired(one) == list(range(2, 21, 2))
    assert fired(above) == list(range(1, 21))
    assert tenth[9] == ["10", "1.0000001", "1"]
    assert fired(later) == [2, 6, 10, 14, 18]


def test_what_the_resets_page_invites_to(work):
    rounding, *rising, stopped = work(
        "resets",
        [
            {"current": 0.3},
            *({"current": hundredths} for hundredths in ("0.55", "0.75", "1.00")),
            {"current": 1.5, "duration": 10},
        ],
    )
    assert fired(rounding, 4)[:3] == [4, 7, 10]
    assert {len(fired(table, 2)) for table in rising} == {10}
    assert len({len(fired(table, 4)) for table in rising}) == 3
    assert fired(stopped, 2) == list(range(1, 11))
    assert fired(stopped, 4) == list(range(1, 15))


def test_what_the_surrogates_page_invites_to(work):
    tables = work(
        "surrogate",
        [
            *({"kind": kind} for kind in KINDS),
            *({"kind": "FastSigmoid", "slope": slope, "x": -0.5} for slope in (1, 4)),
            *({"kind": "Triangle", "slope": 2, "x": x} for x in (-0.5, -0.45)),
        ],
    )
    spikes = [[row[1] for row in table] for table in tables[: len(KINDS)]]
    assert all(each == spikes[0] for each in spikes)
    wide, narrow, outside, inside = (float(table[0][2]) for table in tables[len(KINDS) :])
    assert wide > narrow
    assert outside == 0 < inside


def test_what_the_codes_page_invites_to():
    errors = {
        (code, count): (restored_by(code, encoded(code, count, 1)) - VALUES).square().mean().sqrt()
        for code in ("rate", "latency")
        for count in (16, 64)
    }
    assert 1.5 < errors["rate", 16] / errors["rate", 64] < 2.7
    assert 3.5 < errors["latency", 16] / errors["latency", 64] < 4.8
    levels = {
        code: len(set(encoded(code, 64, 1).mean(0).tolist())) for code in ("zero", "subtract")
    }
    assert levels == {"zero": 8, "subtract": 17}


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
            'group "図の設定"',
            'slider "入力（1ステップあたり）": "0.35"',
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
    with opened(browser, address, width=DESK) as page:
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
            control.press("ArrowLeft")
            control.press("ArrowLeft")
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
def test_nothing_is_animated(browser, address, name):
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        for target in figure.locator("input, button, summary").all():
            target.hover()
        figure.locator("input").first.press("ArrowRight")
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
        "surrogate": {"gradient": "stroke", "reference": "stroke"},
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


STRICTEST = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:"


@pytest.mark.parametrize("name", PAGES)
def test_it_works_under_the_strictest_policy_and_needs_no_server(
    browser, built_site, tmp_path, name
):
    """By itself, out of the theme's page."""
    shutil.copy(built_site / "_static" / "interactive" / f"{name}.js", tmp_path)
    page = (built_site / f"{PAGES[name]}.html").read_text(encoding="utf-8")
    figure = BeautifulSoup(page, "html.parser").select_one(f"[data-interactive={name}]")
    (tmp_path / f"{PAGES[name]}.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
        f'<meta http-equiv="Content-Security-Policy" content="{STRICTEST}">'
        f'<script src="{name}.js" defer></script>{figure}',
        encoding="utf-8",
    )
    address = f"{tmp_path.as_uri()}/"
    with opened(browser, address, width=DESK) as page:
        figure = figure_in(page, address, name)
        before = figure.locator("svg").inner_html()
        figure.locator("input").first.press("ArrowRight")
        assert figure.locator("svg").inner_html() != before


# ---- What it costs ----


def test_only_the_pages_that_hold_a_figure_load_its_few_kilobytes(built_site):
    homes = {}
    for path in sorted(built_site.glob("*.html")):
        text = path.read_text(encoding="utf-8")
        scripts = re.findall(r"_static/interactive/([a-z-]+)\.js\?v=", text)
        assert re.findall(r'data-interactive="([a-z-]+)"', text) == scripts
        homes |= dict.fromkeys(scripts, path.stem)
    assert homes == PAGES
    for name in PAGES:
        script = (built_site / "_static" / "interactive" / f"{name}.js").read_bytes()
        assert len(gzip.compress(script, 9, mtime=0)) < 8 * 1024
