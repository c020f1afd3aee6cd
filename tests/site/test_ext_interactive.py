"""Figures to work by hand: their scripts, and their first state in the page."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import interactive
import pytest
import torch
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
EXTENSIONS = ("myst_nb", "interactive")
HERE = Path(interactive.__file__).parent


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
    spikes, v = IF().run(torch.full((20,), 0.3))
    assert torch.equal(torch.tensor([float(row[1]) for row in body]), v)
    assert [float(row[2]) for row in body] == spikes.tolist()


# ---- The numbers, for any setting, are the package's bit for bit ----


def evaluate(parts: tuple[str, ...], expression: str) -> object:
    racer = MiniRacer()
    racer.eval("".join((HERE / f"{part}.js").read_text(encoding="utf-8") for part in parts))
    return json.loads(racer.eval(f"JSON.stringify({expression})"))


def float32(generator: torch.Generator, *shape: int, low: float, high: float) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


@pytest.mark.parametrize("reset", ["zero", "subtract"])
@pytest.mark.parametrize("leak", [0.0, 0.05, 0.3, 1.0])
def test_a_neuron_is_the_package_s(reset, leak):
    generator = torch.Generator().manual_seed(0)
    inputs = float32(generator, 100, 40, low=-0.5, high=1.5)
    left = float32(generator, 40, low=0, high=2)
    settings = {"threshold": 0.75, "reset": reset, "leak": leak}
    layer = LIF(**settings) if leak else IF(0.75, reset=reset)
    spikes, v = layer.run(inputs, (torch.zeros(40), left))
    asked = "inputs.map((each, k) => run(each, {...settings, left: left[k]}))"
    given = f"(inputs, left, settings) => {asked}"
    arguments = ", ".join(map(json.dumps, (inputs.T.tolist(), left.tolist(), settings)))
    runs = evaluate(("neuron",), f"({given})({arguments})")
    assert torch.tensor([[step["potential"] for step in run] for run in runs]).T.equal(v)
    assert torch.tensor([[float(step["fired"]) for step in run] for run in runs]).T.equal(spikes)


@pytest.mark.parametrize("kind", ["FastSigmoid", "Triangle", "Boxcar", "StraightThrough"])
def test_a_derivative_is_the_package_s(kind):
    generator = torch.Generator().manual_seed(0)
    for slope in (0.25, 0.7, 1.0, 3.9):
        x = torch.cat([float32(generator, 500, low=-3, high=3), torch.tensor([0, 0.5 / slope])])
        x.requires_grad_()
        spikes = getattr(surrogate, kind)(slope)(x)
        (gradient,) = torch.autograd.grad(spikes.sum(), x)
        asked = f"{x.tolist()}.map((x) => [heaviside(x), derivatives.{kind}(x, {slope})])"
        fired, derivatives = torch.tensor(evaluate(("neuron", "derivatives"), asked)).T
        assert derivatives.equal(gradient)
        assert fired.equal(spikes)


@pytest.mark.parametrize("count", [2, 5, 16, 64])
def test_codes_are_the_package_s(count):
    generator = torch.Generator().manual_seed(0)
    values = torch.cat([torch.arange(17) / 16, float32(generator, 200, low=0, high=1)])
    draws = torch.rand(count, len(values), generator=torch.Generator().manual_seed(1))
    expected = {
        "latency": encoding.latency(values, count),
        "rate": encoding.rate(values, count, generator=torch.Generator().manual_seed(1)),
        **{
            reset: IF(reset=reset).run(encoding.direct(values, count))[0]
            for reset in ("zero", "subtract")
        },
    }
    asked = {
        "latency": f"latency(x, {count})",
        "rate": "rate(x, draws[k])",
        **{reset: f"direct(x, {count}, {reset!r})" for reset in ("zero", "subtract")},
    }
    for code, spikes in expected.items():
        given = f"(draws) => {values.tolist()}.map((x, k) => {asked[code]})"
        trains = evaluate(("neuron", "encodings"), f"({given})({draws.T.tolist()})")
        assert torch.tensor(trains, dtype=torch.float32).T.equal(spikes), code


def test_the_draws_are_those_of_the_package():
    """A draw lies below k/16 if, and only if, its first hexadecimal digit is below k."""
    values, generator = torch.arange(17) / 16, torch.Generator().manual_seed(0)
    definitions = interactive.definitions("raster")
    for draw in (1, 2, 3):
        racer = MiniRacer()
        racer.eval(definitions)
        asked = f"VALUES.map((x, k) => rate(x, random({draw}, 64, k)))"
        trains = json.loads(racer.eval(f"JSON.stringify({asked})"))
        expected = encoding.rate(values, 64, generator=generator)
        assert torch.tensor(trains, dtype=torch.float32).T.equal(expected)


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
