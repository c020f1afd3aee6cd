"""Figures to work by hand: their scripts, and their first state in the page."""

from __future__ import annotations

import pickle
import random
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import torch
from book import interactive
from bs4 import BeautifulSoup
from interactive_runs import tables, worked
from py_mini_racer import MiniRacer
from sphinx_project import build, sphinx_build

from snn_docs import IF, LIF, encoding, surrogate

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


def test_the_first_state_is_what_the_package_computes():
    root = ET.fromstring(interactive.first_state("if-neuron", "markup", "here"))
    body = [[cell.text for cell in row] for row in root.iter("tr")][1:]
    spikes, v = IF().record(torch.full((20,), 0.3))
    assert torch.equal(torch.tensor([float(row[1]) for row in body]), v)
    assert [float(row[2]) for row in body] == spikes.tolist()


def hundredths(dice: random.Random, low: int, high: int, step: int) -> float:
    """Choose what a slider from `low` to `high` can be set to, all in hundredths."""
    return dice.randrange(low, high + 1, step) / 100


def bits(numbers) -> list[int]:
    """Return the bits of numbers as float32; those that were written are read for it."""
    numbers = numbers if isinstance(numbers, torch.Tensor) else [float(x) for x in numbers]
    return torch.as_tensor(numbers, dtype=torch.float32).view(torch.int32).tolist()


# ---- For all that the controls can be set to, the numbers are the package's bit for bit ----


def test_the_neuron_is_the_package_s_bit_for_bit():
    dice = random.Random(0)
    settings = [
        {
            "current": hundredths(dice, 0, 200, 5),
            "threshold": hundredths(dice, 20, 200, 5),
            "left": hundredths(dice, 0, 200, 5),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, tables("if-neuron", settings), strict=True):
        layer = IF(threshold=setting["threshold"])
        state = (torch.tensor(0.0), torch.tensor(setting["left"]))
        spikes, v = layer.record(torch.full((20,), setting["current"]), state)
        steps, potentials, fired = zip(*table, strict=True)
        assert [int(step) for step in steps] == list(range(1, 21))
        assert bits(potentials) == bits(v), setting
        assert bits(fired) == bits(spikes), setting


def test_both_resets_are_the_package_s_bit_for_bit():
    dice = random.Random(0)
    settings = [
        {
            "current": hundredths(dice, 0, 150, 5),
            "threshold": hundredths(dice, 50, 150, 5),
            "duration": dice.randint(0, 20),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, tables("resets", settings), strict=True):
        inputs = torch.zeros(20)
        inputs[: setting["duration"]] = setting["current"]
        columns = list(zip(*table, strict=True))
        for reset, potentials, fired in (("zero", *columns[1:3]), ("subtract", *columns[3:])):
            spikes, v = IF(setting["threshold"], reset=reset).record(inputs)
            assert bits(potentials) == bits(v), (setting, reset)
            assert bits(fired) == bits(spikes), (setting, reset)


def test_two_inputs_meet_in_the_package_s_neurons_bit_for_bit():
    dice = random.Random(0)
    settings = [
        {
            "gap": dice.randint(1, 17),
            "strength": hundredths(dice, 30, 120, 5),
            "leak": hundredths(dice, 5, 100, 5),
        }
        for _ in range(RUNS)
    ]
    for setting, table in zip(settings, tables("coincidence", settings), strict=True):
        inputs = torch.zeros(30)
        inputs[[1, 3, 11, 11 + setting["gap"]]] = setting["strength"]
        columns = list(zip(*table, strict=True))
        assert bits(columns[1]) == bits(inputs)
        layers = (IF(), columns[2:4]), (LIF(leak=setting["leak"]), columns[4:])
        for layer, (potentials, fired) in layers:
            spikes, v = layer.record(inputs)
            assert bits(potentials) == bits(v), (setting, layer)
            assert bits(fired) == bits(spikes), (setting, layer)


def test_gradients_are_the_package_s_bit_for_bit():
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
    for setting, table in zip(settings, tables("surrogate", settings), strict=True):
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


def test_codes_are_the_package_s_spike_for_spike_and_bit_for_bit():
    dice = random.Random(0)
    settings = [
        {
            "code": dice.choice(["latency", "subtract", "zero"]),
            "count": dice.randrange(4, 65, 4),
            "draw": dice.randint(1, 3),
        }
        for _ in range(RUNS)
    ]
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
    found = tables(
        "surrogate",
        [
            *({"kind": kind} for kind in KINDS),
            *({"kind": "FastSigmoid", "slope": slope, "x": -0.5} for slope in (1, 4)),
            *({"kind": "Triangle", "slope": 2, "x": x} for x in (-0.5, -0.45)),
        ],
    )
    spikes = [[row[1] for row in table] for table in found[: len(KINDS)]]
    assert all(each == spikes[0] for each in spikes)
    wide, narrow, outside, inside = (float(table[0][2]) for table in found[len(KINDS) :])
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


def build_as(builder: str, folder: Path, pattern: str) -> str:
    """Build the page once more, and return the file of that name."""
    build(folder, {"index.md": PAGE}, *EXTENSIONS, settings=SETTINGS)
    out = folder / builder
    options = ("-n", "-W", "-b", builder, "-d", str(folder / "doctrees"))
    code, _, messages = sphinx_build(*options, str(folder / "docs"), str(out))
    assert code == 0, messages
    (file,) = out.glob(pattern)
    return file.read_text(encoding="utf-8")


def test_an_e_book_has_the_still_figure(tmp_path):
    page = build_as("epub", tmp_path, "index.xhtml")
    assert ET.fromstring(page) is not None
    assert "<svg xmlns" in page
    assert "5回（4、8、12、16、20ステップ目）" in page
    for unwanted in ("<form", "<input", "interactive/if-neuron.js", 'role="status"'):
        assert unwanted not in page
    assert not (tmp_path / "epub" / "_static" / "interactive").exists()


@pytest.mark.parametrize(("builder", "pattern"), [("latex", "*.tex"), ("text", "index.txt")])
def test_text_says_what_the_figure_shows(tmp_path, builder, pattern):
    page = build_as(builder, tmp_path, pattern)
    assert "5回（4、8、12、16、20ステップ目）" in "".join(page.split())
