"""Figures to work by hand: their scripts, and their first state in the page."""

from __future__ import annotations

import pickle
import random
import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import torch
from book import interactive
from bs4 import BeautifulSoup
from interactive_runs import tables, worked
from py_mini_racer import MiniRacer
from sphinx_project import build

from snn_docs import ALIF, IF, LIF, Heaviside, data, encoding, network, surrogate

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = """
# 題

{numref}`fig-one`を動かします。

```{interactive} if-neuron
:name: fig-one
三角は**発火**、破線は閾値。
```
"""
PICTURE = """
```{figure} picture.png
:alt: 絵
別の図。
```
"""
PLAIN = "# 別の題\n\n図のないページ。\n"
SETTINGS = "numfig = True\nnumfig_format = {'figure': '図%s'}\nversion = copyright = '1'\n"
EXTENSIONS = ("myst_nb", "book.interactive")
RUNS = 500
ENDS = (("", ""), ("c", ""), ("", "1"), ("", "2"))  # of marks: x, cx, x1, x2
KINDS = ("FastSigmoid", "Triangle", "Boxcar", "StraightThrough")
VALUES = torch.arange(17) / 16


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "docs").mkdir()
    (folder / "docs" / "picture.png").write_bytes(b"")
    pages = {"index.md": f"{PAGE}{PICTURE}\n```{{toctree}}\nplain\n```\n", "plain.md": PLAIN}
    return build(folder, pages, *EXTENSIONS, settings=SETTINGS)


# ---- A script for each figure ----


@pytest.mark.parametrize("name", interactive.FIGURES)
def test_a_script_leaves_no_name_behind_and_needs_no_eval(name):
    script = interactive.bundle(name)
    assert not re.search(r"\b(eval|Function|import)\b *[({\"]", script)
    assert not re.search(r"^ *//", script, re.MULTILINE)  # Nor what only its writers read.
    racer = MiniRacer()
    racer.eval(
        "var document = { querySelectorAll: (asked) => { this.asked = asked; return []; } };"
    )
    before = racer.eval("JSON.stringify(Object.getOwnPropertyNames(globalThis))")
    racer.eval(script)
    after = racer.eval("JSON.stringify(Object.getOwnPropertyNames(globalThis))")
    assert set(re.findall(r"\w+", after)) - set(re.findall(r"\w+", before)) == {"asked"}
    assert racer.eval("asked") == f'[data-interactive="{name}"]'
    assert racer.eval("typeof figure") == "undefined"


# ---- The first state becomes a page ----


@pytest.mark.parametrize("name", interactive.FIGURES)
def test_a_figure_is_whole_without_a_script(name):
    root = ET.fromstring(interactive.first_state(name, "markup", "here"))
    (svg,) = root.iter("{http://www.w3.org/2000/svg}svg")
    assert svg.get("aria-label").endswith("。")
    assert len(list(svg)) > 20
    for axis, most in zip("xy", svg.get("viewBox").split()[2:], strict=True):
        places = [node.get(f"{name}{axis}{end}") for node in svg.iter() for name, end in ENDS]
        assert all(0 <= float(place) <= float(most) for place in places if place)
    sentences = [node.text for node in root.iter("p")]
    assert sentences[0] == sentences[1]
    assert sentences[0].endswith("。")
    assert interactive.first_state(name, "words") == svg.get("aria-label") + sentences[0]
    assert len(list(root.iter("tr"))) > 10
    assert root.find("form").get("class").split()[-1] == "pst-js-only"
    labels = {label.get("for") for label in root.iter("label")}
    controls = {node.get("id") for tag in ("input", "select") for node in root.iter(tag)}
    assert labels == controls
    assert all(identifier.startswith("here-") for identifier in labels)


@pytest.mark.parametrize("name", interactive.FIGURES)
def test_markup_has_neither_styles_nor_scripts_of_its_own(name):
    root = ET.fromstring(interactive.first_state(name, "markup", "here"))
    attributes = {key for node in root.iter() for key in node.attrib}
    assert not {key for key in attributes if key == "style" or key.startswith("on")}
    assert not {node.tag for node in root.iter()} & {"script", "style"}


def hundredths(low: int, high: int) -> list[float]:
    """List what a slider from `low` to `high` can be set to, in steps of 5 hundredths."""
    return [each / 100 for each in range(low, high + 1, 5)]


def bits(numbers) -> list[int]:
    """Return the bits of numbers as float32; those that were written are read for it."""
    numbers = numbers if isinstance(numbers, torch.Tensor) else [float(x) for x in numbers]
    return torch.as_tensor(numbers, dtype=torch.float32).view(torch.int32).tolist()


# ---- For all that the controls can be set to, the numbers are the package's bit for bit ----


DICE = random.Random(0)


def neuron(current: float, threshold: float, left: float) -> dict[int, torch.Tensor]:
    state = torch.tensor(0.0), torch.tensor(left)
    spikes, v = IF(threshold=threshold).record(torch.full((20,), current), state)
    return {0: torch.arange(1, 21), 1: v, 2: spikes}


def resets(current: float, threshold: float, duration: int) -> dict[int, torch.Tensor]:
    inputs = torch.full((20,), current).where(torch.arange(20) < duration, 0.0)
    spikes, v = IF(threshold).record(inputs)
    others, potentials = IF(threshold, reset="subtract").record(inputs)
    return {1: v, 2: spikes, 3: potentials, 4: others}


def coincidence(gap: int, strength: float, leak: float) -> dict[int, torch.Tensor]:
    inputs = torch.zeros(30)
    inputs[[1, 3, 11, 11 + gap]] = strength
    (spikes, v), (others, potentials) = IF().record(inputs), LIF(leak=leak).record(inputs)
    return {1: inputs, 2: v, 3: spikes, 4: potentials, 5: others}


def passed(kind: str, width: int) -> dict[int, torch.Tensor]:
    x = ((torch.arange(17) - 8) / 4).requires_grad_()
    spikes = getattr(surrogate, kind)(1 / width)(x)
    (gradient,) = torch.autograd.grad(spikes.sum(), x)
    return {0: x.detach(), 1: spikes.detach(), 2: gradient}


def shaken(spread: float) -> dict[int, torch.Tensor]:
    x = torch.cat([torch.tensor([-0.25]), (torch.arange(17) - 8) / 8])
    if not spread:
        return {0: x, 1: Heaviside.apply(x), 2: torch.zeros_like(x)}
    hill = surrogate.Boxcar(1 / (2 * spread))
    return {0: x, 1: hill.smooth(x), 2: hill.derivative(x)}


def factors(current: float, leak: float) -> dict[int, torch.Tensor]:
    inputs = torch.full((21,), current, requires_grad=True)
    spikes, v = LIF(leak=leak, surrogate=Heaviside.apply).record(inputs)
    (gradient,) = torch.autograd.grad(v[-1], inputs)
    return {0: torch.arange(20, -1, -1), 1: v.detach(), 2: spikes.detach(), 3: gradient}


def stairs(count: int) -> dict[int, torch.Tensor]:
    currents = (torch.arange(0, 161, 5) - 30).double() / 100
    inputs = currents.float().expand(count, -1)
    half = torch.zeros_like(inputs[0]), torch.full_like(inputs[0], 0.5)
    return {0: currents, 1: IF(reset="subtract").run(inputs, half)[0].mean(0)}


def order(gap: int, leak: float) -> dict[int, torch.Tensor]:
    found = {}
    for column, sizes in ((1, (5.0, 2.5)), (4, (2.5, 5.0))):
        inputs = torch.zeros(70)
        inputs[3], inputs[3 + gap] = sizes
        layer = ALIF(leak=1.0, adaptation=3.0, adaptation_leak=leak)
        spikes, _, trace = layer.record(inputs)
        found |= {column: inputs, column + 1: trace * 3.0 + 1.0, column + 2: spikes}
    return found


def settings_of(**choices: Sequence[float]) -> list[dict[str, float]]:
    """Set every control by chance, as often as it takes to see most of what there is."""
    return [{name: DICE.choice(own) for name, own in choices.items()} for _ in range(RUNS)]


SHOWN = {
    "if-neuron": (
        neuron,
        settings_of(
            current=hundredths(0, 200), threshold=hundredths(20, 200), left=hundredths(0, 200)
        ),
    ),
    "resets": (
        resets,
        settings_of(current=hundredths(0, 150), threshold=hundredths(50, 150), duration=range(21)),
    ),
    "coincidence": (
        coincidence,
        settings_of(gap=range(1, 18), strength=hundredths(30, 120), leak=hundredths(5, 100)),
    ),
    "surrogate": (
        passed,
        [{"kind": kind, "width": width} for kind, width in product(KINDS, range(1, 21))],
    ),
    "noise": (shaken, [{"spread": noise / 10} for noise in range(11)]),
    "factors": (
        factors,
        [{"current": i / 20, "leak": leak / 20} for i, leak in product(range(1, 41), range(9))],
    ),
    "stairs": (stairs, [{"count": count} for count in range(1, 33)]),
    "order": (
        order,
        [{"gap": gap, "leak": each / 200} for gap, each in product(range(1, 61, 3), range(1, 21))],
    ),
}
"""What the package computes for some columns of a figure's table, and for which settings."""


@pytest.mark.parametrize("name", SHOWN)
def test_the_numbers_are_the_package_s_bit_for_bit(name):
    computed, settings = SHOWN[name]
    for setting, table in zip(settings, tables(name, settings), strict=True):
        shown = list(zip(*table, strict=True))
        for column, expected in computed(**setting).items():
            assert bits(shown[column]) == bits(expected), (setting, column)


def test_the_slope_is_that_of_how_often_a_shaken_neuron_fires():
    generator = torch.Generator().manual_seed(0)
    for noise in (0.3, 1.0):
        drawn = noise * (2 * torch.rand(200_000, generator=generator) - 1)
        rates = [(at + drawn > 0).double().mean().item() for at in (-0.3, -0.25, -0.2)]
        ((_, chance, slope), *_) = tables("noise", [{"spread": noise}])[0]
        assert float(chance) == pytest.approx(rates[1], abs=0.005)
        assert float(slope) == pytest.approx((rates[2] - rates[0]) / 0.1, abs=0.05)


def claimed(slope: float, places: torch.Tensor) -> torch.Tensor:
    """Return the gradient that a surrogate claims, `[*, 2]`, at places in the plane of weights."""
    spike, (w1, w2) = surrogate.FastSigmoid(slope), places.clone().requires_grad_().unbind(-1)
    output = spike(w2 * spike(w1) - 0.5)
    return torch.stack(torch.autograd.grad(output.sum(), (w1, w2)), -1)


def test_the_way_around_climbs_what_the_package_s_gradients_say_bit_for_bit():
    ways = torch.tensor([[1, 0], [0, 1], [-1, 0], [0, -1]], dtype=torch.float64)
    starts = torch.tensor([[-1, 0], [1, 0], [1, 2], [-1, 2]], dtype=torch.float64)
    paces = (torch.arange(200, dtype=torch.float64) + 0.5)[:, None] / 100
    places = torch.cat([start + paces * way for start, way in zip(starts, ways, strict=True)])
    along = ways.repeat_interleave(200, 0)
    settings = [{"slope": slope / 4} for slope in range(1, 17)]
    for setting, table in zip(settings, tables("loop", settings), strict=True):
        steep = (claimed(setting["slope"], places.float()).double() * along).sum(1)
        heights = [float(row[4]) for row in table]
        assert heights == pytest.approx((steep.cumsum(0) / 100)[24::25].tolist(), abs=6e-5)
        assert bits([row[3] for row in table]) == bits(steep[24::25].float()), setting
        assert heights[-1] > 0.2


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


def test_codes_are_the_package_s_spike_for_spike_and_bit_for_bit():
    codes = ["latency", "subtract", "zero"]
    settings = settings_of(code=codes, count=range(4, 65, 4), draw=range(1, 4))
    for setting, table in zip(settings, tables("raster", settings), strict=True):
        values, *columns = zip(*table, strict=True)
        assert bits(values) == bits(VALUES)
        for code, at, restored in (("rate", *columns[:2]), (setting["code"], *columns[2:])):
            spikes = encoded(**{**setting, "code": code})
            assert bits(restored) == bits(restored_by(code, spikes)), (code, setting)
            for steps, train in zip(at, spikes.T, strict=True):
                expected = [str(t + 1) for t in train.nonzero().flatten().tolist()]
                assert steps == ("、".join(expected) or "なし"), (code, setting)


@pytest.mark.parametrize("code", ["latency", "subtract", "zero"])
def test_the_sentence_on_a_code_counts_and_measures(code):
    expected = []
    for each in ("rate", code):
        spikes = encoded(each, 24, 1)
        rms = (restored_by(each, spikes) - VALUES).double().square().mean().sqrt()
        expected += [f"{int(spikes.sum())}", f"{rms:.3f}"]
    (result,) = worked("raster", [{"code": code, "count": 24}])
    assert re.findall(r"\d+\.\d+|\d+(?=個の)", result["summary"])[-4:] == expected


# ---- What the pages invite to try is so ----


def fired(table: list[list[str]], column: int = 2) -> list[int]:
    return [int(row[0]) for row in table if row[column] == "1"]


def test_the_reset_is_drawn():
    drawn = BeautifulSoup(interactive.first_state("if-neuron", "still"), "html.parser")
    full = {circle["cx"]: circle["cy"] for circle in drawn.select("circle.dot")}
    emptied = {circle["cx"]: circle["cy"] for circle in drawn.select("circle.left")}
    assert len(emptied) == 5  # Of 20 steps with an input of 0.3.
    assert set(emptied.values()) == {drawn.select_one("line.axis")["y1"]}  # At 0.
    path = drawn.select_one("path.potential")["d"]
    assert all(f"{x} {full[x]}L{x} {y}" in path for x, y in emptied.items())


def test_what_the_neuron_s_page_invites_to():
    one, above, tenth, later = tables(
        "if-neuron",
        [{"current": 1.0}, {"current": 1.05}, {"current": 0.1}, {"current": 0.3, "left": 0.6}],
    )
    assert fired(one) == list(range(2, 21, 2))
    assert fired(above) == list(range(1, 21))
    assert tenth[9] == ["10", "1.0000001", "1"]
    assert fired(later) == [2, 6, 10, 14, 18]


def test_what_the_resets_page_invites_to():
    rounding, *rising, stopped = tables(
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


def test_what_the_surrogates_page_invites_to():
    shares, accuracies = {}, {}
    for kind, width in product(KINDS, (1, 4)):
        (result,) = worked("surrogate", [{"kind": kind, "width": width}])
        shares[kind, width] = int(re.search(r"(\d+)%", result["summary"])[1])
        told = re.findall(r"(?:幅|強さ)([\d.]+)で([\d.]+)", result["summary"])
        accuracies |= {(kind, float(at)): float(right) for at, right in told}
    assert shares["Boxcar", 1] < 20
    assert shares["Boxcar", 4] > 80
    assert shares["StraightThrough", 1] == 100
    assert accuracies["Boxcar", 1] < 0.6
    above = {kind for kind, width in accuracies if width == 1 and accuracies[kind, width] > 0.9}
    assert above == {"Triangle", "FastSigmoid"}
    wide = [accuracies[of] for of in (("Boxcar", 4), ("Triangle", 4), ("FastSigmoid", 1))]
    assert max(wide) - min(wide) < 0.02 < min(wide) - 0.9
    assert accuracies["StraightThrough", 1] < 0.9


def test_the_potentials_that_a_surrogate_is_to_reach_are_those_of_the_network():
    torch.manual_seed(0)
    model = network.Network([64, 32, 10], IF)
    for linear in model.linears:
        torch.nn.init.zeros_(linear.bias)
    with torch.no_grad():
        v = model(data.digits().train_inputs.expand(8, -1, -1))[1].flatten() - 1
    settings = [{"kind": "Boxcar", "width": width} for width in (1, 2, 4, 10)]
    for setting, each in zip(settings, worked("surrogate", settings), strict=True):
        reached = surrogate.Boxcar(1 / setting["width"]).derivative(v) > 0
        share = int(re.search(r"(\d+)%", each["summary"])[1])
        assert share == pytest.approx(100 * reached.double().mean().item(), abs=2)


def test_what_the_other_pages_ask():
    """The one question of a figure has an answer that a reader finds by its first slider."""
    chance = [tables("noise", [{"spread": noise / 10}])[0][0] for noise in range(11)]
    assert [float(row[2]) > 0 for row in chance] == 3 * [False] + 8 * [True]
    back = tables("factors", [{"current": 1.1}, {"current": 1.15}])
    assert abs(float(back[0][0][3])) < 1 < abs(float(back[1][0][3]))
    around = [tables("loop", [{"slope": slope}])[0][-1][4] for slope in (0.25, 1, 4)]
    assert 0.2 < float(around[0]) < float(around[1]) < float(around[2])
    gaps = tables("order", [{"gap": gap} for gap in (28, 29)])
    counts = [[sum(int(row[column]) for row in table) for column in (3, 6)] for table in gaps]
    assert counts == [[1, 2], [2, 2]]
    waits = worked("stairs", [{"count": count} for count in (9, 10)])
    assert ["最大0.050です" in each["summary"] for each in waits] == [False, True]
    pairs = tables("coincidence", [{"gap": gap} for gap in (3, 4)])
    assert [sum(int(row[5]) for row in table) for table in pairs] == [2, 1]


def test_what_the_codes_page_invites_to():
    errors = {
        (code, count): (restored_by(code, encoded(code, count, 1)) - VALUES).square().mean().sqrt()
        for code in ("rate", "latency")
        for count in (16, 64)
    }
    assert 1.5 < errors["rate", 16] / errors["rate", 64] < 2.7
    assert 3.5 < errors["latency", 16] / errors["latency", 64] < 4.8
    lost = {}
    for count in (16, 64):
        (result,) = worked("raster", [{"count": count}])
        told = re.findall(r"は([\d.]+)から([\d.]+)に", result["summary"])
        lost[count] = [(float(before), float(after)) for before, after in told]
        spikes = encoded("rate", count, 1)[:, 12]
        assert lost[count][0] == pytest.approx(
            [spikes.mean().item(), (spikes.sum().item() - 1) / count], abs=0.0051
        )
        assert lost[count][1][1] == 0
    left, longer = ([row[0] - row[1] for row in lost[count]] for count in (16, 64))
    assert left[0] > 2 * longer[0]
    assert left[1] == pytest.approx(longer[1], abs=0.03)
    levels = {
        code: len(set(encoded(code, 64, 1).mean(0).tolist())) for code in ("zero", "subtract")
    }
    assert levels == {"zero": 8, "subtract": 17}


# ---- The directive ----


def test_it_is_a_figure_with_a_number_and_a_caption(built):
    assert built.code == 0, built.messages
    page = built.page()
    figure = page.select_one("figure#fig-one")
    assert figure.select_one("figcaption .caption-number").text.strip() == "図1"
    assert figure.select_one("figcaption strong").text == "発火"
    assert page.select_one("a[href='#fig-one'] .std-numref").text == "図1"
    assert page.select("figcaption .caption-number")[1].text.strip() == "図2"
    assert figure.select_one("#fig-one-threshold")["type"] == "range"


def test_only_pages_that_have_one_load_its_script(built):
    script = "_static/interactive/if-neuron.js"
    loaded = built.page().select_one(f"script[src^='{script}?v=']")
    assert loaded["defer"] == "defer"
    assert (built.folder / script).read_text(encoding="utf-8") == interactive.bundle("if-neuron")
    assert "interactive.css" in built.html()
    assert "_static/interactive/" not in built.html("plain")
    files = (built.folder / "_static" / "interactive").iterdir()
    assert [path.name for path in files] == ["if-neuron.js"]


def test_a_page_is_read_again_when_a_script_has_changed(built):
    data = (built.folder.parent / "doctrees" / "environment.pickle").read_bytes()
    names = {Path(name).name for name in pickle.loads(data).dependencies["index"]}
    assert {"widget.js", "if-neuron.js", "neuron.js"} <= names


@pytest.mark.parametrize(
    ("directive", "said"),
    [
        ("if-nueron\n:name: fig-a\n題", "no interactive figure 'if-nueron': there are if-neuron, "),
        ("if-neuron\n:name: fig-a", "needs a :name: and, below it, a caption"),
        ("if-neuron\n題", "needs a :name: and, below it, a caption"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, directive, said):
    page = f"# 題\n\n```{{interactive}} {directive}\n```\n"
    built = build(tmp_path, {"index.md": page}, *EXTENSIONS, settings=SETTINGS)
    assert built.code == 1
    assert re.search(rf"index\.md:3: .*{re.escape(said)}", built.messages)


# ---- Where there is no browser ----


def test_an_e_book_has_the_still_figure(tmp_path):
    made = build(tmp_path, {"index.md": PAGE}, *EXTENSIONS, settings=SETTINGS, builder="epub")
    assert made.code == 0, made.messages
    page = (made.folder / "index.xhtml").read_text(encoding="utf-8")
    assert ET.fromstring(page) is not None
    assert "<svg xmlns" in page
    assert "5回（4、8、12、16、20ステップ目）" in page
    for unwanted in ("<form", "<input", "interactive/if-neuron.js", 'role="status"'):
        assert unwanted not in page
    assert not (made.folder / "_static" / "interactive").exists()
