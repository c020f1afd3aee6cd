"""A page's short title, and what the page claims: ``# LIFモデル: 重なったときだけ応える``.

The sentence in bold that follows, and leads the page, is the lead.

What stands before the colon names the page wherever it is named: in the list of chapters, between
the pages, in running text. What stands behind it is said below the title. Where a page is known by
nothing else, in a browser's tab and among what a search finds, both are there.

``anchor`` in the front matter is what a title's address was when the title was another: it holds.
Of a title that changed more than once all are there, with spaces between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

COLON = ": "


def set_apart(_app: Sphinx, doctree: nodes.document) -> None:
    """Leave the short title as the title, and set the claim below it."""
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is None or COLON not in title.astext():
        return
    whole = title.astext()
    short, _, claim = whole.partition(COLON)
    doctree["title"] = whole  # What Sphinx keeps as the page's long title.
    title[:] = [nodes.Text(short)]
    title.parent.insert(1, nodes.paragraph("", claim, classes=["subtitle"]))


def mark_lead(_app: Sphinx, doctree: nodes.document) -> None:
    """Give the first paragraph its class, if it is one sentence in bold."""
    for text in doctree.findall(nodes.paragraph):
        if "subtitle" not in text["classes"]:
            bold = text.next_node(nodes.strong)
            if bold is not None and bold.astext() == text.astext():
                text["classes"].append("page-lead")
            return


def keep_anchor(app: Sphinx, doctree: nodes.document) -> None:
    """Have the addresses of the titles that were lead to the one that is."""
    anchor = app.env.metadata[app.env.current_document.docname].get("anchor")
    section = next(iter(doctree.findall(nodes.section)), None)
    if anchor and section is not None:
        section["ids"] += anchor.split()


def setup(app: Sphinx) -> None:
    """Set the claim apart before Sphinx takes the titles; the front matter is known after that."""
    app.connect("doctree-read", set_apart, priority=400)
    app.connect("doctree-read", mark_lead)
    app.connect("doctree-read", keep_anchor, priority=600)
