"""The site's search: the book's text as its reader sees it, and ``search.js``, which looks in it.

Sphinx's search keeps a list of words, and Japanese has no spaces to tell what a word is: it finds
nothing for 代理勾配. For the lines it shows it fetches each page it has found, which a browser does
not do for ``file://``. But a book is small enough to be searched as it stands: what is in a page is
found, wherever a word may begin; nothing else is found; and the lines to show are at hand. The text
is one file, which the search page alone loads.

Other names of a term come from the glossary: from a sentence of its definition that ends in
ともいう or とも書く, with 、 between the names. 「擬似勾配、サロゲート勾配ともいう。」 gives two.
"""

from __future__ import annotations

import html
import json
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from docutils import nodes
from sphinx import addnodes

from book.files import bring, write_atomically
from book.formulas import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

FILE = "searchtext.js"
BEFORE, AFTER = "const BOOK = ", ";\n"
# Drawings, and formulas on lines of their own, are looked at: there is no line of them to show.
NOT_TEXT = (nodes.Invisible, nodes.raw, nodes.math_block)
NAMING = re.compile(r"([^。]+)とも(?:いう|書く)。")
NAMING_MORE = re.compile(r"とも(?:いい|書き)$")
LOANWORD = re.compile(r"[ァ-ヺー]{2,}")


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
    for child in node.children:
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


def folded(text: str) -> str:
    """Make equal what is looked for as one, as ``fold`` in search.js does."""
    return unicodedata.normalize("NFKC", text).lower()


def loanword(name: str, term: str) -> tuple[str, str] | None:
    """Find the word that a name writes in katakana and the term does not: ポテンシャル for 電位.

    The names are 膜ポテンシャル and 膜電位: all the rest must be the same.
    """
    found = LOANWORD.findall(name)
    if len(found) != 1 or found[0] == name:
        return None
    before, word, after = name.partition(found[0])
    same = re.fullmatch(f"{re.escape(before)}(.+){re.escape(after)}", term)
    return (word, same[1]) if same else None


def other_names(definition: str) -> Iterator[str]:
    """Yield the other names that a definition gives."""
    for sentence in NAMING.findall(definition):
        for part in sentence.split("、"):
            yield NAMING_MORE.sub("", part)


def variants(glossary: dict[str, str]) -> dict[str, str]:
    """Map the other names in a glossary, and the loanwords in them, to the book's own terms."""
    names = [(name, term) for term, text in glossary.items() for name in other_names(text)]
    words = filter(None, (loanword(name, term) for name, term in names))
    # ステップ is left out of ステップ関数: it is a term itself, and means something else.
    known = {word: native for word, native in words if word not in glossary}
    return {folded(name): term for name, term in (known | dict(names)).items()}


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
        terms = {
            heading: text
            for found in book.values()
            for anchor, heading, text in found
            if anchor.startswith("term-")
        }
        data = {"variants": variants(terms), "pages": list(book.items())}
        packed = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        write_atomically(file, BEFORE + packed + AFTER)


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
    if app.builder.name == "html":
        app.builder.search = False  # type: ignore[attr-defined]


def search_page(app: Sphinx) -> Iterable[tuple[str, dict[str, object], str]]:
    """Add the page that Sphinx leaves out with its index."""
    return [("search", {}, "search.html")] if app.builder.name == "html" else []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take the place of Sphinx's search."""
    bring(app, __file__)
    index = Index()
    app.connect("builder-inited", without_stock)
    app.connect("doctree-resolved", index.add)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", index.write)
    app.add_css_file("search.css")
    app.add_js_file("search.js", loading_method="defer")
    # A higher env_version has every page written anew: needed when passages are cut otherwise.
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
