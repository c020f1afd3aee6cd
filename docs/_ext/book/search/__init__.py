"""The site's search: the book's text as its reader sees it, and ``search.js``, which looks in it.

Sphinx's search keeps a list of words, and Japanese has no spaces to tell what a word is: it finds
nothing for 代理勾配. For the lines it shows it fetches each page it has found, which a browser does
not do for ``file://``. But a book is small enough to be searched as it stands: what is in a page is
found, wherever a word may begin; nothing else is found; and the lines to show are at hand. What
draws a picture is folded away, and is not searched. The text is one file, which the search page
alone loads.

What a reader types may not be what the book writes: ``words.py`` brings other names, and words that
lead to a page or a section of it.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx import addnodes
from sphinx.util import logging

from book.files import write_atomically
from book.formulas import render
from book.search import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)
FILE = "searchtext.js"
BEFORE, AFTER = "const BOOK = ", ";\n"
# Drawings, and formulas on lines of their own, are looked at: there is no line of them to show.
NOT_TEXT = (nodes.Invisible, nodes.raw, nodes.math_block)


class Passage(NamedTuple):
    """A stretch of a page, and the anchor that leads there."""

    anchor: str
    heading: str
    text: str


def as_seen(tex: str) -> str:
    r"""Write a formula as KaTeX shows it: ``\theta`` is θ."""
    try:
        shown = render(tex.strip(), display=False)
    except ValueError:  # Where the formula stands, this is a warning already.
        return tex
    return html.unescape(re.sub("<[^>]*>", "", shown[: shown.index("<annotation")]))


def line(node: nodes.Node) -> str:
    """Join what a paragraph or the like shows."""
    if isinstance(node, NOT_TEXT):
        return ""
    if isinstance(node, nodes.math):
        return as_seen(node.astext())
    if isinstance(node, nodes.Text | addnodes.desc_signature):
        return node.astext()
    return "".join(line(child) for child in node.children)


def children(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield the children of a node but the code of a cell of which the page shows the output."""
    folded = isinstance(node, nodes.container) and "tag_hide-input" in node["classes"]
    for child in node.children:
        if not (folded and isinstance(child, HideCodeCellNode)):
            yield child


def lines(node: nodes.Node) -> Iterator[str | Passage]:
    """Yield what a node shows, with an empty passage wherever one begins."""
    if isinstance(node, NOT_TEXT):
        return
    if isinstance(node, nodes.title) and isinstance(section := node.parent, nodes.section):
        if not isinstance(section.parent, nodes.document):  # The page begins by itself.
            yield Passage(section["ids"][0], line(node), "")
        return
    if isinstance(node, nodes.term) and node["ids"]:
        yield Passage(node["ids"][0], line(node), "")
        return
    if isinstance(node, addnodes.desc_signature) and node["ids"]:
        # Looked for with all its dots; what the page shows is a part of it.
        yield Passage(node["ids"][0], node["ids"][0], "")
    if isinstance(node, nodes.TextElement):
        yield line(node)
        return
    for child in children(node):
        yield from lines(child)


def passages(doctree: nodes.document, title: str) -> list[Passage]:
    """Cut a page into its sections, the terms it explains and the objects it describes."""
    found: list[tuple[Passage, list[str]]] = [(Passage("", title, ""), [])]
    for item in lines(doctree):
        if isinstance(item, Passage):
            found.append((item, []))
        else:
            found[-1][1].append(item)
    return [start._replace(text=" ".join(" ".join(texts).split())) for start, texts in found]


class Index:
    """The passages of the pages that a build has written."""

    def __init__(self) -> None:
        """Start with none."""
        self.pages: dict[str, list[Passage]] = {}

    def add(self, app: Sphinx, doctree: nodes.document, docname: str) -> None:
        """Note a page, now that its references and its outputs are in place."""
        self.pages[docname] = passages(doctree, line(app.env.longtitles[docname]))

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write all pages, those of earlier builds too, in the order in which they are read."""
        if exception is not None or app.builder.name != "html":
            return
        file = Path(app.outdir, FILE)
        pages = earlier(file) | self.pages
        for docname in sorted(app.env.found_docs - pages.keys()):
            app.env.get_and_resolve_doctree(docname, app.builder)
        pages |= self.pages
        order = [*app.env.collect_relations(), *sorted(app.env.found_docs)]
        book = {docname: pages[docname] for docname in order}
        names, leads = found_by(book, Path(app.srcdir, app.config.search_words))
        data = {"variants": names, "leads": leads, "pages": list(book.items())}
        packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write_atomically(file, BEFORE + packed + AFTER)


def found_by(
    book: dict[str, list[Passage]], file: Path
) -> tuple[dict[str, str], dict[str, dict[str, list[str]]]]:
    """Gather what the pages are found by, besides their text: other names, and words that lead."""
    glossary = {
        heading: text
        for passages in book.values()
        for anchor, heading, text in passages
        if anchor.startswith("term-")
    }
    names, leads, unread = words.read(file.read_text(encoding="utf-8") if file.is_file() else "")
    for line in unread:
        logger.warning("say “word = names” or “page › heading: words”", location=f"{file}:{line}")
    titles = {page[0].heading.partition(": ")[0]: docname for docname, page in book.items()}
    places = [(docname, "", term) for docname, term in words.homes(glossary, titles)]
    for lead in leads:
        anchors = [start.anchor for start in book.get(lead.page, []) if begins(start, lead)]
        if len(anchors) != 1:
            told = f"{len(anchors)} sections of {lead.page!r} begin with {lead.heading!r}: name one"
            if lead.page not in book:
                told = f"there is no page {lead.page!r}"
            logger.warning(told, location=f"{file}:{lead.line}")
        places += [(lead.page, anchor, word) for anchor in anchors for word in lead.words]
    return words.variants(glossary) | names, words.placed(places)


def begins(passage: Passage, lead: words.Lead) -> bool:
    """Tell whether a passage is the one that words lead to: without a heading, the page itself."""
    if lead.heading:
        return bool(passage.anchor) and passage.heading.startswith(lead.heading)
    return not passage.anchor


def earlier(file: Path) -> dict[str, list[Passage]]:
    """Read back the pages that an earlier build wrote."""
    try:
        text = file.read_text(encoding="utf-8")
        pages = json.loads(text.removeprefix(BEFORE).removesuffix(AFTER))["pages"]
    except (OSError, ValueError):
        return {}
    return {docname: [Passage(*found) for found in page] for docname, page in pages}


def without_stock(app: Sphinx) -> None:
    """Have Sphinx make no index, which takes longer than ours and would not be looked at."""
    app.builder.search = False  # type: ignore[attr-defined]


def search_page(app: Sphinx) -> Iterable[tuple[str, dict[str, object], str]]:
    """Add the page that Sphinx leaves out with its index."""
    return [("search", {}, "search.html")] if app.builder.name == "html" else []


def setup(app: Sphinx) -> None:
    """Take the place of Sphinx's search."""
    app.add_config_value("search_words", "", "", str)
    index = Index()
    app.connect("builder-inited", without_stock)
    app.connect("doctree-resolved", index.add)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", index.write)
    app.add_css_file("search.css")
    app.add_js_file("search.js", loading_method="defer")
