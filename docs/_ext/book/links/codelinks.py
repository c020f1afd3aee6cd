"""Names in cells lead to where they are documented: to the API page, or to other projects' pages.

``names.py`` tells what a name means; where that is documented, the inventories tell: the book's own
and those of ``intersphinx_mapping``, which are files of this repository. A page's code has hundreds
of names, so the first one of each kind on a page is marked and takes the keyboard's focus; the
others can be clicked.
"""

from __future__ import annotations

import bisect
import html
import itertools
import re
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.ext.intersphinx import InventoryAdapter
from sphinx.transforms.post_transforms import SphinxPostTransform

from book.links.names import meanings

if TYPE_CHECKING:
    from sphinx import addnodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.writers.html5 import HTML5Translator

# Pygments puts each name into an element of its own, and none into another.
PIECE = re.compile(r"<span[^>]*>[^<]*</span>|<[^>]*>|[^<]+")
Link = tuple[int, int, str]  # From this character to that one, and what the tag says.


def documented_elsewhere(env: BuildEnvironment) -> dict[str, str]:
    """List the names that other projects document, and their addresses."""
    inventory = InventoryAdapter(env).main_inventory.values()
    return {name: item.uri for items in inventory for name, item in items.items()}


def find_elsewhere(
    _app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement
) -> nodes.reference | None:
    """Find a type that a signature names by where it is made: torch.nn.modules.module.Module."""
    if node.get("refdomain") != "py":
        return None
    known = documented_elsewhere(env)
    *module, name = node["reftarget"].split(".")
    names = [".".join([*module[:count], name]) for count in range(len(module), 0, -1)]
    uri = next((known[full] for full in names if full in known), None)
    return nodes.reference("", "", text, internal=False, refuri=uri) if uri else None


def cells_of(document: nodes.document) -> list[nodes.literal_block]:
    """Return the code of a page's cells, in order."""
    inputs = [
        node
        for node in document.findall(nodes.container)
        if node.get("nb_element") == "cell_code_source"
    ]
    return [code for node in inputs for code in node.findall(nodes.literal_block)]


class LinkNames(SphinxPostTransform):
    """Find out where the names in a page's cells lead."""

    default_priority = 20
    formats = ("html",)

    def run(self, **_kwargs: object) -> None:
        """Note the links at the nodes of the cells."""
        elsewhere, own = documented_elsewhere(self.env), self.env.domains.python_domain.objects
        docname, seen = self.env.current_document.docname, set[str]()
        blocks = cells_of(self.document)
        for block, spans in zip(blocks, meanings([b.rawsource for b in blocks]), strict=True):
            links: list[Link] = []
            block["links"] = links
            for span in spans:
                target = next(
                    (name for name in span.targets if name in own or name in elsewhere), ""
                )
                if not target or (links and span.start < links[-1][1]):
                    continue  # Nowhere, or a part of what is linked.
                if entry := own.get(target):
                    place = self.app.builder.get_relative_uri(docname, entry.docname)
                    tag = f'class="code-link" href="{place}#{entry.node_id}"'
                else:
                    place = html.escape(elsewhere[target])
                    tag = f'class="code-link" rel="noopener" href="{place}"'
                links.append((span.start, span.end, tag + ' tabindex="-1"' * (target in seen)))
                seen.add(target)


def linked(highlighted: str, source: str, links: list[Link]) -> str:
    """Wrap parts of highlighted code in links: the elements, one after another, that have them."""
    pieces = PIECE.findall(highlighted)
    texts = [html.unescape(re.sub("<[^>]*>", "", piece)) for piece in pieces]
    offset = "".join(texts).find(source.rstrip("\n"))
    ends = list(itertools.accumulate(map(len, texts)))
    for start, end, tag in links:
        first = bisect.bisect_right(ends, offset + start)
        last = bisect.bisect_left(ends, offset + end)
        pieces[first] = f"<a {tag}>{pieces[first]}"
        pieces[last] += "</a>"
    return "".join(pieces)


def visit_literal_block(translator: HTML5Translator, node: nodes.literal_block) -> None:
    """Write code as its translator does, with its links in it."""
    begin = len(translator.body)
    try:
        type(translator).visit_literal_block(translator, node)
    finally:
        if links := node.get("links"):
            written = "".join(translator.body[begin:])
            translator.body[begin:] = [linked(written, node.rawsource, links)]


def setup(app: Sphinx) -> None:
    """Register them all."""
    app.setup_extension("sphinx.ext.intersphinx")
    app.connect("missing-reference", find_elsewhere, priority=600)  # After intersphinx.
    app.add_post_transform(LinkNames)
    app.add_node(nodes.literal_block, override=True, html=(visit_literal_block, None))
