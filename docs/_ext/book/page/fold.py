"""``{fold}``: text that is folded, as a folded cell is: 解答を表示."""

from __future__ import annotations

from typing import TYPE_CHECKING

from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.util.docutils import SphinxDirective

from book.page.japanese import depart_hidden_cell, visit_hidden_cell

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class fold(HideCodeCellNode):  # noqa: N801
    """What is folded."""


class Fold(SphinxDirective):
    """Fold the content, under a title."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write it as MyST-NB writes a folded cell."""
        title = self.arguments[0]
        text = self.parse_content_to_nodes()
        prompts = {"prompt_show": f"{title}を表示", "prompt_hide": f"{title}を隠す"}
        return [fold("", *text, title=title, classes=["fold"], **prompts)]


def setup(app: Sphinx) -> None:
    """Register the directive."""
    app.add_node(fold, html=(visit_hidden_cell, depart_hidden_cell))
    app.add_directive("fold", Fold)
