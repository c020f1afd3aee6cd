"""Plots that cells draw as SVG become part of the page.

Inline, a plot takes its colours from the theme (light or dark, as the reader likes it), its text is
the page's text, and it weighs 3 KB where a PNG weighs 50. Cells give the words:
``mystnb: {image: {alt: …}, figure: {caption: …, name: …}}``. A picture without ``alt`` is a
warning, because somebody will not see it.

So do drawings by hand, the SVG files in ``docs/_figures``: what they draw with the classes
``potential``, ``spike``, ``threshold``, ``input``, ``gradient`` has the look of that quantity,
which is in ``figures.css`` too, and the rest is drawn in ``currentColor``.

A folded cell that only prepares a picture is folded with the picture's code, below it.

Numbers (図1) begin anew on each page of the site, so another page's picture is linked, not counted.

The colours to map are those of ``docs/matplotlibrc``; what they become is in ``book.css``.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard
from xml.etree import ElementTree as ET

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from book.nodes import around

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders import Builder

COLOURS = {
    "#000000": "--pst-color-text-base",
    "#ffffff": "--pst-color-background",
    "#48566b": "--pst-color-text-muted",
    "#d1d5da": "--pst-color-border",
    # Matplotlib's own greys, which cells get by asking for "gray" or for a default.
    "#808080": "--pst-color-text-muted",
    "#b0b0b0": "--pst-color-border",
    "#cccccc": "--pst-color-border",
    "#d3d3d3": "--pst-color-border",
}
LOOK = Path(__file__).parents[1] / "web" / "static" / "book.css"
# Those of the light scheme, which come first.
LIGHT = re.findall(r"(--(?:figure|series)-\d): (#\w+);", LOOK.read_text(encoding="utf-8"))[:8]
COLOURS |= {colour: variable for variable, colour in LIGHT}
# Matplotlib sizes a drawing in points for paper; on a desk's screen it is looked at from farther.
SCALE = 1.5
# A phone of 390 px shows a plot 373 px wide, its letters of 11 px or more: figures.css sees to it.
PHONE, LETTERS = 373, 11.1
# Nearly as wide as the column: it ends where the text does.
WIDE = 570
DRAWINGS = "_figures/"
# What matplotlib says in a stylesheet for every element. In a page that would be the whole page's.
ROOT_STYLE = "stroke-linejoin: round; stroke-linecap: butt; fill: #000000"
UNWANTED = {"metadata", "style"}
ID = re.compile(r' id="([^"]*)"')
POINTER = re.compile(r'((?:href="|url\()#)([^")]*)')

logger = logging.getLogger(__name__)


def themed_style(style: str, *, themed: bool = True) -> str:
    """Replace known colours by the theme's, and leave the choice of the font to the page."""
    declarations = (part.partition(":")[::2] for part in style.split(";") if part.strip())
    kept = []
    for key, value in ((key.strip(), value.strip()) for key, value in declarations):
        if key == "font-family":
            if "monospace" in value and themed:  # Code: the others are named in it, too.
                kept.append("font-family: var(--pst-font-family-monospace)")
            continue
        variable = COLOURS.get(value.lower()) if themed else None
        kept.append(f"{key}: var({variable}, {value})" if variable else f"{key}: {value}")
    return "; ".join(kept)


def readable(style: str) -> str:
    """Let a text grow to the size that a screen asks for."""
    return re.sub(r"font-size: ([\d.]+px)", r"font-size: max(\1, var(--least, 0px))", style)


def without_namespaces(element: ET.Element) -> None:
    """Name elements and attributes as HTML does, and drop what a page has no use for."""
    for node in element.iter():
        for child in [child for child in node if child.tag.rpartition("}")[2] in UNWANTED]:
            node.remove(child)
        node.tag = node.tag.rpartition("}")[2]
        for name in [name for name in node.attrib if name.startswith("{")]:
            node.set(name.rpartition("}")[2], node.attrib.pop(name))


def with_ids_of(svg: str, prefix: str) -> str:
    """Have each id begin with a prefix. One that nothing in the drawing points at goes."""
    targets = {target for _, target in POINTER.findall(svg)}
    kept = [name for name in ID.findall(svg) if name in targets]
    names = {name: f"{prefix}-{number}" for number, name in enumerate(kept, 1)}
    svg = ID.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", svg)
    return POINTER.sub(lambda found: found[1] + names[found[2]], svg)


def inline_svg(
    source: bytes, *, prefix: str, alt: str, themed: bool = True, drawn: bool = False
) -> str:
    """Turn an SVG file into an element of a page. ``prefix`` begins every id.

    ``drawn`` by hand, it is as large as it says, and its text does not shrink on a phone. That of a
    plot shrinks no further than can be read.

    Without a theme it keeps its colours, and it is an element of XHTML.
    """
    root = ET.fromstring(source)  # noqa: S314  # Our own cells drew it.
    without_namespaces(root)
    for node in root.iter():
        if style := themed_style(node.get("style", ""), themed=themed):
            node.set("style", style)
    width = float(root.get("viewBox", "0 0 0 0").split()[2])
    letters = ""
    if themed and not drawn:
        letters = f"; --letters: {LETTERS * width / PHONE:.1f}px"
        for text in root.findall(".//text[@style]"):
            text.set("style", readable(text.attrib["style"]))
    shown = width * (1 if drawn else SCALE)
    classes = ["book-figure", *["book-drawing"] * drawn, *["book-wide"] * (shown >= WIDE)]
    root.attrib = {
        "class": " ".join(classes),
        "role": "img",
        "aria-label": alt,
        "viewBox": root.get("viewBox", ""),
        "width": f"{shown:.0f}",
        "style": themed_style(ROOT_STYLE, themed=themed) + letters,
    }
    if not themed:
        root.set("xmlns", "http://www.w3.org/2000/svg")
    return with_ids_of(ET.tostring(root, encoding="unicode"), prefix)


def line_of(node: nodes.Node) -> int | None:
    """Find where a node was written. Pictures are only told line 0; their cells know better."""
    return next((each.line for each in (node, *around(node)) if each.line), None)


def is_ours(image: nodes.image) -> bool:
    """Tell a drawing, or a picture that a cell has drawn, from pictures of other kinds."""
    of_cell = any(each.get("nb_element") == "cell_code_output" for each in around(image))
    return of_cell or str(image["uri"]).startswith(DRAWINGS)


class InlineFigures(SphinxPostTransform):
    """Put the SVG pictures of cells, and drawings, into the page."""

    default_priority = 10  # Right after myst-nb has chosen which form of an output to show.
    formats = ("html",)
    themed = True

    def run(self, **_kwargs: object) -> None:
        """Replace the pictures, in order."""
        docname = self.env.current_document.docname
        stem = docname.replace("/", "-")
        numbers = itertools.count(1)
        for image in [image for image in self.document.findall(nodes.image) if is_ours(image)]:
            alt = image.get("alt", "").strip()
            if not alt:
                logger.warning(
                    "this picture has no alternative text: say what it shows, in a cell's "
                    "`mystnb: {image: {alt: …}}` or in a figure's `:alt:`",
                    location=(docname, line_of(image)),
                    type="figures",
                )
            if image["uri"].endswith(".svg"):
                source = Path(self.env.srcdir, image["uri"]).read_bytes()
                prefix = f"{stem}-figure{next(numbers)}"
                drawn = image["uri"].startswith(DRAWINGS)
                svg = inline_svg(source, prefix=prefix, alt=alt, themed=self.themed, drawn=drawn)
                image.replace_self(nodes.raw("", svg, format="html", alt=alt))


class FoldTogether(SphinxPostTransform):
    """Fold the code of a picture, and the folded cells before it that only prepare it, as one.

    All are behind one button below the picture; the page keeps the order in which cells run.
    """

    default_priority = 9  # Before what is folded, and what is drawn, looks different.
    formats = ("html",)

    def run(self, **_kwargs: object) -> None:
        """Put what prepares a picture before its code, and fold both."""
        for cell in [cell for cell in self.document.findall(nodes.container) if draws(cell)]:
            code = cell.children[0]
            prompts = {name: cell[name] for name in ("prompt_show", "prompt_hide")}
            fold = HideCodeCellNode(**prompts, classes=["above-input"])
            cell.replace(code, fold)
            fold += [*taken_before(cell), code]
            unfold(cell)


def taken_before(cell: nodes.container) -> list[nodes.container]:
    """Take the folded cells that stand before a picture's out of the page."""
    taken: list[nodes.container] = []
    while (before := cell.previous_sibling()) is not None and prepares(before):
        cell.parent.remove(before)
        unfold(before)
        taken.insert(0, before)
    return taken


def unfold(cell: nodes.container) -> None:
    """Keep MyST-NB from folding a cell."""
    cell.attributes.pop("hide_mode", None)


def prepares(node: nodes.Node) -> TypeGuard[nodes.container]:
    """Tell whether a node is a cell that is folded away whole."""
    if not isinstance(node, nodes.container) or "cell" not in node["classes"]:
        return False
    whole = "tag_hide-cell" in node["classes"]
    return whole or ("tag_hide-input" in node["classes"] and len(node.children) == 1)


def draws(cell: nodes.container) -> bool:
    """Tell whether a cell's code is folded away beside its picture."""
    return "tag_hide-input" in cell["classes"] and next(cell.findall(nodes.image), None) is not None


def number_by_page(app: Sphinx, builder: Builder) -> None:
    """Begin anew at 1 on each page of the site, which is read alone: nobody seeks the 23 before.

    A book of one file keeps the numbers that Sphinx gave, which go through. So does what a build
    stores, since the next one compares with it: this comes after it is stored.
    """
    if builder.name != "html":
        return
    for kinds in app.env.toc_fignumbers.values():
        for kind, numbers in kinds.items():
            kinds[kind] = {name: (number,) for number, name in enumerate(numbers, 1)}


def setup(app: Sphinx) -> None:
    """Register the post-transforms and the numbers."""
    app.add_css_file("figures.css")
    app.connect("write-started", number_by_page)
    app.add_post_transform(InlineFigures)
    app.add_post_transform(FoldTogether)
