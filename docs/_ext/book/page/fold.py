"""``{fold}`` and ``{unfold}``: what stands between them is folded, cells and all.

A directive can hold no cells, since MyST-NB takes a page apart by its cells first. So these are two
marks, in one section; what lies between becomes what a folded cell is: 解答を表示.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import Directive
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.util import logging

from book.page.japanese import depart_hidden_cell, visit_hidden_cell

if TYPE_CHECKING:
    from sphinx.application import Sphinx

logger = logging.getLogger(__name__)


class fold(HideCodeCellNode):  # noqa: N801
    """What is folded; before the page is read whole, where it begins."""


class unfold(nodes.Element):  # noqa: N801
    """Where it ends."""


class Fold(Directive):
    """Begin a fold, with its title."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        title = self.arguments[0]
        node = fold(title=title, prompt_show=f"{title}を表示", prompt_hide=f"{title}を隠す")
        node["classes"].append("fold")
        node.source, node.line = self.state_machine.get_source_and_line(self.lineno)
        return [node]


class Unfold(Directive):
    """End it."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark."""
        node = unfold()
        node.source, node.line = self.state_machine.get_source_and_line(self.lineno)
        return [node]


def gather(_app: Sphinx, doctree: nodes.document) -> None:
    """Put what stands between the marks into the first of them."""
    for begin in list(doctree.findall(fold)):
        parent = begin.parent
        here = parent.index(begin)
        inside = parent[here + 1 :]
        kinds = [type(node) for node in inside]
        end = kinds.index(unfold) if unfold in kinds else len(kinds)
        if end == len(kinds) or fold in kinds[:end]:
            logger.warning("{fold} without {unfold} in the same section", location=begin)
            parent.remove(begin)
            continue
        parent[here + 1 : here + 2 + end] = []
        begin.extend(inside[:end])
    for left in list(doctree.findall(unfold)):
        logger.warning("{unfold} without {fold} in the same section", location=left)
        left.parent.remove(left)


def setup(app: Sphinx) -> None:
    """Register the marks; they are gathered before anything is counted on the page."""
    app.add_node(fold, html=(visit_hidden_cell, depart_hidden_cell))
    app.add_directive("fold", Fold)
    app.add_directive("unfold", Unfold)
    app.connect("doctree-read", gather, priority=450)
