"""Plots become part of the page: themed, described, and the same in every build."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path

import matplotlib as mpl
import pytest
from book.page import figures
from bs4 import BeautifulSoup
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from sphinx_project import CELLS, build

from snn_docs import plot

DOCS = Path(__file__).parents[2] / "docs"
STYLES = ("page/static/figures.css", "web/static/book.css")
STYLE = "".join((DOCS / "_ext" / "book" / file).read_text(encoding="utf-8") for file in STYLES)
FIGURES = ("myst_nb", "bookproof", "book.page.figures")
SVG = '%config InlineBackend.figure_formats = ["svg"]\nimport matplotlib.pyplot as plt\n'


def draw() -> bytes:
    """Plot as a cell does."""
    with mpl.rc_context(fname=DOCS / "matplotlibrc"):
        figure = Figure()
        axes = figure.subplots()
        axes.plot([0, 1], [-1, 1], label="a")
        axes.plot([0, 1], [1, -1], label="b")
        axes.axhline(0, color="black")
        axes.scatter([0, 1], [0, 0])
        axes.set_title("title")
        axes.legend()
        file = io.BytesIO()
        figure.savefig(file, format="svg", bbox_inches="tight", facecolor=figure.get_facecolor())
    return file.getvalue()


@pytest.fixture(scope="module")
def svg() -> str:
    return figures.inline_svg(draw(), prefix="page-figure1", alt="図の<説明>")


def lightness(colour: str) -> float:
    """Compute CIE L*, what is left of a colour in grey."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * luminance ** (1 / 3) - 16


def luminance(colour: str) -> float:
    return ((lightness(colour) + 16) / 116) ** 3


def test_picture_is_described_and_fits_the_column(svg):
    root = BeautifulSoup(svg, "html.parser").svg
    assert root["role"] == "img"
    assert root["aria-label"] == "図の<説明>"
    assert root["class"] == ["book-figure", "book-wide"]
    assert "height" not in root.attrs
    assert 500 < int(root["width"]) < 640
    assert re.search(r"\.book-figure \{[^}]*max-width: 100%", STYLE)


def test_nothing_of_the_file_leaks_into_the_page(svg):
    for unwanted in ("<?xml", "<!DOCTYPE", "metadata", "<style", "xmlns", "xlink", "ns0", "Date"):
        assert unwanted not in svg
    assert "font-family" not in svg
    assert "<text " in svg


def test_ids_are_prefixed_and_everything_that_points_at_one_finds_it(svg):
    ids = re.findall(r' id="([^"]+)"', svg)
    pointed_at = {*re.findall(r'href="#([^"]+)"', svg), *re.findall(r"url\(#([^)]+)\)", svg)}
    assert len(ids) == len(set(ids))
    assert set(ids) == pointed_at
    assert all(name.startswith("page-figure1-") for name in ids)


def test_letters_are_as_large_as_a_screen_asks(svg):
    """11 px, where a phone of 390 px shows the plot 373 px wide; 10 as drawn, where nobody asks."""
    root = BeautifulSoup(svg, "html.parser").svg
    least = float(re.search(r"--letters: ([\d.]+)px", root["style"])[1])
    assert least * figures.PHONE / float(root["viewbox"].split()[2]) == pytest.approx(11, abs=0.2)
    styles = [text["style"] for text in root.find_all("text")]
    assert all(re.search(r"font-size: max\(1[01]px, var\(--least, 0px\)\)", s) for s in styles)


def test_letters_of_a_book_are_as_drawn():
    book = figures.inline_svg(draw(), prefix="a", alt="b", themed=False)
    assert "font-size: 10px" in book
    assert "--l" not in book


def test_every_colour_follows_the_theme(svg):
    loose = re.sub(r"var\(--[\w-]+, #[0-9a-f]{6}\)", "", svg)
    assert not re.findall(r"(?<!url\()#[0-9a-f]{6}\b", loose)
    for variable in ("--series-1", "--series-2", "--pst-color-text-base", "--pst-color-border"):
        assert f"var({variable}, " in svg


def test_colours_that_are_not_the_books_stay():
    assert figures.themed_style("fill: #123456; stroke:#000000") == (
        "fill: #123456; stroke: var(--pst-color-text-base, #000000)"
    )


def test_plots_use_colours_that_the_page_knows():
    with mpl.rc_context(fname=DOCS / "matplotlibrc"):
        rc = mpl.rcParams
        cycle = [f"#{colour.lstrip('#')}" for colour in rc["axes.prop_cycle"].by_key()["color"]]
        others = [rc[key] for key in ("axes.edgecolor", "grid.color", "xtick.color", "ytick.color")]
        assert [rc["figure.facecolor"], rc["axes.facecolor"]] == ["none", "none"]
    assert [figures.COLOURS[colour] for colour in cycle] == [f"--series-{i}" for i in range(1, 5)]
    assert all(f"#{colour.lstrip('#')}" in figures.COLOURS for colour in others)


@pytest.mark.parametrize("kind", ["figure", "series"])
@pytest.mark.parametrize(("scheme", "ground"), [("light", "#ffffff"), ("dark", "#121212")])
def test_lines_stand_out_from_the_ground_and_from_each_other_in_grey(scheme, ground, kind):
    block = re.search(rf'html\[data-theme="{scheme}"\] \{{([^}}]*--figure-1[^}}]*)\}}', STYLE)
    colours = re.findall(rf"--{kind}-\d: (#[0-9a-f]{{6}})", block[1])
    assert len(colours) == 4
    for colour in colours:
        low, high = sorted([luminance(colour), luminance(ground)])
        assert (high + 0.05) / (low + 0.05) >= 3
    for one, other in itertools.combinations(colours, 2):
        assert abs(lightness(one) - lightness(other)) > 6


def test_what_is_compared_has_no_colour_of_a_quantity():
    """Bars and curves of measurements are neither potentials nor spikes."""
    quantities = [plot.POTENTIAL, plot.SPIKE, plot.THRESHOLD, plot.INPUT, plot.GRADIENT]
    theirs = {to_hex(quantity["color"]) for quantity in quantities}
    with mpl.rc_context(fname=DOCS / "matplotlibrc"):
        cycle = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
    assert not {f"#{colour.lstrip('#')}" for colour in cycle} & theirs


@pytest.mark.parametrize("name", ["potential", "spike", "threshold", "input", "gradient"])
def test_a_quantity_has_one_colour_in_plots_drawings_and_figures_to_work(name):
    plotted = figures.COLOURS[to_hex(getattr(plot, name.upper())["color"])]
    assert f"  --{name}: var({plotted});" in STYLE
    rules = re.findall(rf"\.book-figure [^{{]*\.{name}\b[^{{]*\{{([^}}]*)\}}", STYLE)
    assert any(f"stroke: var(--{name});" in rule for rule in rules)


def test_cells_plots_are_put_into_the_page(tmp_path):
    cell = (
        "```{code-cell} ipython3\n---\nmystnb:\n  image: {alt: 上がる線}\n"
        "  figure: {caption: 膜電位, name: rise}\n---\n"
    )
    plot = 'plt.plot([0, 1])\nplt.xlabel("時刻")\nplt.show()\n```\n\n'
    strict = (
        'import warnings\nwarnings.simplefilter("error", UserWarning)\nimport matplotlib_fontja\n'
    )
    body = f"# 題\n\n{cell}{SVG}{strict}plt.plot([-1, 1])\n{plot}"
    body += cell.replace("rise", "again") + plot + "{numref}`again`\n"
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "matplotlibrc").write_bytes((DOCS / "matplotlibrc").read_bytes())
    settings = 'numfig = True\nnb_execution_mode = "force"\nnb_execution_raise_on_error = True'
    built = build(tmp_path, {"index.md": CELLS + body}, *FIGURES, settings=settings)
    assert built.code == 0, built.messages
    page = built.page()
    pictures = page.select("figure > svg.book-figure[role=img]")
    assert [picture["aria-label"] for picture in pictures] == ["上がる線"] * 2
    assert page.select_one("figure#rise figcaption").text.strip().startswith("図 1")
    ids = [node["id"] for node in page.select("svg [id]")]
    assert ids
    assert len(ids) == len(set(ids))
    assert "時刻" in [text.text.strip() for text in pictures[0].select("text")]
    assert not page.select("img")
    assert not list(built.folder.rglob("_images/*"))


@pytest.mark.parametrize("format_", ["svg", "png"])
def test_picture_without_a_description_fails_the_build(tmp_path, format_):
    cell = f"# 題\n\n```{{code-cell}} ipython3\n{SVG}plt.plot([0, 1])\nplt.show()\n```\n"
    pages = {"index.md": CELLS + cell.replace("svg", format_)}
    settings = 'nb_execution_mode = "force"'
    built = build(tmp_path, pages, *FIGURES, settings=settings)
    assert built.code == 1
    found = re.search(r"index\.md:(\d+): WARNING: this picture has no alt", built.messages)
    assert int(found[1]) in range(7, 13)  # Somewhere in the cell: myst-nb counts a line or two off.


def test_a_picture_is_folded_with_the_cells_that_prepare_it(tmp_path):
    folded = "```{{code-cell}} ipython3\n:tags: [{}]\n{}\n```\n\n"
    prepared = folded.format("hide-cell", f"{SVG}y = [0, 1]") + folded.format("hide-input", "z = y")
    figure = "---\ntags: [hide-input]\nmystnb: {image: {alt: 線}}\n---\nplt.plot(z);"
    drawn = f"```{{code-cell}} ipython3\n{figure}\n```\n\n"
    alone = folded.format("hide-cell", "y = 1") + folded.format("hide-input", "print(y)")
    page = f"{CELLS}# 題\n\n{prepared}{drawn}文。\n\n{drawn}{alone}{drawn}"
    settings = 'nb_execution_mode = "force"'
    built = build(tmp_path, {"index.md": page}, *FIGURES, settings=settings)
    assert built.code == 0, built.messages
    pictures = [cell for cell in built.page().select("div.cell") if cell.select(".cell_output svg")]
    folds = [picture.select("details") for picture in pictures]
    assert [len(found) for found in folds] == [1, 1, 1]  # One button each.
    codes = [
        [code.text.strip().splitlines()[-1] for code in fold.select("pre")] for [fold] in folds
    ]
    assert codes == [["y = [0, 1]", "z = y", "plt.plot(z);"], ["plt.plot(z);"], ["plt.plot(z);"]]
    assert not [fold for [fold] in folds if fold.select("svg")]


DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100">
<style>.spike { stroke: red }</style><path class="spike" d="M0 0v9"/></svg>"""


@pytest.mark.parametrize("alt", [":alt: 縦棒\n", ""])
def test_a_drawing_is_put_into_the_page_and_described(tmp_path, alt):
    page = f"# 題\n\n```{{figure}} /_figures/tick.svg\n:name: fig-tick\n{alt}\n題。\n```\n"
    (tmp_path / "docs" / "_figures").mkdir(parents=True)
    (tmp_path / "docs" / "_figures" / "tick.svg").write_text(DRAWING, encoding="utf-8")
    built = build(tmp_path, {"index.md": page}, *FIGURES)
    assert built.code == (0 if alt else 1)
    assert ("index.md:3: WARNING: this picture has no alternative text" in built.messages) != bool(
        alt
    )
    (picture,) = built.page().select("figure#fig-tick svg.book-figure[role=img]")
    assert picture["aria-label"] == ("縦棒" if alt else "")
    assert (picture["width"], picture.select_one("path")["class"]) == ("200", ["spike"])
    assert not picture.select("style")


NUMBERED = (
    "```{{figure}} /_figures/tick.svg\n:name: {0}\n:alt: 縦棒\n\n題。\n```\n{{numref}}`{0}`\n\n"
)


@pytest.mark.parametrize(
    ("builder", "file", "last"),
    [("html", "next.html", "図 2"), ("pseudoxml", "next.pseudoxml", "図 3")],
)
def test_figures_are_numbered_by_page_on_the_site_alone(tmp_path, builder, file, last):
    one, two, three = map(NUMBERED.format, ("one", "two", "three"))
    pages = {
        "index.md": f"# 題\n\n{one}```{{toctree}}\nnext\n```\n",
        "next.md": f"# 次\n\n{two}{three}",
    }
    (tmp_path / "docs" / "_figures").mkdir(parents=True)
    (tmp_path / "docs" / "_figures" / "tick.svg").write_text(DRAWING, encoding="utf-8")
    settings = "numfig = True"
    build(tmp_path, pages, *FIGURES, settings=settings, builder=builder)
    # The second build changes one page, and has the numbers of the first one in store.
    pages["next.md"] += "文。\n"
    built = build(tmp_path, pages, *FIGURES, settings=settings, builder=builder)
    assert built.code == 0, built.messages
    found = re.findall(r"図 \d", (built.folder / file).read_text("utf-8"))
    assert found[-1] == last
    assert len(set(found)) == 2


def test_figures_are_numbered_by_page_where_a_book_of_one_file_was_made_before(tmp_path):
    pages = {
        "index.md": f"# 題\n\n{NUMBERED.format('one')}```{{toctree}}\nnext\n```\n",
        "next.md": f"# 次\n\n{NUMBERED.format('two')}",
    }
    (tmp_path / "docs" / "_figures").mkdir(parents=True)
    (tmp_path / "docs" / "_figures" / "tick.svg").write_text(DRAWING, encoding="utf-8")
    settings = "numfig = True"
    build(tmp_path, pages, *FIGURES, settings=settings, builder="pseudoxml")
    built = build(tmp_path, {}, *FIGURES, settings=settings)
    assert set(re.findall(r"図 \d", built.html("next"))) == {"図 1"}
